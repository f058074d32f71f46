//! The statistics that can be asked for, by their names in the JSON.

use clap::ValueEnum;
use mlops_drift::report::{ColumnReport, Statistics};

use crate::args::DriftArgs;

macro_rules! statistics {
    ($($name:ident $field:ident $head:literal $says:literal;)*) => {
        /// A statistic of a report.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        #[value(rename_all = "snake_case")]
        pub(crate) enum Statistic {
            $(#[doc = $says] $name,)*
        }

        impl Statistic {

            /// What stands above it in a table.
            pub(super) const fn head(self) -> &'static str {
                match self { $(Self::$name => $head,)* }
            }

            /// Its value in a column.
            pub(super) fn value(self, of: &Statistics) -> Option<f64> {
                match self { $(Self::$name => of.$field.as_ref().and_then(|found| found.value),)* }
            }
        }

        /// Leaves out what was not asked for; nothing where nothing was.
        pub(super) fn keep(column: &mut ColumnReport, chosen: &[Statistic]) {
            let is_out = |name| !chosen.is_empty() && !chosen.contains(&name);
            $(if is_out(Statistic::$name) { column.statistics.$field = None; })*
        }
    };
}

statistics! {
    Ks ks "KS" "Kolmogorov-Smirnov";
    Wasserstein wasserstein "W1" "Wasserstein-1";
    Psi psi "PSI" "Population stability index";
    MannWhitney mann_whitney "MANN-WHITNEY" "Mann-Whitney's U: location";
    Mood mood "MOOD" "Mood's statistic: scale";
    AndersonDarling anderson_darling "ANDERSON-DARLING" "Anderson-Darling: shape";
    G g "G" "The likelihood ratio of bins or categories";
    ChiSquare chi_square "CHI-SQUARE" "Pearson's chi-square";
    TotalVariation total_variation "TV" "Total variation";
    LInfinity l_infinity "L-INF" "The largest change of a share";
    JensenShannon jensen_shannon "JS" "Jensen-Shannon distance, base 2";
    KullbackLeibler kullback_leibler "KL" "Kullback-Leibler divergence";
    Hellinger hellinger "HELLINGER" "Hellinger distance";
    Energy energy "ENERGY" "Energy distance";
    CramerVonMises cramer_von_mises "CVM" "Cramér-von Mises";
    MeanShift mean_shift "MEAN SHIFT" "Current mean less reference mean";
    StdShift std_shift "STD SHIFT" "Current less reference standard deviation";
}

/// The statistics in a table: those that were asked for, or the two best known.
pub(super) fn shown(args: &DriftArgs) -> Vec<Statistic> {
    if args.statistics.is_empty() {
        vec![Statistic::Psi, Statistic::Ks]
    } else {
        args.statistics.clone()
    }
}

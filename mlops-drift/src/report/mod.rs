//! What a comparison found, in the shape `mlops.drift.report/1`.
//!
//! Every struct here serialises to JSON and back. An undefined number is `null`, never NaN and never
//! 0; infinities are the strings `"inf"` and `"-inf"`. Fields may be added, so the structs can't be
//! built outside of this crate.

mod binned;
mod bins;
mod build;
mod describe;
mod exact;
pub(crate) mod number;

use serde::{Deserialize, Serialize};

use crate::decision::Correction;
use crate::statistic::{EmptyBins, Law};
pub(crate) use build::{build, build_all, examine};
pub(crate) use exact::{Looked, look_again};

/// The name of the shape, as `schema` holds it.
pub const SCHEMA: &str = "mlops.drift.report/1";

/// The outcome of one comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The rows of both sides.
    pub rows: Sides<u64>,
    /// The rate of false alarms that was asked for.
    pub alpha: f64,
    /// How p-values were corrected for the number of tests.
    pub correction: Correction,
    /// All columns together.
    pub dataset: Dataset,
    /// One entry a column, in the order of the schema.
    pub columns: Vec<ColumnReport>,
}

impl Report {
    /// The entry of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnReport> {
        self.columns.iter().find(|column| column.column == name)
    }
}

/// Something of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sides<T> {
    /// What was fitted.
    pub reference: T,
    /// What was observed.
    pub current: T,
}

/// All columns together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Dataset {
    /// Whether the data as a whole has drifted.
    pub drifted: bool,
    /// By what rule.
    pub rule: String,
    /// How many columns there are.
    pub columns: usize,
    /// How many have drifted.
    pub drifted_columns: usize,
    /// How many could not be checked.
    pub unchecked_columns: usize,
}

/// How a column's values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// Floating point, integers and decimals, by value.
    Numeric,
    /// Strings, dictionaries and what was named categorical, by category.
    Categorical,
    /// Booleans, by category.
    Boolean,
    /// Dates, times, timestamps and durations, by value.
    Time,
}

/// What became of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No change was found that is both significant and large enough to matter.
    Stable,
    /// At least one kind of change is.
    Drifted,
    /// Nothing can be said; the reason stands beside it.
    Unchecked,
}

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Change {
    /// Values became larger or smaller (Mann-Whitney); its effect is the KS distance.
    Location,
    /// Values spread or drew together (Mood); its effect is the relative change of the mean squared
    /// centred rank.
    Scale,
    /// Values are distributed otherwise, be it by location, scale or anything else
    /// (Anderson-Darling); its effect is the KS distance. A change is called so only where neither
    /// location nor scale passes.
    Shape,
    /// Other categories (G); its effect is the total variation distance.
    Categories,
    /// Another share of rows without a usable value (null, NaN or infinite); its effect is the
    /// difference of the shares.
    Nulls,
    /// Values outside of everything that the reference holds; its effect is their share.
    Range,
}

/// Which test of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TestKind {
    /// Location, scale and shape together, or categories.
    Values,
    /// The share of rows without a usable value.
    Nulls,
    /// Values outside of the reference's range.
    Range,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ColumnReport {
    /// Its name.
    pub column: String,
    /// Its Arrow type.
    #[serde(rename = "type")]
    pub data_type: String,
    /// How its values are compared; `None` when its type is unsupported.
    pub kind: Option<Kind>,
    /// What became of it.
    pub verdict: Verdict,
    /// Why it is unchecked.
    pub reason: Option<String>,
    /// The kind of change that decided: that of the test of smallest adjusted p-value, and when the
    /// column has drifted the strongest one that passed its floor.
    pub decided_by: Option<Change>,
    /// The p-value of the kind of change that decided, valid by itself.
    #[serde(with = "number::one")]
    pub p_value: Option<f64>,
    /// The same, corrected for all tests of the report.
    #[serde(with = "number::one")]
    pub adjusted_p_value: Option<f64>,
    /// How large that change is, in the unit of its floor.
    #[serde(with = "number::one")]
    pub effect: Option<f64>,
    /// The floor below which it does not matter.
    #[serde(with = "number::one")]
    pub min_effect: Option<f64>,
    /// How many clusters hold a usable value; `None` when rows are independent.
    pub clusters: Option<Sides<u64>>,
    /// Every test.
    pub tests: Vec<Test>,
    /// How many rows hold what.
    pub counts: Sides<Counts>,
    /// What describes the change; those that were not computed are left out.
    pub statistics: Statistics,
    /// The bins (or categories) whose share changed, the largest change first.
    pub moved: Vec<Moved>,
    /// Quantiles of both sides.
    pub quantile_shifts: Vec<QuantileShift>,
    /// Categories that came and went.
    pub categories: Categories,
}

/// One test of a column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Test {
    /// Which one.
    pub kind: TestKind,
    /// Its p-value; `None` when it is reported without being tested.
    #[serde(with = "number::one")]
    pub p_value: Option<f64>,
    /// The p-value corrected for all tests of the report.
    #[serde(with = "number::one")]
    pub adjusted_p_value: Option<f64>,
    /// How large the change is.
    #[serde(with = "number::one")]
    pub effect: Option<f64>,
    /// The floor below which it does not matter.
    #[serde(with = "number::one")]
    pub min_effect: Option<f64>,
}

/// How many rows of one side hold what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// All of them.
    pub rows: u64,
    /// Without a value.
    pub null: u64,
    /// Not a number.
    pub nan: u64,
    /// An infinity.
    pub infinite: u64,
    /// With a usable value: a finite number or a category.
    pub finite: u64,
}

/// What describes a change.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Statistics {
    /// Kolmogorov-Smirnov.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ks: Option<KsReport>,
    /// Wasserstein-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasserstein: Option<WassersteinReport>,
    /// Population stability index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<PsiReport>,
    /// Mann and Whitney's U of the current side; `effect` is the probability that a current value
    /// exceeds a reference value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mann_whitney: Option<TestedStatistic>,
    /// Mood's statistic of the current side; `effect` is the ratio of the mean squared centred ranks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mood: Option<TestedStatistic>,
    /// The two-sample Anderson-Darling statistic with midranks; `effect` is the KS distance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anderson_darling: Option<TestedStatistic>,
    /// The likelihood-ratio statistic of the bins or categories, tested for categories alone;
    /// `effect` is their total variation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub g: Option<TestedStatistic>,
    /// Pearson's statistic of the bins or categories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chi_square: Option<PlainStatistic>,
    /// Half the sum of the differences of the bins' or categories' shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_variation: Option<PlainStatistic>,
    /// The largest difference of the share of a bin or category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l_infinity: Option<PlainStatistic>,
    /// The Jensen-Shannon distance of the bins or categories, in base 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jensen_shannon: Option<PlainStatistic>,
    /// The Kullback-Leibler divergence of the current from the reference shares in nats, with empty
    /// bins as in PSI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kullback_leibler: Option<PlainStatistic>,
    /// The Hellinger distance of the bins or categories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hellinger: Option<PlainStatistic>,
    /// The energy distance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy: Option<BoundedStatistic>,
    /// The two-sample Cramér-von Mises criterion with midranks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cramer_von_mises: Option<BoundedStatistic>,
    /// Current mean less reference mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_shift: Option<ShiftStatistic>,
    /// Current less reference standard deviation (divided by n).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std_shift: Option<ShiftStatistic>,
}

/// A statistic without a law of its own.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlainStatistic {
    /// Its value.
    #[serde(with = "number::one")]
    pub value: Option<f64>,
}

/// A statistic without a law of its own, which may be known between bounds only.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BoundedStatistic {
    /// Its value.
    #[serde(with = "number::one")]
    pub value: Option<f64>,
    /// Bounds of the value where it is not known exactly.
    pub interval: Option<[f64; 2]>,
}

/// A statistic that was tested, by itself or jointly with another.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TestedStatistic {
    /// Its value.
    #[serde(with = "number::one")]
    pub value: Option<f64>,
    /// Its p-value within the joint law of the column's value test.
    #[serde(with = "number::one")]
    pub p_value: Option<f64>,
    /// The statistic as a size that does not grow with the data.
    #[serde(with = "number::one")]
    pub effect: Option<f64>,
}

/// How far a figure moved.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShiftStatistic {
    /// Current less reference.
    #[serde(with = "number::one")]
    pub value: Option<f64>,
    /// The reference's.
    #[serde(with = "number::one")]
    pub reference: Option<f64>,
    /// The current one.
    #[serde(with = "number::one")]
    pub current: Option<f64>,
}

/// The Kolmogorov-Smirnov statistic.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KsReport {
    /// The distance, `numerator / denominator` rounded once.
    #[serde(with = "number::one")]
    pub value: Option<f64>,
    /// A decimal integer.
    pub numerator: Option<String>,
    /// A decimal integer: the product of the sample sizes.
    pub denominator: Option<String>,
    /// The probability of such a distance under no change; `None` where rows share clusters, for
    /// which this law does not hold.
    #[serde(with = "number::one")]
    pub p_value: Option<f64>,
    /// Its natural logarithm, which carries the tail where the p-value underflows.
    #[serde(with = "number::one")]
    pub log_p_value: Option<f64>,
    /// Where the p-value comes from.
    pub law: Option<Law>,
    /// Bounds of the value where it is not known exactly.
    pub interval: Option<[f64; 2]>,
}

/// The Wasserstein-1 distance.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WassersteinReport {
    /// In the unit of the values.
    #[serde(with = "number::one")]
    pub value: Option<f64>,
    /// Over the reference's interquartile range; undefined where that is 0.
    #[serde(with = "number::one")]
    pub over_iqr: Option<f64>,
    /// Over the reference's standard deviation; undefined where that is 0.
    #[serde(with = "number::one")]
    pub over_std: Option<f64>,
    /// Bounds of the value where it is not known exactly.
    pub interval: Option<[f64; 2]>,
}

/// The population stability index.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PsiReport {
    /// Its value.
    #[serde(with = "number::one")]
    pub value: Option<f64>,
    /// The edges between the bins, as the nearest numbers (times in the column's own unit); empty
    /// for categories, which are their own bins.
    #[serde(with = "number::many")]
    pub edges: Vec<f64>,
    /// The reference's count a bin; of categories in the order of their names.
    pub reference_counts: Vec<u64>,
    /// The current count a bin.
    pub current_counts: Vec<u64>,
    /// What stands for the share of an empty bin.
    pub empty_bins: EmptyBins,
}

/// A share of rows that moved into a bin (or out of it, when negative).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Moved {
    /// The lower edge, which is not part of the bin; for a category its name.
    pub from: Bound,
    /// The upper edge, which is; for a category its name.
    pub to: Bound,
    /// Current share less reference share.
    pub mass: f64,
}

/// An edge of a bin, or a category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Bound {
    /// An edge.
    Number(f64),
    /// A category, or `"-inf"` and `"inf"` for the outer ends.
    Name(String),
}

/// One quantile of both sides (type 7).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QuantileShift {
    /// Which one, from 0 to 1.
    pub q: f64,
    /// The reference's.
    #[serde(with = "number::one")]
    pub reference: Option<f64>,
    /// The current one.
    #[serde(with = "number::one")]
    pub current: Option<f64>,
}

/// Categories that came and went, and the largest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Categories {
    /// In the current data alone.
    pub new: Vec<String>,
    /// In the reference alone.
    pub vanished: Vec<String>,
    /// The largest ones of both sides together, at most a hundred, the largest first.
    #[serde(default)]
    pub largest: Vec<CategoryCount>,
}

/// How many rows of both sides hold a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CategoryCount {
    /// The category.
    pub name: String,
    /// The reference's rows.
    pub reference: u64,
    /// The current rows.
    pub current: u64,
}

//! The population stability index.

use serde::{Deserialize, Serialize};

use super::sample::{Point, Sample};
use super::shares::{jeffreys, shares};

/// What stands for the share of a bin that is empty on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EmptyBins {
    /// `(c + 1/2) / (n + B/2)` in every one of the B bins, on both sides. Always finite.
    #[default]
    HalfCount,
    /// `c / n`; a bin that is empty on one side alone makes the index infinite.
    Raw,
    /// `max(c / n, 1e-4)`.
    Floor,
    /// `c / n + 1e-10`.
    Epsilon,
}

impl EmptyBins {
    /// The share that stands for `count` of `total` in one of `bins` bins.
    pub(super) fn share(self, count: f64, total: f64, bins: usize) -> f64 {
        let raw = count / total;
        match self {
            Self::HalfCount => (count + 0.5) / (total + 0.5 * bins as f64),
            Self::Raw => raw,
            Self::Floor => raw.max(1e-4),
            Self::Epsilon => raw + 1e-10,
        }
    }
}

/// The edges between the bins of a numeric column: the deciles of type 7 of the reference, equal
/// ones kept once. Integers are rounded down from the exact rational. Bins are open below and
/// closed above, `(low, high]`, the outer two unbounded; a constant column has two bins. Empty when
/// the reference is.
#[must_use]
pub fn decile_edges<T: Point>(reference: &Sample<T>) -> Vec<T> {
    let mut edges: Vec<T> = (1..10).filter_map(|tenth| reference.quantile(tenth, 10)).collect();
    edges.dedup();
    edges
}

/// The number of values in each of the `edges.len() + 1` bins `(low, high]`.
#[must_use]
pub fn bin_counts<T: Point>(sample: &Sample<T>, edges: &[T]) -> Vec<u64> {
    let mut below = 0;
    let mut counts: Vec<u64> = edges
        .iter()
        .map(|&edge| {
            let upto = sample.at_most(edge);
            let inside = upto - below;
            below = upto;
            inside
        })
        .collect();
    counts.push(sample.len() - below);
    counts
}

/// The population stability index, `sum (p - q) ln(p / q)` over the bins, with the shares `p` of the
/// current and `q` of the reference data (Jeffreys' divergence; Yurdakul 2018).
///
/// Counts are one a bin, in the same order on both sides. `None` when a side is empty or the numbers
/// of bins differ; infinite only with [`EmptyBins::Raw`].
///
/// ```
/// use mlops_drift::statistic::{EmptyBins, psi};
///
/// let value = psi(&[60, 40], &[40, 60], EmptyBins::Raw).expect("both sides hold values");
/// assert!((value - 0.4 * 1.5_f64.ln()).abs() < 1e-15);
/// ```
#[must_use]
pub fn psi(reference: &[u64], current: &[u64], empty: EmptyBins) -> Option<f64> {
    Some(jeffreys(shares(reference, current, empty)?))
}

//! Whether probabilities come true: bins of equal width and the expected calibration error.

use serde::{Deserialize, Serialize};

use super::sum::{Fixed, Total};

/// The predictions whose probability falls into one bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bin {
    pub(crate) count: u64,
    pub(crate) hits: u64,
    pub(crate) sum: Fixed,
}

/// Bins of equal width over 0 to 1, `(low, high]`, 0 in the first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibration(pub(crate) Vec<Bin>);

impl Calibration {
    pub(crate) fn new(bins: usize) -> Self {
        Self(vec![Bin::default(); bins])
    }

    /// The upper edge of a bin.
    pub(crate) fn edge(&self, index: usize) -> f64 {
        (index + 1) as f64 / self.0.len() as f64
    }

    /// Adds a probability and whether what it was given to came true.
    pub(crate) fn add(&mut self, probability: f64, hit: bool) {
        let bins = self.0.len();
        // The product may be off by one bin, the comparison with the edges is not.
        let guess = ((probability * bins as f64) as usize).min(bins.saturating_sub(1));
        let above = guess > 0 && probability <= self.edge(guess - 1);
        let index = if above { guess - 1 } else { guess };
        let below = index + 1 < bins && probability > self.edge(index);
        if let Some(bin) = self.0.get_mut(if below { index + 1 } else { index }) {
            bin.count += 1;
            bin.hits += u64::from(hit);
            bin.sum.add(probability);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            own.count += other.count;
            own.hits += other.hits;
            own.sum.merge(&other.sum);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|bin| bin.count).sum()
    }

    /// The mean distance between probability and truth over the bins, each weighed by its count
    /// (Naeini et al. 2015); `None` without a prediction. Never below 0, so small samples of a
    /// calibrated model have an error, too.
    pub(crate) fn error(&self) -> Option<f64> {
        let total = self.count();
        let gaps = self.0.iter().map(|bin| (bin.sum.value() - bin.hits as f64).abs());
        (total > 0).then(|| gaps.sum::<f64>() / total as f64)
    }
}

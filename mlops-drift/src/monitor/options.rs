//! How a monitor decides.

use crate::decision::Correction;
use crate::error::{Error, Result};
use crate::statistic::EmptyBins;

/// How a monitor turns statistics into verdicts.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MonitorOptions {
    /// The rate of false alarms (with a correction: its kind of rate over all tests); 0.05.
    pub alpha: f64,
    /// How p-values are corrected for the number of tests; Benjamini-Hochberg.
    pub correction: Correction,
    /// The practical floor X of a shift of location, as a KS distance; 0.04, about a tenth of a
    /// standard deviation. Scale has 2.5 X, categories X, nulls and range X / 2. 0 turns all off.
    pub min_effect: f64,
    /// The most permutations drawn a test; 9,999, which lets a p-value reach 1e-4.
    pub max_draws: u32,
    /// Where the permutations start. One seed and one state give one report.
    pub seed: u64,
    /// What stands for the share of an empty bin in PSI.
    pub psi_empty_bins: EmptyBins,
}

impl Default for MonitorOptions {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            correction: Correction::default(),
            min_effect: 0.04,
            max_draws: 9_999,
            seed: 0,
            psi_empty_bins: EmptyBins::default(),
        }
    }
}

impl MonitorOptions {
    /// Sets the rate of false alarms, above 0 and below 1.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets the correction for the number of tests.
    #[must_use]
    pub fn with_correction(mut self, correction: Correction) -> Self {
        self.correction = correction;
        self
    }

    /// Sets the practical floor, at least 0.
    #[must_use]
    pub fn with_min_effect(mut self, min_effect: f64) -> Self {
        self.min_effect = min_effect;
        self
    }

    /// Sets the most permutations a test, at least 1.
    #[must_use]
    pub fn with_max_draws(mut self, max_draws: u32) -> Self {
        self.max_draws = max_draws;
        self
    }

    /// Sets where the permutations start.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets what stands for an empty bin in PSI.
    #[must_use]
    pub fn with_psi_empty_bins(mut self, empty_bins: EmptyBins) -> Self {
        self.psi_empty_bins = empty_bins;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            let alpha = self.alpha;
            return Err(Error::invalid(format!("alpha must lie between 0 and 1: alpha={alpha}")));
        }
        if !(self.min_effect >= 0.0 && self.min_effect.is_finite()) {
            let floor = self.min_effect;
            return Err(Error::invalid(format!("a floor is at least 0: min_effect={floor}")));
        }
        if self.max_draws == 0 {
            return Err(Error::invalid("a test needs at least one permutation: max_draws=0"));
        }
        Ok(())
    }
}

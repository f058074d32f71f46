//! What a monitor of quality keeps, and how much of it.

use serde::{Deserialize, Serialize};

use super::task::Task;
use crate::error::{Error, Result};

/// What is kept of predictions and labels.
///
/// States can be merged where their options are equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QualityOptions {
    /// What the model is asked for.
    pub task: Task,
    /// Bins of equal width over 0 to 1, `(low, high]`, 0 in the first, for the calibration error; 10.
    pub calibration_bins: usize,
    /// The most distinct probabilities kept for the area under the ROC curve, which is exact up to
    /// there; beyond, they are rounded to cells of 1/64 relative width (towards 0 and towards 1)
    /// and the area is an interval that is sure to hold the exact one; 16,384 in each segment.
    pub max_scores: usize,
    /// The least probability that the logarithmic loss takes for the true class; what was smaller
    /// is counted. 2^-52; with 0 a single sure mistake makes the loss infinite.
    pub min_probability: f64,
    /// The most segments; 50. Those that come first in the order of their names are kept, all
    /// others together are [`OTHER`](super::OTHER): so it does not matter who came first in time.
    pub max_segments: usize,
    /// The most units that share their fate: units whose numbers agree modulo this are one; 4,096.
    pub max_units: u32,
}

impl QualityOptions {
    /// What is kept for this task unless said otherwise.
    #[must_use]
    pub fn new(task: Task) -> Self {
        Self {
            task,
            calibration_bins: 10,
            max_scores: 16_384,
            min_probability: f64::EPSILON,
            max_segments: 50,
            max_units: 4_096,
        }
    }

    /// Sets the number of calibration bins, 1 to 1,000.
    #[must_use]
    pub fn with_calibration_bins(mut self, bins: usize) -> Self {
        self.calibration_bins = bins;
        self
    }

    /// Sets the most distinct probabilities that are kept as they are.
    #[must_use]
    pub fn with_max_scores(mut self, scores: usize) -> Self {
        self.max_scores = scores;
        self
    }

    /// Sets the least probability of the true class in the logarithmic loss, below 1.
    #[must_use]
    pub fn with_min_probability(mut self, probability: f64) -> Self {
        self.min_probability = probability;
        self
    }

    /// Sets the most segments.
    #[must_use]
    pub fn with_max_segments(mut self, segments: usize) -> Self {
        self.max_segments = segments;
        self
    }

    /// Sets the most units, at least 2.
    #[must_use]
    pub fn with_max_units(mut self, units: u32) -> Self {
        self.max_units = units;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        self.task.check()?;
        if !(1..=1_000).contains(&self.calibration_bins) {
            let bins = self.calibration_bins;
            return Err(Error::invalid(format!("bins are 1 to 1000: calibration_bins={bins}")));
        }
        if !(0.0..1.0).contains(&self.min_probability) {
            let least = self.min_probability;
            return Err(Error::invalid(format!(
                "the least probability is at least 0 and below 1: min_probability={least}"
            )));
        }
        if self.max_units < 2 {
            return Err(Error::invalid("an interval over units needs two: max_units"));
        }
        Ok(())
    }
}

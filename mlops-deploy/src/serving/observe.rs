//! Who looks at every batch that a model has answered.

use std::fmt::Debug;

use arrow::array::RecordBatch;
use mlops_core::time::Timestamp;

/// What an observer says about one feature or prediction.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Score {
    /// The input or output.
    pub feature: String,
    /// The statistic's machine word: `psi`, `ks`, …
    pub statistic: String,
    /// Its value; greater is more drift.
    pub value: f64,
    /// The value beyond which it is practically relevant, where there is one.
    pub threshold: Option<f64>,
    /// The verdict; `None` as long as there is none.
    pub drifted: Option<bool>,
}

impl Score {
    /// A value without a threshold and without a verdict.
    pub fn new(feature: impl Into<String>, statistic: impl Into<String>, value: f64) -> Self {
        let (feature, statistic) = (feature.into(), statistic.into());
        Self { feature, statistic, value, threshold: None, drifted: None }
    }

    /// Says from where on it matters.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// Says whether it has drifted.
    #[must_use]
    pub fn with_verdict(mut self, drifted: bool) -> Self {
        self.drifted = Some(drifted);
        self
    }
}

/// Looks at every batch that a model has answered, inputs and predictions together: a drift monitor, a log.
///
/// # Contract
/// - `observe` is called after each successful prediction, on the thread that made it and before the answer
///   goes out, from many threads at once: no I/O, no waiting. Its columns are the inputs in the signature's order, then
///   the outputs; a name may be there twice if the signature has it on both sides.
/// - It can't fail a request: a panic is caught and reported as a warning.
/// - `scores` and `reported_at` are called whenever metrics are read.
pub trait BatchObserver: Send + Sync + Debug {
    /// Takes note of a batch.
    fn observe(&self, batch: &RecordBatch);

    /// What has been seen so far.
    fn scores(&self) -> Vec<Score>;

    /// When a verdict was last worked out, so that a check that has fallen silent is noticed. The default, `None`, is
    /// for observers that do not know.
    fn reported_at(&self) -> Option<Timestamp> {
        None
    }
}

//! Sums of the rows that share their fate.

use serde::{Deserialize, Serialize};

use super::sum::{ExactSum, Fixed, Total};

/// What is kept of a unit, whose rows share their fate: sums alone, their ratios make the interval.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unit {
    pub(crate) count: u64,
    pub(crate) hits: u64,
    /// Of the positive class: hits, predicted, true.
    pub(crate) positive: [u64; 3],
    /// How many had probabilities.
    pub(crate) scored: u64,
    pub(crate) brier: Fixed,
    pub(crate) log_loss: Fixed,
    /// Absolute and squared errors.
    pub(crate) errors: Option<[ExactSum; 2]>,
}

impl Unit {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.hits += other.hits;
        self.positive.iter_mut().zip(other.positive).for_each(|(own, count)| *own += count);
        self.scored += other.scored;
        self.brier.merge(&other.brier);
        self.log_loss.merge(&other.log_loss);
        if let Some([absolute, squared]) = &other.errors {
            let own = self.errors.get_or_insert_default();
            own[0].merge(absolute);
            own[1].merge(squared);
        }
    }
}

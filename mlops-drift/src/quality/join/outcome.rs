//! A pair that was found: a prediction, its label, and to whom both belong.

use std::sync::Arc;

use crate::quality::state::{Group, QualityState};
use crate::quality::task::{Actual, Predicted};

/// A [`Group`] that outlives its request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::quality) struct Owner {
    segment: Option<Arc<str>>,
    unit: Option<u64>,
}

/// A prediction whose label is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub(super) time: i64,
    pub(super) owner: Owner,
    pub(super) predicted: Predicted,
    pub(super) actual: Actual,
}

impl Outcome {
    /// When the prediction was made: what windows go by.
    #[must_use]
    pub fn time(&self) -> i64 {
        self.time
    }

    /// Adds prediction and label to a state of the join's task.
    pub fn record(&self, state: &mut QualityState) {
        let group = self.owner.group();
        state.predict(&group, &self.predicted);
        state.resolve(&group, &self.predicted, self.actual);
    }

    /// Adds the label to a state that has counted the prediction when it was made.
    pub(crate) fn resolve(&self, state: &mut QualityState) {
        state.resolve(&self.owner.group(), &self.predicted, self.actual);
    }
}

impl Owner {
    pub(in crate::quality) fn new(group: &Group<'_>) -> Self {
        Self { segment: group.segment.map(Arc::from), unit: group.unit }
    }

    pub(in crate::quality) fn group(&self) -> Group<'_> {
        Group { segment: self.segment.as_deref(), unit: self.unit }
    }
}

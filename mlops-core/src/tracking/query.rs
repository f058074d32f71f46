//! Queries: which runs, experiments and points are wanted, and in which order.

use std::cmp::Ordering;

use super::filter::{Field, Filter, Scalar};
use super::types::{Lifecycle, Run};
use crate::id::{ExperimentId, MetricKey, RunId};

/// Which way an order runs. What is missing comes last either way, NaN just before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// One level of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderBy {
    /// By what.
    pub field: Field,
    /// Which way.
    pub direction: Direction,
}

/// Compares two runs by `order`, then by start (newest first), then by id: a total order.
#[must_use]
pub fn order_runs(a: &Run, b: &Run, order: &[OrderBy]) -> Ordering {
    let by_fields =
        order.iter().map(|by| order_values(by.field.of(a), by.field.of(b), by.direction));
    by_fields
        .reduce(Ordering::then)
        .unwrap_or(Ordering::Equal)
        .then(b.start.cmp(&a.start))
        .then_with(|| a.id.cmp(&b.id))
}

fn order_values(a: Option<Scalar>, b: Option<Scalar>, direction: Direction) -> Ordering {
    let rank = |value: &Option<Scalar>| match value {
        Some(Scalar::Number(v)) if v.is_nan() => 1,
        Some(_) => 0,
        None => 2,
    };
    let by_rank = rank(&a).cmp(&rank(&b));
    let by_value = match (&a, &b) {
        (Some(Scalar::Number(a)), Some(Scalar::Number(b))) => {
            a.partial_cmp(b).unwrap_or(Ordering::Equal)
        }
        (Some(Scalar::Text(a)), Some(Scalar::Text(b))) => a.cmp(b),
        _ => Ordering::Equal,
    };
    by_rank.then(if direction == Direction::Ascending { by_value } else { by_value.reverse() })
}

/// Which lives are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LifecycleFilter {
    /// What is in use.
    #[default]
    Active,
    /// What is deleted.
    Deleted,
    /// Both.
    Any,
}

impl LifecycleFilter {
    /// Whether this life is wanted.
    #[must_use]
    pub fn admits(self, lifecycle: Lifecycle) -> bool {
        match self {
            Self::Active => lifecycle == Lifecycle::Active,
            Self::Deleted => lifecycle == Lifecycle::Deleted,
            Self::Any => true,
        }
    }
}

/// Which experiments to list.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListExperiments {
    /// Which lives.
    pub lifecycle: LifecycleFilter,
    /// Only those after this one.
    pub after: Option<ExperimentId>,
    /// At most so many.
    pub limit: Option<usize>,
}

impl ListExperiments {
    /// Lists these lives.
    #[must_use]
    pub fn with_lifecycle(mut self, lifecycle: LifecycleFilter) -> Self {
        self.lifecycle = lifecycle;
        self
    }

    /// Continues after this experiment.
    #[must_use]
    pub fn with_after(mut self, after: ExperimentId) -> Self {
        self.after = Some(after);
        self
    }

    /// Stops after so many.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// Which runs to find, and in which order.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RunQuery {
    /// Only runs of these experiments; empty means of all.
    pub experiments: Vec<ExperimentId>,
    /// Only runs that satisfy this.
    pub filter: Option<Filter>,
    /// Which lives.
    pub lifecycle: LifecycleFilter,
    /// The order; empty means newest first.
    pub order: Vec<OrderBy>,
    /// Only those after this one, in the order asked for.
    pub after: Option<RunId>,
    /// At most so many.
    pub limit: Option<usize>,
}

impl RunQuery {
    /// Finds runs of this experiment (of several, when called again).
    #[must_use]
    pub fn in_experiment(mut self, id: ExperimentId) -> Self {
        self.experiments.push(id);
        self
    }

    /// Finds runs that satisfy `filter`.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Finds runs with these lives.
    #[must_use]
    pub fn with_lifecycle(mut self, lifecycle: LifecycleFilter) -> Self {
        self.lifecycle = lifecycle;
        self
    }

    /// Adds a level to the order.
    #[must_use]
    pub fn order_by(mut self, field: Field, direction: Direction) -> Self {
        self.order.push(OrderBy { field, direction });
        self
    }

    /// Continues after this run.
    #[must_use]
    pub fn with_after(mut self, after: RunId) -> Self {
        self.after = Some(after);
        self
    }

    /// Stops after so many.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// Which metric history to read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HistoryQuery {
    /// Of which runs.
    pub runs: Vec<RunId>,
    /// Of which metric.
    pub key: MetricKey,
    /// At most so many points a run; see [`downsample`](super::downsample).
    pub max_points: Option<usize>,
}

impl HistoryQuery {
    /// The whole history of `key` in `run`.
    #[must_use]
    pub fn new(run: RunId, key: MetricKey) -> Self {
        Self { runs: vec![run], key, max_points: None }
    }

    /// Adds a run.
    #[must_use]
    pub fn and_run(mut self, run: RunId) -> Self {
        self.runs.push(run);
        self
    }

    /// Thins each run's history to at most `max` points.
    #[must_use]
    pub fn with_max_points(mut self, max: usize) -> Self {
        self.max_points = Some(max);
        self
    }
}

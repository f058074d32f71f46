//! Experiments, runs and what they log: the vocabulary, the contract of a store, and ways to use it.

mod change;
mod filter;
mod page;
mod query;
mod types;
mod writer;

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;

pub use change::{
    ExperimentChange, LogBatch, MAX_BATCH_ENTRIES, MAX_VALUE_BYTES, NewExperiment, NewRun,
    RunChange, param_conflict,
};
pub use filter::{
    Attribute, Case, Comparison, Field, Filter, MAX_CLAUSES, MAX_DEPTH, Op, Scalar, like,
};
pub use page::{downsample, latest_of};
pub use query::{
    Direction, HistoryQuery, LifecycleFilter, ListExperiments, OrderBy, RunQuery, order_runs,
};
pub use types::{
    DatasetInput, Experiment, ExperimentRef, HistoryPoint, Lifecycle, MetricPoint, ModelOutput,
    Receipt, Run, RunStatus, Source, SourceKind,
};
pub use writer::{FlushReport, LogOutcome, MetricWriter, WhenFull, WriterOptions};

use crate::error::Result;
use crate::id::{ExperimentId, RunId};

/// What a tracking store may lack. Each has its conformance rules; a store that lacks one answers
/// [`Unsupported`](crate::ErrorKind::Unsupported) to the requests that need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrackingCapability {
    /// Deleted experiments and runs can be restored.
    SoftDelete,
    /// Tags can be deleted.
    TagDelete,
    /// Runs keep their dataset inputs.
    Inputs,
    /// Runs keep their model outputs.
    Outputs,
    /// A batch sent twice under one key is applied once.
    Idempotency,
    /// NaN and infinities come back as they were logged.
    NonFinite,
}

impl TrackingCapability {
    /// Every capability.
    pub const ALL: [Self; 6] = [
        Self::SoftDelete,
        Self::TagDelete,
        Self::Inputs,
        Self::Outputs,
        Self::Idempotency,
        Self::NonFinite,
    ];
}

/// Keeps experiments and runs.
///
/// # Contract
/// - **Atomic**: each write happens whole or not at all. A refused or failed call leaves nothing behind.
/// - **Durable**: when a write has returned, a crash of the process can't undo it.
/// - **Ordered**: points of one metric key come back in the order in which their batches were
///   acknowledged, and inside a batch in the order of the batch.
/// - **Idempotent**: ids are made by the caller. Creating the same thing again with the same id and
///   content returns what is there; with other content it is
///   [`AlreadyExists`](crate::ErrorKind::AlreadyExists). A [`LogBatch`] with a key that was already
///   applied to the run changes nothing and its receipt says so.
/// - **Reads see acknowledged writes**, from any handle on the same store.
/// - **Cancel safety**: dropping a future leaves the write either done or not done, never half done.
/// - **Errors**: `NotFound` for an unknown experiment or run, `Conflict` for a write to something
///   deleted or for a parameter that already has another value, `InvalidInput` for what can never work.
#[async_trait]
pub trait TrackingStore: Send + Sync + fmt::Debug {
    /// What this store can do beyond the core; all of it unless it says otherwise.
    fn capabilities(&self) -> &'static [TrackingCapability] {
        &TrackingCapability::ALL
    }

    /// Creates an experiment. Its name must be free, among deleted experiments too.
    async fn create_experiment(&self, new: NewExperiment) -> Result<Experiment>;

    /// The experiment with this id or name, deleted or not.
    async fn get_experiment(&self, which: &ExperimentRef) -> Result<Experiment>;

    /// Experiments, oldest first.
    fn list_experiments(&self, list: ListExperiments) -> BoxStream<'static, Result<Experiment>>;

    /// Renames, tags, deletes or restores an experiment and returns it as it is afterwards.
    async fn update_experiment(
        &self,
        id: &ExperimentId,
        change: ExperimentChange,
    ) -> Result<Experiment>;

    /// Creates a run in an active experiment.
    async fn create_run(&self, new: NewRun) -> Result<Run>;

    /// The run with this id, deleted or not.
    async fn get_run(&self, id: &RunId) -> Result<Run>;

    /// Changes status, name or life of a run and returns it as it is afterwards.
    async fn update_run(&self, id: &RunId, change: RunChange) -> Result<Run>;

    /// The only way in for params, metrics, tags, inputs and outputs: one atomic batch.
    async fn log_batch(&self, id: &RunId, batch: LogBatch) -> Result<Receipt>;

    /// Runs that match, in the order asked for. A cursor is the id of the last run seen; ties are
    /// broken by start time (newest first), then id, so that no run is skipped or seen twice while
    /// nothing changes.
    fn search_runs(&self, query: RunQuery) -> BoxStream<'static, Result<Run>>;

    /// Every point of a metric, run by run in the order asked for, thinned to at most
    /// `max_points` a run when that is given.
    fn metric_history(&self, query: HistoryQuery) -> BoxStream<'static, Result<HistoryPoint>>;
}

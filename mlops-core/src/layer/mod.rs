//! Wrappers around any tracking store: [`Retry`], [`Observe`], or your own [`Around`].
//!
//! A wrapper says once what it does around a call; [`Layered`] says once how that applies to each
//! operation of [`TrackingStore`]. Layers nest: the outermost sees a call first.
//!
//! ```
//! use std::sync::Arc;
//! use mlops_core::layer::{Layered, Observe, Retry};
//! use mlops_core::memory::MemoryTracking;
//! use mlops_core::time::SystemClock;
//!
//! let store = MemoryTracking::new(Arc::new(SystemClock));
//! let store = Layered::new(Layered::new(store, Retry::default()), Observe);
//! # let _: &dyn mlops_core::tracking::TrackingStore = &store;
//! ```

mod observe;
mod retry;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

pub use observe::Observe;
pub use retry::Retry;

use crate::error::Result;
use crate::id::{ExperimentId, RunId};
use crate::tracking::{
    Experiment, ExperimentChange, ExperimentRef, HistoryPoint, HistoryQuery, ListExperiments,
    LogBatch, NewExperiment, NewRun, Receipt, Run, RunChange, RunQuery, TrackingCapability,
    TrackingStore,
};

/// An operation of a tracking store, as its wrappers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `create_experiment`
    CreateExperiment,
    /// `get_experiment`
    GetExperiment,
    /// `list_experiments`
    ListExperiments,
    /// `update_experiment`
    UpdateExperiment,
    /// `create_run`
    CreateRun,
    /// `get_run`
    GetRun,
    /// `update_run`
    UpdateRun,
    /// `log_batch`
    LogBatch,
    /// `search_runs`
    SearchRuns,
    /// `metric_history`
    MetricHistory,
}

impl Operation {
    /// The operation's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateExperiment => "create_experiment",
            Self::GetExperiment => "get_experiment",
            Self::ListExperiments => "list_experiments",
            Self::UpdateExperiment => "update_experiment",
            Self::CreateRun => "create_run",
            Self::GetRun => "get_run",
            Self::UpdateRun => "update_run",
            Self::LogBatch => "log_batch",
            Self::SearchRuns => "search_runs",
            Self::MetricHistory => "metric_history",
        }
    }
}

/// How far a stream had come when it broke.
#[derive(Debug)]
pub struct Progress<T> {
    /// The last item that came through.
    pub last: Option<T>,
    /// How many came through.
    pub count: usize,
}

/// What a wrapper does around a call.
pub trait Around: Send + Sync + fmt::Debug + 'static {
    /// Makes a call: once, several times, or not at all. Every operation of a store is idempotent (see
    /// the contract of [`TrackingStore`]), so `call` may be repeated.
    fn around<T, F, Fut>(
        &self,
        operation: Operation,
        call: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send;

    /// Makes a streaming call. `start` opens the stream behind what has come through already.
    fn around_stream<T, F>(
        self: Arc<Self>,
        operation: Operation,
        start: F,
    ) -> BoxStream<'static, Result<T>>
    where
        T: Clone + Send + Sync + 'static,
        F: Fn(&Progress<T>) -> BoxStream<'static, Result<T>> + Send + Sync + 'static,
    {
        let _ = operation;
        start(&Progress { last: None, count: 0 })
    }
}

/// A store with a wrapper around each of its operations.
#[derive(Debug)]
pub struct Layered<S, A> {
    inner: Arc<S>,
    around: Arc<A>,
}

impl<S: TrackingStore, A: Around> Layered<S, A> {
    /// Wraps `inner`.
    #[must_use]
    pub fn new(inner: S, around: A) -> Self {
        Self { inner: Arc::new(inner), around: Arc::new(around) }
    }
}

/// A store behind an `Arc` is a store, so that a shared one can be wrapped too.
#[async_trait]
impl<S: TrackingStore + ?Sized> TrackingStore for Arc<S> {
    fn capabilities(&self) -> &'static [TrackingCapability] {
        (**self).capabilities()
    }
    async fn create_experiment(&self, new: NewExperiment) -> Result<Experiment> {
        (**self).create_experiment(new).await
    }
    async fn get_experiment(&self, which: &ExperimentRef) -> Result<Experiment> {
        (**self).get_experiment(which).await
    }
    fn list_experiments(&self, list: ListExperiments) -> BoxStream<'static, Result<Experiment>> {
        (**self).list_experiments(list)
    }
    async fn update_experiment(
        &self,
        id: &ExperimentId,
        change: ExperimentChange,
    ) -> Result<Experiment> {
        (**self).update_experiment(id, change).await
    }
    async fn create_run(&self, new: NewRun) -> Result<Run> {
        (**self).create_run(new).await
    }
    async fn get_run(&self, id: &RunId) -> Result<Run> {
        (**self).get_run(id).await
    }
    async fn update_run(&self, id: &RunId, change: RunChange) -> Result<Run> {
        (**self).update_run(id, change).await
    }
    async fn log_batch(&self, id: &RunId, batch: LogBatch) -> Result<Receipt> {
        (**self).log_batch(id, batch).await
    }
    fn search_runs(&self, query: RunQuery) -> BoxStream<'static, Result<Run>> {
        (**self).search_runs(query)
    }
    fn metric_history(&self, query: HistoryQuery) -> BoxStream<'static, Result<HistoryPoint>> {
        (**self).metric_history(query)
    }
}

#[async_trait]
impl<S: TrackingStore + 'static, A: Around> TrackingStore for Layered<S, A> {
    fn capabilities(&self) -> &'static [TrackingCapability] {
        self.inner.capabilities()
    }

    async fn create_experiment(&self, new: NewExperiment) -> Result<Experiment> {
        self.around
            .around(Operation::CreateExperiment, || self.inner.create_experiment(new.clone()))
            .await
    }

    async fn get_experiment(&self, which: &ExperimentRef) -> Result<Experiment> {
        self.around.around(Operation::GetExperiment, || self.inner.get_experiment(which)).await
    }

    fn list_experiments(&self, list: ListExperiments) -> BoxStream<'static, Result<Experiment>> {
        let inner = Arc::clone(&self.inner);
        Arc::clone(&self.around).around_stream(
            Operation::ListExperiments,
            move |done: &Progress<Experiment>| {
                let mut rest = list.clone();
                rest.after = done.last.as_ref().map(|last| last.id.clone()).or(rest.after);
                rest.limit = rest.limit.map(|limit| limit.saturating_sub(done.count));
                inner.list_experiments(rest)
            },
        )
    }

    async fn update_experiment(
        &self,
        id: &ExperimentId,
        change: ExperimentChange,
    ) -> Result<Experiment> {
        let call = || self.inner.update_experiment(id, change.clone());
        self.around.around(Operation::UpdateExperiment, call).await
    }

    async fn create_run(&self, new: NewRun) -> Result<Run> {
        self.around.around(Operation::CreateRun, || self.inner.create_run(new.clone())).await
    }

    async fn get_run(&self, id: &RunId) -> Result<Run> {
        self.around.around(Operation::GetRun, || self.inner.get_run(id)).await
    }

    async fn update_run(&self, id: &RunId, change: RunChange) -> Result<Run> {
        self.around.around(Operation::UpdateRun, || self.inner.update_run(id, change.clone())).await
    }

    async fn log_batch(&self, id: &RunId, batch: LogBatch) -> Result<Receipt> {
        self.around.around(Operation::LogBatch, || self.inner.log_batch(id, batch.clone())).await
    }

    fn search_runs(&self, query: RunQuery) -> BoxStream<'static, Result<Run>> {
        let inner = Arc::clone(&self.inner);
        Arc::clone(&self.around).around_stream(
            Operation::SearchRuns,
            move |done: &Progress<Run>| {
                let mut rest = query.clone();
                rest.after = done.last.as_ref().map(|last| last.id.clone()).or(rest.after);
                rest.limit = rest.limit.map(|limit| limit.saturating_sub(done.count));
                inner.search_runs(rest)
            },
        )
    }

    fn metric_history(&self, query: HistoryQuery) -> BoxStream<'static, Result<HistoryPoint>> {
        use futures::StreamExt as _;
        let inner = Arc::clone(&self.inner);
        Arc::clone(&self.around).around_stream(
            Operation::MetricHistory,
            move |done: &Progress<HistoryPoint>| {
                inner.metric_history(query.clone()).skip(done.count).boxed()
            },
        )
    }
}

#[cfg(test)]
mod tests;

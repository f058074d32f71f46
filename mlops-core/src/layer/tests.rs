//! Retry and observe around the in-memory store, with faults injected by a layer of their own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::TryStreamExt as _;

use super::*;
use crate::error::{Error, ErrorKind, RetryClass};
use crate::id::{CountingIds, ExperimentName, Ids as _, MetricKey};
use crate::memory::MemoryTracking;
use crate::time::{SystemClock, Timestamp};
use crate::tracking::MetricPoint;

/// Fails the first `failures` calls: before they happen, or after (which is ambiguous).
#[derive(Debug)]
struct Faults {
    failures: AtomicU32,
    error: fn() -> Error,
    after: bool,
}

impl Faults {
    fn new(failures: u32, error: fn() -> Error, after: bool) -> Self {
        Self { failures: AtomicU32::new(failures), error, after }
    }

    fn strikes(&self) -> bool {
        self.failures
            .try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
    }
}

impl Around for Faults {
    async fn around<T, F, Fut>(&self, _: Operation, call: F) -> Result<T>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        let strikes = self.strikes();
        if strikes && !self.after {
            return Err((self.error)());
        }
        let result = call().await;
        if strikes { Err((self.error)()) } else { result }
    }

    fn around_stream<T, F>(self: Arc<Self>, _: Operation, start: F) -> BoxStream<'static, Result<T>>
    where
        T: Clone + Send + Sync + 'static,
        F: Fn(&Progress<T>) -> BoxStream<'static, Result<T>> + Send + Sync + 'static,
    {
        let stream = start(&Progress { last: None, count: 0 });
        if !self.strikes() {
            return stream;
        }
        let error = self.error;
        stream.take(2).chain(futures::stream::once(async move { Err(error()) })).boxed()
    }
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "down")
}

fn ambiguous() -> Error {
    unavailable().with_retry(RetryClass::Ambiguous)
}

fn refused() -> Error {
    Error::new(ErrorKind::Conflict, "no")
}

fn quick() -> Retry {
    Retry::default().with_backoff(Duration::from_millis(1), Duration::from_millis(2))
}

async fn with_run(store: &dyn TrackingStore) -> RunId {
    let ids = CountingIds::default();
    let name = ExperimentName::new("layers").unwrap();
    let experiment =
        store.create_experiment(NewExperiment::new(ids.experiment_id(), name)).await.unwrap();
    let run = NewRun::new(ids.run_id(), experiment.id, Timestamp::default());
    store.create_run(run).await.unwrap().id
}

#[tokio::test]
async fn retry_repeats_what_is_safe_and_what_is_ambiguous_without_doubling() {
    for error in [unavailable, ambiguous] {
        let memory = Arc::new(MemoryTracking::new(Arc::new(SystemClock)));
        let run = with_run(&memory).await;
        let faulty = Layered::new(Arc::clone(&memory), Faults::new(3, error, true));
        let store = Layered::new(Layered::new(faulty, Observe), quick());
        let key = MetricKey::new("loss").unwrap();
        let point = MetricPoint { step: 0, at: Timestamp::default(), value: 1.0 };
        let batch =
            LogBatch::new(CountingIds::default().idempotency_key()).metric(key.clone(), point);
        assert_eq!(store.log_batch(&run, batch).await.unwrap(), Receipt::Repeated);
        let history: Vec<_> =
            store.metric_history(HistoryQuery::new(run, key)).try_collect().await.unwrap();
        assert_eq!(history.len(), 1);
    }
}

#[tokio::test]
async fn retry_gives_up_after_its_attempts_and_at_once_on_a_refusal() {
    let tries = |failures, error| {
        let memory = MemoryTracking::new(Arc::new(SystemClock));
        let faults = Arc::new(Faults::new(failures, error, false));
        #[derive(Debug)]
        struct Shared(Arc<Faults>);
        impl Around for Shared {
            fn around<T, F, Fut>(
                &self,
                operation: Operation,
                call: F,
            ) -> impl Future<Output = Result<T>> + Send
            where
                T: Send,
                F: Fn() -> Fut + Send + Sync,
                Fut: Future<Output = Result<T>> + Send,
            {
                self.0.around(operation, call)
            }
        }
        let store = Layered::new(
            Layered::new(memory, Shared(Arc::clone(&faults))),
            quick().with_attempts(3),
        );
        async move {
            let error = store.get_run(&RunId::new("x").unwrap()).await.unwrap_err();
            (error.kind(), failures - faults.failures.load(Ordering::SeqCst))
        }
    };
    assert_eq!(tries(10, unavailable).await, (ErrorKind::Unavailable, 3));
    assert_eq!(tries(10, refused).await, (ErrorKind::Conflict, 1));
}

#[tokio::test]
async fn a_broken_stream_continues_behind_its_last_item() {
    let memory = Arc::new(MemoryTracking::new(Arc::new(SystemClock)));
    let run = with_run(&memory).await;
    let experiment = memory.get_run(&run).await.unwrap().experiment;
    for i in 0..6 {
        let id = RunId::new(format!("r{i}")).unwrap();
        memory
            .create_run(NewRun::new(id, experiment.clone(), Timestamp::from_millis(i)))
            .await
            .unwrap();
    }
    let plain: Vec<Run> =
        memory.search_runs(RunQuery::default().with_limit(6)).try_collect().await.unwrap();
    let faulty = Layered::new(Arc::clone(&memory), Faults::new(3, unavailable, false));
    let store = Layered::new(faulty, quick());
    let found: Vec<Run> =
        store.search_runs(RunQuery::default().with_limit(6)).try_collect().await.unwrap();
    assert_eq!(found, plain);
}

#[tokio::test]
async fn observe_logs_failures_with_their_kind() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);
    impl tracing::Subscriber for Lines {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            self.0.lock().unwrap().push(format!(
                "span {} {}",
                span.metadata().name(),
                span.values()
            ));
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            self.0.lock().unwrap().push(format!("{event:?}"));
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let store = Layered::new(MemoryTracking::new(Arc::new(SystemClock)), Observe);
    store.get_run(&RunId::new("nobody").unwrap()).await.unwrap_err();
    let seen = lines.0.lock().unwrap().join("\n");
    assert!(seen.contains("get_run") && seen.contains("not_found"), "{seen}");
}

/// Opens every stream as if more had come through than was asked for.
#[derive(Debug)]
struct Ahead;

impl Around for Ahead {
    async fn around<T, F, Fut>(&self, _: Operation, call: F) -> Result<T>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        call().await
    }

    fn around_stream<T, F>(self: Arc<Self>, _: Operation, start: F) -> BoxStream<'static, Result<T>>
    where
        T: Clone + Send + Sync + 'static,
        F: Fn(&Progress<T>) -> BoxStream<'static, Result<T>> + Send + Sync + 'static,
    {
        start(&Progress { last: None, count: 5 })
    }
}

#[tokio::test]
async fn a_store_that_gives_more_than_was_asked_for_is_asked_for_no_more() {
    let store = Layered::new(MemoryTracking::new(Arc::new(SystemClock)), Ahead);
    let name = ExperimentName::new("e").unwrap();
    let new = NewExperiment::new(CountingIds::default().experiment_id(), name);
    store.create_experiment(new).await.unwrap();
    let two = ListExperiments::default().with_limit(2);
    assert!(store.list_experiments(two).try_collect::<Vec<_>>().await.unwrap().is_empty());
    let two = RunQuery { limit: Some(2), ..RunQuery::default() };
    assert!(store.search_runs(two).try_collect::<Vec<_>>().await.unwrap().is_empty());
}

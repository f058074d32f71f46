//! What the writer promises, over the in-memory store and over stores that stall, fail or panic.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use futures::executor::block_on;

use super::*;
use crate::id::{CountingIds, ExperimentName, Ids as _};
use crate::layer::{Around, Layered, Operation};
use crate::memory::MemoryTracking;
use crate::time::{ManualClock, SystemClock, Timestamp};
use crate::tracking::{HistoryQuery, NewExperiment, NewRun};

fn run_in(store: &MemoryTracking) -> RunId {
    let ids = CountingIds::default();
    let name = ExperimentName::new("writer").unwrap();
    let experiment =
        block_on(store.create_experiment(NewExperiment::new(ids.experiment_id(), name))).unwrap();
    block_on(store.create_run(NewRun::new(ids.run_id(), experiment.id, Timestamp::default())))
        .unwrap()
        .id
}

fn steps(store: &MemoryTracking, run: &RunId, key: &MetricKey) -> Vec<i64> {
    let history = store.metric_history(HistoryQuery::new(run.clone(), key.clone()));
    block_on(history.map(|point| point.unwrap().point.step).collect())
}

fn start(store: Arc<dyn TrackingStore>, run: &RunId, options: WriterOptions) -> MetricWriter {
    let clock = Arc::new(ManualClock::default());
    MetricWriter::start(store, run.clone(), clock, &CountingIds::default(), options).unwrap()
}

#[test]
fn order_is_kept_per_key_across_batches_and_threads() {
    let store = Arc::new(MemoryTracking::new(Arc::new(SystemClock)));
    let run = run_in(&store);
    let writer =
        start(store.clone(), &run, WriterOptions::default().with_max_batch(7).with_capacity(16));
    let keys: Vec<MetricKey> = (0..4).map(|i| MetricKey::new(format!("m{i}")).unwrap()).collect();
    std::thread::scope(|scope| {
        for key in &keys {
            let writer = &writer;
            scope.spawn(move || {
                (0..500).for_each(|step| assert_eq!(writer.log(key, step, 0.5), LogOutcome::Queued))
            });
        }
    });
    let report = writer.close_blocking();
    assert_eq!(report, FlushReport { written: 2_000, ..FlushReport::default() });
    for key in &keys {
        assert_eq!(steps(&store, &run, key), (0..500).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn flush_works_on_a_runtime_and_again_after_it() {
    let store = Arc::new(MemoryTracking::new(Arc::new(SystemClock)));
    let run = run_in(&store);
    let writer = start(
        store.clone(),
        &run,
        WriterOptions::default().with_linger(Duration::from_secs(3_600)),
    );
    let key = MetricKey::new("loss").unwrap();
    for step in 0..3 {
        assert_eq!(writer.log(&key, step, f64::NAN), LogOutcome::Queued);
        assert_eq!(writer.flush().await.lossless().unwrap(), 1);
    }
    assert_eq!(writer.flush().await, FlushReport::default());
    assert_eq!(writer.close().await, FlushReport::default());
    assert_eq!(steps(&store, &run, &key), [0, 1, 2]);
}

/// Holds `log_batch` behind a gate, then panics when told to.
#[derive(Debug)]
struct Gate {
    open: Arc<AtomicBool>,
    panics: bool,
}

impl Around for Gate {
    async fn around<T, F, Fut>(&self, _: Operation, call: F) -> Result<T>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        while !self.open.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!self.panics, "the store panics");
        call().await
    }
}

#[test]
fn a_full_queue_drops_and_counts_or_waits_within_its_bound() {
    let inner = Arc::new(MemoryTracking::new(Arc::new(SystemClock)));
    let run = run_in(&inner);
    let open = Arc::new(AtomicBool::new(false));
    let store = Arc::new(Layered::new(inner, Gate { open: Arc::clone(&open), panics: false }));
    let key = MetricKey::new("loss").unwrap();
    for when_full in [WhenFull::Drop, WhenFull::Wait(Duration::from_millis(5))] {
        open.store(false, Ordering::SeqCst);
        let options =
            WriterOptions::default().with_capacity(8).with_max_batch(1).with_when_full(when_full);
        let writer = start(store.clone(), &run, options);
        let outcomes: Vec<LogOutcome> = (0..40).map(|step| writer.log(&key, step, 1.0)).collect();
        let dropped = outcomes.iter().filter(|o| **o == LogOutcome::Dropped).count() as u64;
        assert!(dropped >= 40 - 8 - 8, "{when_full:?} dropped={dropped}");
        open.store(true, Ordering::SeqCst);
        let report = writer.close_blocking();
        assert_eq!((report.written + report.dropped, report.dropped), (40, dropped));
        assert!(report.lossless().is_err());
    }
}

#[test]
fn what_the_store_refuses_is_reported_with_its_reason() {
    let store = Arc::new(MemoryTracking::new(Arc::new(SystemClock)));
    let writer = start(store, &RunId::new("nobody").unwrap(), WriterOptions::default());
    let key = MetricKey::new("loss").unwrap();
    assert_eq!(writer.log(&key, 0, 1.0), LogOutcome::Queued);
    let report = writer.flush_blocking();
    assert_eq!(report.refused, 1);
    assert!(report.reason.as_deref().is_some_and(|reason| reason.contains("nobody")), "{report:?}");
}

#[test]
fn a_panicking_store_frees_everyone_and_counts_the_losses() {
    let inner = Arc::new(MemoryTracking::new(Arc::new(SystemClock)));
    let run = run_in(&inner);
    let gate = Gate { open: Arc::new(AtomicBool::new(true)), panics: true };
    let store = Arc::new(Layered::new(inner, gate));
    let writer = start(store, &run, WriterOptions::default());
    let key = MetricKey::new("loss").unwrap();
    assert_eq!(writer.log(&key, 0, 1.0), LogOutcome::Queued);
    assert_eq!(writer.flush_blocking().dropped, 1);
    assert_eq!(writer.log(&key, 1, 1.0), LogOutcome::Dropped);
}

#[test]
fn dropping_the_writer_sends_what_is_queued() {
    let store = Arc::new(MemoryTracking::new(Arc::new(SystemClock)));
    let run = run_in(&store);
    let key = MetricKey::new("loss").unwrap();
    let writer = start(
        store.clone(),
        &run,
        WriterOptions::default().with_linger(Duration::from_secs(3_600)),
    );
    assert_eq!(writer.log(&key, 5, 1.0), LogOutcome::Queued);
    drop(writer);
    assert_eq!(steps(&store, &run, &key), [5]);
}

#[test]
fn a_backlog_larger_than_a_batch_may_be_is_sent_in_parts() {
    let inner = Arc::new(MemoryTracking::new(Arc::new(SystemClock)));
    let run = run_in(&inner);
    let open = Arc::new(AtomicBool::new(false));
    let gate = Gate { open: Arc::clone(&open), panics: false };
    let store = Arc::new(Layered::new(Arc::clone(&inner), gate));
    let key = MetricKey::new("loss").unwrap();
    let options = WriterOptions::default().with_capacity(300_000).with_max_batch(200_000);
    let writer = start(store, &run, options);
    for step in 0..250_000 {
        assert_eq!(writer.log(&key, step, 1.0), LogOutcome::Queued);
    }
    open.store(true, Ordering::SeqCst);
    assert_eq!(writer.close_blocking().lossless().unwrap(), 250_000);
    assert_eq!(steps(&inner, &run, &key), (0..250_000).collect::<Vec<_>>());
}

#[test]
fn a_queue_smaller_than_a_batch_is_sent_when_it_is_full() {
    let store = Arc::new(MemoryTracking::new(Arc::new(SystemClock)));
    let run = run_in(&store);
    let key = MetricKey::new("loss").unwrap();
    let for_ever = Duration::from_secs(3_600);
    let options =
        WriterOptions::default().with_capacity(4).with_max_batch(1_000).with_linger(for_ever);
    let writer = start(store.clone(), &run, options.with_when_full(WhenFull::Wait(for_ever)));
    for step in 0..20 {
        assert_eq!(writer.log(&key, step, 1.0), LogOutcome::Queued);
    }
    assert_eq!(writer.close_blocking().lossless().unwrap(), 20);
}

#[test]
fn a_point_may_wait_for_company_until_the_end_of_time() {
    let store = Arc::new(MemoryTracking::new(Arc::new(SystemClock)));
    let run = run_in(&store);
    let patient = WriterOptions::default().with_linger(Duration::MAX);
    let writer = start(store, &run, patient.with_when_full(WhenFull::Wait(Duration::MAX)));
    let key = MetricKey::new("m").unwrap();
    assert_eq!(writer.log(&key, 0, 0.5), LogOutcome::Queued);
    assert_eq!(writer.flush_blocking().lossless().unwrap(), 1);
}

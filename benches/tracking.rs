//! Tracking: one `log` call, durable points, search; each beside its floor.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::TryStreamExt as _;
use mlops_benches::store::{Bench, batch};
use mlops_core::id::{MetricKey, ParamKey, RandomIds, RunId};
use mlops_core::time::{Clock as _, SystemClock};
use mlops_core::tracking::{
    Comparison, Direction, Field, Filter, LogOutcome, MetricPoint, MetricWriter, Op, Run, RunQuery,
    Scalar, TrackingStore as _, WhenFull, WriterOptions,
};
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Calls in one burst: fewer than fit into the queue, so that the call is timed and not the disk.
const BURST: u64 = 16_384;

/// The time of `count` calls, in bursts with a rest between them that is not timed.
fn in_bursts(count: u64, mut call: impl FnMut(u64), mut rest: impl FnMut()) -> Duration {
    let mut took = Duration::ZERO;
    let mut done = 0;
    while done < count {
        let end = (done + BURST).min(count);
        let began = Instant::now();
        (done..end).for_each(&mut call);
        took += began.elapsed();
        rest();
        done = end;
    }
    took
}

/// `MetricWriter::log` beside a send over a bounded channel of the standard library whose other end is
/// being drained, as the writer's queue is. Both stamp each point with the clock's time.
fn log_call(c: &mut Criterion) {
    let mut group = c.benchmark_group("log_metric_call");
    group.bench_function("floor_channel_send", |b| {
        b.iter_custom(|count| {
            let (send, receive) = sync_channel::<(Arc<str>, MetricPoint)>(65_536);
            let drain = std::thread::spawn(move || {
                receive.iter().map(|(_, point)| point.value).sum::<f64>()
            });
            let key: Arc<str> = "loss".into();
            let call = |step| {
                let point = MetricPoint { step: step as i64, at: SystemClock.now(), value: 0.5 };
                send.send(black_box((Arc::clone(&key), point))).unwrap();
            };
            let took = in_bursts(count, call, || {});
            drop(send);
            black_box(drain.join().unwrap());
            took
        });
    });
    // Nothing but the send: no clock, no key, nobody at the other end.
    group.bench_function("floor_empty_channel_send", |b| {
        b.iter_custom(|count| {
            let (send, receive) = sync_channel::<f64>(BURST as usize);
            in_bursts(
                count,
                |_| send.send(black_box(0.5)).unwrap(),
                || assert!(receive.try_iter().count() > 0),
            )
        });
    });
    let runtime = runtime();
    let (bench, runs) = runtime.block_on(Bench::with_runs(1)).unwrap();
    let key = MetricKey::new("loss").unwrap();
    group.bench_function("metric_writer", |b| {
        b.iter_custom(|count| {
            let options = WriterOptions::default().with_when_full(WhenFull::Drop);
            let clock = Arc::new(SystemClock);
            let writer = MetricWriter::start(
                bench.store.clone(),
                runs[0].clone(),
                clock,
                &RandomIds,
                options,
            )
            .unwrap();
            let mut written = 0;
            let call = |step| {
                assert_eq!(black_box(writer.log(&key, step as i64, 0.5)), LogOutcome::Queued)
            };
            let took =
                in_bursts(count, call, || written += writer.flush_blocking().lossless().unwrap());
            assert_eq!(written, count);
            took
        });
    });
    group.finish();
}

async fn write_all(bench: &Bench, runs: &[RunId], size: usize, batches: u64) {
    let key = MetricKey::new("loss").unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for run in runs {
        let (store, run, key) = (bench.store.clone(), run.clone(), key.clone());
        writers.spawn(async move {
            for _ in 0..batches {
                store.log_batch(&run, batch(&key, size)).await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
}

/// Points that survive a crash, beside a bare synced append and a bare insert into SQLite.
///
/// The store's side includes making the batches, as a caller would; the floors write what is there.
fn durable_points(c: &mut Criterion) {
    let runtime = runtime();
    for (writers, size) in [(1, 1), (1, 100), (1, 1_000), (16, 1), (16, 100), (16, 1_000)] {
        let mut group = c.benchmark_group(format!("durable_points/{writers}_writers_x_{size}"));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2));
        group.throughput(Throughput::Elements((writers * size) as u64));
        group.bench_function("store", |b| {
            let (bench, runs) = runtime.block_on(Bench::with_runs(writers)).unwrap();
            b.iter_custom(|count| {
                let began = Instant::now();
                runtime.block_on(write_all(&bench, &runs, size, count));
                began.elapsed()
            });
        });
        group.bench_function("floor_synced_append", |b| {
            let folder = tempfile::tempdir().unwrap();
            let mut file = File::create(folder.path().join("log")).unwrap();
            let bytes = vec![7_u8; writers * size * 24];
            b.iter(|| {
                file.write_all(&bytes).unwrap();
                file.sync_data().unwrap();
            });
        });
        group.bench_function("floor_sqlite_insert", |b| {
            let folder = tempfile::tempdir().unwrap();
            let connection = rusqlite::Connection::open(folder.path().join("m.db")).unwrap();
            let schema = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                CREATE TABLE points (run INTEGER, key INTEGER, step INTEGER, at INTEGER, value REAL);";
            connection.execute_batch(schema).unwrap();
            b.iter(|| {
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                let mut insert = connection.prepare_cached("INSERT INTO points VALUES (?1, ?2, ?3, ?4, ?5)").unwrap();
                for step in 0..writers * size {
                    insert.execute((1, 1, step as i64, 0, 0.5)).unwrap();
                }
                connection.execute_batch("COMMIT").unwrap();
            });
        });
        group.finish();
    }
}

/// The hundred best of 10,000 runs that match, beside one scan over the runs in bare SQLite.
fn search(c: &mut Criterion) {
    let runtime = runtime();
    let (bench, _) = runtime.block_on(Bench::with_runs(10_000)).unwrap();
    let auc = Field::Metric(MetricKey::new("auc").unwrap());
    let rate = Field::Param(ParamKey::new("rate").unwrap());
    let filter = Filter::All(vec![
        Filter::Is(Comparison::new(auc.clone(), Op::Gt, Scalar::Number(0.5)).unwrap()),
        Filter::Is(Comparison::new(rate, Op::Eq, Scalar::Text("3".into())).unwrap()),
    ]);
    let query = RunQuery::default()
        .with_filter(filter)
        .order_by(auc, Direction::Descending)
        .with_limit(100);
    let mut group = c.benchmark_group("search_10000_runs");
    group.sample_size(20);
    group.bench_function("filtered_and_ordered_first_100", |b| {
        b.iter(|| {
            let found: Vec<Run> =
                runtime.block_on(bench.store.search_runs(query.clone()).try_collect()).unwrap();
            assert_eq!(found.len(), 100);
        });
    });
    let connection = rusqlite::Connection::open(bench.folder.path().join("m.db")).unwrap();
    group.bench_function("floor_scan_of_the_runs", |b| {
        let mut statement =
            connection.prepare("SELECT id, name, start FROM runs ORDER BY start DESC").unwrap();
        b.iter(|| {
            let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            assert_eq!(rows.count(), 10_000);
        });
    });
    group.finish();
}

criterion_group!(benches, log_call, durable_points, search);
criterion_main!(benches);

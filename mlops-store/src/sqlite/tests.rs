//! The shared suites, and what they can't ask: reopening, migrations, damage, a full disk, many processes' worth of writers.

use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mlops_core::error::ErrorKind;
use mlops_core::id::{ExperimentId, ExperimentName, IdempotencyKey, MetricKey, RunId};
use mlops_core::time::Timestamp;
use mlops_core::tracking::{
    HistoryQuery, LogBatch, MetricPoint, NewExperiment, NewRun, RunQuery, TrackingStore as _,
};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

fn fresh() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("m.db"), SqliteOptions::default()).unwrap();
    (folder, store)
}

mod tracking {
    use super::*;
    mlops_core::tracking_suite!(fresh);
}
mod search {
    use super::*;
    mlops_core::search_suite!(fresh);
}
mod registry {
    use super::*;
    mlops_core::registry_suite!(fresh);
}
mod data {
    use super::*;
    mlops_core::data_suite!(fresh);
}
mod journal {
    use super::*;
    mlops_core::journal_suite!(fresh);
}

async fn with_run(store: &SqliteStore) -> RunId {
    let (id, name) = (ExperimentId::new("e").unwrap(), ExperimentName::new("e").unwrap());
    let experiment = store.create_experiment(NewExperiment::new(id, name)).await.unwrap();
    let run = NewRun::new(RunId::new("r").unwrap(), experiment.id, Timestamp::default());
    store.create_run(run).await.unwrap().id
}

fn batch(number: i64) -> LogBatch {
    let point = MetricPoint { step: number, at: Timestamp::default(), value: 0.5 };
    LogBatch::new(IdempotencyKey::new(format!("k{number}")).unwrap())
        .metric(MetricKey::new("m").unwrap(), point)
}

async fn steps(store: &SqliteStore, run: &RunId) -> Vec<i64> {
    let query = HistoryQuery::new(run.clone(), MetricKey::new("m").unwrap());
    let points: Vec<_> = store.metric_history(query).try_collect().await.unwrap();
    points.iter().map(|point| point.point.step).collect()
}

#[test]
fn the_library_is_new_enough_to_keep_a_log_whole() {
    let parts: Vec<u32> =
        SqliteStore::library_version().split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts >= vec![3, 51, 3], "{parts:?}");
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let (folder, store) = fresh();
    let run = with_run(&store).await;
    store.log_batch(&run, batch(1)).await.unwrap();
    let before = store.get_run(&run).await.unwrap();
    drop(store);
    let store = SqliteStore::open(folder.path().join("m.db"), SqliteOptions::default()).unwrap();
    assert_eq!(store.get_run(&run).await.unwrap(), before);
    assert_eq!(steps(&store, &run).await, [1]);
    store.check().await.unwrap();
}

#[tokio::test]
async fn two_handles_on_one_file_see_each_other_and_never_lock_each_other_out() {
    let (folder, first) = fresh();
    let second = SqliteStore::open(folder.path().join("m.db"), SqliteOptions::default()).unwrap();
    let run = with_run(&first).await;
    let stores = [Arc::new(first), Arc::new(second)];
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (store, run) = (Arc::clone(&stores[writer % 2]), run.clone());
        tasks.spawn(async move {
            for i in 0..25 {
                store.log_batch(&run, batch((writer * 25 + i) as i64)).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let mut seen = steps(&stores[0], &run).await;
    seen.sort_unstable();
    assert_eq!(seen, (0..200).collect::<Vec<_>>());
}

fn refusal(path: &Path) -> Error {
    SqliteStore::open(path, SqliteOptions::default()).unwrap_err()
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let (folder, store) = fresh();
    drop(store);
    let path = folder.path().join("m.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = refusal(&path);
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("m.db schema=99 known=2"), "{error}");
    let held: i32 = Connection::open(&path)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(held, 99);
}

#[test]
fn files_that_are_no_store_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    std::fs::write(
        &text,
        "a text that is long enough to have had a header, if it were a database".repeat(20),
    )
    .unwrap();
    let error = refusal(&text);
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("text.db"), "{error}");

    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    let before = std::fs::read(&other).unwrap();
    assert_eq!(refusal(&other).kind(), ErrorKind::Corrupt);
    assert_eq!(std::fs::read(&other).unwrap(), before);
    let tables: i64 = Connection::open(&other)
        .unwrap()
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
    assert_eq!(refusal(&folder.path().join("no/such/m.db")).kind(), ErrorKind::NotFound);
    assert_eq!(refusal(folder.path()).kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_truncated_file_is_an_error_with_its_path() {
    let (folder, store) = fresh();
    let run = with_run(&store).await;
    for number in 0..200 {
        store.log_batch(&run, batch(number)).await.unwrap();
    }
    drop(store);
    let path = folder.path().join("m.db");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = match SqliteStore::open(&path, SqliteOptions::default()) {
        Err(error) => error,
        Ok(store) => store.check().await.unwrap_err(),
    };
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("m.db"), "{error}");
}

#[tokio::test]
async fn a_full_disk_is_said_so_and_loses_nothing() {
    let (_folder, store) = fresh();
    let run = with_run(&store).await;
    store.log_batch(&run, batch(0)).await.unwrap();
    let limit = |pages: i64| {
        store.write(move |connection, place| {
            place.of(connection.pragma_update(None, "max_page_count", pages)).map(|()| pages)
        })
    };
    limit(1).await.unwrap();
    let big = || {
        let mut batch = batch(1);
        batch.tags = vec![(mlops_core::id::TagKey::new("big").unwrap(), "x".repeat(60_000))];
        batch
    };
    let mut error = None;
    for number in 0..50 {
        let mut next = big();
        next.key = IdempotencyKey::new(format!("fill{number}")).unwrap();
        next.tags[0].0 = mlops_core::id::TagKey::new(format!("t{number}")).unwrap();
        if let Err(full) = store.log_batch(&run, next).await {
            error = Some(full);
            break;
        }
    }
    let error = error.expect("the file may not grow");
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(error.to_string().contains("m.db"), "{error}");
    // Reading works, nothing half-written is there, and with room again it goes on.
    let before = store.get_run(&run).await.unwrap();
    limit(1_000_000).await.unwrap();
    store.log_batch(&run, big()).await.unwrap();
    assert_eq!(store.get_run(&run).await.unwrap().tags.len(), before.tags.len() + 1);
    store.check().await.unwrap();
}

#[tokio::test]
async fn one_failing_write_of_a_group_takes_nothing_with_it() {
    let (_folder, store) = fresh();
    let run = with_run(&store).await;
    let nobody = RunId::new("nobody").unwrap();
    let calls = (0..60).map(|i| store.log_batch(if i % 3 == 0 { &nobody } else { &run }, batch(i)));
    let outcomes = futures::future::join_all(calls).await;
    for (i, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.is_err(), i % 3 == 0, "{i}");
    }
    assert_eq!(steps(&store, &run).await.len(), 40);
}

#[tokio::test]
async fn a_stream_may_outlive_its_store() {
    let (_folder, store) = fresh();
    with_run(&store).await;
    let stream = store.search_runs(RunQuery::default());
    drop(store);
    assert_eq!(stream.try_collect::<Vec<_>>().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_disk_fails_everyone_in_the_group_in_the_same_way() {
    let (_folder, store) = fresh();
    let run = with_run(&store).await;
    let limited = store
        .write(|connection, place| place.of(connection.pragma_update(None, "max_page_count", 1)));
    limited.await.unwrap();
    let big = |number: i64| {
        let mut next = batch(number);
        let key = mlops_core::id::TagKey::new(format!("t{number}")).unwrap();
        next.tags = vec![(key, "x".repeat(60_000))];
        store.log_batch(&run, next)
    };
    let outcomes = futures::future::join_all((0..30).map(big)).await;
    let kinds: Vec<ErrorKind> =
        outcomes.into_iter().filter_map(Result::err).map(|error| error.kind()).collect();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| *kind == ErrorKind::Full), "{kinds:?}");
    store.check().await.unwrap();
}

#[test]
fn a_new_store_can_be_opened_by_many_at_once() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.db");
        let all = std::sync::Barrier::new(6);
        std::thread::scope(|scope| {
            let open = || {
                all.wait();
                SqliteStore::open(&path, SqliteOptions::default()).map(drop)
            };
            let opened: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
            for opened in opened {
                opened.join().unwrap().unwrap();
            }
        });
    }
}

#[tokio::test]
async fn closing_waits_for_nobody_who_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.db");
    // Were it to wait, the test would not end.
    let patient = SqliteOptions::default().with_busy_timeout(Duration::from_secs(86_400));
    let store = SqliteStore::open(&path, patient).unwrap();
    with_run(&store).await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    drop(store);
    other.execute_batch("COMMIT").unwrap();
}

#[tokio::test]
async fn after_a_failed_disk_nothing_is_written_and_a_retry_is_never_useful() {
    let (folder, store) = fresh();
    let run = with_run(&store).await;
    let failed = store.write(|connection, place| {
        // As SQLite does when a page can't be written: the transaction is gone.
        place.of(connection.execute_batch("ROLLBACK"))?;
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
        Err::<(), _>(place.error(rusqlite::Error::SqliteFailure(code, None)))
    });
    assert_eq!(failed.await.unwrap_err().retry(), RetryClass::Never);
    let refused = store.log_batch(&run, batch(1)).await.unwrap_err();
    assert_eq!((refused.kind(), refused.retry()), (ErrorKind::Unavailable, RetryClass::Never));
    drop(store);
    let store = SqliteStore::open(folder.path().join("m.db"), SqliteOptions::default()).unwrap();
    store.log_batch(&run, batch(1)).await.unwrap();
    assert_eq!(steps(&store, &run).await, [1]);
}

#[tokio::test]
async fn a_store_of_version_1_is_brought_up_and_keeps_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("schema/0001.sql")).unwrap();
    old.execute_batch(
        "INSERT INTO experiments (id, name, tags, created, updated) VALUES ('e', 'e', '{}', 1, 2);
        PRAGMA application_id = 0x6d6c6f70; PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    with_run(&store).await;
    let clash = NewExperiment::new(ExperimentId::new("e").unwrap(), "other".parse().unwrap());
    let error = store.create_experiment(clash).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

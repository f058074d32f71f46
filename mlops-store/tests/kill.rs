//! What `flush` acknowledged survives kill -9: a process that logs is killed at random moments, ten times.
//!
//! This binary is both sides: started with `child FOLDER` it logs, one flush after another, and says
//! how far it has been acknowledged; started by `cargo test` it kills that child and reads the store.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use mlops_core::id::{ExperimentId, ExperimentName, MetricKey, RandomIds, RunId};
use mlops_core::time::{SystemClock, Timestamp};
use mlops_core::tracking::{
    HistoryQuery, LogOutcome, MetricWriter, NewExperiment, NewRun, TrackingStore as _,
    WriterOptions,
};
use mlops_store::LocalStore;

const KILLS: u64 = 10;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.as_slice() {
        [_, word, folder] if word == "child" => log_for_ever(Path::new(folder)),
        _ => kill_again_and_again(),
    }
}

fn names() -> (RunId, MetricKey) {
    (RunId::new("killed").unwrap(), MetricKey::new("step").unwrap())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The steps that the store holds, in order.
fn steps(store: &LocalStore) -> Vec<i64> {
    let (run, key) = names();
    let history = store.meta().metric_history(HistoryQuery::new(run, key));
    let points: Vec<_> = runtime().block_on(history.try_collect()).unwrap();
    points.iter().map(|point| point.point.step).collect()
}

fn log_for_ever(folder: &Path) {
    let store = LocalStore::open(folder).unwrap();
    let (run, key) = names();
    runtime().block_on(async {
        let (id, name) = (ExperimentId::new("e").unwrap(), ExperimentName::new("e").unwrap());
        let experiment =
            store.meta().create_experiment(NewExperiment::new(id, name)).await.unwrap();
        let new = NewRun::new(run.clone(), experiment.id, Timestamp::default());
        store.meta().create_run(new).await.unwrap();
    });
    let mut next = steps(&store).last().map_or(0, |last| last + 1);
    let clock = Arc::new(SystemClock);
    let writer =
        MetricWriter::start(store.meta(), run, clock, &RandomIds, WriterOptions::default())
            .unwrap();
    let mut out = std::io::stdout().lock();
    loop {
        for _ in 0..next % 37 + 1 {
            assert_eq!(writer.log(&key, next, 0.5), LogOutcome::Queued);
            next += 1;
        }
        writer.flush_blocking().lossless().unwrap();
        writeln!(out, "{}", next - 1).unwrap();
        out.flush().unwrap();
    }
}

fn kill_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let binary = std::env::current_exe().unwrap();
    let mut acknowledged = -1;
    for kill in 0..KILLS {
        let mut child = Command::new(&binary)
            .arg("child")
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Dies somewhere behind its first acknowledgements, at a moment of its own choosing.
        for _ in 0..=kill * 3 {
            acknowledged = lines.next().unwrap().unwrap().parse().unwrap();
        }
        std::thread::sleep(Duration::from_micros(kill * 337 % 1_000));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged = lines
            .map_while(Result::ok)
            .filter_map(|line| line.parse().ok())
            .last()
            .unwrap_or(acknowledged);
        let store = LocalStore::open(folder.path()).unwrap();
        runtime().block_on(store.meta().check()).unwrap();
        let held = steps(&store);
        let whole: Vec<i64> = (0..held.len() as i64).collect();
        assert_eq!(held, whole, "kill {kill}: points are missing, doubled or out of order");
        assert!(
            held.len() as i64 > acknowledged,
            "kill {kill}: acknowledged {acknowledged}, held {}",
            held.len()
        );
    }
    println!("{KILLS} kills, {} acknowledged points: none lost, none doubled", acknowledged + 1);
}

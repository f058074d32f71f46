//! Kills `mlops demo --fast` with SIGKILL at random moments and holds what remains against an undisturbed run.
//!
//! `kill_demo BINARY [KILLS] [SEED]`. After each kill the store must be whole: pages, references, every
//! object what its name says. At the end the decisions must be those of the undisturbed run, and no
//! pipeline may have recorded the end of a step twice.

#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use futures::TryStreamExt as _;
use mlops_core::artifact::ContentStore as _;
use mlops_core::id::Digest;
use mlops_core::journal::Journal;
use mlops_core::lifecycle;
use mlops_core::pipeline::{Event, pipeline_runs, run_stream};
use mlops_core::tracking::{
    Attribute, Direction, ExperimentRef, Field, Run, RunQuery, TrackingStore as _,
};
use mlops_store::LocalStore;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let binary = PathBuf::from(args.next().ok_or("usage: kill_demo BINARY [KILLS] [SEED]")?);
    let kills: u32 = args.next().map_or(Ok(20), |text| text.parse())?;
    let seed: u64 = args.next().map_or(Ok(1), |text| text.parse())?;
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (calm, stormy) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let undisturbed = finish(&binary, calm.path())?;
    let mut killed = 0;
    while killed < kills {
        // Short lives at first, so that the early phases are hit as often as the long one.
        let longest = if random.random_bool(0.5) { 300 } else { 3_000 };
        let life = Duration::from_millis(random.random_range(5..longest));
        if live_for(&binary, stormy.path(), life)? {
            killed += 1;
        }
        if stormy.path().join("mlops.db").exists() {
            runtime.block_on(check(stormy.path()))?;
        }
    }
    let survivor = finish(&binary, stormy.path())?;
    for field in ["alarms", "evaluations", "reviews", "rollouts", "requests"] {
        if survivor[field] != undisturbed[field] {
            return Err(format!("{field} differ from those of the undisturbed run").into());
        }
    }
    if let Some(orphan) = left_running(stormy.path())? {
        return Err(format!("a process of the store is left running: {orphan}").into());
    }
    let (expected, found) =
        (runtime.block_on(life(calm.path()))?, runtime.block_on(life(stormy.path()))?);
    let differing = expected.iter().zip(&found).find(|(expected, found)| expected != found);
    if let Some((expected, found)) = differing {
        return Err(format!(
            "it took another course:
{expected}
{found}"
        )
        .into());
    }
    if expected.len() != found.len() {
        return Err(format!("{} records instead of {}", found.len(), expected.len()).into());
    }
    let steps = runtime.block_on(check(stormy.path()))?;
    println!(
        "{killed} kills, {} finished, {steps} steps ended once each, the store is whole",
        survivor["lifecycle"]
    );
    Ok(())
}

/// The command line of a process that still works for the store in `folder`.
fn left_running(folder: &Path) -> Outcome<Option<String>> {
    let folder = folder.to_str().ok_or("the folder is not UTF-8")?;
    for entry in std::fs::read_dir("/proc")? {
        // Processes come and go while they are listed; one that is gone is not left.
        let line = std::fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(folder) {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

fn demo(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["demo", "--fast", "--json", "--dir"]).arg(folder).stdin(Stdio::null());
    command
}

fn finish(binary: &Path, folder: &Path) -> Outcome<serde_json::Value> {
    let output = demo(binary, folder).output()?;
    if !output.status.success() {
        return Err(format!("the demo failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Starts a demo and kills it after a while; `false` when it was finished before.
fn live_for(binary: &Path, folder: &Path, life: Duration) -> Outcome<bool> {
    let mut child = demo(binary, folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    std::thread::sleep(life);
    if let Some(ended) = child.try_wait()? {
        return if ended.success() {
            Ok(false)
        } else {
            Err(format!("the demo ended with {ended}").into())
        };
    }
    child.kill()?;
    child.wait()?;
    Ok(true)
}

/// All that the first lifecycle of a store has recorded, and how its runs ended.
async fn life(folder: &Path) -> Outcome<Vec<String>> {
    let store = LocalStore::open(folder)?.meta();
    let stream = "lifecycle/demo-1".parse()?;
    let history = Journal::<lifecycle::Event>::history(&*store, &stream).await?;
    let name = ExperimentRef::Name("flight-delay-demo-1".parse()?);
    let experiment = store.get_experiment(&name).await?.id;
    let name = Field::Attribute(Attribute::Name);
    let query = RunQuery::default().in_experiment(experiment).order_by(name, Direction::Ascending);
    let runs: Vec<Run> = store.search_runs(query).try_collect().await?;
    let run = |run: &Run| {
        let metrics: Vec<_> =
            run.metrics.iter().map(|(key, point)| (key, point.step, point.value)).collect();
        format!("{} {} {:?} {metrics:?} {:?}", run.name, run.status, run.params, run.tags)
    };
    let mut records: Vec<String> = Vec::new();
    for (_, mut event) in history {
        if let lifecycle::Event::Began { experiment, .. } = &mut event {
            // An id like no other: the one thing that two demos can't have in common.
            *experiment = "any".parse()?;
        }
        records.push(format!("{event:?}"));
    }
    records.extend(runs.iter().map(run));
    Ok(records)
}

/// Asks everything of a store that can be asked from outside. Returns how many steps have ended.
async fn check(folder: &Path) -> Outcome<usize> {
    let store = LocalStore::open(folder)?;
    store.meta().check().await?;
    for digest in objects(folder)? {
        store.content().get_content(&digest).await?;
    }
    let mut ended = BTreeSet::new();
    for (pipeline, id) in pipeline_runs(&*store.meta()).await? {
        for (_, event) in
            Journal::<Event>::history(&*store.meta(), &run_stream(&pipeline, &id)?).await?
        {
            if let Event::StepDone { step, .. } = event
                && !ended.insert((id.clone(), step.clone()))
            {
                return Err(format!("a finished step was repeated: run={id} step={step}").into());
            }
        }
    }
    Ok(ended.len())
}

fn objects(folder: &Path) -> Outcome<Vec<Digest>> {
    let mut digests = Vec::new();
    for shelf in std::fs::read_dir(folder.join("objects"))? {
        let shelf = shelf?;
        for object in std::fs::read_dir(shelf.path())? {
            let name = format!(
                "{}{}",
                shelf.file_name().to_string_lossy(),
                object?.file_name().to_string_lossy()
            );
            digests.push(name.parse()?);
        }
    }
    Ok(digests)
}

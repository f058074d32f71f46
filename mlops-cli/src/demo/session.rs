//! One demo on one store: its number, its lock, what it has done so far.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use mlops_core::artifact::{Blob, ContentStore as _};
use mlops_core::data::DataVersion;
use mlops_core::id::{
    DatasetName, ExperimentId, ExperimentName, Ids as _, LeaseOwner, ModelName, RandomIds,
    StreamName,
};
use mlops_core::journal::{Journal, JournalStore};
use mlops_core::lifecycle::{KpiInputs, Kpis};
use mlops_core::pipeline::{CachePolicy, Executor, ExecutorOptions};
use mlops_core::registry::{ModelRegistry as _, NewModel};
use mlops_core::time::{Clock as _, SystemClock, Timestamp};
use mlops_core::tracking::{ExperimentRef, NewExperiment, TrackingStore as _};
use mlops_core::{Error, ErrorKind};
use mlops_store::LocalStore;
use serde::{Deserialize, Serialize};

use super::model::flights::Flights;
use crate::output;

/// A year of real flights (see the licence note in `data/README.md`).
const FLIGHTS: &[u8] = include_bytes!("../../data/nyc-flights-2013.parquet");
const LEASE: Duration = Duration::from_secs(60);

/// How thorough a demo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Smaller models and fewer draws, for a look or a test.
    Fast,
    Full,
}

impl Pace {
    /// What the flag `--fast` asks for.
    pub(crate) const fn of(fast: bool) -> Self {
        if fast { Self::Fast } else { Self::Full }
    }
}

/// One line of a demo's own journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum DemoEvent {
    Started { fast: bool },
    Phase(PhaseReport),
    Finished,
}

/// A part of a demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Experiments,
    Pipeline,
    Watch,
    Reproduce,
    Report,
}

impl Phase {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Experiments => "experiments",
            Self::Pipeline => "pipeline",
            Self::Watch => "watch",
            Self::Reproduce => "reproduce",
            Self::Report => "report",
        }
    }
}

/// What a phase did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PhaseReport {
    pub(crate) name: Phase,
    pub(crate) ok: bool,
    pub(crate) seconds: f64,
    pub(crate) summary: String,
}

/// A demo that is going on.
pub(crate) struct Session {
    pub(crate) name: String,
    pub(crate) pace: Pace,
    pub(crate) store: LocalStore,
    pub(crate) flights: Arc<Flights>,
    pub(crate) data: DataVersion,
    pub(crate) content: Blob,
    pub(crate) experiment: ExperimentId,
    pub(crate) model: ModelName,
    pub(crate) phases: Vec<PhaseReport>,
    pub(crate) resumed: bool,
    journal: Journal<DemoEvent>,
    /// Held as long as the session; the system lets it go when the process dies.
    _lock: File,
}

impl Session {
    /// Takes up the unfinished demo in `folder`, or begins the next one.
    pub(crate) async fn open(folder: &Path, pace: Pace) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .map_err(|source| Error::io("create a folder", folder, source))?;
        let lock = lock(folder)?;
        let store = LocalStore::open(folder)?;
        let (name, unfinished) = find(&*store.meta()).await?;
        let (journal, past) = Journal::open(store.meta(), stream(&name)?, &owner()?, LEASE).await?;
        let content = store.content().put_content(FLIGHTS.to_vec().into()).await?;
        let mut session = Self {
            flights: Arc::new(Flights::from_parquet(FLIGHTS)?),
            data: commit(&store, content).await?,
            content,
            experiment: experiment(&store, &name).await?,
            model: model(&store, &name).await?,
            name,
            pace,
            store,
            phases: Vec::new(),
            resumed: unfinished,
            journal,
            _lock: lock,
        };
        session.take_up(past).await?;
        Ok(session)
    }

    async fn take_up(&mut self, past: Vec<DemoEvent>) -> Result<()> {
        if past.is_empty() {
            return Ok(self
                .journal
                .record(&DemoEvent::Started { fast: self.pace == Pace::Fast })
                .await?);
        }
        for event in past {
            match event {
                DemoEvent::Started { fast } if Pace::of(fast) != self.pace => {
                    self.pace = Pace::of(fast);
                    let kind = match self.pace {
                        Pace::Fast => "a fast",
                        Pace::Full => "a full",
                    };
                    output::say(&format!(
                        "{} was begun as {kind} demo, and goes on as one",
                        self.name
                    ));
                }
                DemoEvent::Started { .. } => {}
                DemoEvent::Phase(report) => self.phases.push(report),
                DemoEvent::Finished => {}
            }
        }
        Ok(())
    }

    /// Whether every phase so far did its work.
    pub(crate) fn is_ok(&self) -> bool {
        self.phases.iter().all(|phase| phase.ok)
    }

    /// Whether a phase was finished before.
    pub(crate) fn is_done(&self, phase: Phase) -> bool {
        self.phases.iter().any(|report| report.name == phase)
    }

    /// Records that a phase has done its work.
    pub(crate) async fn done(
        &mut self,
        name: Phase,
        began: Instant,
        summary: String,
    ) -> Result<()> {
        let seconds = began.elapsed().as_secs_f64();
        self.ended(PhaseReport { name, ok: true, seconds, summary }).await
    }

    /// Records how a phase has ended.
    pub(crate) async fn ended(&mut self, report: PhaseReport) -> Result<()> {
        self.journal.renew().await?;
        self.journal.record(&DemoEvent::Phase(report.clone())).await?;
        self.phases.push(report);
        Ok(())
    }

    /// Records that everything is finished, and gives the lease back.
    pub(crate) async fn finish(mut self) -> Result<()> {
        self.journal.record(&DemoEvent::Finished).await?;
        Ok(self.journal.close().await?)
    }

    /// An executor over this store.
    pub(crate) fn executor(&self, cache: CachePolicy) -> Result<Executor> {
        let options = ExecutorOptions::new(self.store.root().join("work"));
        let options = options.with_cache(cache).with_owner(owner()?);
        Ok(Executor::new(self.store.content(), self.store.meta(), options))
    }

    /// The lifecycle's journal.
    pub(crate) fn lifecycle(&self) -> Result<StreamName> {
        Ok(StreamName::new(format!("lifecycle/{}", self.name))?)
    }

    /// What the lifecycle is worth so far.
    pub(crate) async fn kpis(&self) -> Result<Kpis> {
        let (meta, stream) = (self.store.meta(), self.lifecycle()?);
        let from =
            KpiInputs { tracking: &*meta, registry: &*meta, journal: &*meta, stream: &stream };
        Ok(Kpis::compute(from).await?)
    }

    pub(crate) fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

/// Who holds the leases. The lock on the folder has made sure that the last holder is gone.
pub(crate) fn owner() -> Result<LeaseOwner> {
    Ok(LeaseOwner::new("demo")?)
}

fn stream(name: &str) -> Result<StreamName> {
    Ok(StreamName::new(format!("demo/{name}"))?)
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("demo.lock");
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|source| Error::io("open a lock file", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = format!(
                "another demo runs on this store, wait for it or give another folder with --dir: path={}",
                folder.display()
            );
            Err(Error::new(ErrorKind::Conflict, message).into())
        }
        Err(TryLockError::Error(source)) => Err(Error::io("lock a file", &path, source).into()),
    }
}

/// The name of the demo to run, and whether it was begun before.
async fn find(journal: &dyn JournalStore) -> Result<(String, bool)> {
    let streams: Vec<StreamName> =
        journal.streams(Some(&StreamName::new("demo")?)).try_collect().await?;
    let number =
        |stream: &StreamName| stream.as_str().strip_prefix("demo/demo-")?.parse::<u32>().ok();
    let Some(newest) = streams.iter().filter_map(number).max() else {
        return Ok(("demo-1".to_owned(), false));
    };
    let name = format!("demo-{newest}");
    let events = Journal::<DemoEvent>::history(journal, &stream(&name)?).await?;
    if events.iter().any(|(_, event)| *event == DemoEvent::Finished) {
        return Ok((format!("demo-{}", newest + 1), false));
    }
    Ok((name, true))
}

async fn commit(store: &LocalStore, blob: Blob) -> Result<DataVersion> {
    use mlops_core::data::{DataVersionStore as _, Entry, Manifest, NewDataVersion};
    let entry = Entry { path: "nyc-flights-2013.parquet".parse()?, blob };
    let new = NewDataVersion::new(DatasetName::new("nyc-flights")?, Manifest::new([entry])?);
    store
        .meta()
        .commit(new.with_message("flights from New York in 2013, with the weather"))
        .await
        .context("cannot commit the data")
}

async fn experiment(store: &LocalStore, name: &str) -> Result<ExperimentId> {
    let name = ExperimentName::new(format!("flight-delay-{name}"))?;
    let tracking = store.meta();
    match tracking.get_experiment(&ExperimentRef::Name(name.clone())).await {
        Ok(found) => Ok(found.id),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let new = NewExperiment::new(RandomIds.experiment_id(), name);
            Ok(tracking.create_experiment(new).await?.id)
        }
        Err(error) => Err(error.into()),
    }
}

async fn model(store: &LocalStore, name: &str) -> Result<ModelName> {
    let name = ModelName::new(format!("flight-delay-{name}"))?;
    let new = NewModel::new(name.clone())
        .with_description("will a flight come in more than 15 minutes late?");
    store.meta().create_model(new).await?;
    Ok(name)
}

//! What a pipeline run records, and what it looked like when read back.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use super::process::Group;
use crate::artifact::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::KeyDigest;
use crate::id::{PipelineName, PipelineRunId, StepName, StreamName, ValueName};
use crate::journal::{Journal, JournalStore};
use crate::time::Timestamp;

/// One line of a pipeline run's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The run began, or was taken up again.
    Started {
        /// All steps, in order.
        steps: Vec<StepName>,
    },
    /// A try of a step began.
    AttemptStarted {
        /// The step.
        step: StepName,
        /// Its key.
        key: KeyDigest,
        /// Which try.
        attempt: u32,
    },
    /// A command runs as this process group.
    Spawned {
        /// The step.
        step: StepName,
        /// The group.
        group: Group,
    },
    /// A try of a step failed.
    AttemptFailed {
        /// The step.
        step: StepName,
        /// Which try.
        attempt: u32,
        /// Why.
        error: String,
    },
    /// A step is done.
    StepDone {
        /// The step.
        step: StepName,
        /// How.
        #[serde(flatten)]
        report: StepReport,
    },
    /// The run is over.
    Finished {
        /// Whether every step is done or was skipped by its condition.
        ok: bool,
    },
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepState {
    /// It ran.
    Ran,
    /// It was taken from the cache.
    Cached,
    /// Its condition did not hold, or it needs a step whose condition did not.
    Skipped {
        /// Which condition.
        reason: String,
    },
    /// Every try failed.
    Failed {
        /// Why the last one did.
        error: String,
        /// The machine word of the error's kind.
        kind: String,
    },
    /// It could not run because another step failed, or the run was cancelled.
    Blocked {
        /// By what.
        by: String,
    },
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// How it ended.
    #[serde(flatten)]
    pub state: StepState,
    /// Its key, as far as its inputs were known.
    pub key: Option<KeyDigest>,
    /// What it gave.
    pub outputs: BTreeMap<ValueName, Blob>,
    /// Tries it took.
    pub attempts: u32,
    /// How long it took.
    pub seconds: f64,
}

impl StepReport {
    pub(super) fn without_run(state: StepState) -> Self {
        Self { state, key: None, outputs: BTreeMap::new(), attempts: 0, seconds: 0.0 }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, StepState::Ran | StepState::Cached)
    }
}

/// A pipeline run: what became of each step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PipelineRun {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The run.
    pub id: PipelineRunId,
    /// Each step, in the plan's order; those that have not ended are missing.
    pub steps: Vec<(StepName, StepReport)>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` while it runs, or when it was killed.
    pub finished: Option<Timestamp>,
    /// Steps of this run that were finished before it was taken up again.
    pub resumed: usize,
}

impl PipelineRun {
    /// Whether it is over and every step is done or was skipped by its condition.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        let fine = |report: &StepReport| {
            report.is_done() || matches!(report.state, StepState::Skipped { .. })
        };
        self.finished.is_some() && self.steps.iter().all(|(_, report)| fine(report))
    }

    /// How many steps ran.
    #[must_use]
    pub fn ran(&self) -> usize {
        self.steps.iter().filter(|(_, report)| report.state == StepState::Ran).count()
    }

    /// How many steps came from the cache.
    #[must_use]
    pub fn cached(&self) -> usize {
        self.steps.iter().filter(|(_, report)| report.state == StepState::Cached).count()
    }

    /// What became of a step.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<&StepReport> {
        self.steps.iter().find(|(step, _)| step.as_str() == name).map(|(_, report)| report)
    }

    /// The content of a value that some step gave.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<Blob> {
        self.steps.iter().find_map(|(_, report)| report.outputs.get(name).copied())
    }

    /// This run, if it went well.
    ///
    /// # Errors
    /// That of the first step that failed, or `Cancelled`.
    pub fn into_result(self) -> Result<Self> {
        if self.is_ok() {
            return Ok(self);
        }
        let failed = self.steps.iter().find_map(|(step, report)| match &report.state {
            StepState::Failed { error, kind } => Some((step, error, kind)),
            _ => None,
        });
        let (pipeline, id) = (&self.pipeline, &self.id);
        Err(match failed {
            Some((step, error, kind)) => {
                let kind = ErrorKind::from_word(kind).unwrap_or(ErrorKind::Failed);
                let message = format!(
                    "a step failed: pipeline={pipeline} run={id} step={step} error={error}"
                );
                Error::new(kind, message)
            }
            None => {
                let message = format!("the pipeline did not finish: pipeline={pipeline} run={id}");
                Error::new(ErrorKind::Cancelled, message)
            }
        })
    }

    /// Reads a run back from its journal.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Corrupt` for a journal that can't be read.
    pub async fn load(
        store: &dyn JournalStore,
        pipeline: &PipelineName,
        id: &PipelineRunId,
    ) -> Result<Self> {
        let history = Journal::<Event>::history(store, &run_stream(pipeline, id)?).await?;
        let Some((started, _)) = history.first() else {
            return Err(Error::not_found("pipeline run", format!("{pipeline}/{id}")));
        };
        let mut run = Self {
            pipeline: pipeline.clone(),
            id: id.clone(),
            steps: Vec::new(),
            started: *started,
            finished: None,
            resumed: 0,
        };
        for (at, event) in history {
            match event {
                Event::Started { steps } => {
                    run.finished = None;
                    // Taken up with another plan, it has the steps of that one alone.
                    run.steps.retain(|(name, _)| steps.contains(name));
                }
                Event::StepDone { step, report } => {
                    run.steps.retain(|(name, _)| *name != step);
                    run.steps.push((step, report));
                }
                Event::Finished { .. } => run.finished = Some(at),
                Event::AttemptStarted { .. }
                | Event::Spawned { .. }
                | Event::AttemptFailed { .. } => {}
            }
        }
        Ok(run)
    }
}

/// The journal stream of a run.
///
/// # Errors
/// `InvalidInput` when the names together are too long.
pub fn run_stream(pipeline: &PipelineName, id: &PipelineRunId) -> Result<StreamName> {
    StreamName::new(format!("pipeline/{pipeline}/{id}"))
}

/// Every pipeline run that the store knows.
///
/// # Errors
/// Those of the store.
pub async fn pipeline_runs(store: &dyn JournalStore) -> Result<Vec<(PipelineName, PipelineRunId)>> {
    let streams: Vec<StreamName> =
        store.streams(Some(&StreamName::new("pipeline")?)).try_collect().await?;
    let parse = |stream: &StreamName| {
        let mut parts = stream.as_str().split('/').skip(1);
        Some((PipelineName::new(parts.next()?).ok()?, PipelineRunId::new(parts.next()?).ok()?))
    };
    Ok(streams.iter().filter_map(parse).collect())
}

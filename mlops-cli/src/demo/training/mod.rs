//! One training: preprocess >> train >> evaluate >> register, as a pipeline and as a tracked run.
//!
//! `steps` holds what the pipeline does, `record` what the run keeps of it.

mod record;
mod steps;

use anyhow::{Context as _, Result};
use mlops_core::artifact::{Blob, ContentStore as _};
use mlops_core::fingerprint::executable_digest;
use mlops_core::id::{Digest, PipelineRunId, RunId, VersionNumber};
use mlops_core::pipeline::{CachePolicy, Cancel, PipelineRun};
use mlops_core::tracking::{
    NewRun, Run, RunChange, RunStatus, Source, SourceKind, TrackingStore as _,
};
use mlops_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use super::calendar::Span;
use super::model::TrainConfig;
use super::session::Session;

/// What to train, on what, and how to call it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Training {
    pub(crate) name: String,
    pub(crate) config: TrainConfig,
    pub(crate) train: Span,
    pub(crate) evaluate: Span,
    pub(crate) ends: Ending,
}

/// Where a training ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    /// With its evaluation.
    Evaluated,
    /// With a registered version.
    Registered,
}

/// Quality on labels newer than those of the training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quality {
    pub(crate) auc: f64,
    pub(crate) brier: f64,
    pub(crate) log_loss: f64,
    pub(crate) f1: Option<f64>,
    pub(crate) rows: usize,
}

/// What a training gave.
#[derive(Debug, Clone)]
pub(crate) struct Trained {
    pub(crate) run: RunId,
    pub(crate) quality: Quality,
    pub(crate) version: Option<VersionNumber>,
    pub(crate) pipeline: PipelineRun,
}

/// Turns an error of this binary's own code into that of a step.
pub(crate) fn step_failed(error: anyhow::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(own) => own,
        Err(other) => Error::new(ErrorKind::Failed, format!("{other:#}")),
    }
}

fn read_json<T: for<'de> Deserialize<'de>>(bytes: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|source| {
        Error::new(ErrorKind::Corrupt, format!("cannot read a step's output: what={what}"))
            .with_source(source)
            .into()
    })
}

impl Training {
    /// A name for the pipeline's run; the same training of the same demo is always the same run.
    pub(crate) fn id(&self, session: &Session) -> Result<PipelineRunId> {
        Ok(PipelineRunId::new(format!("{}-{}", session.name, self.name))?)
    }

    fn run_id(&self, session: &Session) -> Result<RunId> {
        let digest = Digest::of(format!("{}/{}", session.name, self.name).as_bytes());
        Ok(RunId::new(&digest.to_hex()[..32])?)
    }

    /// Runs it, tracked. One that was finished before is only read back.
    pub(crate) async fn run(&self, session: &Session, cancel: &Cancel) -> Result<Trained> {
        let run = self.start_run(session).await?;
        let plan = self.plan(session)?;
        let done =
            session.executor(CachePolicy::Use)?.run(&plan, &self.id(session)?, cancel).await?;
        let done = match done.into_result() {
            Ok(done) => done,
            Err(error) => {
                let status = if error.kind() == ErrorKind::Cancelled {
                    RunStatus::Killed
                } else {
                    RunStatus::Failed
                };
                session
                    .store
                    .meta()
                    .update_run(&run.id, RunChange::ended(status, session.now()))
                    .await?;
                return Err(error.into());
            }
        };
        let quality: Quality =
            read_json(&output(session, &done, "evaluation").await?, "evaluation")?;
        let version = match done.output("version") {
            Some(blob) => {
                Some(read_version(&session.store.content().get_content(&blob.digest).await?)?)
            }
            None => None,
        };
        if run.status != RunStatus::Finished {
            self.log(session, &run, &plan, &done, &quality).await?;
            let ended = RunChange::ended(RunStatus::Finished, session.now());
            session.store.meta().update_run(&run.id, ended).await?;
        }
        Ok(Trained { run: run.id, quality, version, pipeline: done })
    }

    async fn start_run(&self, session: &Session) -> Result<Run> {
        let (tracking, id) = (session.store.meta(), self.run_id(session)?);
        match tracking.get_run(&id).await {
            Ok(known) => Ok(known),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let version = Some(executable_digest()?.to_string());
                let source = Source { kind: SourceKind::Job, name: "mlops demo".into(), version };
                let new = NewRun::new(id, session.experiment.clone(), session.now());
                Ok(tracking
                    .create_run(new.with_name(self.name.as_str()).with_source(source))
                    .await?)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn output_blob(run: &PipelineRun, name: &str) -> Result<Blob> {
    run.output(name).with_context(|| format!("the pipeline has no output: name={name}"))
}

async fn output(session: &Session, run: &PipelineRun, name: &str) -> Result<Vec<u8>> {
    Ok(session.store.content().get_content(&output_blob(run, name)?.digest).await?)
}

fn read_version(bytes: &[u8]) -> Result<VersionNumber> {
    let number = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    number.map(VersionNumber).context("a registered version is not a number")
}

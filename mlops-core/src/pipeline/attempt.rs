//! One step from its inputs to its published outputs: cache, condition, tries, publication.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use backon::BackoffBuilder as _;
use futures::FutureExt as _;
use tokio::sync::{mpsc, oneshot};

use super::cache::{self, CachePolicy, Outputs, StepInputs};
use super::cancel::Cancel;
use super::context::StepContext;
use super::history::{Event, StepReport, StepState};
use super::process;
use super::step::{Action, Step};
use crate::artifact::{Blob, Body, ContentStore};
use crate::backoff;
use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::KeyDigest;
use crate::id::{PipelineName, PipelineRunId, ValueName};
use crate::journal::JournalStore;

/// All that one step needs; owned, so that it can run as a task of its own.
pub(super) struct Job {
    pub(super) content: Arc<dyn ContentStore>,
    pub(super) journal: Arc<dyn JournalStore>,
    pub(super) pipeline: PipelineName,
    pub(super) run: PipelineRunId,
    pub(super) step: Step,
    pub(super) inputs: BTreeMap<ValueName, Blob>,
    pub(super) folder: PathBuf,
    pub(super) policy: CachePolicy,
    pub(super) cancel: Cancel,
    pub(super) events: mpsc::Sender<Told>,
}

/// An event that a step wants recorded, and the way to say that it is.
pub(super) struct Told {
    pub(super) event: Event,
    pub(super) recorded: oneshot::Sender<()>,
}

impl Job {
    /// Does the step; whatever happens is in the report.
    pub(super) async fn perform(self) -> StepReport {
        let began = Instant::now();
        let mut report = StepReport::without_run(StepState::Ran);
        let outcome = self.decide(&mut report).await;
        report.seconds = began.elapsed().as_secs_f64();
        report.state = match outcome {
            Ok(state) => state,
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                StepState::Blocked { by: error.chain() }
            }
            Err(error) => {
                StepState::Failed { error: error.chain(), kind: error.kind().word().to_owned() }
            }
        };
        report
    }

    async fn decide(&self, report: &mut StepReport) -> Result<StepState> {
        let made_of = StepInputs::of(&self.pipeline, &self.step, &self.inputs)?;
        let key = made_of.key();
        report.key = Some(key);
        if self.policy == CachePolicy::Use
            && let Some(outputs) = cache::look_up(&*self.journal, &*self.content, &key).await?
        {
            report.outputs = outputs;
            return Ok(StepState::Cached);
        }
        if let Some(reason) = self.is_ruled_out(key).await? {
            return Ok(StepState::Skipped { reason });
        }
        report.outputs = self.try_until_done(key, &mut report.attempts).await?;
        if self.policy != CachePolicy::Off {
            cache::remember(&*self.journal, &key, &report.outputs).await?;
            cache::remember_inputs(&*self.journal, &self.pipeline, &self.step.name, &made_of)
                .await?;
        }
        Ok(StepState::Ran)
    }

    async fn is_ruled_out(&self, key: KeyDigest) -> Result<Option<String>> {
        let Some(when) = self.step.when.clone() else {
            return Ok(None);
        };
        let context = Arc::new(self.open_folder(key, 0).await?);
        let judged = Arc::clone(&context);
        let holds = run_blocking(move || (when.holds)(&judged)).await;
        self.close_folder(&context).await;
        Ok(if holds? { None } else { Some(when.reason) })
    }

    async fn try_until_done(&self, key: KeyDigest, attempts: &mut u32) -> Result<Outputs> {
        let retry = self.step.retry;
        let tries = retry.attempts.max(1) as usize;
        let mut pauses = backoff::pauses(retry.first, retry.cap, tries - 1).build();
        loop {
            *attempts += 1;
            let error = match self.try_once(key, *attempts).await {
                Ok(outputs) => return Ok(outputs),
                Err(error) => error,
            };
            let (step, attempt) = (self.step.name.clone(), *attempts);
            self.tell(Event::AttemptFailed { step, attempt, error: error.chain() }).await?;
            let Some(pause) = pauses.next().filter(|_| error.kind() != ErrorKind::Cancelled) else {
                return Err(error);
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.cancel.cancelled() => return Err(self.cancelled()),
            }
        }
    }

    async fn try_once(&self, key: KeyDigest, attempt: u32) -> Result<Outputs> {
        let step = self.step.name.clone();
        self.tell(Event::AttemptStarted { step, key, attempt }).await?;
        let context = Arc::new(self.open_folder(key, attempt).await?);
        let outcome = match self.act(&context).await {
            Ok(()) => self.publish(&context).await,
            Err(error) => Err(error),
        };
        self.close_folder(&context).await;
        outcome
    }

    async fn act(&self, context: &Arc<StepContext>) -> Result<()> {
        let stop = async {
            match self.step.timeout {
                None => {
                    self.cancel.cancelled().await;
                    self.cancelled()
                }
                Some(limit) => tokio::select! {
                    () = self.cancel.cancelled() => self.cancelled(),
                    () = tokio::time::sleep(limit) => {
                        let seconds = limit.as_secs_f64();
                        Error::new(ErrorKind::Failed, format!("a step took too long: step={} limit={seconds}s", self.step.name))
                    }
                },
            }
        };
        match &self.step.action {
            Action::Command(command) => {
                let process = command.prepare(context)?;
                // Recorded before the command is waited for, so that a successor can end it. Only one
                // whose executor dies between starting and recording it is nobody's: it runs on.
                let spawned =
                    |group| self.tell(Event::Spawned { step: self.step.name.clone(), group });
                process::run(process, context, spawned, stop).await
            }
            Action::Blocking(run) => {
                let (run, seen) = (Arc::clone(run), Arc::clone(context));
                unless_stopped(run_blocking(move || run(&seen)), stop, context).await
            }
            Action::Asynchronous(run) => {
                // Made inside, so that a panic in the call is caught too.
                let work = async { run(Arc::clone(context)).await };
                unless_stopped(caught(work), stop, context).await
            }
        }
    }

    /// Stores the outputs. They become visible to others only through the report of the whole step.
    async fn publish(&self, context: &StepContext) -> Result<Outputs> {
        let mut outputs = Outputs::new();
        for name in &self.step.outputs {
            let path = context.output(name.as_str())?;
            if !path.is_file() {
                return Err(Error::new(
                    ErrorKind::Failed,
                    format!(
                        "the step did not leave an output: step={} value={name}",
                        self.step.name
                    ),
                ));
            }
            outputs.insert(name.clone(), self.content.put_content(Body::File(path)).await?);
        }
        Ok(outputs)
    }

    async fn open_folder(&self, key: KeyDigest, attempt: u32) -> Result<StepContext> {
        let context = StepContext {
            run: self.run.clone(),
            step: self.step.name.clone(),
            key,
            attempt,
            folder: self.folder.join(attempt.to_string()),
            inputs: self.step.inputs.clone(),
            outputs: self.step.outputs.clone(),
            params: self.step.params.clone(),
            cancel: Cancel::new(),
        };
        remove_folder(context.folder()).await?;
        for folder in [context.in_folder(), context.out_folder()] {
            let made = tokio::fs::create_dir_all(&folder).await;
            made.map_err(|source| Error::io("create a folder", &folder, source))?;
        }
        for (name, blob) in &self.inputs {
            self.content.fetch_content(&blob.digest, &context.input(name.as_str())?).await?;
        }
        Ok(context)
    }

    async fn close_folder(&self, context: &StepContext) {
        if let Err(error) = remove_folder(context.folder()).await {
            tracing::warn!(error = %error.chain(), "cannot remove a step's folder");
        }
    }

    /// Has an event recorded; when this returns, it survives a crash.
    async fn tell(&self, event: Event) -> Result<()> {
        // The executor outlives its jobs: it is gone only when it could not record something.
        let gone = || Error::new(ErrorKind::Cancelled, "the run's executor has ended");
        let (recorded, heard) = oneshot::channel();
        self.events.send(Told { event, recorded }).await.map_err(|_| gone())?;
        heard.await.map_err(|_| gone())
    }

    fn cancelled(&self) -> Error {
        Error::new(ErrorKind::Cancelled, format!("the step was stopped: step={}", self.step.name))
    }
}

/// Waits for the work, or for a reason to stop; either way, and also when it is dropped, work that
/// has not ended is told to.
async fn unless_stopped(
    work: impl Future<Output = Result<()>>,
    stop: impl Future<Output = Error>,
    context: &StepContext,
) -> Result<()> {
    struct TellToStop<'a>(&'a Cancel);
    impl Drop for TellToStop<'_> {
        fn drop(&mut self) {
            self.0.cancel();
        }
    }
    let _tell = TellToStop(&context.cancel);
    tokio::select! {
        done = work => done,
        reason = stop => Err(reason),
    }
}

/// Runs host code on a thread for blocking work; a panic there is a failed step, not a dead executor.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(Error::new(ErrorKind::Failed, "the step panicked").with_source(panic)),
    }
}

/// Awaits host code; a panic there is a failed step, not a dead executor.
async fn caught(work: impl Future<Output = Result<()>>) -> Result<()> {
    // What the work leaves half changed is its own: the step's folder goes, and nothing else is shared.
    match std::panic::AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            let message = format!("the step panicked: panic={:?}", text.unwrap_or_default());
            Err(Error::new(ErrorKind::Failed, message))
        }
    }
}

async fn remove_folder(folder: &std::path::Path) -> Result<()> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove a folder", folder, source))
        }
        _ => Ok(()),
    }
}

//! Runs plans: independent steps side by side, journalled, resumable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::attempt::{Job, Told};
use super::cache::{self, Outputs, StepInputs};
use super::cancel::Cancel;
use super::command::absolute;
use super::history::{Event, PipelineRun, StepReport, StepState, run_stream};
use super::options::{ExecutorOptions, Notice};
use super::plan::{Plan, PlanInput};
use super::process::Group;
use super::step::Step;
use crate::artifact::{Blob, Body, ContentStore};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{IdSource as _, LeaseOwner, PipelineRunId, RandomIds, StepName, ValueName};
use crate::journal::{Journal, JournalStore};

/// The lease is extended no oftener than this, however short it is.
const BEAT: Duration = Duration::from_millis(1);

/// Runs plans over a content store and a journal.
#[derive(Debug, Clone)]
pub struct Executor {
    pub(super) content: Arc<dyn ContentStore>,
    pub(super) journal: Arc<dyn JournalStore>,
    pub(super) options: ExecutorOptions,
}

impl Executor {
    /// An executor over these stores.
    #[must_use]
    pub fn new(
        content: Arc<dyn ContentStore>,
        journal: Arc<dyn JournalStore>,
        options: ExecutorOptions,
    ) -> Self {
        Self { content, journal, options }
    }

    /// The same executor with other options.
    #[must_use]
    pub fn with_options(&self, options: ExecutorOptions) -> Self {
        Self { options, ..self.clone() }
    }

    /// Runs `plan` as `id`, or takes that run up where it stopped. A step that fails keeps those that
    /// need it from running, and no others: see the report.
    ///
    /// # Errors
    /// `Conflict` while it runs already, `Fenced` once another has taken over, and those of the stores;
    /// after each but `Fenced` it can be taken up again at once. A failed step is no error here: see [`PipelineRun::into_result`].
    pub async fn run(
        &self,
        plan: &Plan,
        id: &PipelineRunId,
        cancel: &Cancel,
    ) -> Result<PipelineRun> {
        let stream = run_stream(plan.name(), id)?;
        let folder = absolute(&self.options.work_folder)?;
        let values = self.bring_in(plan).await?;
        let owner = match &self.options.owner {
            Some(owner) => owner.clone(),
            None => LeaseOwner::new(format!("executor-{}", RandomIds.next_hex()))?,
        };
        let journal = Arc::clone(&self.journal);
        let (journal, past) = Journal::open(journal, stream, &owner, self.options.lease).await?;
        let mut run = Running {
            executor: self,
            plan,
            id,
            cancel,
            journal,
            folder: folder.join(plan.name().as_str()).join(id.as_str()),
            values,
            reports: BTreeMap::new(),
            begun: BTreeSet::new(),
            resumed: 0,
        };
        let done = run.go_on(past).await;
        let resumed = run.resumed;
        // Whatever happened: the next one need not wait for the lease to end.
        let closed = run.journal.close().await;
        done?;
        closed?;
        let ok = PipelineRun::load(&*self.journal, plan.name(), id).await?;
        Ok(PipelineRun { resumed, ..in_plan_order(ok, plan) })
    }

    /// Stores the values that come from outside.
    pub(super) async fn bring_in(&self, plan: &Plan) -> Result<BTreeMap<ValueName, Blob>> {
        let mut values = BTreeMap::new();
        for (name, input) in plan.inputs() {
            let blob = match input {
                PlanInput::Content(blob) => *blob,
                PlanInput::Bytes(bytes) => {
                    self.content.put_content(Body::Bytes(bytes.clone())).await?
                }
                PlanInput::File(path) => self.content.put_content(Body::File(path.clone())).await?,
            };
            values.insert(name.clone(), blob);
        }
        Ok(values)
    }
}

fn in_plan_order(mut run: PipelineRun, plan: &Plan) -> PipelineRun {
    let place = |name: &StepName| plan.steps().iter().position(|step| step.name == *name);
    run.steps.sort_by_key(|(name, _)| place(name));
    run
}

/// A run that is going on. This is the only writer of its journal: steps report to it.
struct Running<'a> {
    executor: &'a Executor,
    plan: &'a Plan,
    id: &'a PipelineRunId,
    cancel: &'a Cancel,
    journal: Journal<Event>,
    /// The run's folder. Below it, each executor that has held the run has one of its own, so that one
    /// that was fenced off can't touch the files of its successor.
    folder: PathBuf,
    values: BTreeMap<ValueName, Blob>,
    reports: BTreeMap<StepName, StepReport>,
    begun: BTreeSet<StepName>,
    resumed: usize,
}

impl Running<'_> {
    async fn go_on(&mut self, past: Vec<Event>) -> Result<()> {
        self.take_up(past).await?;
        let mut jobs = JoinSet::new();
        let done = self.finish_all(&mut jobs).await;
        // After an error some still run: the lease is held until they have ended. Threads for blocking
        // work can't be ended; what they leave lies in a folder that no other executor uses.
        jobs.shutdown().await;
        done?;
        self.remove_folders().await;
        Ok(())
    }

    /// Reads what an earlier process did: takes up what it finished, ends what it left running.
    async fn take_up(&mut self, past: Vec<Event>) -> Result<()> {
        let mut left: BTreeMap<StepName, Group> = BTreeMap::new();
        let mut done: BTreeMap<StepName, StepReport> = BTreeMap::new();
        for event in past {
            match event {
                Event::Spawned { step, group } => {
                    left.insert(step, group);
                }
                Event::AttemptFailed { step, .. } => {
                    left.remove(&step);
                }
                Event::StepDone { step, report } => {
                    left.remove(&step);
                    done.insert(step, report);
                }
                _ => {}
            }
        }
        left.into_values().for_each(Group::kill_leftover);
        self.take_up_steps(&done).await?;
        let steps = self.plan.steps().iter().map(|step| step.name.clone()).collect();
        self.journal.record(&Event::Started { steps }).await
    }

    /// Takes up the steps that would have the same key now. One whose code, params or inputs have
    /// changed meanwhile is done anew, and so is all that depends on it.
    async fn take_up_steps(&mut self, done: &BTreeMap<StepName, StepReport>) -> Result<()> {
        let plan = self.plan;
        for step in plan.steps() {
            let inputs: Option<Outputs> = step
                .inputs
                .iter()
                .map(|name| Some((name.clone(), *self.values.get(name)?)))
                .collect();
            let (Some(inputs), Some(report)) = (inputs, done.get(&step.name)) else { continue };
            let key = StepInputs::of(plan.name(), step, &inputs)?.key();
            let same = report.is_done() && report.key == Some(key);
            if same && cache::are_whole(&*self.executor.content, &report.outputs).await? {
                self.resumed += 1;
                self.settle(step.name.clone(), report.clone());
            }
        }
        Ok(())
    }

    fn settle(&mut self, step: StepName, report: StepReport) {
        self.values.extend(report.outputs.iter().map(|(name, blob)| (name.clone(), *blob)));
        self.reports.insert(step, report);
    }

    async fn finish_all(&mut self, jobs: &mut JoinSet<(StepName, StepReport)>) -> Result<()> {
        let (events, mut inbox) = mpsc::channel(256);
        let mut beat = tokio::time::interval((self.executor.options.lease / 3).max(BEAT));
        loop {
            self.start_ready(jobs, &events).await?;
            if jobs.is_empty() {
                break;
            }
            tokio::select! {
                Some(told) = inbox.recv() => {
                    self.journal.record(&told.event).await?;
                    // Whoever was stopped meanwhile does not wait for it any more.
                    told.recorded.send(()).ok();
                }
                Some(ended) = jobs.join_next() => {
                    let (step, report) = ended.map_err(|source| {
                        Error::new(ErrorKind::Internal, "a step's task ended early").with_source(source)
                    })?;
                    self.record(step, report).await?;
                }
                _ = beat.tick() => self.journal.renew().await?,
            }
        }
        let ok = self
            .reports
            .values()
            .all(|r| r.is_done() || matches!(r.state, StepState::Skipped { .. }));
        self.journal.record(&Event::Finished { ok }).await
    }

    /// Removes the run's folder, with what executors that have died have left there. What a newer one
    /// has there stays.
    async fn remove_folders(&self) {
        let (folder, own) = (self.folder.clone(), self.journal.epoch().0);
        let removed = tokio::task::spawn_blocking(move || remove_up_to(&folder, own)).await;
        if let Err(error) = removed.unwrap_or_else(|panic| Err(std::io::Error::other(panic))) {
            tracing::warn!(%error, "cannot remove the folder of a pipeline run");
        }
    }

    async fn record(&mut self, step: StepName, report: StepReport) -> Result<()> {
        self.journal
            .record(&Event::StepDone { step: step.clone(), report: report.clone() })
            .await?;
        self.tell(&Notice::Ended(&step, &report));
        self.settle(step, report);
        Ok(())
    }

    fn tell(&self, notice: &Notice<'_>) {
        if let Some(observer) = &self.executor.options.observer {
            observer(notice);
        }
    }

    /// Starts every step whose turn it is, and settles those that can't run any more.
    async fn start_ready(
        &mut self,
        jobs: &mut JoinSet<(StepName, StepReport)>,
        events: &mpsc::Sender<Told>,
    ) -> Result<()> {
        let plan = self.plan;
        for step in plan.steps() {
            if self.reports.contains_key(&step.name) || self.begun.contains(&step.name) {
                continue;
            }
            let Some(state) = self.hindrance(step) else {
                continue;
            };
            match state {
                Err(state) => {
                    self.record(step.name.clone(), StepReport::without_run(state)).await?
                }
                Ok(()) if jobs.len() < self.executor.options.max_parallel.max(1) => {
                    self.tell(&Notice::Begins(&step.name));
                    self.begun.insert(step.name.clone());
                    let job = self.job(step, events)?;
                    let name = step.name.clone();
                    jobs.spawn(async move { (name, job.perform().await) });
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// `None` while a step must wait, `Ok` when it can run, `Err` with how it ends without running.
    fn hindrance(&self, step: &Step) -> Option<Result<(), StepState>> {
        if self.cancel.is_cancelled() {
            return Some(Err(StepState::Blocked { by: "cancelled".to_owned() }));
        }
        let mut ready = true;
        for need in self.plan.needs(step) {
            match self.reports.get(&need).map(|report| &report.state) {
                Some(StepState::Ran | StepState::Cached) => {}
                Some(StepState::Skipped { reason }) => {
                    return Some(Err(StepState::Skipped { reason: reason.clone() }));
                }
                Some(StepState::Failed { .. } | StepState::Blocked { .. }) => {
                    return Some(Err(StepState::Blocked { by: need.to_string() }));
                }
                None => ready = false,
            }
        }
        ready.then_some(Ok(()))
    }

    fn own_folder(&self) -> PathBuf {
        self.folder.join(self.journal.epoch().0.to_string())
    }

    fn job(&self, step: &Step, events: &mpsc::Sender<Told>) -> Result<Job> {
        let input = |name: &ValueName| {
            let blob = self.values.get(name).copied();
            let missing =
                || Error::new(ErrorKind::Internal, format!("a value is missing: value={name}"));
            Ok((name.clone(), blob.ok_or_else(missing)?))
        };
        let options = &self.executor.options;
        Ok(Job {
            content: Arc::clone(&self.executor.content),
            journal: Arc::clone(&self.executor.journal),
            pipeline: self.plan.name().clone(),
            run: self.id.clone(),
            step: step.clone(),
            inputs: step.inputs.iter().map(input).collect::<Result<Outputs>>()?,
            folder: self.own_folder().join(step.name.as_str()),
            policy: options.cache,
            cancel: self.cancel.clone(),
            events: events.clone(),
        })
    }
}

/// Removes the folders of the epochs up to `last`, then the run's own, if nothing is left in it.
fn remove_up_to(run: &Path, last: u64) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(run) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let epoch = entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok());
        if epoch.is_some_and(|epoch| epoch <= last) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    match std::fs::remove_dir(run) {
        Err(error) if error.kind() != std::io::ErrorKind::DirectoryNotEmpty => Err(error),
        _ => Ok(()),
    }
}

//! Experiments and runs in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{lock, snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ExperimentId, ExperimentName, IdempotencyKey, MetricKey, RunId};
use crate::time::Clock;
use crate::tracking::{
    Experiment, ExperimentChange, ExperimentRef, HistoryPoint, HistoryQuery, Lifecycle,
    ListExperiments, LogBatch, MetricPoint, NewExperiment, NewRun, Receipt, Run, RunChange,
    RunQuery, RunStatus, TrackingStore, downsample, latest_of, order_runs, param_conflict,
};

/// A [`TrackingStore`] in memory.
#[derive(Debug)]
pub struct MemoryTracking {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    experiments: Vec<Experiment>,
    /// What each experiment was created from, to tell a repeat from a clash.
    origins: BTreeMap<ExperimentId, NewExperiment>,
    runs: BTreeMap<RunId, Held>,
}

#[derive(Debug)]
struct Held {
    run: Run,
    /// What it was created from, to tell a repeat from a clash.
    origin: Run,
    /// Whether it went with its experiment and comes back with it.
    deleted_with_experiment: bool,
    history: BTreeMap<MetricKey, Vec<MetricPoint>>,
    applied: BTreeSet<IdempotencyKey>,
}

impl MemoryTracking {
    /// An empty store whose time is `clock`'s.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }
}

impl State {
    fn experiment(&mut self, id: &ExperimentId) -> Result<&mut Experiment> {
        let found = self.experiments.iter_mut().find(|experiment| experiment.id == *id);
        found.ok_or_else(|| Error::not_found("experiment", id))
    }

    fn run(&mut self, id: &RunId) -> Result<&mut Held> {
        self.runs.get_mut(id).ok_or_else(|| Error::not_found("run", id))
    }

    fn name_is_free(&self, name: &ExperimentName) -> Result<()> {
        match self.experiments.iter().find(|experiment| experiment.name == *name) {
            Some(taken) => Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("an experiment has this name: name={name} id={}", taken.id),
            )),
            None => Ok(()),
        }
    }

    fn set_lifecycle(&mut self, id: &ExperimentId, lifecycle: Lifecycle) -> Result<()> {
        self.experiment(id)?.lifecycle = lifecycle;
        for held in self.runs.values_mut().filter(|held| held.run.experiment == *id) {
            match (lifecycle, held.run.lifecycle) {
                (Lifecycle::Deleted, Lifecycle::Active) => {
                    held.run.lifecycle = Lifecycle::Deleted;
                    held.deleted_with_experiment = true;
                }
                (Lifecycle::Active, Lifecycle::Deleted) if held.deleted_with_experiment => {
                    held.run.lifecycle = Lifecycle::Active;
                    held.deleted_with_experiment = false;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn search(&self, query: &RunQuery) -> Result<Vec<Run>> {
        if let Some(filter) = &query.filter {
            filter.check()?;
        }
        let wanted = |run: &&Run| {
            query.lifecycle.admits(run.lifecycle)
                && (query.experiments.is_empty() || query.experiments.contains(&run.experiment))
                && query.filter.as_ref().is_none_or(|filter| filter.matches(run))
        };
        let mut found: Vec<Run> =
            self.runs.values().map(|held| &held.run).filter(wanted).cloned().collect();
        found.sort_by(|a, b| order_runs(a, b, &query.order));
        if let Some(after) = &query.after {
            let cursor = &self.runs.get(after).ok_or_else(|| Error::not_found("run", after))?.run;
            found.retain(|run| order_runs(run, cursor, &query.order).is_gt());
        }
        found.truncate(query.limit.unwrap_or(usize::MAX));
        Ok(found)
    }
}

fn run_from(new: NewRun) -> Run {
    Run {
        id: new.id,
        experiment: new.experiment,
        name: new.name,
        status: new.status,
        lifecycle: Lifecycle::Active,
        parent: new.parent,
        source: new.source,
        user: new.user,
        start: new.start,
        end: None,
        params: BTreeMap::new(),
        metrics: BTreeMap::new(),
        tags: new.tags,
        inputs: Vec::new(),
        outputs: Vec::new(),
    }
}

#[async_trait]
impl TrackingStore for MemoryTracking {
    async fn create_experiment(&self, new: NewExperiment) -> Result<Experiment> {
        new.check()?;
        let mut state = lock(&self.state);
        let repeats = state.origins.get(&new.id) == Some(&new);
        if let Ok(known) = state.experiment(&new.id) {
            return if repeats {
                Ok(known.clone())
            } else {
                let name = &known.name;
                Err(Error::new(
                    ErrorKind::AlreadyExists,
                    format!("another experiment has this id: id={} name={name}", new.id),
                ))
            };
        }
        state.name_is_free(&new.name)?;
        let now = self.clock.now();
        let lifecycle = Lifecycle::Active;
        state.origins.insert(new.id.clone(), new.clone());
        let made = Experiment {
            id: new.id,
            name: new.name,
            lifecycle,
            tags: new.tags,
            created: now,
            updated: now,
        };
        state.experiments.push(made.clone());
        Ok(made)
    }

    async fn get_experiment(&self, which: &ExperimentRef) -> Result<Experiment> {
        let mut state = lock(&self.state);
        match which {
            ExperimentRef::Id(id) => state.experiment(id).map(|found| found.clone()),
            ExperimentRef::Name(name) => {
                let found = state.experiments.iter().find(|experiment| experiment.name == *name);
                found.cloned().ok_or_else(|| Error::not_found("experiment", name))
            }
        }
    }

    fn list_experiments(&self, list: ListExperiments) -> BoxStream<'static, Result<Experiment>> {
        let state = lock(&self.state);
        let start = match &list.after {
            None => 0,
            Some(after) => match state.experiments.iter().position(|e| e.id == *after) {
                Some(place) => place + 1,
                None => return snapshot(Err(Error::not_found("experiment", after))),
            },
        };
        let wanted =
            state.experiments[start..].iter().filter(|e| list.lifecycle.admits(e.lifecycle));
        snapshot(Ok(wanted.take(list.limit.unwrap_or(usize::MAX)).cloned().collect()))
    }

    async fn update_experiment(
        &self,
        id: &ExperimentId,
        change: ExperimentChange,
    ) -> Result<Experiment> {
        change.check()?;
        let mut state = lock(&self.state);
        let experiment = state.experiment(id)?;
        if experiment.lifecycle == Lifecycle::Deleted && !change.is_of_life() {
            return Err(Error::deleted("experiment", id));
        }
        match change {
            ExperimentChange::Rename(name) => {
                if experiment.name != name {
                    state.name_is_free(&name)?;
                    state.experiment(id)?.name = name;
                }
            }
            ExperimentChange::SetTag(key, value) => {
                experiment.tags.insert(key, value);
            }
            ExperimentChange::DeleteTag(key) => {
                experiment.tags.remove(&key);
            }
            ExperimentChange::Delete => state.set_lifecycle(id, Lifecycle::Deleted)?,
            ExperimentChange::Restore => state.set_lifecycle(id, Lifecycle::Active)?,
        }
        let now = self.clock.now();
        let experiment = state.experiment(id)?;
        experiment.updated = now;
        Ok(experiment.clone())
    }

    async fn create_run(&self, new: NewRun) -> Result<Run> {
        new.check()?;
        let mut state = lock(&self.state);
        let experiment = state.experiment(&new.experiment)?;
        if experiment.lifecycle == Lifecycle::Deleted {
            return Err(Error::deleted("experiment", &experiment.id));
        }
        if let Some(parent) = &new.parent {
            state.run(parent)?;
        }
        let run = run_from(new);
        if let Some(held) = state.runs.get(&run.id) {
            return if held.origin == run {
                Ok(held.run.clone())
            } else {
                Err(Error::new(
                    ErrorKind::AlreadyExists,
                    format!("another run has this id: id={}", run.id),
                ))
            };
        }
        let (history, applied) = Default::default();
        let held = Held {
            origin: run.clone(),
            run: run.clone(),
            deleted_with_experiment: false,
            history,
            applied,
        };
        state.runs.insert(run.id.clone(), held);
        Ok(run)
    }

    async fn get_run(&self, id: &RunId) -> Result<Run> {
        lock(&self.state).run(id).map(|held| held.run.clone())
    }

    async fn update_run(&self, id: &RunId, change: RunChange) -> Result<Run> {
        change.check()?;
        let mut state = lock(&self.state);
        let held = state.run(id)?;
        if held.run.lifecycle == Lifecycle::Deleted && !change.is_of_life() {
            return Err(Error::deleted("run", id));
        }
        match change {
            RunChange::Status { status, end } => set_status(&mut held.run, status, end)?,
            RunChange::Rename(name) => held.run.name = name,
            RunChange::Delete => {
                held.run.lifecycle = Lifecycle::Deleted;
                held.deleted_with_experiment = false;
            }
            RunChange::Restore => {
                let experiment = held.run.experiment.clone();
                if state.experiment(&experiment)?.lifecycle == Lifecycle::Deleted {
                    return Err(Error::deleted("experiment", experiment));
                }
                state.run(id)?.run.lifecycle = Lifecycle::Active;
            }
        }
        Ok(state.run(id)?.run.clone())
    }

    async fn log_batch(&self, id: &RunId, batch: LogBatch) -> Result<Receipt> {
        batch.check()?;
        let mut state = lock(&self.state);
        let held = state.run(id)?;
        if held.applied.contains(&batch.key) {
            return Ok(Receipt::Repeated);
        }
        if held.run.lifecycle == Lifecycle::Deleted {
            return Err(Error::deleted("run", id));
        }
        for (key, value) in &batch.params {
            if held.run.params.get(key).is_some_and(|before| before != value) {
                return Err(param_conflict(id, key));
            }
        }
        held.apply(batch);
        Ok(Receipt::Applied)
    }

    fn search_runs(&self, query: RunQuery) -> BoxStream<'static, Result<Run>> {
        snapshot(lock(&self.state).search(&query))
    }

    fn metric_history(&self, query: HistoryQuery) -> BoxStream<'static, Result<HistoryPoint>> {
        let mut state = lock(&self.state);
        let mut points = Vec::new();
        for id in &query.runs {
            let held = match state.run(id) {
                Ok(held) => held,
                Err(error) => return snapshot(Err(error)),
            };
            let all = held.history.get(&query.key).map_or(&[][..], Vec::as_slice);
            let thin = downsample(all, query.max_points.unwrap_or(usize::MAX));
            points.extend(thin.into_iter().map(|point| HistoryPoint { run: id.clone(), point }));
        }
        snapshot(Ok(points))
    }
}

impl Held {
    fn apply(&mut self, batch: LogBatch) {
        self.applied.insert(batch.key);
        self.run.params.extend(batch.params);
        for (key, point) in batch.metrics {
            self.history.entry(key.clone()).or_default().push(point);
            let latest = latest_of(self.run.metrics.get(&key).into_iter().chain([&point]));
            self.run.metrics.extend(latest.map(|latest| (key, latest)));
        }
        self.run.tags.extend(batch.tags);
        for key in &batch.delete_tags {
            self.run.tags.remove(key);
        }
        for input in batch.inputs {
            let same = |held: &&mut crate::tracking::DatasetInput| {
                (&held.name, &held.version, &held.role)
                    == (&input.name, &input.version, &input.role)
            };
            match self.run.inputs.iter_mut().find(same) {
                Some(held) => *held = input,
                None => self.run.inputs.push(input),
            }
        }
        for output in batch.outputs {
            let same = |held: &&mut crate::tracking::ModelOutput| {
                held.model == output.model && held.step == output.step
            };
            match self.run.outputs.iter_mut().find(same) {
                Some(held) => *held = output,
                None => self.run.outputs.push(output),
            }
        }
    }
}

fn set_status(run: &mut Run, status: RunStatus, end: Option<crate::time::Timestamp>) -> Result<()> {
    run.status = run.status.advance(status)?;
    run.end = end.filter(|_| status.is_terminal());
    Ok(())
}

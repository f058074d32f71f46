//! Requests that change a tracking store.

use std::collections::BTreeMap;

use serde::Serialize;

use super::types::{DatasetInput, MetricPoint, ModelOutput, RunStatus, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ExperimentId, ExperimentName, IdempotencyKey, MetricKey, ParamKey, RunId, TagKey};
use crate::time::Timestamp;

/// Most entries (params + metric points + tags + …) in one [`LogBatch`].
pub const MAX_BATCH_ENTRIES: usize = 100_000;
/// Longest value of a parameter or tag, in bytes.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// An experiment to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NewExperiment {
    /// Its id, made by the caller.
    pub id: ExperimentId,
    /// Its name.
    pub name: ExperimentName,
    /// Its first labels.
    pub tags: BTreeMap<TagKey, String>,
}

impl NewExperiment {
    /// An experiment without labels.
    #[must_use]
    pub fn new(id: ExperimentId, name: ExperimentName) -> Self {
        Self { id, name, tags: BTreeMap::new() }
    }

    /// Adds a label.
    #[must_use]
    pub fn with_tag(mut self, key: TagKey, value: impl Into<String>) -> Self {
        self.tags.insert(key, value.into());
        self
    }

    /// Checks what no type checks.
    ///
    /// # Errors
    /// `InvalidInput` for a label that is too long or holds NUL.
    pub fn check(&self) -> Result<()> {
        self.tags.iter().try_for_each(|(key, value)| check_value(key.as_str(), value))
    }
}

/// A change of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExperimentChange {
    /// Gives it another free name.
    Rename(ExperimentName),
    /// Sets a label.
    SetTag(TagKey, String),
    /// Removes a label; none with this key is no error.
    DeleteTag(TagKey),
    /// Deletes it and its runs, until they are restored.
    Delete,
    /// Restores it, with the runs that were deleted with it.
    Restore,
}

impl ExperimentChange {
    /// Whether it is one that a deleted experiment can undergo.
    #[must_use]
    pub fn is_of_life(&self) -> bool {
        matches!(self, Self::Delete | Self::Restore)
    }

    /// Checks what no type checks.
    ///
    /// # Errors
    /// `InvalidInput` for a label that is too long or holds NUL.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::SetTag(key, value) => check_value(key.as_str(), value),
            _ => Ok(()),
        }
    }
}

/// A run to create.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewRun {
    /// Its id, made by the caller.
    pub id: RunId,
    /// The experiment it belongs to.
    pub experiment: ExperimentId,
    /// Its name.
    pub name: String,
    /// `Scheduled` or `Running`.
    pub status: RunStatus,
    /// When it starts.
    pub start: Timestamp,
    /// The run that starts this one.
    pub parent: Option<RunId>,
    /// What starts it.
    pub source: Option<Source>,
    /// Who starts it.
    pub user: Option<String>,
    /// Its first labels.
    pub tags: BTreeMap<TagKey, String>,
}

impl NewRun {
    /// A run that is running, named by its id.
    #[must_use]
    pub fn new(id: RunId, experiment: ExperimentId, start: Timestamp) -> Self {
        let name = id.to_string();
        let status = RunStatus::Running;
        Self {
            id,
            experiment,
            name,
            status,
            start,
            parent: None,
            source: None,
            user: None,
            tags: BTreeMap::new(),
        }
    }

    /// Names it.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Places it under another run.
    #[must_use]
    pub fn with_parent(mut self, parent: RunId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Says what starts it.
    #[must_use]
    pub fn with_source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// Says who starts it.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn with_tag(mut self, key: TagKey, value: impl Into<String>) -> Self {
        self.tags.insert(key, value.into());
        self
    }

    /// Creates it as scheduled instead of running.
    #[must_use]
    pub fn scheduled(mut self) -> Self {
        self.status = RunStatus::Scheduled;
        self
    }

    /// Checks what no type checks.
    ///
    /// # Errors
    /// `InvalidInput` for a text that is too long or holds NUL, and for a run that would begin ended.
    pub fn check(&self) -> Result<()> {
        if self.status.is_terminal() {
            let message = format!("a run can't be created ended: status={}", self.status);
            return Err(Error::invalid(message));
        }
        check_value("run name", &self.name)?;
        if let Some(user) = &self.user {
            check_value("user", user)?;
        }
        if let Some(source) = &self.source {
            check_value("source name", &source.name)?;
            check_value("source version", source.version.as_deref().unwrap_or_default())?;
        }
        self.tags.iter().try_for_each(|(key, value)| check_value(key.as_str(), value))
    }
}

/// A change of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunChange {
    /// Moves it to a status; `end` is kept for a terminal status and cleared otherwise.
    Status {
        /// The next status.
        status: RunStatus,
        /// When it ended.
        end: Option<Timestamp>,
    },
    /// Gives it another name.
    Rename(String),
    /// Deletes it, until it is restored.
    Delete,
    /// Restores it.
    Restore,
}

impl RunChange {
    /// The run ended at `end` with this status.
    #[must_use]
    pub fn ended(status: RunStatus, end: Timestamp) -> Self {
        Self::Status { status, end: Some(end) }
    }

    /// Whether it is one that a deleted run can undergo.
    #[must_use]
    pub fn is_of_life(&self) -> bool {
        matches!(self, Self::Delete | Self::Restore)
    }

    /// Checks what no type checks.
    ///
    /// # Errors
    /// `InvalidInput` for a name that is too long or holds NUL.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Rename(name) => check_value("run name", name),
            _ => Ok(()),
        }
    }
}

/// What one write brings into a run: all of it or none.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogBatch {
    /// Makes a repeat harmless.
    pub key: IdempotencyKey,
    /// Parameters; one that is there already must have the same value.
    pub params: Vec<(ParamKey, String)>,
    /// Metric points, in order.
    pub metrics: Vec<(MetricKey, MetricPoint)>,
    /// Labels to set.
    pub tags: Vec<(TagKey, String)>,
    /// Labels to remove (after the new ones are set).
    pub delete_tags: Vec<TagKey>,
    /// Data versions that the run has read.
    pub inputs: Vec<DatasetInput>,
    /// Models that the run has produced.
    pub outputs: Vec<ModelOutput>,
}

impl LogBatch {
    /// An empty batch under this key.
    #[must_use]
    pub fn new(key: IdempotencyKey) -> Self {
        let (params, metrics, tags, delete_tags) = Default::default();
        Self { key, params, metrics, tags, delete_tags, inputs: Vec::new(), outputs: Vec::new() }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn param(mut self, key: ParamKey, value: impl ToString) -> Self {
        self.params.push((key, value.to_string()));
        self
    }

    /// Adds a metric point.
    #[must_use]
    pub fn metric(mut self, key: MetricKey, point: MetricPoint) -> Self {
        self.metrics.push((key, point));
        self
    }

    /// Sets a label.
    #[must_use]
    pub fn tag(mut self, key: TagKey, value: impl Into<String>) -> Self {
        self.tags.push((key, value.into()));
        self
    }

    /// Adds a data version that was read.
    #[must_use]
    pub fn input(mut self, input: DatasetInput) -> Self {
        self.inputs.push(input);
        self
    }

    /// Adds a model that was produced.
    #[must_use]
    pub fn output(mut self, output: ModelOutput) -> Self {
        self.outputs.push(output);
        self
    }

    /// How many entries there are in all.
    #[must_use]
    pub fn len(&self) -> usize {
        let labels = self.tags.len() + self.delete_tags.len();
        self.params.len() + self.metrics.len() + labels + self.inputs.len() + self.outputs.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks what no type checks: sizes, and parameters that contradict each other.
    ///
    /// # Errors
    /// `InvalidInput` naming the entry.
    pub fn check(&self) -> Result<()> {
        if self.len() > MAX_BATCH_ENTRIES {
            return Err(Error::invalid(format!(
                "a batch holds at most {MAX_BATCH_ENTRIES} entries, send several: entries={}",
                self.len()
            )));
        }
        let mut seen = BTreeMap::new();
        for (key, value) in &self.params {
            check_value(key.as_str(), value)?;
            if seen.insert(key, value).is_some_and(|before| before != value) {
                return Err(Error::invalid(format!(
                    "a param has two values in one batch: key={key}"
                )));
            }
        }
        self.tags.iter().try_for_each(|(key, value)| check_value(key.as_str(), value))
    }
}

/// The refusal of a parameter that has another value already. Neither value is in it: errors are
/// logged, and values may be secret.
#[must_use]
pub fn param_conflict(run: &RunId, key: &ParamKey) -> Error {
    let message = format!("a param never changes, and it has another value: run={run} key={key}");
    Error::new(ErrorKind::Conflict, message)
}

fn check_value(key: &str, value: &str) -> Result<()> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(Error::invalid(format!(
            "a value may have {MAX_VALUE_BYTES} bytes, store it as an artifact: key={key} bytes={}",
            value.len()
        )));
    }
    if value.contains('\0') {
        return Err(Error::invalid(format!("a value may not hold NUL: key={key}")));
    }
    Ok(())
}

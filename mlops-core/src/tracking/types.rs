//! What a tracking store holds.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::id::{
    DataVersionId, DatasetName, Digest, ExperimentId, ExperimentName, LoggedModelId, MetricKey,
    ParamKey, RunId, TagKey,
};
use crate::time::Timestamp;

/// Whether something is in use or deleted (and may be restored).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// In use.
    Active,
    /// Deleted; kept until it is purged.
    Deleted,
}

/// A named group of runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Its id.
    pub id: ExperimentId,
    /// Its unique name.
    pub name: ExperimentName,
    /// In use or deleted.
    pub lifecycle: Lifecycle,
    /// Free labels.
    pub tags: BTreeMap<TagKey, String>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// One of the two ways to name an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExperimentRef {
    /// By id.
    Id(ExperimentId),
    /// By name.
    Name(ExperimentName),
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Waits to be started.
    Scheduled,
    /// Is running.
    Running,
    /// Ended well.
    Finished,
    /// Ended with an error.
    Failed,
    /// Was stopped from outside.
    Killed,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 5] =
        [Self::Scheduled, Self::Running, Self::Finished, Self::Failed, Self::Killed];

    /// The machine word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Killed => "killed",
        }
    }

    /// Whether the run has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed)
    }

    /// The one checked way from a status to the next. A run that has ended may run again (it is
    /// resumed) or be judged anew; nothing goes back to [`RunStatus::Scheduled`].
    ///
    /// # Errors
    /// `Conflict` when the way is not allowed.
    pub fn advance(self, next: Self) -> Result<Self> {
        if next == Self::Scheduled && self != Self::Scheduled {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("a run that has started can't be scheduled again: status={self}"),
            ));
        }
        Ok(next)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for RunStatus {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|status| status.word() == text);
        found.ok_or_else(|| Error::invalid(format!("not a run status: value={text:?}")))
    }
}

/// What kind of thing started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A program on somebody's machine.
    Local,
    /// A notebook.
    Notebook,
    /// A scheduled job or pipeline.
    Job,
    /// A packaged project.
    Project,
}

/// What started a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The kind.
    pub kind: SourceKind,
    /// The program, notebook or pipeline.
    pub name: String,
    /// The version of its code: a commit or a digest.
    pub version: Option<String>,
}

/// One value of a metric.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct MetricPoint {
    /// The step, epoch or iteration; may be negative.
    pub step: i64,
    /// When it was measured.
    pub at: Timestamp,
    /// The value; NaN and infinities are kept.
    #[serde(with = "crate::float")]
    pub value: f64,
}

impl MetricPoint {
    /// Orders points so that the greatest is the latest: by step, then time, then value (total
    /// order). It depends on the points alone, never on the order in which they arrived.
    #[must_use]
    pub fn recency(&self, other: &Self) -> Ordering {
        self.step
            .cmp(&other.step)
            .then(self.at.cmp(&other.at))
            .then_with(|| self.value.total_cmp(&other.value))
    }
}

/// Equality by bits of the value, so that NaN equals itself.
impl PartialEq for MetricPoint {
    fn eq(&self, other: &Self) -> bool {
        self.step == other.step
            && self.at == other.at
            && self.value.to_bits() == other.value.to_bits()
    }
}

/// A point of some run's metric history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPoint {
    /// The run.
    pub run: RunId,
    /// The point.
    pub point: MetricPoint,
}

/// A data version that a run has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetInput {
    /// The data set.
    pub name: DatasetName,
    /// Its version: the digest of the content.
    pub version: DataVersionId,
    /// What it was read as: `train`, `validation` …
    pub role: String,
    /// Where it came from, for people.
    pub source: String,
    /// Columns and types, in whatever form the writer has.
    pub schema: Option<String>,
    /// Free labels.
    pub tags: BTreeMap<TagKey, String>,
}

/// A model that a run has produced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOutput {
    /// Its id.
    pub model: LoggedModelId,
    /// The step at which it was produced.
    pub step: i64,
    /// The digest of its bytes.
    pub digest: Option<Digest>,
}

/// One execution of some code, with everything it logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The experiment it belongs to.
    pub experiment: ExperimentId,
    /// Its name; need not be unique.
    pub name: String,
    /// Where it stands.
    pub status: RunStatus,
    /// In use or deleted.
    pub lifecycle: Lifecycle,
    /// The run that started this one.
    pub parent: Option<RunId>,
    /// What started it.
    pub source: Option<Source>,
    /// Who started it.
    pub user: Option<String>,
    /// When it started.
    pub start: Timestamp,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// Parameters; a value never changes.
    pub params: BTreeMap<ParamKey, String>,
    /// The latest point of each metric.
    pub metrics: BTreeMap<MetricKey, MetricPoint>,
    /// Free labels.
    pub tags: BTreeMap<TagKey, String>,
    /// What it has read.
    pub inputs: Vec<DatasetInput>,
    /// What it has produced.
    pub outputs: Vec<ModelOutput>,
}

/// The acknowledgement of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// The batch is durable.
    Applied,
    /// A batch with this key had been applied before; nothing was changed.
    Repeated,
}

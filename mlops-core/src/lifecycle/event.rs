//! What a lifecycle sees and records.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{ExperimentId, ModelName, RunId, VersionNumber};
use crate::time::Timestamp;

/// What a signal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// What goes into the model has changed.
    Input,
    /// What comes out of it has changed.
    Prediction,
    /// What it should have said has changed.
    Label,
    /// It has become worse.
    Quality,
    /// The service around it has become worse.
    Service,
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Prediction => "prediction",
            Self::Label => "label",
            Self::Quality => "quality",
            Self::Service => "service",
        })
    }
}

/// An alarm: something has changed beyond chance and beyond a practical floor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// When, in the data's own time.
    pub at: Timestamp,
    /// What: a column, a metric.
    pub subject: String,
    /// What it is about.
    pub kind: SignalKind,
    /// The test that found it.
    pub statistic: String,
    /// The effect, in the floor's unit.
    #[serde(with = "crate::float")]
    pub value: f64,
    /// The floor that it passed.
    #[serde(with = "crate::float")]
    pub threshold: f64,
    /// The probability of such an effect by chance, corrected for the number of tests.
    #[serde(with = "crate::float::option")]
    pub p_value: Option<f64>,
    /// Units (days, users) that the decision counted, where rows are not independent.
    pub clusters: Option<u64>,
}

impl Signal {
    /// Whether this is the same alarm, raised again after a restart.
    #[must_use]
    pub fn repeats(&self, other: &Self) -> bool {
        (self.at, &self.subject, self.kind) == (other.at, &other.subject, other.kind)
    }
}

/// One stretch of watching.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// From when.
    pub from: Timestamp,
    /// To when, exclusive.
    pub to: Timestamp,
    /// Rows that were seen.
    pub rows: u64,
    /// The version that served.
    pub version: VersionNumber,
    /// How good it was on the labels that had arrived; `None` when that can't be said.
    #[serde(with = "crate::float::option")]
    pub quality: Option<f64>,
    /// How many labels that rests on.
    pub labels: u64,
    /// Whatever the host wants to keep beside it.
    pub details: serde_json::Value,
}

/// A retraining that has been decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retraining {
    /// 1, 2, 3 … in this lifecycle.
    pub number: u32,
    /// When, in the data's own time.
    pub at: Timestamp,
    /// What caused it.
    pub cause: String,
}

/// What a retraining gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenger {
    /// The training run.
    pub run: RunId,
    /// The registered version.
    pub version: VersionNumber,
}

/// Two versions to compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contest {
    /// When, in the data's own time.
    pub at: Timestamp,
    /// The version in use.
    pub champion: VersionNumber,
    /// The version that would replace it.
    pub challenger: VersionNumber,
}

/// How two versions compared on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Who against whom, and when.
    #[serde(flatten)]
    pub contest: Contest,
    /// The metric; larger is better.
    pub metric: String,
    /// The champion's.
    #[serde(with = "crate::float")]
    pub champion_value: f64,
    /// The challenger's.
    #[serde(with = "crate::float")]
    pub challenger_value: f64,
    /// Where the difference (challenger less champion) lies, at the evaluation's confidence.
    #[serde(with = "crate::float::pair")]
    pub interval: [f64; 2],
    /// First label that was used.
    pub labels_from: Timestamp,
    /// End of the labels that were used, exclusive.
    pub labels_to: Timestamp,
    /// Rows that were used.
    pub rows: u64,
}

/// One line of a lifecycle's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The first champion is in use.
    Began {
        /// When.
        at: Timestamp,
        /// The model.
        model: ModelName,
        /// The experiment that its training runs belong to.
        experiment: ExperimentId,
        /// The version.
        champion: VersionNumber,
        /// The metric that quality is measured by.
        metric: String,
        /// What it was out of time, before use: what has to be kept.
        #[serde(with = "crate::float")]
        reference: f64,
    },
    /// A stretch was watched.
    Watched(Window),
    /// An alarm was raised.
    Raised(Signal),
    /// A retraining was decided.
    RetrainingStarted(Retraining),
    /// It gave a challenger.
    ChallengerTrained(Challenger),
    /// It gave none.
    RetrainingFailed {
        /// Why.
        error: String,
    },
    /// The challenger was compared with the champion.
    Evaluated(Evaluation),
    /// The challenger is the champion now.
    Promoted {
        /// When, in the data's own time.
        at: Timestamp,
        /// The old one.
        from: VersionNumber,
        /// The new one.
        to: VersionNumber,
        /// Why.
        reason: String,
    },
    /// The champion stays.
    Kept {
        /// When, in the data's own time.
        at: Timestamp,
        /// The champion.
        champion: VersionNumber,
        /// The challenger.
        challenger: VersionNumber,
        /// Why.
        reason: String,
    },
    /// A promoted version was compared with its predecessor after its probation.
    Reviewed(Evaluation),
    /// The comparison after the probation could not be made; the probation is over.
    ReviewFailed {
        /// Why.
        error: String,
    },
    /// The promoted version proved itself; its predecessor is no longer held ready.
    Confirmed {
        /// When, in the data's own time.
        at: Timestamp,
        /// Which.
        version: VersionNumber,
        /// Why.
        reason: String,
    },
    /// The predecessor is the champion again.
    RolledBack {
        /// When, in the data's own time.
        at: Timestamp,
        /// The version that disappointed.
        from: VersionNumber,
        /// Its predecessor.
        to: VersionNumber,
        /// Why.
        reason: String,
    },
    /// There is nothing more to watch.
    Ended {
        /// When, in the data's own time.
        at: Timestamp,
    },
}

//! Where a rollout stands: the fold of its journal, and nothing else.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::event::Wish;
use crate::deploy::Generation;
use crate::id::RevisionName;
use crate::rollout::analysis::{Judgement, Service};
use crate::rollout::command::OrderNumber;
use crate::rollout::spec::{Gate, RolloutSpec};
use crate::time::Timestamp;

/// Where the rollouts of an endpoint stand.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// How many entries have been recorded.
    pub sequence: u64,
    /// The revision that answers when nothing is being rolled out.
    pub stable: Option<RevisionName>,
    /// The rollout that is open, or was the last.
    pub rollout: Option<Rollout>,
    /// What was asked of the traffic last.
    pub asked: Option<Asked>,
    /// What was seen in effect last.
    pub effective: Option<Asked>,
    /// The last order that was answered.
    pub answered: OrderNumber,
    /// The rollout that begins when the open one has ended.
    pub queued: Option<Box<RolloutSpec>>,
    /// Revisions that should not be there and are being ended.
    pub orphans: BTreeSet<RevisionName>,
}

impl State {
    /// Whether a rollout is going on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| !rollout.phase.is_terminal())
    }

    /// Whether what was asked of the traffic is in effect.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.effective == self.asked
    }

    /// The revisions that have a place in the open rollout, or are stable.
    #[must_use]
    pub fn live(&self) -> BTreeSet<&RevisionName> {
        let open = self.rollout.as_ref().filter(|rollout| !rollout.phase.is_terminal());
        let of_rollout = open
            .into_iter()
            .flat_map(|rollout| rollout.spec.stable.iter().chain([rollout.spec.canary()]));
        self.stable.iter().chain(of_rollout).collect()
    }
}

/// One rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// 1, 2, 3 … for each endpoint.
    pub number: u64,
    /// What it is to do.
    pub spec: Box<RolloutSpec>,
    /// Where it stands.
    pub phase: Phase,
    /// Since when it has been there.
    pub since: Timestamp,
    /// When it began.
    pub started: Timestamp,
    /// What was seen of the service.
    pub service: Service,
    /// Inconclusive judgements in a row.
    pub inconclusive: u32,
    /// Gates that were opened.
    pub opened: BTreeSet<Gate>,
}

/// What was asked of the traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The number of the entry that says so.
    pub generation: Generation,
    /// What.
    pub wish: Wish,
}

/// What a rollout is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The new revision is being started.
    Applying,
    /// It is ready, and tried without traffic.
    Warming(Warming),
    /// It gets copies.
    Shadowing(Stage),
    /// It has the share of a step.
    Step {
        /// Which, from 0.
        index: usize,
        /// How far the step is.
        stage: Stage,
    },
    /// It gets everything.
    Promoting,
    /// It is the stable one, and the old one is held until it is done.
    Draining(Draining),
    /// It has taken over.
    Done,
    /// It waits for somebody.
    Paused {
        /// Why.
        reason: Pause,
        /// Where it goes on.
        at: Box<Phase>,
    },
    /// It is being taken back.
    Aborting {
        /// Why.
        reason: String,
        /// How far that is.
        stage: Aborting,
    },
    /// It was taken back, for good.
    RolledBack {
        /// Why.
        reason: String,
    },
    /// Neither revision can answer.
    Stuck {
        /// Why.
        reason: String,
        /// Where it was.
        at: Box<Phase>,
    },
}

impl Phase {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Done | Self::RolledBack { .. })
    }

    /// Whether the way back is still open.
    #[must_use]
    pub fn can_abort(&self) -> bool {
        !self.is_terminal() && !matches!(self, Self::Draining(Draining::Ending))
    }

    /// Where it stands, or where it goes on after a pause.
    #[must_use]
    pub fn place(&self) -> &Self {
        match self {
            Self::Paused { at, .. } => at,
            phase => phase,
        }
    }

    /// Its name, for people and machines.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Applying => "applying",
            Self::Warming(_) => "warming",
            Self::Shadowing(_) => "shadowing",
            Self::Step { .. } => "step",
            Self::Promoting => "promoting",
            Self::Draining(_) => "draining",
            Self::Done => "done",
            Self::Paused { .. } => "paused",
            Self::Aborting { .. } => "aborting",
            Self::RolledBack { .. } => "rolled_back",
            Self::Stuck { .. } => "stuck",
        }
    }
}

/// How far the trial without traffic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warming {
    /// It has not answered yet.
    Checking,
    /// It has answered as it should.
    Checked,
}

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its split is not in effect yet.
    Shifting,
    /// It is watched.
    Baking,
    /// It is judged.
    Judging {
        /// By how it serves.
        service: Judgement,
        /// By what it answers, where that is asked for.
        quality: Option<Judgement>,
    },
}

/// How far the old revision's end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Draining {
    /// It is held ready for the way back.
    Waiting,
    /// It is being ended.
    Ending,
}

/// How far the way back is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aborting {
    /// Traffic is to be moved.
    Leaving,
    /// It was asked to move.
    Returning,
    /// The new revision ends what it began.
    Emptying,
    /// The new revision is being ended.
    Ending,
}

/// Why a rollout waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pause {
    /// Somebody said so.
    Manual,
    /// The judgement stayed inconclusive.
    Inconclusive,
    /// There was too little data.
    NoData,
    /// A gate.
    Gate(Gate),
}

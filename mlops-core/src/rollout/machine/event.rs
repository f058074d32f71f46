//! What a controller records: facts that it saw, and what it is about to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::state::Pause;
use crate::deploy::{Backend, Generation, Mirror, Split, Stickiness};
use crate::id::RevisionName;
use crate::rollout::analysis::{Judgement, Reading};
use crate::rollout::command::OrderNumber;
use crate::rollout::spec::RolloutSpec;
use crate::time::Timestamp;

/// An event, when it was recorded, and the order that it answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Which order it answers, with who gave it and why.
    pub answers: Option<Answered>,
    /// What.
    pub event: Event,
}

/// The order that an event answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Its number.
    pub order: OrderNumber,
    /// Who gave it.
    pub by: String,
    /// Why.
    pub why: String,
}

/// What happened, or is about to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A rollout begins: its revision is about to be applied.
    Started {
        /// What it is to do.
        spec: Box<RolloutSpec>,
    },
    /// An order was refused.
    Refused {
        /// Why.
        reason: String,
    },
    /// A rollout waits for the open one to end.
    Queued {
        /// What it is to do.
        spec: Box<RolloutSpec>,
    },
    /// The rollout that waited can't begin any more.
    Dropped {
        /// Why.
        reason: String,
    },
    /// The new revision is ready.
    Ready,
    /// It has answered as it should, without traffic.
    Checked,
    /// Traffic is about to be moved; this entry's number is the generation.
    Shifted {
        /// What for.
        to: Shift,
        /// What is asked for.
        wish: Wish,
    },
    /// What was asked of the traffic is in effect.
    InEffect {
        /// The generation.
        generation: Generation,
    },
    /// The new share is watched from here on.
    Baking,
    /// The counts were read.
    Looked(Reading),
    /// They were judged.
    Judged(Judgement),
    /// Rows that both have scored were judged.
    Scored(Judgement),
    /// The step is watched for another hold.
    Continued,
    /// Nothing moves until somebody says so.
    Paused(Pause),
    /// It goes on.
    Resumed,
    /// The new revision is the stable one.
    Promoted,
    /// The old revision is about to be ended: there is no way back from here.
    Retiring,
    /// The old revision is gone.
    Done,
    /// Back to the stable revision.
    Aborted {
        /// Why.
        reason: String,
    },
    /// Traffic is where it was.
    Returned,
    /// The new revision is about to be ended.
    Discarding,
    /// It is gone.
    RolledBack,
    /// Neither revision can answer: nothing is moved.
    Stuck {
        /// Why.
        reason: String,
    },
    /// The new revision can answer again.
    Recovered,
    /// A revision that should not be there is about to be ended.
    OrphanFound {
        /// Which.
        revision: RevisionName,
    },
    /// It is gone.
    OrphanEnded {
        /// Which.
        revision: RevisionName,
    },
}

/// What traffic is moved for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// Copies for the new revision.
    Shadow,
    /// The share of a step, by number from 0.
    Step(usize),
    /// Everything to the new revision.
    Promotion,
    /// Everything to the stable revision.
    Return,
    /// The same shares: a revision answers elsewhere.
    Addresses,
}

/// What is asked of the traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// A split.
    Split {
        /// The shares.
        split: Split,
        /// The copies.
        mirror: Option<Mirror>,
        /// Which requests stay together.
        sticky: Option<Stickiness>,
        /// Where each revision answers.
        backends: BTreeMap<RevisionName, Backend>,
    },
    /// No traffic at all: nothing is left to answer it.
    Removed,
}

impl Wish {
    /// Whether a revision gets requests or copies by it.
    #[must_use]
    pub fn reaches(&self, revision: &RevisionName) -> bool {
        match self {
            Self::Removed => false,
            Self::Split { split, mirror, .. } => {
                split.share(revision).get() > 0
                    || mirror.as_ref().is_some_and(|mirror| mirror.revision == *revision)
            }
        }
    }

    /// The shares; none when everything is removed.
    #[must_use]
    pub fn split(&self) -> Option<&Split> {
        match self {
            Self::Split { split, .. } => Some(split),
            Self::Removed => None,
        }
    }
}

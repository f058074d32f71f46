//! What a controller sees before it decides.

use std::collections::BTreeMap;

use crate::deploy::{
    Backend, ObservedTraffic, Phase, RevisionCounts, RevisionStatus, TrafficCapabilities,
};
use crate::id::RevisionName;
use crate::rollout::command::{Order, OrderNumber};

/// What could be seen of something. Not knowing is not the same as its not being there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen<T> {
    /// It could not be asked.
    Unknown,
    /// It is not there.
    Absent,
    /// It is there.
    There(T),
}

/// What a controller sees.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The endpoint's revisions; `None` when they can't be listed.
    pub revisions: Option<BTreeMap<RevisionName, RevisionStatus>>,
    /// The split in effect.
    pub traffic: Seen<ObservedTraffic>,
    /// What the data plane can do.
    pub capabilities: TrafficCapabilities,
    /// What was counted; `None` when it can't be read.
    pub counts: Option<BTreeMap<RevisionName, RevisionCounts>>,
    /// The next order that is not answered yet, or why it can't be read.
    pub order: Option<(OrderNumber, Result<Order, String>)>,
}

/// Whether a revision can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Ready,
    /// It is there, and not ready; or it is gone.
    Unready,
    /// It will never be ready.
    Failed,
    Unknown,
}

impl Observation {
    pub(super) fn status(&self, revision: &RevisionName) -> Seen<&RevisionStatus> {
        match &self.revisions {
            None => Seen::Unknown,
            Some(there) => there.get(revision).map_or(Seen::Absent, Seen::There),
        }
    }

    pub(super) fn health(&self, revision: &RevisionName) -> Health {
        match self.status(revision) {
            Seen::Unknown => Health::Unknown,
            Seen::There(status) if status.is_ready() => Health::Ready,
            Seen::There(status) if status.phase == Phase::Failed => Health::Failed,
            Seen::There(_) | Seen::Absent => Health::Unready,
        }
    }

    pub(super) fn is_ready(&self, revision: &RevisionName) -> bool {
        self.health(revision) == Health::Ready
    }

    /// Whether some replica of a revision answers.
    pub(super) fn answers_at_all(&self, revision: &RevisionName) -> bool {
        matches!(self.status(revision), Seen::There(status) if status.ready > 0)
    }

    /// Whether a revision is known not to be able to answer.
    pub(super) fn is_down(&self, revision: &RevisionName) -> bool {
        matches!(self.health(revision), Health::Unready | Health::Failed)
    }

    /// Where a revision answers; `None` when that is not known.
    pub(super) fn backend(&self, revision: &RevisionName) -> Option<Backend> {
        match self.status(revision) {
            Seen::There(status) if !status.addresses.is_empty() => {
                Some(Backend { addresses: status.addresses.clone() })
            }
            _ => None,
        }
    }

    /// Requests that a revision is working on; `None` when that is not known.
    pub(super) fn in_flight(&self, revision: &RevisionName) -> Option<u64> {
        match &self.traffic {
            Seen::Unknown => None,
            Seen::Absent => Some(0),
            Seen::There(traffic) => Some(traffic.in_flight.get(revision).copied().unwrap_or(0)),
        }
    }
}

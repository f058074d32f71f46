//! A revision that is being run: what its replicas make of it.

use std::sync::{Arc, Mutex, PoisonError};

use mlops_core::Result;
use mlops_core::deploy::{LogLine, Phase, RevisionSpec};
use mlops_core::id::Digest;
use mlops_core::time::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::log;
use super::replica::{Condition, Seen};
use super::state::RevisionFolder;

/// A revision that is being run.
#[derive(Debug)]
pub(super) struct Revision {
    pub(super) spec: Arc<RevisionSpec>,
    pub(super) digest: Digest,
    pub(super) folder: RevisionFolder,
    pub(super) replicas: Vec<watch::Receiver<Seen>>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) tasks: Mutex<Vec<JoinHandle<()>>>,
    pub(super) phase: Mutex<(Phase, Timestamp)>,
}

impl Revision {
    /// What the replicas make of it, and since when it has been so.
    pub(super) fn phase(&self, seen: &[Seen], now: Timestamp) -> (Phase, Timestamp) {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let all = |condition| seen.iter().all(|seen| seen.condition == condition);
        let was_ready = matches!(phase.0, Phase::Ready | Phase::Degraded);
        let next = if *self.stop.borrow() {
            Phase::Ending
        } else if seen.iter().any(|seen| seen.condition == Condition::Failed) {
            Phase::Failed
        } else if all(Condition::Ready) {
            Phase::Ready
        } else if was_ready || seen.iter().any(|seen| seen.condition == Condition::Unready) {
            Phase::Degraded
        } else {
            Phase::Starting
        };
        if phase.0 != next {
            *phase = (next, now);
        }
        *phase
    }

    pub(super) fn take_tasks(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until it is known of each adopted replica how it is.
    pub(super) async fn known(&self) {
        for seen in &self.replicas {
            // The sender goes with its task, and a task that is gone has nothing left to find out.
            seen.clone().wait_for(|seen| seen.condition != Condition::Adopted).await.ok();
        }
    }

    pub(super) async fn ended(&self) {
        for seen in &self.replicas {
            // The sender goes with its task, and a task that is gone has nothing left to end.
            seen.clone().wait_for(|seen| seen.condition == Condition::Ended).await.ok();
        }
    }

    /// The lines of all replicas, one replica after the other.
    pub(super) fn log_lines(&self, tail: Option<usize>) -> Result<Vec<LogLine>> {
        let mut all = Vec::new();
        for replica in 0..self.spec.replicas.get() {
            let lines = log::lines(&self.folder.log(replica), tail)?;
            all.extend(lines.into_iter().map(|text| LogLine { replica, text }));
        }
        Ok(all)
    }
}

//! A revision that is being run: what its replicas make of it.

use std::sync::{Arc, Mutex, PoisonError};

use mlops_core::deploy::{LogLine, Phase, RevisionSpec};
use mlops_core::id::Digest;
use mlops_core::time::Timestamp;
use mlops_core::{Error, ErrorKind, Result};
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

    /// Waits until nothing of it runs any more.
    ///
    /// # Errors
    /// `Unavailable` when a process of it can't be ended; that is still tried.
    pub(super) async fn ended(&self) -> Result<()> {
        let over = |seen: &Seen| matches!(seen.condition, Condition::Ended | Condition::Lingering);
        for seen in &self.replicas {
            // The sender goes with its task, and a task that is gone has nothing left to end.
            if let Ok(seen) = seen.clone().wait_for(over).await
                && seen.condition == Condition::Lingering
            {
                let name = &self.spec.revision;
                let message = format!("a replica can't be ended, it still runs: revision={name}");
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mlops_core::deploy::{Process, RevisionRef, Workload};

    use super::super::state::folder_of;
    use super::*;

    #[tokio::test]
    async fn one_that_still_runs_has_not_ended_until_it_has() {
        let name =
            RevisionRef { endpoint: "flights".parse().unwrap(), revision: "v1".parse().unwrap() };
        let process = Workload::Process(Process::new(["sleep"]).unwrap());
        let spec = RevisionSpec::new(name.clone(), process);
        let condition = Condition::Lingering;
        let seen = Seen { condition, message: None, port: None, restarts: 0 };
        let (sender, receiver) = watch::channel(seen);
        let revision = Revision {
            digest: spec.digest().unwrap(),
            spec: Arc::new(spec),
            folder: folder_of(Path::new("nowhere"), &name),
            replicas: vec![receiver],
            stop: watch::channel(true).0,
            tasks: Mutex::default(),
            phase: Mutex::new((Phase::Ending, Timestamp::from_millis(0))),
        };
        let error = revision.ended().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("flights/v1"), "{error}");
        sender.send_modify(|seen| seen.condition = Condition::Ended);
        revision.ended().await.unwrap();
    }
}

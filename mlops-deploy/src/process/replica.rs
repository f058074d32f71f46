//! Keeps one replica running: starts it, asks whether it is ready, starts it again, ends it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mlops_core::Result;
use mlops_core::deploy::{Process, RestartPolicy, RevisionSpec};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::Instant;

use super::group::{self, Leader};
use super::launch::{Launch, Port};
use super::state::{Folder, Record, RevisionFolder};
use super::{log, probe};

/// How often it is looked whether an adopted process, which can't be waited for, still runs.
const LOOK: Duration = Duration::from_millis(100);

/// What a replica is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// An earlier deployer started it, and it has not been asked often enough to say how it is.
    Adopted,
    /// It has been started, or will be again after a rest; it does not answer yet.
    Starting,
    /// It answers.
    Ready,
    /// It answered, and does not now.
    Unready,
    /// It was to end and still runs; nothing is started beside it.
    Lingering,
    /// It will not be started again.
    Failed,
    /// Nothing of it runs any more.
    Ended,
}

/// What others see of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) condition: Condition,
    pub(super) message: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) restarts: u32,
}

/// One replica and what it takes to run it.
pub(super) struct Replica {
    pub(super) index: u32,
    pub(super) spec: Arc<RevisionSpec>,
    pub(super) process: Process,
    pub(super) home: Arc<Folder>,
    pub(super) folder: RevisionFolder,
    pub(super) environment: Arc<BTreeMap<String, String>>,
    pub(super) log_bytes: u64,
    pub(super) seen: watch::Sender<Seen>,
    /// Turns true when it is to end.
    pub(super) stop: watch::Receiver<bool>,
}

/// A process of ours, or one that an earlier deployer started.
struct Running {
    record: Record,
    child: Option<Child>,
}

/// Why a process is watched no longer.
enum Outcome {
    Stopped,
    /// It ended by itself, or never answered; it was ready for so long.
    Ended {
        why: String,
        ready_for: Duration,
    },
    TooLate(String),
}

impl Replica {
    /// Runs until it is stopped or has failed for good; then nothing of it runs.
    pub(super) async fn run(mut self, adopted: Option<Record>) {
        let mut last = adopted.clone();
        let mut next = adopted.map(|record| Running { record, child: None });
        let mut restarts_in_a_row = 0;
        let mut deadline = Instant::now() + self.spec.probe.deadline;
        loop {
            let outcome = match self.next(next.take(), last.as_ref()).await {
                Ok(mut running) => {
                    last = Some(running.record.clone());
                    let outcome = self.watch(&mut running, deadline).await;
                    self.end(running).await;
                    outcome
                }
                Err(error) => Outcome::Ended { why: error.chain(), ready_for: Duration::ZERO },
            };
            match outcome {
                Outcome::Stopped => break,
                Outcome::TooLate(why) => return self.fail(why).await,
                Outcome::Ended { why, ready_for } => {
                    if ready_for >= self.spec.restart.reset {
                        restarts_in_a_row = 0;
                    }
                    if ready_for > Duration::ZERO {
                        deadline = Instant::now() + self.spec.probe.deadline;
                    }
                    if restarts_in_a_row >= self.spec.restart.restarts {
                        return self.fail(why).await;
                    }
                    let rest = pause(&self.spec.restart, restarts_in_a_row);
                    restarts_in_a_row += 1;
                    if let Some(record) = &mut last {
                        record.restarts += 1;
                    }
                    self.show(Condition::Starting, Some(why), last.as_ref());
                    tokio::select! {
                        () = tokio::time::sleep(rest) => {}
                        () = stopped(&mut self.stop) => break,
                    }
                }
            }
        }
        self.show(Condition::Ended, None, None);
    }

    /// Nothing runs any more; the reason stays to be read until the revision is deleted.
    async fn fail(mut self, why: String) {
        tracing::warn!(revision = %self.spec.revision, replica = self.index, why, "a replica has failed");
        self.show(Condition::Failed, Some(why), None);
        stopped(&mut self.stop).await;
        self.show(Condition::Ended, None, None);
    }

    fn show(&self, condition: Condition, message: Option<String>, record: Option<&Record>) {
        let (port, restarts) =
            record.map_or((None, 0), |record| (Some(record.port), record.restarts));
        self.seen.send_if_modified(|seen| {
            let restarts = restarts.max(seen.restarts);
            let now = Seen { condition, message, port, restarts };
            let changed = *seen != now;
            *seen = now;
            changed
        });
    }

    /// The process to watch: the adopted one, or a new one.
    async fn next(&self, adopted: Option<Running>, last: Option<&Record>) -> Result<Running> {
        if let Some(running) = adopted {
            return Ok(running);
        }
        let port = Port::reserve(last.map(|record| record.port), self.process.listen)?;
        let mut record = Record {
            mark: self.home.new_mark(&self.spec.revision, self.index),
            port: port.number,
            leader: None,
            restarts: last.map_or(0, |record| record.restarts),
        };
        // Written down before it is started: whoever comes after us looks for the mark.
        self.folder.write_record(self.index, &record)?;
        let launch = Launch {
            process: &self.process,
            port,
            mark: &record.mark,
            environment: &self.environment,
            folder: self.folder.path().to_owned(),
            log: self.folder.log(self.index),
        };
        let child = launch.start()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        record.leader = pid.and_then(Leader::find);
        self.folder.write_record(self.index, &record)?;
        Ok(Running { record, child: Some(child) })
    }

    /// Asks a process whether it is ready until it ends or is to end.
    async fn watch(&mut self, running: &mut Running, deadline: Instant) -> Outcome {
        let port = running.record.port;
        let mut ready_since: Option<Instant> = None;
        let mut failures = 0;
        let mut first = match running.child {
            Some(_) => Condition::Starting,
            None => Condition::Adopted,
        };
        self.show(first.clone(), None, Some(&running.record));
        let mut beat =
            tokio::time::interval(self.spec.probe.interval.max(Duration::from_millis(10)));
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stop = self.stop.clone();
        loop {
            let answer = tokio::select! {
                () = stopped(&mut stop) => return Outcome::Stopped,
                why = ended(running) => {
                    let ready_for = ready_since.map_or(Duration::ZERO, |since| since.elapsed());
                    return Outcome::Ended { why, ready_for };
                }
                answer = async {
                    beat.tick().await;
                    probe::ask(port, &self.spec.probe).await
                } => answer,
            };
            self.keep_log_short();
            match answer {
                Ok(()) => {
                    failures = 0;
                    ready_since.get_or_insert_with(Instant::now);
                    self.show(Condition::Ready, None, Some(&running.record));
                }
                Err(why) if ready_since.is_none() && Instant::now() >= deadline => {
                    return Outcome::TooLate(format!("not ready in time: {why}"));
                }
                Err(why) if ready_since.is_none() => {
                    failures += 1;
                    if failures >= self.spec.probe.failures.get() {
                        first = Condition::Starting;
                    }
                    self.show(first.clone(), Some(why), Some(&running.record));
                }
                Err(why) => {
                    failures += 1;
                    if failures >= self.spec.probe.failures.get() {
                        self.show(Condition::Unready, Some(why), Some(&running.record));
                    }
                }
            }
        }
    }

    fn keep_log_short(&self) {
        if let Err(error) = log::trim(&self.folder.log(self.index), self.log_bytes) {
            tracing::warn!(error = %error.chain(), "a replica's log stays as long as it is");
        }
    }

    /// Ends whatever is left of a process, and reaps it: does not return before nothing of it runs.
    async fn end(&self, running: Running) {
        let Running { record, child } = running;
        let reap = async {
            if let Some(mut child) = child
                && let Err(error) = child.wait().await
            {
                tracing::warn!(%error, "cannot wait for a replica");
            }
        };
        let end = async {
            let mut drain = self.spec.drain;
            while !group::end(&record.mark, record.leader, drain).await {
                tracing::error!(mark = record.mark, "a replica can't be ended");
                let why = Some("it can't be ended".to_owned());
                self.show(Condition::Lingering, why, Some(&record));
                // It has had its time.
                drain = Duration::ZERO;
            }
        };
        tokio::join!(end, reap);
    }
}

/// The rest before restart number `done + 1`: doubled each time, up to the longest.
fn pause(policy: &RestartPolicy, done: u32) -> Duration {
    let factor = 2_u32.saturating_pow(done.min(30));
    policy.delay.saturating_mul(factor).min(policy.max_delay)
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A deployer that is gone without a word has left its processes to its successor: it asks for
    // nothing, and this task is about to be dropped.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits until a process has ended; says how.
async fn ended(running: &mut Running) -> String {
    match &mut running.child {
        Some(child) => match child.wait().await {
            Ok(status) => format!("the process ended: {status}"),
            Err(error) => format!("the process can't be waited for: {error}"),
        },
        None => {
            while running.record.leader.is_some_and(Leader::is_alive) {
                tokio::time::sleep(LOOK).await;
            }
            "the process ended".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_doubles_up_to_the_longest() {
        let policy = RestartPolicy {
            delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(3),
            ..RestartPolicy::default()
        };
        let rests: Vec<u128> = (0..5).map(|done| pause(&policy, done).as_millis()).collect();
        assert_eq!(rests, [500, 1_000, 2_000, 3_000, 3_000]);
        assert_eq!(pause(&policy, u32::MAX), Duration::from_secs(3));
    }
}

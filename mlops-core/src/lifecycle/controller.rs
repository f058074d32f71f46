//! Does what the policy decides, and records it before going on.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::event::{Challenger, Contest, Evaluation, Event, Retraining, Signal, Window};
use super::policy::{Action, Policy};
use super::state::{Phase, State};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Alias, ExperimentId, LeaseOwner, ModelName, StreamName, VersionNumber};
use crate::journal::{Journal, JournalStore};
use crate::registry::{AliasChange, ModelRegistry, Stage, StageChange, VersionRef};
use crate::time::Timestamp;

/// What only the host can do.
///
/// Both are called again with the same request when the process died before their outcome was
/// recorded: a retraining should run as a pipeline whose run id is made of its number.
#[async_trait]
pub trait Actions: Send + Sync {
    /// Trains and registers a challenger.
    async fn retrain(&self, retraining: &Retraining) -> Result<Challenger>;

    /// Compares two versions on labels that neither was trained on.
    async fn evaluate(&self, contest: &Contest) -> Result<Evaluation>;

    /// Puts the challenger into service in the champion's place, before it is recorded as the version in
    /// use. It may be judged while it serves, and taken back. Nothing to do where nothing serves.
    async fn roll_out(&self, _contest: &Contest, _reason: &str) -> Result<RollOut> {
        Ok(RollOut::TakenOver)
    }
}

/// What became of a version that was put into service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollOut {
    /// It serves.
    TakenOver,
    /// The version before it serves again.
    TakenBack {
        /// Why.
        reason: String,
    },
}

/// Which model a lifecycle is about, and how the version in use is called.
#[derive(Debug, Clone)]
pub struct Names {
    /// The journal's stream.
    pub stream: StreamName,
    /// The model.
    pub model: ModelName,
    /// The experiment that its training runs belong to.
    pub experiment: ExperimentId,
    /// The alias of the version in use.
    pub alias: Alias,
    /// Who acts, for leases and audit trails.
    pub owner: LeaseOwner,
}

/// A lifecycle that is going on. Exactly one process holds it at a time.
pub struct Lifecycle {
    journal: Journal<Event>,
    registry: Arc<dyn ModelRegistry>,
    names: Names,
    policy: Policy,
    events: Vec<Event>,
    state: Option<State>,
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle")
            .field("names", &self.names)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Lifecycle {
    /// Opens a lifecycle, new or not, and takes its lease for `ttl`.
    ///
    /// # Errors
    /// `Conflict` while another process holds it, `Corrupt` for a journal that makes no sense.
    pub async fn open(
        journal: Arc<dyn JournalStore>,
        registry: Arc<dyn ModelRegistry>,
        names: Names,
        policy: Policy,
        ttl: Duration,
    ) -> Result<Self> {
        let (journal, events) =
            Journal::open(journal, names.stream.clone(), &names.owner, ttl).await?;
        let state = match State::replay(&events) {
            Ok(state) => state,
            Err(error) => {
                // The first error is the one that counts.
                journal.close().await.ok();
                return Err(error);
            }
        };
        Ok(Self { journal, registry, names, policy, events, state })
    }

    /// Where it stands; `None` before it has begun.
    #[must_use]
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Everything recorded so far.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Puts the first champion into use. One that has begun already is left as it is.
    ///
    /// # Errors
    /// Those of the stores.
    pub async fn begin(
        &mut self,
        at: Timestamp,
        champion: VersionNumber,
        metric: &str,
        reference: f64,
    ) -> Result<()> {
        if self.state.is_some() {
            return Ok(());
        }
        let reason = format!("first version, {metric} {reference:.4} out of time");
        self.take_in(champion, Stage::Production, &reason).await?;
        self.move_alias(None, champion, &reason).await?;
        self.record(Event::Began {
            at,
            model: self.names.model.clone(),
            experiment: self.names.experiment.clone(),
            champion,
            metric: metric.to_owned(),
            reference,
        })
        .await
    }

    /// Records a stretch of watching, and the alarms it raised. What is recorded already is not
    /// recorded again.
    ///
    /// # Errors
    /// Those of the stores; `Conflict` before it has begun.
    pub async fn watched(&mut self, window: Window, alarms: Vec<Signal>) -> Result<()> {
        let state = self.begun()?;
        if state.watched_to.is_some_and(|to| to >= window.to) {
            return Ok(());
        }
        for alarm in alarms {
            let known =
                |event: &Event| matches!(event, Event::Raised(signal) if signal.repeats(&alarm));
            if !self.events.iter().any(known) {
                self.record(Event::Raised(alarm)).await?;
            }
        }
        self.journal.renew().await?;
        self.record(Event::Watched(window)).await
    }

    /// Does whatever the policy decides, until there is nothing left to do. Returns what happened.
    ///
    /// A host that fails to retrain or evaluate ends that retraining, or that review; so does one whose
    /// retraining gives the version in use. The error is in the journal, and the next one may start
    /// after the cool-down.
    ///
    /// # Errors
    /// Those of the stores; `Conflict` before it has begun.
    pub async fn settle(&mut self, now: Timestamp, host: &dyn Actions) -> Result<Vec<Event>> {
        let before = self.events.len();
        while let Some(action) = self.policy.decide(self.begun()?, now) {
            self.perform(action, host).await?;
        }
        Ok(self.events[before..].to_vec())
    }

    /// Ends it: there is nothing more to watch.
    ///
    /// # Errors
    /// Those of the stores; `Conflict` while something is open.
    pub async fn end(&mut self, at: Timestamp) -> Result<()> {
        match self.begun()?.phase {
            Phase::Ended => Ok(()),
            Phase::Watching => self.record(Event::Ended { at }).await,
            _ => {
                let stream = &self.names.stream;
                let message = format!("something is open, settle it first: stream={stream}");
                Err(Error::new(ErrorKind::Conflict, message))
            }
        }
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn close(self) -> Result<()> {
        self.journal.close().await
    }

    fn begun(&self) -> Result<&State> {
        self.state.as_ref().ok_or_else(|| {
            let stream = &self.names.stream;
            Error::new(ErrorKind::Conflict, format!("the lifecycle has not begun: stream={stream}"))
        })
    }

    async fn record(&mut self, event: Event) -> Result<()> {
        // Checked before it is written: a journal never holds what its own reader refuses.
        let mut next = self.state.clone();
        match &mut next {
            Some(state) => state.apply(&event)?,
            None => next = State::replay([&event])?,
        }
        self.journal.record(&event).await?;
        self.state = next;
        self.events.push(event);
        Ok(())
    }

    async fn perform(&mut self, action: Action, host: &dyn Actions) -> Result<()> {
        self.journal.renew().await?;
        let event = match action {
            Action::Start(retraining) => Event::RetrainingStarted(retraining),
            Action::Retrain(retraining) => match host.retrain(&retraining).await {
                Ok(Challenger { version, .. }) if version == self.begun()?.champion => {
                    let error =
                        format!("the retraining gave the version in use: version={version}");
                    Event::RetrainingFailed { error }
                }
                Ok(challenger) => {
                    // Training takes long: whoever was fenced off meanwhile changes no stage.
                    self.journal.renew().await?;
                    let reason = format!("challenger of retraining {}", retraining.number);
                    self.take_in(challenger.version, Stage::Staging, &reason).await?;
                    Event::ChallengerTrained(challenger)
                }
                Err(error) => Event::RetrainingFailed { error: own_failure(error)? },
            },
            Action::Evaluate(contest) => match host.evaluate(&contest).await {
                Ok(evaluation) => Event::Evaluated(evaluation),
                Err(error) => {
                    let error = own_failure(error)?;
                    self.drop_challenger(contest.challenger, &error).await?;
                    Event::RetrainingFailed { error }
                }
            },
            Action::Promote(contest, reason) => {
                let back = self.roll_out(host, &contest, &reason).await?;
                let Contest { at, champion, challenger } = contest;
                match back {
                    None => {
                        self.replace(champion, (challenger, Stage::Staging), &reason).await?;
                        Event::Promoted { at, from: champion, to: challenger, reason }
                    }
                    Some(reason) => {
                        self.drop_challenger(challenger, &reason).await?;
                        Event::Kept { at, champion, challenger, reason }
                    }
                }
            }
            Action::Keep(Contest { at, champion, challenger }, reason) => {
                self.drop_challenger(challenger, &reason).await?;
                Event::Kept { at, champion, challenger, reason }
            }
            Action::Review(contest) => match host.evaluate(&contest).await {
                Ok(review) => Event::Reviewed(review),
                Err(error) => Event::ReviewFailed { error: own_failure(error)? },
            },
            Action::Confirm(contest, reason) => {
                Event::Confirmed { at: contest.at, version: contest.champion, reason }
            }
            Action::RollBack(contest, reason) => {
                let back = self.roll_out(host, &contest, &reason).await?;
                let Contest { at, champion: from, challenger: to } = contest;
                match back {
                    None => {
                        self.replace(from, (to, Stage::Archived), &reason).await?;
                        Event::RolledBack { at, from, to, reason }
                    }
                    Some(reason) => Event::Confirmed { at, version: from, reason },
                }
            }
        };
        self.record(event).await
    }

    /// Has the host put a version into service; says why it was taken back, if it was.
    async fn roll_out(
        &mut self,
        host: &dyn Actions,
        contest: &Contest,
        reason: &str,
    ) -> Result<Option<String>> {
        let back = match host.roll_out(contest, reason).await {
            Ok(RollOut::TakenOver) => None,
            Ok(RollOut::TakenBack { reason }) => Some(format!("taken back in service: {reason}")),
            Err(error) => Some(format!("not put into service: {}", own_failure(error)?)),
        };
        // A rollout takes long: whoever was fenced off meanwhile changes nothing in the registry.
        self.journal.renew().await?;
        Ok(back)
    }

    /// Puts `to`, which stands at `stage`, into use and `from` out of it. Each of the three changes may be
    /// repeated, and after each of them a version with the stage Production answers to the alias.
    async fn replace(
        &self,
        from: VersionNumber,
        (to, stage): (VersionNumber, Stage),
        reason: &str,
    ) -> Result<()> {
        self.move_stage(to, (stage, Stage::Production), reason).await?;
        self.move_alias(Some(from), to, reason).await?;
        self.move_stage(from, (Stage::Production, Stage::Archived), reason).await
    }

    async fn drop_challenger(&self, challenger: VersionNumber, reason: &str) -> Result<()> {
        self.move_stage(challenger, (Stage::Staging, Stage::Archived), reason).await
    }

    async fn move_alias(
        &self,
        expected: Option<VersionNumber>,
        next: VersionNumber,
        reason: &str,
    ) -> Result<()> {
        let change = AliasChange {
            model: self.names.model.clone(),
            alias: self.names.alias.clone(),
            expected,
            next: Some(next),
            by: self.names.owner.to_string(),
            reason: reason.to_owned(),
        };
        self.registry.set_alias(change).await
    }

    /// Moves a version that the host has given, from wherever it stands.
    async fn take_in(&self, version: VersionNumber, next: Stage, reason: &str) -> Result<()> {
        let version = VersionRef::Number(version);
        let held = self.registry.get_version(&self.names.model, &version).await?;
        self.move_stage(held.number, (held.stage, next), reason).await
    }

    /// Moves a version whose stage this lifecycle has set. `Conflict` when somebody else has moved it
    /// since.
    pub(super) async fn move_stage(
        &self,
        version: VersionNumber,
        (expected, next): (Stage, Stage),
        reason: &str,
    ) -> Result<()> {
        let change = StageChange {
            model: self.names.model.clone(),
            version,
            expected,
            next,
            by: self.names.owner.to_string(),
            reason: reason.to_owned(),
        };
        self.registry.set_stage(change).await.map(|_| ())
    }
}

/// The text of a failure of the host's own work, which ends what was tried. That of a store, or a stop
/// from outside, ends this process's turn and leaves it open.
fn own_failure(error: Error) -> Result<String> {
    match error.kind() {
        ErrorKind::Failed | ErrorKind::InvalidInput | ErrorKind::NotFound => Ok(error.chain()),
        _ => Err(error),
    }
}

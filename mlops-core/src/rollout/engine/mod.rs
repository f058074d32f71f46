//! The controller: records what the state machine decides, and does it.

mod act;
mod heartbeat;
mod observe;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::heartbeat::may_heal;
use super::analysis::PairedLoss;
use super::command::journal_stream;
use super::machine::{Action, Decision, Entry, Event, State, apply, decide, replay};
use super::spec::RolloutSpec;
use crate::deploy::{Deployer, RevisionStatus, ServiceMetrics, Traffic};
use crate::error::{Error, ErrorKind, Result, RetryClass};
use crate::id::{EndpointName, LeaseOwner};
use crate::journal::{Journal, JournalStore};
use crate::pipeline::Cancel;
use crate::time::{Clock, Timestamp};

/// Tries a new revision before it gets traffic: requests whose answers are known, the schema.
#[async_trait]
pub trait Preflight: Send + Sync + fmt::Debug {
    /// Succeeds when the revision answers as it should. `Failed` or `InvalidInput` ends the rollout;
    /// any other error is tried again until the apply deadline.
    async fn check(&self, revision: &RevisionStatus) -> Result<()>;
}

/// No trial: being ready is enough.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadyIsEnough;

#[async_trait]
impl Preflight for ReadyIsEnough {
    async fn check(&self, _: &RevisionStatus) -> Result<()> {
        Ok(())
    }
}

/// Rows that both revisions have scored, and whose truth is known by now.
#[async_trait]
pub trait ShadowScores: Send + Sync + fmt::Debug {
    /// What both lost on each row since the rollout began; none while nothing is known.
    async fn losses(&self, rollout: &RolloutSpec) -> Result<Vec<PairedLoss>>;
}

/// No such rows: where quality is to be judged, there is no data.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoScores;

#[async_trait]
impl ShadowScores for NoScores {
    async fn losses(&self, _: &RolloutSpec) -> Result<Vec<PairedLoss>> {
        Ok(Vec::new())
    }
}

/// What a controller acts through.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Parts {
    /// What it records in, and reads orders from.
    pub journal: Arc<dyn JournalStore>,
    /// What runs revisions.
    pub deployer: Arc<dyn Deployer>,
    /// What moves traffic.
    pub traffic: Arc<dyn Traffic>,
    /// What counts requests.
    pub metrics: Arc<dyn ServiceMetrics>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What tries a revision without traffic.
    pub preflight: Arc<dyn Preflight>,
    /// What knows rows that both have scored.
    pub scores: Arc<dyn ShadowScores>,
}

impl Parts {
    /// Without trial and without rows.
    #[must_use]
    pub fn new(
        journal: Arc<dyn JournalStore>,
        deployer: Arc<dyn Deployer>,
        traffic: Arc<dyn Traffic>,
        metrics: Arc<dyn ServiceMetrics>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (preflight, scores) = (Arc::new(ReadyIsEnough), Arc::new(NoScores));
        Self { journal, deployer, traffic, metrics, clock, preflight, scores }
    }

    /// Tries each revision by this.
    #[must_use]
    pub fn with_preflight(self, preflight: Arc<dyn Preflight>) -> Self {
        Self { preflight, ..self }
    }

    /// Judges quality by these rows.
    #[must_use]
    pub fn with_scores(self, scores: Arc<dyn ShadowScores>) -> Self {
        Self { scores, ..self }
    }
}

/// What a tick did.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// It recorded an event; more may follow at once.
    Recorded(Event),
    /// It did something, whose effect is to be seen.
    Acted(Action),
    /// It could not do something, and will try again.
    Failed {
        /// What.
        action: Action,
        /// Why not.
        error: String,
    },
    /// Nothing is to be done now, and why.
    Waiting(String),
}

/// More than any rollout has to do at one moment.
const MAX_TICKS: usize = 1_000;

/// Rolls out the revisions of one endpoint. Exactly one process holds it at a time.
///
/// # Contract
/// - **Journal before side effect**: what it does next follows from what is recorded alone, so a
///   controller that was killed anywhere is continued by the next one.
/// - **Fenced once, it stops**: as soon as another controller holds the lease, whatever would record or act
///   answers `Fenced` instead, what only waits does so within a third of the lease, and a call that was
///   under way is dropped.
/// - **The lease outlives slow calls**: it is renewed while a call to a backend is awaited.
/// - **Cancel safety**: dropping a call is like being killed; open a new controller to go on.
pub struct Controller {
    parts: Parts,
    endpoint: EndpointName,
    journal: Journal<Entry>,
    state: State,
    /// An entry that may or may not have been recorded.
    pending: Option<Entry>,
    /// How often the lease is renewed.
    beat: Duration,
    /// When it was renewed last.
    renewed: Timestamp,
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller")
            .field("endpoint", &self.endpoint)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Controller {
    /// Takes the endpoint over, and reads where its rollouts stand. The lease is taken for `ttl`, and
    /// renewed each third of it.
    ///
    /// # Errors
    /// `Conflict` while another controller holds the endpoint, `Corrupt` for a journal that makes no sense.
    pub async fn open(
        parts: Parts,
        endpoint: EndpointName,
        owner: &LeaseOwner,
        ttl: Duration,
    ) -> Result<Self> {
        let stream = journal_stream(&endpoint)?;
        let renewed = parts.clock.now();
        let (journal, entries) = Journal::open(parts.journal.clone(), stream, owner, ttl).await?;
        let state = replay(&entries)?;
        let beat = (ttl / 3).max(Duration::from_millis(1));
        Ok(Self { parts, endpoint, journal, state, pending: None, beat, renewed })
    }

    /// Where the endpoint's rollouts stand.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Looks, decides, and does one thing.
    ///
    /// A backend that can't be reached is no error: the tick waits, or says what failed.
    ///
    /// # Errors
    /// `Fenced` once another controller holds the endpoint; those of the journal.
    pub async fn tick(&mut self) -> Result<Progress> {
        self.keep_lease().await?;
        if let Some(entry) = self.pending.take() {
            return self.record(entry).await;
        }
        let seen = self.observe().await?;
        match decide(&self.state, &seen, self.parts.clock.now()) {
            Decision::Record(entry) => self.record(entry).await,
            Decision::Act(action) => self.act(action, &seen).await,
            Decision::Wait(reason) => Ok(Progress::Waiting(reason)),
        }
    }

    /// Ticks until there is nothing to do now; returns what was recorded.
    ///
    /// # Errors
    /// As for [`Controller::tick`].
    pub async fn settle(&mut self) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        let mut acted = None;
        for _ in 0..MAX_TICKS {
            match self.tick().await? {
                Progress::Recorded(event) => events.push(event),
                Progress::Acted(action) if acted.as_ref() != Some(&action) => acted = Some(action),
                _ => return Ok(events),
            }
        }
        Err(Error::new(ErrorKind::Internal, "a rollout goes round in circles"))
    }

    /// Ticks each `interval`, and at once while there is something to record, until `cancel` is on;
    /// gives the lease back then.
    ///
    /// # Errors
    /// As for [`Controller::tick`]; what the journal may get over (it can't be reached, the disk is full)
    /// is tried again.
    pub async fn run(mut self, cancel: &Cancel, interval: Duration) -> Result<()> {
        while !cancel.is_cancelled() {
            match self.tick().await {
                Ok(Progress::Recorded(event)) => {
                    tracing::info!(endpoint = %self.endpoint, ?event, "rollout");
                    continue;
                }
                Ok(Progress::Failed { error, .. }) => {
                    tracing::warn!(endpoint = %self.endpoint, error, "rollout: will try again");
                }
                Ok(Progress::Waiting(reason)) => {
                    tracing::debug!(endpoint = %self.endpoint, reason, "rollout: waiting");
                }
                Ok(Progress::Acted(_)) => {}
                Err(error) if !may_heal(&error) => return Err(error),
                Err(error) => {
                    let error = error.chain();
                    tracing::warn!(endpoint = %self.endpoint, error, "rollout: will try again");
                }
            }
            self.rest(cancel, interval).await?;
        }
        self.close().await
    }

    /// Gives the endpoint back. Traffic and revisions stay as they are.
    ///
    /// # Errors
    /// Those of the journal.
    pub async fn close(self) -> Result<()> {
        self.journal.close().await
    }

    async fn record(&mut self, entry: Entry) -> Result<Progress> {
        // Checked before it is written: a journal never holds what its own reader refuses.
        let next = apply(&self.state, &entry)?;
        if self.journal.next_sequence() != next.sequence {
            return Err(Error::new(ErrorKind::Internal, "the journal and its fold have parted"));
        }
        if let Err(error) = self.journal.record(&entry).await {
            if error.retry() != RetryClass::Never {
                self.pending = Some(entry);
            }
            return Err(error);
        }
        self.state = next;
        Ok(Progress::Recorded(entry.event))
    }
}

//! Where a lifecycle stands: the fold of its events, and nothing else.

use super::event::{Challenger, Evaluation, Event, Retraining, Signal};
use crate::error::{Error, ErrorKind, Result};
use crate::id::VersionNumber;
use crate::time::Timestamp;

/// What is open.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Nothing: the champion is watched.
    Watching,
    /// A challenger is being trained.
    Retraining(Retraining),
    /// A challenger waits to be compared.
    Evaluating(Retraining, Challenger),
    /// A comparison waits for its consequence.
    Deciding(Retraining, Challenger, Evaluation),
    /// A review waits for its consequence.
    Reviewing(Evaluation),
    /// Nothing ever again.
    Ended,
}

/// A version on probation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probation {
    /// Its predecessor, held ready.
    pub predecessor: VersionNumber,
    /// Since when.
    pub since: Timestamp,
}

/// Where a lifecycle stands.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The version in use.
    pub champion: VersionNumber,
    /// What is open.
    pub phase: Phase,
    /// The champion's probation, if it is on one.
    pub probation: Option<Probation>,
    /// Alarms that no retraining answers yet.
    pub alarms: Vec<Signal>,
    /// When the last retraining was decided.
    pub last_retraining: Option<Timestamp>,
    /// How many retrainings there have been.
    pub retrainings: u32,
    /// The end of the last watched window.
    pub watched_to: Option<Timestamp>,
    /// The metric that quality is measured by.
    pub metric: String,
    /// What it was out of time, before use.
    pub reference: f64,
}

impl State {
    /// The state after `events`; `None` while the lifecycle has not begun.
    ///
    /// # Errors
    /// `Corrupt` when an event can't follow those before it.
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Option<Self>> {
        let mut state: Option<Self> = None;
        for event in events {
            match (&mut state, event) {
                (None, Event::Began { champion, metric, reference, .. }) => {
                    state = Some(Self::begin(*champion, metric.clone(), *reference));
                }
                (Some(state), event) => state.apply(event)?,
                (None, event) => return Err(out_of_order("not begun", event)),
            }
        }
        Ok(state)
    }

    fn begin(champion: VersionNumber, metric: String, reference: f64) -> Self {
        Self {
            champion,
            phase: Phase::Watching,
            probation: None,
            alarms: Vec::new(),
            last_retraining: None,
            retrainings: 0,
            watched_to: None,
            metric,
            reference,
        }
    }

    /// Moves on by one event.
    ///
    /// # Errors
    /// `Corrupt` when it can't follow.
    pub fn apply(&mut self, event: &Event) -> Result<()> {
        match (&self.phase, event) {
            (_, Event::Raised(signal)) => self.alarms.push(signal.clone()),
            (_, Event::Watched(window)) => self.watched_to = Some(window.to),
            (Phase::Watching, Event::RetrainingStarted(retraining)) => {
                // It answers those that were known to whoever decided it.
                self.alarms.retain(|alarm| alarm.at > retraining.at);
                self.last_retraining = Some(retraining.at);
                self.retrainings = retraining.number;
                self.phase = Phase::Retraining(retraining.clone());
            }
            (Phase::Retraining(retraining), Event::ChallengerTrained(challenger)) => {
                self.phase = Phase::Evaluating(retraining.clone(), challenger.clone());
            }
            (Phase::Evaluating(retraining, challenger), Event::Evaluated(evaluation)) => {
                self.phase =
                    Phase::Deciding(retraining.clone(), challenger.clone(), evaluation.clone());
            }
            (Phase::Deciding(..), Event::Promoted { at, from, to, .. }) => {
                self.champion = *to;
                self.probation = Some(Probation { predecessor: *from, since: *at });
                self.phase = Phase::Watching;
            }
            (Phase::Deciding(..), Event::Kept { .. })
            | (Phase::Retraining(_) | Phase::Evaluating(..), Event::RetrainingFailed { .. }) => {
                self.phase = Phase::Watching;
            }
            (Phase::Watching, Event::Reviewed(review)) => {
                self.phase = Phase::Reviewing(review.clone())
            }
            (Phase::Watching, Event::ReviewFailed { .. }) => self.probation = None,
            (Phase::Reviewing(_), Event::Confirmed { .. }) => {
                self.probation = None;
                self.phase = Phase::Watching;
            }
            (Phase::Reviewing(_), Event::RolledBack { to, .. }) => {
                self.champion = *to;
                self.probation = None;
                self.phase = Phase::Watching;
            }
            (Phase::Watching, Event::Ended { .. }) => self.phase = Phase::Ended,
            (phase, event) => return Err(out_of_order(&format!("{phase:?}"), event)),
        }
        Ok(())
    }
}

fn out_of_order(phase: &str, event: &Event) -> Error {
    let message = format!("an event can't follow what is recorded: phase={phase} event={event:?}");
    Error::new(ErrorKind::Corrupt, message)
}

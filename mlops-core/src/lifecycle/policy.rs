//! What is to be done next, decided from the state alone.

use std::time::Duration;

use super::event::{Contest, Evaluation, Retraining, Signal, SignalKind};
use super::state::{Phase, State};
use crate::time::Timestamp;

/// When to retrain, when to promote, when to look again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Policy {
    /// Shortest time between two retrainings.
    pub cool_down: Duration,
    /// Which alarms may start one.
    pub triggers: Vec<SignalKind>,
    /// How many of these it takes since the last one.
    pub min_alarms: usize,
    /// By how much the challenger must be better at the lower end of the interval.
    pub min_gain: f64,
    /// How long a promoted version can be rolled back; `None` never.
    pub probation: Option<Duration>,
}

impl Default for Policy {
    /// Four weeks between two retrainings, which any one alarm about data or quality may start;
    /// promotion when the whole interval is above zero; two weeks of probation.
    fn default() -> Self {
        let triggers =
            vec![SignalKind::Input, SignalKind::Prediction, SignalKind::Label, SignalKind::Quality];
        Self {
            cool_down: Duration::from_secs(28 * 86_400),
            triggers,
            min_alarms: 1,
            min_gain: 0.0,
            probation: Some(Duration::from_secs(14 * 86_400)),
        }
    }
}

impl Policy {
    /// Sets the shortest time between two retrainings.
    #[must_use]
    pub fn with_cool_down(mut self, cool_down: Duration) -> Self {
        self.cool_down = cool_down;
        self
    }

    /// Sets which alarms may start a retraining.
    #[must_use]
    pub fn with_triggers(mut self, triggers: impl IntoIterator<Item = SignalKind>) -> Self {
        self.triggers = triggers.into_iter().collect();
        self
    }

    /// Sets how many alarms it takes.
    #[must_use]
    pub fn with_min_alarms(mut self, min: usize) -> Self {
        self.min_alarms = min;
        self
    }

    /// Sets by how much the challenger must be better.
    #[must_use]
    pub fn with_min_gain(mut self, gain: f64) -> Self {
        self.min_gain = gain;
        self
    }

    /// Sets how long a promoted version can be rolled back.
    #[must_use]
    pub fn with_probation(mut self, probation: Option<Duration>) -> Self {
        self.probation = probation;
        self
    }

    /// The next action, or `None` when there is nothing to do before something happens.
    #[must_use]
    pub fn decide(&self, state: &State, now: Timestamp) -> Option<Action> {
        match &state.phase {
            Phase::Ended => None,
            Phase::Retraining(retraining) => Some(Action::Retrain(retraining.clone())),
            Phase::Evaluating(retraining, challenger) => Some(Action::Evaluate(Contest {
                at: retraining.at,
                champion: state.champion,
                challenger: challenger.version,
            })),
            Phase::Deciding(_, _, evaluation) => Some(match judge(evaluation, self.min_gain) {
                Verdict::Better(reason) => Action::Promote(evaluation.contest.clone(), reason),
                Verdict::NotBetter(reason) => Action::Keep(evaluation.contest.clone(), reason),
            }),
            Phase::Reviewing(review) => Some(match judge(review, 0.0) {
                Verdict::Better(reason) => Action::RollBack(review.contest.clone(), reason),
                Verdict::NotBetter(reason) => Action::Confirm(review.contest.clone(), reason),
            }),
            Phase::Watching => self.review(state, now).or_else(|| self.start(state, now)),
        }
    }

    /// A review has its predecessor as challenger: it must prove itself better to come back.
    fn review(&self, state: &State, now: Timestamp) -> Option<Action> {
        let probation = state.probation?;
        let due = now >= probation.since.saturating_add(self.probation?);
        let (champion, challenger) = (state.champion, probation.predecessor);
        due.then_some(Action::Review(Contest { at: now, champion, challenger }))
    }

    fn start(&self, state: &State, now: Timestamp) -> Option<Action> {
        let rested =
            state.last_retraining.is_none_or(|last| now >= last.saturating_add(self.cool_down));
        // One that is newer was recorded before its window, by a process that has died in between.
        let counts = |alarm: &&Signal| alarm.at <= now && self.triggers.contains(&alarm.kind);
        let triggers: Vec<&Signal> = state.alarms.iter().filter(counts).collect();
        if !rested || triggers.is_empty() || triggers.len() < self.min_alarms {
            return None;
        }
        let (number, cause) = (state.retrainings + 1, describe(&triggers));
        Some(Action::Start(Retraining { number, at: now, cause }))
    }
}

/// `input drift in temp, humid, 3 more`: the first two subjects of each kind, in order of kind.
fn describe(alarms: &[&Signal]) -> String {
    let mut by_kind: std::collections::BTreeMap<SignalKind, Vec<&str>> =
        std::collections::BTreeMap::new();
    for alarm in alarms {
        let subjects = by_kind.entry(alarm.kind).or_default();
        if !subjects.contains(&alarm.subject.as_str()) {
            subjects.push(&alarm.subject);
        }
    }
    let parts = by_kind.into_iter().map(|(kind, subjects)| {
        let mut named = subjects.iter().take(2).copied().collect::<Vec<_>>().join(", ");
        if subjects.len() > 2 {
            named += &format!(", {} more", subjects.len() - 2);
        }
        format!("{kind} drift in {named}")
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// What a policy wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Record that a retraining starts.
    Start(Retraining),
    /// Train the challenger.
    Retrain(Retraining),
    /// Compare it with the champion.
    Evaluate(Contest),
    /// Make it the champion.
    Promote(Contest, String),
    /// Leave the champion.
    Keep(Contest, String),
    /// Compare the champion (on probation) with its predecessor.
    Review(Contest),
    /// End the probation.
    Confirm(Contest, String),
    /// Make the predecessor the champion again.
    RollBack(Contest, String),
}

/// What an evaluation shows about the challenger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is better, beyond chance.
    Better(String),
    /// It is not, or that can't be told.
    NotBetter(String),
}

/// Judges by the interval alone: the challenger is better when all of it lies above `min_gain`. An
/// interval that is undefined proves nothing.
#[must_use]
pub fn judge(evaluation: &Evaluation, min_gain: f64) -> Verdict {
    let gain = evaluation.challenger_value - evaluation.champion_value;
    let [low, high] = evaluation.interval;
    let shown = format!("{} {gain:+.4}, interval [{low:+.4}, {high:+.4}]", evaluation.metric);
    if low > min_gain {
        Verdict::Better(format!("better beyond chance: {shown}"))
    } else if high < -min_gain {
        Verdict::NotBetter(format!("worse beyond chance: {shown}"))
    } else if low.is_nan() || high.is_nan() {
        Verdict::NotBetter(format!("no evidence: {} can't be compared", evaluation.metric))
    } else {
        Verdict::NotBetter(format!("not better beyond chance: {shown}"))
    }
}

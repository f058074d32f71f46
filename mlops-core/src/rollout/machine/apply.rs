//! The one function through which a state moves.

use std::collections::BTreeSet;

use super::event::{Entry, Event, Shift, Wish};
use super::state::{Aborting, Asked, Draining, Pause, Phase, Rollout, Stage, State, Warming};
use crate::deploy::{Generation, Percent};
use crate::error::{Error, ErrorKind, Result};
use crate::rollout::analysis::{Arms, Judgement, Reading, Service, Verdict};
use crate::rollout::command::OrderNumber;
use crate::rollout::spec::RolloutSpec;
use crate::time::Timestamp;

/// The state after one more entry.
///
/// # Errors
/// `Corrupt` when the entry can't follow what is recorded.
pub fn apply(state: &State, entry: &Entry) -> Result<State> {
    let mut next = state.clone();
    next.follow(entry).map(|()| next)
}

/// The state after all entries.
///
/// # Errors
/// `Corrupt` when an entry can't follow those before it.
pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<State> {
    let mut state = State::default();
    for entry in entries {
        state.follow(entry)?;
    }
    Ok(state)
}

fn out_of_order(state: &State, entry: &Entry) -> Error {
    let phase = state.rollout.as_ref().map_or("idle", |rollout| rollout.phase.word());
    let (sequence, event) = (state.sequence, &entry.event);
    let message = format!(
        "an entry can't follow what is recorded: sequence={sequence} phase={phase} event={event:?}"
    );
    Error::new(ErrorKind::Corrupt, message)
}

/// Which revisions can be judged in a phase; none in the others.
pub(super) fn arms(phase: &Phase, spec: &RolloutSpec) -> Option<Arms> {
    match phase.place() {
        Phase::Shadowing(_) => Some(Arms::Both),
        Phase::Step { index, .. } => match spec.strategy.shares().get(*index) {
            Some(&Percent::NONE) => Some(Arms::StableOnly),
            Some(&Percent::ALL) => Some(Arms::CanaryOnly),
            _ => Some(Arms::Both),
        },
        _ => None,
    }
}

impl State {
    /// Moves by one more entry. After an error it is no state any more.
    fn follow(&mut self, entry: &Entry) -> Result<()> {
        self.sequence += 1;
        if let Some(answered) = &entry.answers {
            if answered.order != OrderNumber(self.answered.0 + 1) {
                return Err(out_of_order(self, entry));
            }
            self.answered = answered.order;
        }
        if self.move_by(entry) { Ok(()) } else { Err(out_of_order(self, entry)) }
    }

    /// Whether the event fits; what it changes is changed then.
    fn move_by(&mut self, entry: &Entry) -> bool {
        let at = entry.at;
        match &entry.event {
            Event::Started { spec } => return self.start(spec, at),
            Event::Refused { .. } => return entry.answers.is_some(),
            Event::Queued { spec } => {
                let fits = self.is_open();
                self.queued = Some(spec.clone());
                return fits;
            }
            Event::Dropped { .. } => return self.queued.take().is_some(),
            Event::InEffect { generation } => return self.confirm(*generation),
            Event::OrphanFound { revision } => {
                return !self.live().contains(revision) && self.orphans.insert(revision.clone());
            }
            Event::OrphanEnded { revision } => return self.orphans.remove(revision),
            Event::Shifted { to: Shift::Addresses, wish } => {
                let same = self.asked.as_ref().is_some_and(|asked| {
                    asked.wish.split() == wish.split() && wish.split().is_some()
                });
                self.ask(wish);
                return same;
            }
            _ => {}
        }
        let settled = self.is_settled();
        let Some(rollout) = &mut self.rollout else { return false };
        if let Event::Looked(reading) = &entry.event {
            return rollout.look(*reading, settled);
        }
        let Some(phase) = rollout.follow(entry, settled) else { return false };
        rollout.enter(phase, &entry.event, at);
        let (stable, canary) = (rollout.spec.stable.clone(), rollout.spec.canary().clone());
        match &entry.event {
            Event::Shifted { wish, .. } => self.ask(wish),
            Event::Promoted => self.stable = Some(canary),
            // The way back leads to the revision that was stable when the rollout began.
            Event::Aborted { .. } => {
                self.stable = stable;
                if entry.answers.is_some() {
                    self.queued = None;
                }
            }
            _ => {}
        }
        true
    }

    fn start(&mut self, spec: &RolloutSpec, at: Timestamp) -> bool {
        let from_here = match &self.stable {
            None => true,
            stable => *stable == spec.stable,
        };
        if self.is_open() || !from_here {
            return false;
        }
        self.stable.clone_from(&spec.stable);
        self.queued = None;
        let number = self.rollout.as_ref().map_or(0, |last| last.number) + 1;
        self.rollout = Some(Rollout {
            number,
            spec: Box::new(spec.clone()),
            phase: Phase::Applying,
            since: at,
            started: at,
            service: Service::default(),
            inconclusive: 0,
            opened: BTreeSet::new(),
        });
        true
    }

    fn ask(&mut self, wish: &Wish) {
        self.asked = Some(Asked { generation: Generation(self.sequence), wish: wish.clone() });
    }

    fn confirm(&mut self, generation: Generation) -> bool {
        let asked = self.asked.as_ref().is_some_and(|asked| asked.generation == generation);
        self.effective.clone_from(&self.asked);
        asked
    }
}

impl Rollout {
    fn look(&mut self, reading: Reading, settled: bool) -> bool {
        match arms(&self.phase, &self.spec).filter(|_| self.is_watched(settled)) {
            Some(arms) => self.service.look(reading, arms, &self.spec.analysis),
            None => return false,
        }
        true
    }

    /// Whether the counts are those of a share that is in effect.
    fn is_watched(&self, settled: bool) -> bool {
        // A pause may come between a split's taking effect and the watch of it.
        let paused = matches!(self.phase, Phase::Paused { .. });
        match self.phase.place() {
            Phase::Shadowing(stage) | Phase::Step { stage, .. } => {
                *stage != Stage::Shifting || (paused && settled)
            }
            _ => false,
        }
    }

    /// The phase that an event leads to; `None` when it leads nowhere from here.
    fn follow(&self, entry: &Entry, settled: bool) -> Option<Phase> {
        let event = &entry.event;
        if let Event::Aborted { reason } = event {
            return self.abort(reason, entry.answers.is_some());
        }
        match (&self.phase, event) {
            (Phase::Applying, Event::Ready) => Some(Phase::Warming(Warming::Checking)),
            (Phase::Warming(Warming::Checking), Event::Checked) => {
                Some(Phase::Warming(Warming::Checked))
            }
            (_, Event::Shifted { to, .. }) => self.shift(*to),
            (_, Event::Paused(reason)) => self.pause(*reason),
            (Phase::Paused { reason, at }, Event::Resumed) => Some(resumed(*reason, at)),
            (Phase::Promoting, Event::Promoted) if settled => {
                Some(Phase::Draining(Draining::Waiting))
            }
            (Phase::Draining(Draining::Waiting), Event::Retiring) if self.spec.stable.is_some() => {
                Some(Phase::Draining(Draining::Ending))
            }
            (Phase::Draining(stage), Event::Done) => {
                let gone = *stage == Draining::Ending || self.spec.stable.is_none();
                gone.then_some(Phase::Done)
            }
            (Phase::Aborting { reason, stage }, event) => {
                let reason = reason.clone();
                match (stage, event) {
                    (Aborting::Leaving | Aborting::Returning, Event::Returned) => {
                        Some(Phase::Aborting { reason, stage: Aborting::Emptying })
                    }
                    (Aborting::Emptying, Event::Discarding) => {
                        Some(Phase::Aborting { reason, stage: Aborting::Ending })
                    }
                    (Aborting::Ending, Event::RolledBack) => Some(Phase::RolledBack { reason }),
                    (Aborting::Leaving, Event::Stuck { reason }) => Some(self.stuck(reason)),
                    _ => None,
                }
            }
            (Phase::Stuck { at, .. }, Event::Recovered) if **at == Phase::Promoting => {
                Some(Phase::Promoting)
            }
            (phase, Event::Stuck { reason }) if !phase.is_terminal() => Some(self.stuck(reason)),
            (phase, event) => staged(phase, event, settled),
        }
    }

    fn stuck(&self, reason: &str) -> Phase {
        Phase::Stuck { reason: reason.to_owned(), at: Box::new(self.phase.clone()) }
    }

    /// Abort wins: from every open phase, until the old revision's end has begun. One that goes on
    /// already is not begun again, though an order may come too.
    fn abort(&self, reason: &str, ordered: bool) -> Option<Phase> {
        match &self.phase {
            Phase::Aborting { .. } if ordered => Some(self.phase.clone()),
            Phase::Aborting { .. } => None,
            phase if phase.can_abort() => {
                Some(Phase::Aborting { reason: reason.to_owned(), stage: Aborting::Leaving })
            }
            _ => None,
        }
    }

    fn shift(&self, to: Shift) -> Option<Phase> {
        let from = self.phase.place();
        let judged = |stage: &Stage| matches!(stage, Stage::Judging { .. });
        let last = self.spec.strategy.shares().len() - 1;
        let shifting = Stage::Shifting;
        match (to, from) {
            (Shift::Shadow, Phase::Warming(Warming::Checked)) => Some(Phase::Shadowing(shifting)),
            (Shift::Step(0), Phase::Warming(Warming::Checked)) => {
                Some(Phase::Step { index: 0, stage: shifting })
            }
            (Shift::Step(0), Phase::Shadowing(stage)) if judged(stage) => {
                Some(Phase::Step { index: 0, stage: shifting })
            }
            (Shift::Step(next), Phase::Step { index, stage })
                if judged(stage) && next == index + 1 && next <= last =>
            {
                Some(Phase::Step { index: next, stage: shifting })
            }
            (Shift::Promotion, Phase::Warming(Warming::Checked)) if self.spec.stable.is_none() => {
                Some(Phase::Promoting)
            }
            // Judged at the last step, or told to skip what remains.
            (Shift::Promotion, Phase::Shadowing(_) | Phase::Step { .. }) => Some(Phase::Promoting),
            (Shift::Return, Phase::Aborting { reason, stage: Aborting::Leaving }) => {
                Some(Phase::Aborting { reason: reason.clone(), stage: Aborting::Returning })
            }
            _ => None,
        }
    }

    fn pause(&self, reason: Pause) -> Option<Phase> {
        let at = match &self.phase {
            Phase::Applying | Phase::Warming(_) | Phase::Shadowing(_) | Phase::Step { .. } => {
                self.phase.clone()
            }
            _ => return None,
        };
        Some(Phase::Paused { reason, at: Box::new(at) })
    }

    fn enter(&mut self, phase: Phase, event: &Event, at: Timestamp) {
        if let (Event::Resumed, Phase::Paused { reason: Pause::Gate(gate), .. }) =
            (event, &self.phase)
        {
            self.opened.insert(*gate);
        }
        match event {
            Event::Baking | Event::Resumed => {
                self.service.begin_step();
                self.inconclusive = 0;
            }
            Event::Continued => self.inconclusive += 1,
            _ => {}
        }
        let shadows = |phase: &Phase| matches!(phase.place(), Phase::Shadowing(_));
        if shadows(&self.phase) && !shadows(&phase) {
            self.service.forget_canary();
        }
        // A second order to abort, or what is learned beside the way, does not begin it anew.
        if phase != self.phase && !matches!(event, Event::Scored(_)) {
            self.since = at;
        }
        self.phase = phase;
    }
}

/// What was watched or judged is watched anew; what has passed, or waited before a gate, goes on from there.
fn resumed(reason: Pause, at: &Phase) -> Phase {
    let has_passed = |service: &Judgement, quality: &Option<Judgement>| {
        [Some(service), quality.as_ref()]
            .into_iter()
            .flatten()
            .all(|it| it.verdict == Verdict::Pass)
    };
    let again = |stage: &Stage| match stage {
        Stage::Judging { service, quality }
            if !matches!(reason, Pause::Gate(_)) && !has_passed(service, quality) =>
        {
            Stage::Baking
        }
        stage => stage.clone(),
    };
    match at {
        Phase::Shadowing(stage) => Phase::Shadowing(again(stage)),
        Phase::Step { index, stage } => Phase::Step { index: *index, stage: again(stage) },
        phase => phase.clone(),
    }
}

/// Moves within a step, or within the shadow.
fn staged(phase: &Phase, event: &Event, settled: bool) -> Option<Phase> {
    let (stage, shadowing) = match phase {
        Phase::Shadowing(stage) => (stage, None),
        Phase::Step { index, stage } => (stage, Some(*index)),
        _ => return None,
    };
    let next = match (stage, event) {
        (Stage::Shifting, Event::Baking) if settled => Stage::Baking,
        (Stage::Baking, Event::Judged(service)) => {
            Stage::Judging { service: service.clone(), quality: None }
        }
        (Stage::Judging { service, quality: None }, Event::Scored(quality)) => {
            Stage::Judging { service: service.clone(), quality: Some(quality.clone()) }
        }
        (Stage::Judging { .. }, Event::Continued) => Stage::Baking,
        _ => return None,
    };
    Some(match shadowing {
        None => Phase::Shadowing(next),
        Some(index) => Phase::Step { index, stage: next },
    })
}

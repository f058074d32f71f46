//! What to do next: a pure function of where a rollout stands and what can be seen.

use super::event::{Answered, Entry, Event, Shift};
use super::observe::{Health, Observation, Seen};
use super::order::answer_order;
use super::state::{Aborting, Draining, Pause, Phase, Rollout, Stage, State, Warming};
use super::traffic::{effect, move_addresses, put_into_effect, wish_for};
use super::watch::{judge_step, look, without_stable};
use crate::deploy::{Generation, Percent, RevisionRef, RevisionSpec, TrafficSpec};
use crate::id::{EndpointName, RevisionName};
use crate::rollout::spec::{Gate, RolloutSpec};
use crate::time::Timestamp;

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Record this.
    Record(Entry),
    /// Do this; it may be done again.
    Act(Action),
    /// Nothing, until something changes.
    Wait(String),
}

/// Something with an effect outside. Each may be repeated.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Start the new revision.
    Apply(Box<RevisionSpec>),
    /// Try it without traffic.
    Check(RevisionRef),
    /// Judge by rows that both have scored.
    Score(Box<RolloutSpec>),
    /// Move traffic.
    Set(Box<TrafficSpec>),
    /// End all traffic.
    Remove(EndpointName, Generation),
    /// End a revision.
    Delete(RevisionRef),
}

/// What to do next.
///
/// Orders are answered first; then the open rollout moves; then the traffic is brought to what was
/// asked of it; then revisions are ended that should not be there.
#[must_use]
pub fn decide(state: &State, seen: &Observation, now: Timestamp) -> Decision {
    let look = Look { state, seen, now };
    let waiting = "nothing to do".to_owned();
    let moved = answer_order(look)
        .or_else(|| effect(look))
        .or_else(|| look.rollout().and_then(|rollout| step(look, rollout)))
        .unwrap_or(Decision::Wait(waiting));
    match moved {
        Decision::Wait(reason) => move_addresses(look)
            .or_else(|| put_into_effect(look))
            .or_else(|| end_orphans(look))
            .unwrap_or(Decision::Wait(reason)),
        moved => moved,
    }
}

/// What a decision rests on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) state: &'a State,
    pub(super) seen: &'a Observation,
    pub(super) now: Timestamp,
}

impl<'a> Look<'a> {
    pub(super) fn rollout(self) -> Option<&'a Rollout> {
        self.state.rollout.as_ref()
    }

    pub(super) fn record(self, event: Event) -> Option<Decision> {
        Some(Decision::Record(Entry { at: self.now, answers: None, event }))
    }

    pub(super) fn answer(self, answered: Answered, event: Event) -> Option<Decision> {
        Some(Decision::Record(Entry { at: self.now, answers: Some(answered), event }))
    }

    pub(super) fn abort(self, reason: impl Into<String>) -> Option<Decision> {
        self.record(Event::Aborted { reason: reason.into() })
    }

    /// Whether `span` has passed since the phase began.
    pub(super) fn over(self, rollout: &Rollout, span: std::time::Duration) -> bool {
        self.now >= rollout.since.saturating_add(span)
    }
}

pub(super) fn wait(reason: impl Into<String>) -> Option<Decision> {
    Some(Decision::Wait(reason.into()))
}

/// The move of the open rollout, or of what waits behind it.
fn step(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    let before_promotion = !matches!(rollout.phase, Phase::Draining(_));
    if look.state.queued.is_some()
        && before_promotion
        && rollout.phase.can_abort()
        && !matches!(rollout.phase, Phase::Aborting { .. } | Phase::Stuck { .. })
    {
        return look.abort("a newer spec takes its place");
    }
    match &rollout.phase {
        Phase::Applying => start_revision(look, rollout),
        Phase::Warming(stage) => warm(look, rollout, *stage),
        Phase::Shadowing(stage) | Phase::Step { stage, .. } => share(look, rollout, stage),
        Phase::Promoting => promote(look, rollout),
        Phase::Draining(stage) => drain(look, rollout, *stage),
        Phase::Paused { reason, at } => pause(look, rollout, *reason, at),
        Phase::Aborting { stage, .. } => go_back(look, rollout, *stage),
        Phase::Stuck { reason, at } => unstick(look, rollout, reason, at),
        Phase::Done | Phase::RolledBack { .. } => begin_queued(look),
    }
}

fn begin_queued(look: Look<'_>) -> Option<Decision> {
    let spec = look.state.queued.clone()?;
    match super::order::refusal(look, &spec) {
        Some(reason) => look.record(Event::Dropped { reason }),
        None => look.record(Event::Started { spec }),
    }
}

fn start_revision(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    let spec = &rollout.spec;
    match look.seen.health(spec.canary()) {
        Health::Ready => return look.record(Event::Ready),
        Health::Failed => return look.abort("the new revision failed to start"),
        _ if look.over(rollout, spec.deadlines.apply) => {
            return look.abort("the new revision was not ready in time");
        }
        Health::Unknown => return wait("the revisions can't be seen"),
        Health::Unready => {}
    }
    match look.seen.status(spec.canary()) {
        Seen::Absent => Some(Decision::Act(Action::Apply(Box::new(spec.new.clone())))),
        _ => wait("the new revision is starting"),
    }
}

fn warm(look: Look<'_>, rollout: &Rollout, stage: Warming) -> Option<Decision> {
    let spec = &rollout.spec;
    match look.seen.health(spec.canary()) {
        Health::Ready => {}
        Health::Failed => return look.abort("the new revision failed before it had traffic"),
        _ if look.over(rollout, spec.deadlines.apply) => {
            return look.abort("the new revision did not stay ready");
        }
        _ => return wait("the new revision is not ready"),
    }
    match stage {
        Warming::Checking if look.over(rollout, spec.deadlines.apply) => {
            look.abort("the new revision was not checked in time")
        }
        Warming::Checking => Some(Decision::Act(Action::Check(spec.new.revision.clone()))),
        Warming::Checked if spec.stable.is_none() => shift(look, rollout, Shift::Promotion),
        Warming::Checked if spec.shadow.is_some() => shift(look, rollout, Shift::Shadow),
        Warming::Checked => shift(look, rollout, Shift::Step(0)),
    }
}

/// A share, or copies: moved, watched, judged.
fn share(look: Look<'_>, rollout: &Rollout, stage: &Stage) -> Option<Decision> {
    if let Some(back) = fail_over(look, rollout) {
        return Some(back);
    }
    if !look.seen.is_ready(rollout.spec.canary()) {
        return wait("the revisions can't be seen");
    }
    match stage {
        Stage::Shifting if look.state.is_settled() => look.record(Event::Baking),
        Stage::Shifting if look.over(rollout, rollout.spec.deadlines.apply) => {
            look.abort("the split was not seen in effect in time")
        }
        Stage::Shifting => wait("the split is not in effect yet"),
        Stage::Baking => watch(look, rollout),
        Stage::Judging { service, quality } => judge_step(look, rollout, service, quality.as_ref()),
    }
}

fn watch(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    if rollout.spec.stable.iter().any(|stable| look.seen.is_down(stable)) {
        return without_stable(look, rollout);
    }
    self::look(look, rollout)
}

/// What to do when the new revision can't answer: back, if there is somewhere to go.
fn fail_over(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    let spec = &rollout.spec;
    if !look.seen.is_down(spec.canary()) {
        return None;
    }
    match &spec.stable {
        Some(stable) if look.seen.is_ready(stable) => look.abort("the new revision is not ready"),
        Some(stable) if look.seen.is_down(stable) => {
            look.record(Event::Stuck { reason: "neither revision is ready".to_owned() })
        }
        Some(_) => wait("the revisions can't be seen"),
        None if look.over(rollout, spec.deadlines.apply) => {
            look.abort("the first revision did not stay ready")
        }
        None => wait("the first revision is not ready"),
    }
}

/// Moves traffic to the next share, unless a gate stands before it.
pub(super) fn shift(look: Look<'_>, rollout: &Rollout, to: Shift) -> Option<Decision> {
    let gate = match to {
        Shift::Step(index) => Some(Gate::Step(index)),
        Shift::Promotion => Some(Gate::Promotion),
        _ => None,
    };
    let closed = |gate: &Gate| rollout.spec.gates.contains(gate) && !rollout.opened.contains(gate);
    if let Some(gate) = gate.filter(closed) {
        return look.record(Event::Paused(Pause::Gate(gate)));
    }
    match wish_for(look, rollout, to) {
        Some(wish) => look.record(Event::Shifted { to, wish }),
        None => wait("it is not known where the revisions answer"),
    }
}

fn promote(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    if let Some(back) = fail_over(look, rollout) {
        return Some(back);
    }
    let Seen::There(canary) = look.seen.status(rollout.spec.canary()) else {
        return wait("the revisions can't be seen");
    };
    if !look.state.is_settled() {
        return match look.over(rollout, rollout.spec.deadlines.apply) {
            true => look.abort("the split was not seen in effect in time"),
            false => wait("the new revision does not get everything yet"),
        };
    }
    let stable = rollout.spec.stable.as_ref().map(|stable| look.seen.status(stable));
    match stable {
        Some(Seen::Unknown) => wait("the revisions can't be seen"),
        Some(Seen::There(stable)) if canary.ready < stable.wanted => {
            wait("the new revision is smaller than the stable one")
        }
        _ => look.record(Event::Promoted),
    }
}

fn drain(look: Look<'_>, rollout: &Rollout, stage: Draining) -> Option<Decision> {
    let spec = &rollout.spec;
    let Some(old) = &spec.stable else { return look.record(Event::Done) };
    if stage == Draining::Ending {
        return delete_until(look, old, Event::Done);
    }
    if look.seen.is_down(spec.canary()) {
        return match look.seen.is_ready(old) {
            true => look.abort("the new revision is not ready"),
            false => wait("neither revision is ready"),
        };
    }
    if !look.seen.is_ready(spec.canary()) {
        return wait("the revisions can't be seen");
    }
    match look.state.is_settled() && is_empty(look, rollout, old) {
        true => look.record(Event::Retiring),
        false => wait("the old revision is held for the way back"),
    }
}

/// Whether a revision without share has been kept long enough, and has ended what it began.
fn is_empty(look: Look<'_>, rollout: &Rollout, revision: &RevisionName) -> bool {
    let deadlines = &rollout.spec.deadlines;
    let idle = look.seen.in_flight(revision) == Some(0);
    let waited = deadlines.drain_delay.saturating_add(deadlines.drain_max);
    (look.over(rollout, deadlines.drain_delay) && idle) || look.over(rollout, waited)
}

fn delete_until(look: Look<'_>, revision: &RevisionName, gone: Event) -> Option<Decision> {
    match look.seen.status(revision) {
        Seen::Absent => look.record(gone),
        Seen::Unknown => wait("the revisions can't be seen"),
        Seen::There(status) => Some(Decision::Act(Action::Delete(status.revision.clone()))),
    }
}

/// A pause holds what is good; it does not hold on to what is bad.
fn pause(look: Look<'_>, rollout: &Rollout, reason: Pause, at: &Phase) -> Option<Decision> {
    if let Some(limit) = rollout.spec.deadlines.pause
        && look.over(rollout, limit)
    {
        return look.abort("nobody ended the pause in time");
    }
    if let Phase::Shadowing(stage) | Phase::Step { stage, .. } = at {
        if let Some(back) = fail_over(look, rollout) {
            return Some(back);
        }
        // What is in effect is watched, though the pause may have come before the watch began.
        if (*stage != Stage::Shifting || look.state.is_settled())
            && let Some(moved) = super::watch::guard(look, rollout)
        {
            return Some(moved);
        }
    }
    wait(format!("paused: {reason:?}"))
}

fn go_back(look: Look<'_>, rollout: &Rollout, stage: Aborting) -> Option<Decision> {
    let canary = rollout.spec.canary();
    match stage {
        Aborting::Leaving => leave(look, rollout),
        Aborting::Returning if look.state.is_settled() => look.record(Event::Returned),
        Aborting::Returning => wait("the way back is not in effect yet"),
        Aborting::Emptying if look.state.is_settled() && is_empty(look, rollout, canary) => {
            look.record(Event::Discarding)
        }
        Aborting::Emptying => wait("the new revision ends what it began"),
        Aborting::Ending => delete_until(look, canary, Event::RolledBack),
    }
}

fn leave(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    let canary = rollout.spec.canary();
    // What was asked may take effect at any time, and what is in effect may be older: both count.
    let reached = [&look.state.asked, &look.state.effective];
    let reached = reached.into_iter().flatten().any(|asked| asked.wish.reaches(canary));
    if !reached {
        return look.record(Event::Returned);
    }
    let Some(stable) = &rollout.spec.stable else {
        return shift(look, rollout, Shift::Return);
    };
    match look.seen.health(stable) {
        Health::Ready => shift(look, rollout, Shift::Return),
        // Only copies are to be ended: nothing is moved to the stable revision by that.
        _ if has_no_share(look, canary) => shift(look, rollout, Shift::Return),
        Health::Unknown => wait("the revisions can't be seen"),
        _ if look.seen.is_down(canary) => {
            look.record(Event::Stuck { reason: "neither revision is ready".to_owned() })
        }
        _ => wait("the stable revision is not ready"),
    }
}

fn has_no_share(look: Look<'_>, canary: &RevisionName) -> bool {
    let splits = [&look.state.asked, &look.state.effective].into_iter().flatten();
    splits.filter_map(|asked| asked.wish.split()).all(|split| split.share(canary) == Percent::NONE)
}

fn unstick(look: Look<'_>, rollout: &Rollout, reason: &str, at: &Phase) -> Option<Decision> {
    let spec = &rollout.spec;
    if spec.stable.iter().any(|stable| look.seen.is_ready(stable)) {
        return look.abort("the stable revision is ready again");
    }
    if *at == Phase::Promoting && look.seen.is_ready(spec.canary()) {
        return look.record(Event::Recovered);
    }
    wait(reason)
}

/// Ends revisions that have no place: what a controller left behind that was too late to be heeded.
fn end_orphans(look: Look<'_>) -> Option<Decision> {
    let (state, there) = (look.state, look.seen.revisions.as_ref()?);
    // An endpoint that was never rolled out here is none of a controller's business.
    look.rollout()?;
    let live = state.live();
    if let Some(orphan) = state.orphans.first() {
        let there = there.get(orphan).filter(|_| !live.contains(orphan));
        return match there {
            Some(status) => Some(Decision::Act(Action::Delete(status.revision.clone()))),
            None => look.record(Event::OrphanEnded { revision: orphan.clone() }),
        };
    }
    let found = there.keys().find(|name| !live.contains(name))?;
    look.record(Event::OrphanFound { revision: found.clone() })
}

//! Watching a step, and what follows from its judgement.

use std::time::Duration;

use super::apply::arms;
use super::decide::{Action, Decision, Look, shift, wait};
use super::event::{Event, Shift};
use super::state::{Pause, Phase, Rollout};
use crate::rollout::analysis::{Arms, Judgement, Reading, Verdict};
use crate::rollout::spec::{Hold, OnNoData};

/// In a pause the counts are read each time that it has lasted a quarter longer …
const GROWTH: f64 = 4.0;
/// … and at least once in so many times the usual interval.
const RAREST: u32 = 30;

const STABLE_DOWN: &str = "the stable revision is not ready";

fn hold(rollout: &Rollout) -> Hold {
    let shadows = matches!(rollout.phase.place(), Phase::Shadowing(_));
    let shadow = rollout.spec.shadow.filter(|_| shadows);
    shadow.map_or(rollout.spec.hold, |shadow| shadow.hold)
}

fn judge(rollout: &Rollout, arms: Arms) -> Judgement {
    rollout.service.judge(arms, hold(rollout).samples, &rollout.spec.analysis)
}

/// Reads the counts when that is due.
fn read(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    let every = rollout.spec.analysis.look_every;
    is_due(look, rollout, every)
        .then(|| look.record(Event::Looked(reading(look, rollout))))
        .flatten()
}

/// Reads the counts in a pause, which may last for ever, as its journal must not: the longer it has
/// lasted the more rarely, and not when nothing has moved.
fn read_in_pause(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    let every = rollout.spec.analysis.look_every;
    let lasted = look.now.seconds_since(rollout.since).max(0.0);
    let grown = Duration::try_from_secs_f64(lasted / GROWTH).unwrap_or(Duration::MAX);
    let every = grown.min(every.saturating_mul(RAREST)).max(every);
    let reading = is_due(look, rollout, every).then(|| reading(look, rollout))?;
    rollout.service.has_moved(&reading).then(|| look.record(Event::Looked(reading))).flatten()
}

fn is_due(look: Look<'_>, rollout: &Rollout, every: Duration) -> bool {
    let last = rollout.service.last_look().filter(|last| *last >= rollout.started);
    last.is_none_or(|last| look.now >= last.saturating_add(every))
}

fn reading(look: Look<'_>, rollout: &Rollout) -> Reading {
    let counts = |revision| look.seen.counts.as_ref().and_then(|counts| counts.get(revision));
    let canary = counts(rollout.spec.canary());
    let canary = match rollout.phase.place() {
        Phase::Shadowing(_) => canary.map(|counts| counts.copies),
        _ => canary.map(|counts| counts.served),
    };
    let stable = rollout.spec.stable.as_ref().and_then(counts).map(|counts| counts.served);
    Reading { at: look.now, stable, canary }
}

/// What a pause goes on doing: looking, and going back when the evidence says so.
pub(super) fn guard(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    let arms = arms(&rollout.phase, &rollout.spec)?;
    let judgement = judge(rollout, arms);
    if judgement.verdict == Verdict::Fail {
        return look.abort(judgement.reason);
    }
    read_in_pause(look, rollout)
}

/// What a step does while there is nothing to compare with: it waits, as long as for any other data.
pub(super) fn without_stable(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    if !look.over(rollout, hold(rollout).max) {
        return wait(STABLE_DOWN);
    }
    let judgement = judge(rollout, arms(&rollout.phase, &rollout.spec)?);
    look.record(Event::Judged(match judgement.verdict {
        Verdict::Fail => judgement,
        _ => Judgement { verdict: Verdict::NoData, reason: STABLE_DOWN.to_owned() },
    }))
}

/// Looks, and judges once the step is over; at once when the evidence says so.
pub(super) fn look(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    let arms = arms(&rollout.phase, &rollout.spec)?;
    let judgement = judge(rollout, arms);
    if judgement.verdict == Verdict::Fail {
        return look.record(Event::Judged(judgement));
    }
    if let Some(read) = read(look, rollout) {
        return Some(read);
    }
    let hold = hold(rollout);
    let over = match judgement.verdict {
        Verdict::NoData => look.over(rollout, hold.max),
        _ => look.over(rollout, hold.min),
    };
    match over {
        true => look.record(Event::Judged(judgement)),
        false => wait(format!("watching: {}", judgement.reason)),
    }
}

/// What follows from a judgement.
pub(super) fn judge_step(
    look: Look<'_>,
    rollout: &Rollout,
    service: &Judgement,
    quality: Option<&Judgement>,
) -> Option<Decision> {
    let shadow = rollout.spec.shadow.filter(|_| matches!(rollout.phase, Phase::Shadowing(_)));
    let judgement = match (service.verdict, quality) {
        (Verdict::Pass, None) if shadow.is_some_and(|shadow| shadow.quality.is_some()) => {
            return Some(Decision::Act(Action::Score(rollout.spec.clone())));
        }
        (Verdict::Pass, Some(quality)) => quality,
        _ => service,
    };
    match judgement.verdict {
        Verdict::Pass => advance(look, rollout),
        Verdict::Fail => look.abort(format!("worse: {}", judgement.reason)),
        Verdict::Inconclusive if rollout.inconclusive >= rollout.spec.inconclusive_limit => {
            look.record(Event::Paused(Pause::Inconclusive))
        }
        Verdict::Inconclusive => look.record(Event::Continued),
        Verdict::NoData => without_data(look, rollout, &judgement.reason),
    }
}

fn without_data(look: Look<'_>, rollout: &Rollout, reason: &str) -> Option<Decision> {
    match rollout.spec.on_no_data {
        OnNoData::Pause => look.record(Event::Paused(Pause::NoData)),
        OnNoData::Abort => look.abort(format!("no data: {reason}")),
        // Also while the stable revision is not ready: what takes over may be what mends it.
        OnNoData::Advance => next_share(look, rollout),
    }
}

fn advance(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    match &rollout.spec.stable {
        Some(stable) if look.seen.is_down(stable) && look.over(rollout, hold(rollout).max) => {
            without_data(look, rollout, STABLE_DOWN)
        }
        Some(stable) if !look.seen.is_ready(stable) => wait(STABLE_DOWN),
        _ => next_share(look, rollout),
    }
}

fn next_share(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    let next = match &rollout.phase {
        Phase::Step { index, .. } => index + 1,
        _ => 0,
    };
    match next < rollout.spec.strategy.shares().len() {
        true => shift(look, rollout, Shift::Step(next)),
        false => shift(look, rollout, Shift::Promotion),
    }
}

//! Watching a step, and what follows from its judgement.

use super::apply::arms;
use super::decide::{Action, Decision, Look, shift, wait};
use super::event::{Event, Shift};
use super::state::{Pause, Phase, Rollout};
use crate::rollout::analysis::{Arms, Judgement, Reading, Verdict};
use crate::rollout::spec::{Hold, OnNoData};

fn hold(rollout: &Rollout) -> Hold {
    let at = match &rollout.phase {
        Phase::Paused { at, .. } => at,
        phase => phase,
    };
    let shadow = rollout.spec.shadow.filter(|_| matches!(at, Phase::Shadowing(_)));
    shadow.map_or(rollout.spec.hold, |shadow| shadow.hold)
}

fn judge(rollout: &Rollout, arms: Arms) -> Judgement {
    rollout.service.judge(arms, hold(rollout).samples, &rollout.spec.analysis)
}

/// Reads the counts when that is due.
fn read(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    let every = rollout.spec.analysis.look_every;
    let last = rollout.service.last_look().filter(|last| *last >= rollout.started);
    if last.is_some_and(|last| look.now < last.saturating_add(every)) {
        return None;
    }
    let at = match &rollout.phase {
        Phase::Paused { at, .. } => at,
        phase => phase,
    };
    let counts = |revision| look.seen.counts.as_ref().and_then(|counts| counts.get(revision));
    let canary = counts(rollout.spec.canary());
    let canary = match at {
        Phase::Shadowing(_) => canary.map(|counts| counts.copies),
        _ => canary.map(|counts| counts.served),
    };
    let stable = rollout.spec.stable.as_ref().and_then(counts).map(|counts| counts.served);
    look.record(Event::Looked(Reading { at: look.now, stable, canary }))
}

/// What a pause goes on doing: looking, and going back when the evidence says so.
pub(super) fn guard(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    let arms = arms(&rollout.phase, &rollout.spec)?;
    let judgement = judge(rollout, arms);
    if judgement.verdict == Verdict::Fail {
        return look.abort(judgement.reason);
    }
    read(look, rollout)
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
        Verdict::NoData => match rollout.spec.on_no_data {
            OnNoData::Pause => look.record(Event::Paused(Pause::NoData)),
            OnNoData::Abort => look.abort(format!("no data: {}", judgement.reason)),
            OnNoData::Advance => advance(look, rollout),
        },
    }
}

fn advance(look: Look<'_>, rollout: &Rollout) -> Option<Decision> {
    if let Some(stable) = &rollout.spec.stable
        && !look.seen.is_ready(stable)
    {
        return wait("the stable revision is not ready");
    }
    let next = match &rollout.phase {
        Phase::Step { index, .. } => index + 1,
        _ => 0,
    };
    match next < rollout.spec.strategy.shares().len() {
        true => shift(look, rollout, Shift::Step(next)),
        false => shift(look, rollout, Shift::Promotion),
    }
}

//! What an order leads to: it is carried out, or refused with a reason.

use super::decide::{Decision, Look};
use super::event::{Answered, Event, Shift};
use super::observe::Seen;
use super::state::{Phase, Rollout};
use super::traffic::wish_for;
use crate::deploy::Support;
use crate::rollout::command::{Command, Order, OrderNumber};
use crate::rollout::spec::RolloutSpec;

/// Answers the next order.
pub(super) fn answer_order(look: Look<'_>) -> Option<Decision> {
    let (number, order) = look.seen.order.as_ref()?;
    debug_assert_eq!(*number, OrderNumber(look.state.answered.0 + 1));
    let order = match order {
        Ok(order) => order,
        // It is answered as any other: whoever waits behind it is not to wait for ever.
        Err(reason) => {
            let (by, why) = ("unknown".to_owned(), String::new());
            let event = Event::Refused { reason: reason.clone() };
            return look.answer(Answered { order: *number, by, why }, event);
        }
    };
    let answered = Answered { order: *number, by: order.by.clone(), why: order.why.clone() };
    // What can't be seen can't be checked: a start waits for it, everything else does not.
    if matches!(order.command, Command::Roll(_)) && look.seen.revisions.is_none() {
        return None;
    }
    let event = match carry_out(look, order) {
        Ok(event) => event,
        Err(reason) => Event::Refused { reason },
    };
    look.answer(answered, event)
}

fn carry_out(look: Look<'_>, order: &Order) -> Result<Event, String> {
    let none = || "no rollout is open".to_owned();
    let open = look.rollout().filter(|_| look.state.is_open());
    match &order.command {
        Command::Roll(spec) => roll(look, spec),
        Command::Pause => hold(open.ok_or_else(none)?),
        Command::Resume => resume(open.ok_or_else(none)?),
        Command::Promote => promote(look, open.ok_or_else(none)?),
        Command::Abort => abort(open.ok_or_else(none)?, order),
    }
}

fn roll(look: Look<'_>, spec: &RolloutSpec) -> Result<Event, String> {
    if let Some(reason) = refusal(look, spec) {
        return Err(reason);
    }
    let spec = Box::new(spec.clone());
    match look.rollout().filter(|_| look.state.is_open()) {
        None => Ok(Event::Started { spec }),
        Some(open) if open.spec.canary() == spec.canary() => {
            Err(format!("the revision is being rolled out: revision={}", spec.canary()))
        }
        Some(_) => Ok(Event::Queued { spec }),
    }
}

/// Why a rollout can't begin, if it can't.
pub(super) fn refusal(look: Look<'_>, spec: &RolloutSpec) -> Option<String> {
    let (state, seen) = (look.state, look.seen);
    if let Err(error) = spec.check() {
        return Some(error.to_string());
    }
    let shown = |name: &Option<_>| name.as_ref().map_or("none".to_owned(), ToString::to_string);
    // Until something was rolled out here, the order is the only one to know what is stable.
    if (state.rollout.is_some() || state.stable.is_some()) && state.stable != spec.stable {
        let (given, current) = (shown(&spec.stable), shown(&state.stable));
        return Some(format!("another revision is stable: given={given} current={current}"));
    }
    if spec.shadow.is_some() && seen.capabilities.mirror == Support::No {
        return Some("this data plane can't copy requests for a shadow".to_owned());
    }
    if spec.sticky.is_some() && seen.capabilities.sticky == Support::No {
        return Some("this data plane can't keep requests together".to_owned());
    }
    let smallest = seen.capabilities.smallest_step.get().max(1);
    if let Some(share) = spec.strategy.shares().iter().find(|share| share.get() % smallest != 0) {
        return Some(format!("this data plane can't keep such a share: share={}", share.get()));
    }
    let stable = spec.stable.as_ref()?;
    match seen.status(stable) {
        Seen::Unknown => Some("the revisions can't be seen".to_owned()),
        Seen::Absent => Some(format!("the stable revision is not there: revision={stable}")),
        Seen::There(status) if spec.new.replicas.get() < status.wanted => Some(format!(
            "the new revision is smaller than the stable one: given={} want={}",
            spec.new.replicas, status.wanted
        )),
        Seen::There(_) => None,
    }
}

fn hold(open: &Rollout) -> Result<Event, String> {
    match &open.phase {
        Phase::Applying | Phase::Warming(_) | Phase::Shadowing(_) | Phase::Step { .. } => {
            Ok(Event::Paused(super::state::Pause::Manual))
        }
        phase => Err(format!("nothing can be held here: phase={}", phase.word())),
    }
}

fn resume(open: &Rollout) -> Result<Event, String> {
    match &open.phase {
        Phase::Paused { .. } => Ok(Event::Resumed),
        phase => Err(format!("it is not paused: phase={}", phase.word())),
    }
}

fn promote(look: Look<'_>, open: &Rollout) -> Result<Event, String> {
    if !matches!(open.phase.place(), Phase::Shadowing(_) | Phase::Step { .. }) {
        return Err(format!("it can't be promoted from here: phase={}", open.phase.word()));
    }
    match wish_for(look, open, Shift::Promotion) {
        Some(wish) => Ok(Event::Shifted { to: Shift::Promotion, wish }),
        None => Err("the new revision is not ready".to_owned()),
    }
}

fn abort(open: &Rollout, order: &Order) -> Result<Event, String> {
    match open.phase.can_abort() {
        true => Ok(Event::Aborted { reason: format!("{}: {}", order.by, order.why) }),
        false => Err("the old revision is being ended: there is no way back".to_owned()),
    }
}

//! What is asked of the traffic, and whether it is in effect.

use std::collections::BTreeMap;

use super::decide::{Action, Decision, Look};
use super::event::{Event, Shift, Wish};
use super::observe::Seen;
use super::state::{Asked, Rollout};
use crate::deploy::{Backend, Mirror, Percent, Split, TrafficSpec};
use crate::id::{EndpointName, RevisionName};

/// Notes that what was asked is in effect, as soon as that is seen.
pub(super) fn effect(look: Look<'_>) -> Option<Decision> {
    let asked = look.state.asked.as_ref().filter(|_| !look.state.is_settled())?;
    let there = is_in_effect(look, asked);
    there.then(|| look.record(Event::InEffect { generation: asked.generation })).flatten()
}

fn is_in_effect(look: Look<'_>, asked: &Asked) -> bool {
    match (&look.seen.traffic, &asked.wish) {
        (Seen::There(there), Wish::Split { split, mirror, .. }) => {
            there.generation == asked.generation && there.split == *split && there.mirror == *mirror
        }
        (Seen::Absent, Wish::Removed) => true,
        _ => false,
    }
}

/// Asks again for what is not in effect: it was never asked, or the data plane has forgotten it.
pub(super) fn put_into_effect(look: Look<'_>) -> Option<Decision> {
    let asked = look.state.asked.as_ref()?;
    if is_in_effect(look, asked) || look.seen.traffic == Seen::Unknown {
        return None;
    }
    let endpoint = look.rollout()?.spec.endpoint();
    match &asked.wish {
        Wish::Removed => Some(Decision::Act(Action::Remove(endpoint.clone(), asked.generation))),
        Wish::Split { split, .. } => {
            if !split.iter().all(|(name, share)| may_have(look, name, share)) {
                return None;
            }
            let spec = traffic_spec(endpoint, asked)?;
            Some(Decision::Act(Action::Set(Box::new(spec))))
        }
    }
}

/// Whether a revision may be given a share: what became unready since that was wished for gets no more
/// than it has. A data plane that was started anew has forgotten what it had: to give that back is no
/// gain, and is better done by some replicas than by none.
fn may_have(look: Look<'_>, name: &RevisionName, share: Percent) -> bool {
    if look.seen.is_ready(name) || share == Percent::NONE {
        return true;
    }
    match &look.seen.traffic {
        Seen::There(there) => share <= there.split.share(name),
        Seen::Unknown => false,
        Seen::Absent => {
            let before = look.state.effective.as_ref().and_then(|before| before.wish.split());
            let had = before.map_or(Percent::NONE, |split| split.share(name));
            share <= had && look.seen.answers_at_all(name)
        }
    }
}

fn traffic_spec(endpoint: &EndpointName, asked: &Asked) -> Option<TrafficSpec> {
    let Wish::Split { split, mirror, sticky, backends } = &asked.wish else { return None };
    let (endpoint, backends) = (endpoint.clone(), backends.clone());
    // A wish is made only with an address for each revision that it reaches.
    let spec = TrafficSpec::new(endpoint, asked.generation, split.clone(), backends).ok()?;
    let spec = match mirror {
        Some(mirror) => spec.with_mirror(mirror.clone()).ok()?,
        None => spec,
    };
    Some(match sticky {
        Some(sticky) => spec.with_stickiness(sticky.clone()),
        None => spec,
    })
}

/// Follows revisions that answer elsewhere than they did.
pub(super) fn move_addresses(look: Look<'_>) -> Option<Decision> {
    let asked = look.state.asked.as_ref()?;
    let Wish::Split { split, mirror, sticky, backends } = &asked.wish else { return None };
    let now: BTreeMap<RevisionName, Backend> = backends
        .iter()
        .map(|(name, old)| (name.clone(), look.seen.backend(name).unwrap_or_else(|| old.clone())))
        .collect();
    if now == *backends {
        return None;
    }
    let (split, mirror, sticky) = (split.clone(), mirror.clone(), sticky.clone());
    let wish = Wish::Split { split, mirror, sticky, backends: now };
    look.record(Event::Shifted { to: Shift::Addresses, wish })
}

/// What to ask for, with an address for everyone it reaches; `None` while one of them is not known,
/// or the new revision, whose share would grow, is not ready.
pub(super) fn wish_for(look: Look<'_>, rollout: &Rollout, to: Shift) -> Option<Wish> {
    let spec = &rollout.spec;
    let canary = spec.canary();
    let share = match to {
        Shift::Step(index) => *spec.strategy.shares().get(index)?,
        Shift::Promotion => Percent::ALL,
        Shift::Shadow | Shift::Return | Shift::Addresses => Percent::NONE,
    };
    let growing = to == Shift::Shadow || share > Percent::NONE;
    if growing && !look.seen.is_ready(canary) {
        return None;
    }
    let split = match &spec.stable {
        Some(stable) => Split::between(stable.clone(), canary.clone(), share).ok()?,
        None if share == Percent::ALL => Split::all_to(canary.clone()),
        None => return Some(Wish::Removed),
    };
    let mirror = match (to, &spec.shadow) {
        (Shift::Shadow, Some(shadow)) => {
            Some(Mirror { revision: canary.clone(), percent: shadow.percent })
        }
        _ => None,
    };
    let mut backends = BTreeMap::new();
    let copied = mirror.as_ref().map(|mirror| &mirror.revision);
    for name in split.iter().map(|(name, _)| name).chain(copied) {
        let known = look.seen.backend(name).or_else(|| last_backend(look, name));
        backends.insert(name.clone(), known?);
    }
    Some(Wish::Split { split, mirror, sticky: spec.sticky.clone(), backends })
}

/// Where a revision answered when that was asked for last: enough to go on sending to it what it
/// gets already.
fn last_backend(look: Look<'_>, revision: &RevisionName) -> Option<Backend> {
    match &look.state.asked.as_ref()?.wish {
        Wish::Split { backends, .. } => backends.get(revision).cloned(),
        Wish::Removed => None,
    }
}

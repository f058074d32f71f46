//! `mlops deploy apply --wait`: what became of one order, by what its endpoint has recorded.

use std::time::Duration;

use anyhow::Result;
use mlops_core::id::{EndpointName, RevisionName};
use mlops_core::rollout::machine::{Entry, Event, Shift, replay};
use mlops_core::rollout::{EndpointStatus, OrderNumber, history};
use mlops_core::{Error, ErrorKind};
use mlops_store::LocalStore;

use super::LOOK;
use crate::output;

/// How far the rollout that an order asked for is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nobody has answered the order.
    Waiting,
    Refused {
        reason: String,
    },
    /// It never began, and never will.
    Replaced {
        reason: String,
    },
    Going,
    /// Somebody has to decide.
    Paused {
        reason: String,
    },
    Out,
    Back {
        reason: String,
    },
}

/// What became of the order to roll `revision` out.
pub(super) fn fate(entries: &[Entry], order: OrderNumber, revision: &RevisionName) -> Result<Fate> {
    let answers = |entry: &Entry| entry.answers.as_ref().is_some_and(|it| it.order == order);
    let Some(answered) = entries.iter().position(answers) else { return Ok(Fate::Waiting) };
    let mut fate = Fate::Going;
    let mut queued = false;
    let mut aborted = String::new();
    for entry in &entries[answered..] {
        let replaced = |reason: &str| Ok(Fate::Replaced { reason: reason.to_owned() });
        match &entry.event {
            Event::Refused { reason } if answers(entry) => {
                return Ok(Fate::Refused { reason: reason.clone() });
            }
            Event::Queued { .. } if answers(entry) => queued = true,
            // What happens until it begins is of the one before it, but for what takes its place.
            Event::Started { spec } if queued && spec.canary() == revision => queued = false,
            Event::Started { .. } | Event::Queued { .. } if queued => {
                return replaced("a newer order took its place");
            }
            Event::Aborted { reason } if queued && entry.answers.is_some() => {
                return replaced(reason);
            }
            Event::Dropped { reason } if queued => return replaced(reason),
            _ if queued => {}
            Event::Paused(reason) => fate = Fate::Paused { reason: super::why(reason)? },
            Event::Aborted { reason } => {
                aborted.clone_from(reason);
                fate = Fate::Going;
            }
            // A promotion by hand goes on from a pause, too.
            Event::Resumed => fate = Fate::Going,
            Event::Shifted { to, .. } if *to != Shift::Addresses => fate = Fate::Going,
            Event::Done => return Ok(Fate::Out),
            Event::RolledBack => return Ok(Fate::Back { reason: aborted }),
            _ => {}
        }
    }
    Ok(fate)
}

/// Says each phase once, until the rollout has ended one way or the other, or waits for somebody.
///
/// # Errors
/// `Conflict` for an order that was refused, or in whose place came another; `Unavailable` when it has not ended in time.
pub(super) async fn wait(
    store: &LocalStore,
    endpoint: &EndpointName,
    (order, revision): (OrderNumber, &RevisionName),
    limit: Duration,
) -> Result<Fate> {
    let began = tokio::time::Instant::now();
    let conflict = |what: &str, reason: &str| {
        let message = format!("{what}: endpoint={endpoint} revision={revision} reason={reason}");
        Err(Error::new(ErrorKind::Conflict, message).into())
    };
    let mut said = String::new();
    loop {
        let entries = history(&*store.meta(), endpoint).await?;
        match fate(&entries, order, revision)? {
            Fate::Refused { reason } => return conflict("the order was refused", &reason),
            Fate::Replaced { reason } => return conflict("the order was not carried out", &reason),
            Fate::Waiting => {}
            Fate::Going => {
                let line = line(&EndpointStatus::of(&replay(&entries)?), revision);
                if let Some(line) = line.filter(|line| *line != said) {
                    output::say(&line);
                    said = line;
                }
            }
            ended => return Ok(ended),
        }
        if began.elapsed() >= limit {
            let message = format!(
                "the rollout has not ended in time, and goes on: endpoint={endpoint} revision={revision} waited_seconds={}",
                limit.as_secs()
            );
            return Err(Error::new(ErrorKind::Unavailable, message).into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Where a rollout stands; nothing while another one is under way.
fn line(now: &EndpointStatus, revision: &RevisionName) -> Option<String> {
    let last = now.last.as_ref().filter(|last| last.revision == *revision)?;
    let reason = last.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let share = now.serving.as_ref().and_then(|serving| serving.shares.get(revision));
    let share = share.map(|share| format!(", {share}")).unwrap_or_default();
    Some(format!("{revision}: {}{share}{reason}", last.phase))
}

#[cfg(test)]
mod tests {
    use mlops_core::deploy::{Process, RevisionRef, RevisionSpec, Workload};
    use mlops_core::rollout::machine::{Answered, Pause};
    use mlops_core::rollout::{RolloutSpec, Strategy};
    use mlops_core::time::Timestamp;

    use super::*;

    fn name(text: &str) -> RevisionName {
        RevisionName::new(text).unwrap()
    }

    fn spec(revision: &str) -> Box<RolloutSpec> {
        let endpoint = EndpointName::new("e").unwrap();
        let revision = RevisionRef { endpoint, revision: name(revision) };
        let workload = Workload::Process(Process::new(["true"]).unwrap());
        let new = RevisionSpec::new(revision, workload);
        Box::new(RolloutSpec::new(None, new, Strategy::BlueGreen).unwrap())
    }

    fn entry(order: Option<u64>, event: Event) -> Entry {
        let answered =
            |order| Answered { order: OrderNumber(order), by: String::new(), why: String::new() };
        Entry { at: Timestamp::from_millis(0), answers: order.map(answered), event }
    }

    #[test]
    fn an_order_is_followed_to_its_end_and_to_no_others() {
        let text = |text: &str| text.to_owned();
        let started = |order, name| entry(order, Event::Started { spec: spec(name) });
        let queued = |order, name| entry(Some(order), Event::Queued { spec: spec(name) });
        let own = |event| entry(None, event);
        let aborted = |order| entry(order, Event::Aborted { reason: "bad".into() });
        let of_another = [started(Some(1), "a"), own(Event::Paused(Pause::Manual))];
        let after = |more: Vec<Entry>| [of_another.to_vec(), more].concat();
        let cases = [
            (after(vec![]), Fate::Waiting),
            (
                after(vec![entry(Some(2), Event::Refused { reason: "no".into() })]),
                Fate::Refused { reason: text("no") },
            ),
            (vec![started(Some(2), "b"), own(Event::Ready)], Fate::Going),
            (
                vec![started(Some(2), "b"), own(Event::Paused(Pause::NoData))],
                Fate::Paused { reason: text("no_data") },
            ),
            (
                vec![
                    started(Some(2), "b"),
                    own(Event::Paused(Pause::Manual)),
                    entry(Some(3), Event::Resumed),
                ],
                Fate::Going,
            ),
            (vec![started(Some(2), "b"), own(Event::Done), started(Some(3), "c")], Fate::Out),
            (
                vec![started(Some(2), "b"), aborted(None), own(Event::RolledBack)],
                Fate::Back { reason: text("bad") },
            ),
            // While it waits its turn, what happens is of the one before it.
            (after(vec![queued(2, "b"), own(Event::Paused(Pause::Manual))]), Fate::Going),
            (
                after(vec![
                    queued(2, "b"),
                    aborted(None),
                    own(Event::RolledBack),
                    started(None, "b"),
                ]),
                Fate::Going,
            ),
            (
                after(vec![
                    queued(2, "b"),
                    own(Event::RolledBack),
                    started(None, "b"),
                    own(Event::Done),
                ]),
                Fate::Out,
            ),
            (
                after(vec![queued(2, "b"), queued(3, "c")]),
                Fate::Replaced { reason: text("a newer order took its place") },
            ),
            (after(vec![queued(2, "b"), aborted(Some(3))]), Fate::Replaced { reason: text("bad") }),
            (
                after(vec![queued(2, "b"), own(Event::Dropped { reason: "late".into() })]),
                Fate::Replaced { reason: text("late") },
            ),
        ];
        for (entries, expected) in cases {
            let found = fate(&entries, OrderNumber(2), &name("b")).unwrap();
            assert_eq!(found, expected, "{entries:?}");
        }
    }
}

//! What can follow what, and what can't.

use super::*;
use crate::deploy::{Process, RevisionRef, RevisionSpec, Workload};
use crate::error::ErrorKind;
use crate::id::{EndpointName, RevisionName};
use crate::rollout::{OrderNumber, RolloutSpec, Strategy};
use crate::time::Timestamp;

fn entry(event: Event) -> Entry {
    Entry { at: Timestamp::from_millis(1), answers: None, event }
}

fn started() -> Event {
    let endpoint = EndpointName::new("flights").unwrap();
    let revision = RevisionName::new("new").unwrap();
    let process = Process::new(["x"]).unwrap();
    let new = RevisionSpec::new(RevisionRef { endpoint, revision }, Workload::Process(process));
    let stable = Some(RevisionName::new("old").unwrap());
    let spec = RolloutSpec::new(stable, new, Strategy::BlueGreen).unwrap();
    Event::Started { spec: Box::new(spec) }
}

fn abort() -> Event {
    Event::Aborted { reason: "a test".to_owned() }
}

#[test]
fn what_can_not_follow_is_corrupt() {
    let refused: [&[Event]; 8] = [
        &[Event::Ready],
        &[abort()],
        &[started(), started()],
        &[started(), Event::Checked],
        &[started(), Event::Promoted],
        &[started(), Event::Ready, Event::Baking],
        &[started(), abort(), abort()],
        &[started(), abort(), Event::Returned, Event::RolledBack],
    ];
    for events in refused {
        let entries: Vec<Entry> = events.iter().cloned().map(entry).collect();
        let error = replay(&entries).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{events:?}");
        assert!(replay(&entries[..entries.len() - 1]).is_ok(), "{events:?}");
    }
}

#[test]
fn orders_are_answered_in_their_order() {
    let answers = |order| {
        let by = "anna".to_owned();
        Some(Answered { order: OrderNumber(order), by, why: "a test".to_owned() })
    };
    let refused = Event::Refused { reason: "no".to_owned() };
    let first = Entry { answers: answers(1), ..entry(refused.clone()) };
    let state = apply(&State::default(), &first).unwrap();
    assert_eq!(state.answered, OrderNumber(1));
    for number in [0, 1, 3] {
        let next = Entry { answers: answers(number), ..entry(refused.clone()) };
        assert!(apply(&state, &next).is_err(), "{number}");
    }
    assert!(apply(&state, &entry(refused)).is_err(), "a refusal answers something");
}

#[test]
fn a_state_survives_its_json() {
    let events = [started(), Event::Ready, Event::Checked, abort(), Event::Returned];
    let entries: Vec<Entry> = events.into_iter().map(entry).collect();
    let state = replay(&entries).unwrap();
    let json = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
    let json = serde_json::to_string(&entries).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Entry>>(&json).unwrap(), entries);
}

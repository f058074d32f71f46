//! The story of a lifecycle, a line an event.

use mlops_core::lifecycle::{Evaluation, Event};

use super::calendar::date;

/// What an event means to a person; `None` for those that would only fill the page.
pub(crate) fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Began { at, champion, metric, reference, .. } => {
            format!("{}  version {champion} in use, {metric} {reference:.4} out of time", date(*at))
        }
        Event::RetrainingStarted(retraining) => {
            format!(
                "{}  retraining {}: {}",
                date(retraining.at),
                retraining.number,
                retraining.cause
            )
        }
        Event::RetrainingFailed { error } => format!("            retraining failed: {error}"),
        Event::ReviewFailed { error } => format!("            review failed: {error}"),
        Event::Promoted { at, from, to, reason } => {
            format!("{}  PROMOTED version {to} over {from}: {reason}", date(*at))
        }
        Event::Kept { at, champion, challenger, reason } => {
            format!("{}  kept version {champion}, not {challenger}: {reason}", date(*at))
        }
        Event::Confirmed { at, version, reason } => {
            format!("{}  confirmed version {version}; its predecessor is {reason}", date(*at))
        }
        Event::RolledBack { at, from, to, reason } => {
            format!("{}  ROLLED BACK from version {from} to {to}: {reason}", date(*at))
        }
        Event::Ended { at } => format!("{}  the data end", date(*at)),
        _ => return None,
    })
}

/// The evaluations with what came of each: `promoted` or `kept`, and why.
pub(crate) fn evaluations(events: &[Event]) -> Vec<(Evaluation, &'static str, String)> {
    let mut open: Option<Evaluation> = None;
    let mut judged = Vec::new();
    for event in events {
        match event {
            Event::Evaluated(evaluation) => open = Some(evaluation.clone()),
            Event::Promoted { reason, .. } => {
                judged.extend(open.take().map(|e| (e, "promoted", reason.clone())))
            }
            Event::Kept { reason, .. } => {
                judged.extend(open.take().map(|e| (e, "kept", reason.clone())))
            }
            _ => {}
        }
    }
    judged
}

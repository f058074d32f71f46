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

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Promoted,
    Kept,
}

impl Outcome {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::Kept => "kept",
        }
    }
}

/// A retraining whose challenger was compared with the champion.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged<'a> {
    pub(crate) cause: &'a str,
    pub(crate) evaluation: &'a Evaluation,
    pub(crate) outcome: Outcome,
    pub(crate) reason: &'a str,
}

/// The comparisons with what came of each. A retraining that failed has none.
pub(crate) fn judged(events: &[Event]) -> Vec<Judged<'_>> {
    let (mut cause, mut open) = ("", None);
    let mut judged = Vec::new();
    for event in events {
        let (outcome, reason) = match event {
            Event::RetrainingStarted(retraining) => {
                (cause, open) = (retraining.cause.as_str(), None);
                continue;
            }
            Event::Evaluated(evaluation) => {
                open = Some(evaluation);
                continue;
            }
            Event::Promoted { reason, .. } => (Outcome::Promoted, reason),
            Event::Kept { reason, .. } => (Outcome::Kept, reason),
            _ => continue,
        };
        judged.extend(open.take().map(|evaluation| Judged { cause, evaluation, outcome, reason }));
    }
    judged
}

#[cfg(test)]
mod tests {
    use mlops_core::id::VersionNumber;
    use mlops_core::lifecycle::{Contest, Retraining};
    use mlops_core::time::Timestamp;

    use super::*;

    #[test]
    fn a_comparison_has_the_cause_of_its_own_retraining_also_after_one_that_failed() {
        let at = Timestamp::default();
        let started = |number, cause: &str| {
            Event::RetrainingStarted(Retraining { number, at, cause: cause.to_owned() })
        };
        let (champion, challenger) = (VersionNumber(1), VersionNumber(2));
        let evaluation = Evaluation {
            contest: Contest { at, champion, challenger },
            metric: "auc".to_owned(),
            champion_value: 0.7,
            challenger_value: 0.6,
            interval: [-0.2, 0.0],
            labels_from: at,
            labels_to: at,
            rows: 9,
        };
        let events = [
            started(1, "first"),
            Event::RetrainingFailed { error: "no data".to_owned() },
            started(2, "second"),
            Event::Evaluated(evaluation),
            Event::Kept { at, champion, challenger, reason: "worse".to_owned() },
        ];
        let judged = judged(&events);
        let shown: Vec<_> = judged.iter().map(|j| (j.cause, j.outcome, j.reason)).collect();
        assert_eq!(shown, [("second", Outcome::Kept, "worse")]);
    }
}

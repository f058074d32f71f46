//! Whether a version has become worse: its AUC now against its AUC before use, by day.

use mlops_core::lifecycle::{Signal, SignalKind};
use mlops_core::time::Timestamp;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::demo::model::metrics::auc;

/// The share of the reference by which quality may fall before it matters.
const FLOOR: f64 = 0.03;
const ALPHA: f64 = 0.05;

/// An AUC and how far off it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    pub(super) auc: f64,
    /// Its standard error, by the delete-one-day jackknife (Efron and Stein, "The jackknife estimate of
    /// variance", Annals of Statistics 9, 1981); `None` with fewer than three usable days.
    pub(super) error: Option<f64>,
    pub(super) days: usize,
    pub(super) labels: usize,
}

/// The AUC of all flights, and its error over days. `None` when the labels are of one kind.
pub(super) fn measure(labels: &[bool], scores: &[f64], days: &[i32]) -> Option<Measured> {
    let whole = auc(labels, scores)?;
    let mut units: Vec<i32> = days.to_vec();
    units.sort_unstable();
    units.dedup();
    let without = |day: &i32| {
        let rows: Vec<usize> = (0..days.len()).filter(|row| days[*row] != *day).collect();
        let labels: Vec<bool> = rows.iter().map(|row| labels[*row]).collect();
        let scores: Vec<f64> = rows.iter().map(|row| scores[*row]).collect();
        auc(&labels, &scores)
    };
    let left: Vec<f64> = units.iter().filter_map(without).collect();
    let n = left.len() as f64;
    let mean = left.iter().sum::<f64>() / n;
    let spread: f64 = left.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (left.len() >= 3).then(|| ((n - 1.0) / n * spread).sqrt());
    Some(Measured { auc: whole, error, days: units.len(), labels: labels.len() })
}

/// An alarm when the AUC has fallen by more than 3 % of the reference, beyond chance: one-sided, by
/// Welch's t with the smaller of both degrees of freedom, which errs towards silence.
pub(super) fn signal(at: Timestamp, before: &Measured, now: &Measured) -> Option<Signal> {
    let (loss, error) = (before.auc - now.auc, before.error?.hypot(now.error?));
    let freedom = before.days.min(now.days).checked_sub(1).filter(|freedom| *freedom > 0)?;
    let law = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    let p_value = law.sf(loss / error);
    let value = loss / before.auc;
    let found = value > FLOOR && p_value < ALPHA;
    found.then(|| Signal {
        at,
        subject: "auc".to_owned(),
        kind: SignalKind::Quality,
        statistic: "auc_by_day".to_owned(),
        value,
        threshold: FLOOR,
        p_value: Some(p_value),
        clusters: Some(now.days as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(good: f64) -> Option<Measured> {
        // Ten days of forty flights; a score is right with the chance `good`, alike every day.
        let rows: Vec<(i32, bool, f64)> = (0..400)
            .map(|row| {
                let late = row % 3 == 0;
                let right = f64::from(row * 7 % 40) / 40.0 < good;
                (row / 40, late, if late == right { 0.8 } else { 0.2 } + f64::from(row % 11) / 1e3)
            })
            .collect();
        let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let scores: Vec<f64> = rows.iter().map(|row| row.2).collect();
        let days: Vec<i32> = rows.iter().map(|row| row.0).collect();
        measure(&labels, &scores, &days)
    }

    #[test]
    fn a_loss_raises_an_alarm_and_chance_does_not() {
        let (good, bad) = (days(0.9).unwrap(), days(0.6).unwrap());
        let alarm = signal(Timestamp::default(), &good, &bad).unwrap();
        assert!(alarm.value > FLOOR && alarm.p_value.unwrap() < 0.01, "{alarm:?}");
        assert_eq!(signal(Timestamp::default(), &good, &good), None);
        assert_eq!(signal(Timestamp::default(), &bad, &good), None);
    }

    #[test]
    fn too_few_days_or_labels_of_one_kind_give_no_figure() {
        assert_eq!(measure(&[true, true], &[0.1, 0.2], &[1, 2]), None);
        let two =
            measure(&[true, false, true, false], &[0.9, 0.1, 0.8, 0.3], &[1, 1, 2, 2]).unwrap();
        assert_eq!((two.auc, two.error), (1.0, None));
    }
}

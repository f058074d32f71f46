//! Whether quality has changed from a reference, judged by intervals.

mod options;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::interval;
use super::metric::{Better, Metric};
use super::state::QualityState;
use super::tally::Tally;
use crate::error::{Error, Result};
use crate::report::{Sides, number};
pub use options::CompareOptions;

/// What became of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum QualityVerdict {
    /// It got worse, by more than chance and more than the floor.
    Worse,
    /// It got better, by more than chance and more than the floor.
    Better,
    /// It moved by more than chance and more than the floor, and has no better or worse.
    Changed,
    /// Nothing of that.
    Stable,
    /// Nothing can be said; the reason stands beside it.
    Unchecked,
}

/// One metric on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MetricChange {
    /// Which.
    pub metric: Metric,
    /// Its value in the reference.
    #[serde(with = "number::one")]
    pub reference: Option<f64>,
    /// Its value now.
    #[serde(with = "number::one")]
    pub current: Option<f64>,
    /// Now less reference.
    #[serde(with = "number::one")]
    pub change: Option<f64>,
    /// Lower end of the change's interval.
    #[serde(with = "number::one")]
    pub low: Option<f64>,
    /// Upper end of the change's interval.
    #[serde(with = "number::one")]
    pub high: Option<f64>,
    /// The least change that matters.
    #[serde(with = "number::one")]
    pub floor: Option<f64>,
    /// What became of it.
    pub verdict: QualityVerdict,
    /// Why nothing can be said.
    pub reason: Option<String>,
}

/// Quality now beside that of a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QualityComparison {
    /// The rate of false alarms over all metrics.
    pub alpha: f64,
    /// What each interval leaves in doubt: `alpha` divided by the number of metrics, times that of
    /// segments where these are compared (Bonferroni).
    pub interval_alpha: f64,
    /// Labelled rows.
    pub labelled: Sides<u64>,
    /// Whether any metric got worse.
    pub worse: bool,
    /// Each metric, in the order asked for.
    pub metrics: Vec<MetricChange>,
}

/// A segment now beside that of a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SegmentComparison {
    /// Its name.
    pub segment: String,
    /// Its metrics; those of a segment that one side lacks are unchecked.
    pub comparison: QualityComparison,
}

impl QualityState {
    /// Judges each metric by the interval of its change from `reference` to this state, made of the
    /// intervals of both (Newcombe 1998; Zou & Donner 2008). Both sides are samples: neither is
    /// taken for the truth.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for states of different tasks, options out
    /// of range, or a metric that the task does not have.
    pub fn compare(&self, reference: &Self, options: &CompareOptions) -> Result<QualityComparison> {
        let metrics = self.judged(reference, options)?;
        let sides = Sides { reference: &reference.0.total, current: &self.0.total };
        let tests = metrics.len();
        Ok(judge_all(&metrics, options, tests, &sides))
    }

    /// The same for every segment that either side keeps, in the order of their names; `alpha` is
    /// the rate of false alarms over all metrics of all segments. What is together in
    /// [`OTHER`](super::OTHER) need not be the same on both sides, and is not compared.
    ///
    /// # Errors
    ///
    /// Those of [`QualityState::compare`].
    pub fn compare_segments(
        &self,
        reference: &Self,
        options: &CompareOptions,
    ) -> Result<Vec<SegmentComparison>> {
        let metrics = self.judged(reference, options)?;
        let (own, theirs) = (&self.0.segments, &reference.0.segments);
        let names: BTreeSet<&String> = own.keys().chain(theirs.keys()).collect();
        let tests = metrics.len() * names.len();
        let (none_here, none_there) =
            (Tally::new(&self.0.options), Tally::new(&reference.0.options));
        let compared = names.into_iter().map(|name| {
            let sides = Sides {
                reference: theirs.get(name).unwrap_or(&none_there),
                current: own.get(name).unwrap_or(&none_here),
            };
            let comparison = judge_all(&metrics, options, tests, &sides);
            SegmentComparison { segment: name.clone(), comparison }
        });
        Ok(compared.collect())
    }

    fn judged(&self, reference: &Self, options: &CompareOptions) -> Result<Vec<Metric>> {
        let task = &self.options().task;
        if *task != reference.options().task {
            return Err(Error::invalid("the quality of different tasks can't be compared"));
        }
        options.metrics(task)
    }
}

/// Judges metrics, which are some of so many tests that share one alpha.
fn judge_all(
    metrics: &[Metric],
    options: &CompareOptions,
    tests: usize,
    sides: &Sides<&Tally>,
) -> QualityComparison {
    let interval_alpha = options.alpha / tests as f64;
    let metrics: Vec<MetricChange> = metrics
        .iter()
        .map(|&metric| MetricChange::of(metric, options.min_change, interval_alpha, sides))
        .collect();
    let labelled = Sides { reference: sides.reference.labelled, current: sides.current.labelled };
    QualityComparison {
        alpha: options.alpha,
        interval_alpha,
        labelled,
        worse: metrics.iter().any(|metric| metric.verdict == QualityVerdict::Worse),
        metrics,
    }
}

impl MetricChange {
    fn of(metric: Metric, min_change: f64, interval_alpha: f64, sides: &Sides<&Tally>) -> Self {
        let r = metric.estimate(sides.reference, interval_alpha);
        let c = metric.estimate(sides.current, interval_alpha);
        let both = r.value.zip(c.value);
        let change = both.map(|(r, c)| c - r).filter(|change| !change.is_nan());
        let floor = r.value.map(|value| value.abs() * min_change);
        let interval = match (both, r.interval, c.interval) {
            (Some((rv, cv)), Some((ri, _)), Some((ci, _))) => {
                Some(interval::change((rv, ri), (cv, ci)))
            }
            _ => None,
        };
        let reason = match (interval, r.reason, c.reason) {
            (Some(_), ..) => None,
            (None, Some(reason), _) => Some(format!("reference: {reason}")),
            (None, None, reason) => reason.map(|reason| format!("current: {reason}")),
        };
        Self {
            metric,
            reference: r.value,
            current: c.value,
            change,
            low: interval.map(|[low, _]| low),
            high: interval.map(|[_, high]| high),
            floor,
            verdict: judge(metric, change, interval, floor),
            reason,
        }
    }
}

fn judge(
    metric: Metric,
    change: Option<f64>,
    interval: Option<[f64; 2]>,
    floor: Option<f64>,
) -> QualityVerdict {
    let (Some(change), Some([low, high]), Some(floor)) = (change, interval, floor) else {
        return QualityVerdict::Unchecked;
    };
    if !(low > 0.0 || high < 0.0) || change.abs() < floor {
        return QualityVerdict::Stable;
    }
    match (metric.better(), change > 0.0) {
        (Better::Neither, _) => QualityVerdict::Changed,
        (Better::Higher, true) | (Better::Lower, false) => QualityVerdict::Better,
        (Better::Higher, false) | (Better::Lower, true) => QualityVerdict::Worse,
    }
}

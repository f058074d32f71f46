//! Whether quality has changed from a reference, judged by intervals.

use serde::{Deserialize, Serialize};

use super::interval;
use super::metric::{Better, Metric};
use super::state::QualityState;
use super::task::Task;
use crate::error::{Error, Result};
use crate::report::{Sides, number};

/// How a change of quality is judged.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CompareOptions {
    /// The rate of false alarms over all metrics together; 0.05.
    pub alpha: f64,
    /// The practical floor: the least change that matters, as a share of the reference's value; 0.01.
    pub min_change: f64,
    /// The metrics to judge. By default accuracy, F1, AUC, Brier score and log loss of two classes;
    /// accuracy, Brier score and log loss of several; MAE and RMSE of numbers.
    pub metrics: Option<Vec<Metric>>,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self { alpha: 0.05, min_change: 0.01, metrics: None }
    }
}

impl CompareOptions {
    /// Sets the rate of false alarms, above 0 and below 1.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets the practical floor, at least 0.
    #[must_use]
    pub fn with_min_change(mut self, min_change: f64) -> Self {
        self.min_change = min_change;
        self
    }

    /// Sets the metrics to judge.
    #[must_use]
    pub fn with_metrics(mut self, metrics: impl IntoIterator<Item = Metric>) -> Self {
        self.metrics = Some(metrics.into_iter().collect());
        self
    }

    fn metrics(&self, task: &Task) -> Result<Vec<Metric>> {
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            let alpha = self.alpha;
            return Err(Error::invalid(format!("alpha must lie between 0 and 1: alpha={alpha}")));
        }
        if !(self.min_change >= 0.0 && self.min_change.is_finite()) {
            let floor = self.min_change;
            return Err(Error::invalid(format!("a floor is at least 0: min_change={floor}")));
        }
        let judged = match task {
            Task::Binary { .. } => {
                &[Metric::Accuracy, Metric::F1, Metric::Auc, Metric::Brier, Metric::LogLoss][..]
            }
            Task::Classes(_) => &[Metric::Accuracy, Metric::Brier, Metric::LogLoss],
            Task::Number => &[Metric::Mae, Metric::Rmse],
        };
        let metrics = self.metrics.clone().unwrap_or_else(|| judged.to_vec());
        match metrics.iter().find(|metric| !Metric::of(task).contains(metric)) {
            Some(metric) => {
                Err(Error::invalid(format!("the task does not have this metric: metric={metric}")))
            }
            None if metrics.is_empty() => Err(Error::invalid("there is no metric to judge")),
            None => Ok(metrics),
        }
    }
}

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
    /// What each interval leaves in doubt: `alpha` divided by the number of metrics (Bonferroni).
    pub interval_alpha: f64,
    /// Labelled rows.
    pub labelled: Sides<u64>,
    /// Whether any metric got worse.
    pub worse: bool,
    /// Each metric, in the order asked for.
    pub metrics: Vec<MetricChange>,
}

impl QualityState {
    /// Judges each metric by the interval of its change from `reference` to this state, made of the
    /// intervals of both (Newcombe 1998; Zou & Donner 2008). Both sides are samples: neither is
    /// taken for the truth. Segments are not compared.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for states of different tasks, options out
    /// of range, or a metric that the task does not have.
    pub fn compare(&self, reference: &Self, options: &CompareOptions) -> Result<QualityComparison> {
        let task = &self.options().task;
        if *task != reference.options().task {
            return Err(Error::invalid("the quality of different tasks can't be compared"));
        }
        let metrics = options.metrics(task)?;
        let interval_alpha = options.alpha / metrics.len() as f64;
        let sides = (&reference.0.total, &self.0.total);
        let metrics: Vec<MetricChange> = metrics
            .into_iter()
            .map(|metric| {
                let r = metric.estimate(sides.0, interval_alpha);
                let c = metric.estimate(sides.1, interval_alpha);
                let both = r.value.zip(c.value);
                let change = both.map(|(r, c)| c - r).filter(|change| !change.is_nan());
                let floor = r.value.map(|value| value.abs() * options.min_change);
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
                MetricChange {
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
            })
            .collect();
        Ok(QualityComparison {
            alpha: options.alpha,
            interval_alpha,
            labelled: Sides { reference: sides.0.labelled, current: sides.1.labelled },
            worse: metrics.iter().any(|metric| metric.verdict == QualityVerdict::Worse),
            metrics,
        })
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

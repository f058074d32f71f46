//! How good predictions are, in the shape `mlops.drift.quality/1`.

use serde::{Deserialize, Serialize};

use super::classes::Class;
use super::estimate::Estimate;
use super::join::JoinCounts;
use super::metric::{Method, Metric};
use super::state::{OTHER, QualityState};
use super::tally::Tally;
use super::task::Task;
use crate::report::number;

/// The name of the shape, as `schema` holds it.
pub const SCHEMA: &str = "mlops.drift.quality/1";

/// Intervals of a report leave this much doubt.
const ALPHA: f64 = 0.05;

/// How good predictions are, as a whole and by segment.
///
/// An undefined number is `null`, never NaN and never 0; an infinite one is the string `"inf"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QualityReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// What the model was asked for.
    pub task: Task,
    /// The doubt that each interval leaves, on its own.
    pub alpha: f64,
    /// Predictions that do not fit the task, or are no number, or no probability.
    pub unusable_predictions: u64,
    /// Labels that do not fit the task, or are no number.
    pub unusable_labels: u64,
    /// What became of predictions and labels on the way to each other; `None` where they came together.
    pub join: Option<JoinCounts>,
    /// All together.
    pub total: SegmentReport,
    /// Each segment in the order of its name, then all others as [`OTHER`].
    pub segments: Vec<SegmentReport>,
}

/// One segment, or the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SegmentReport {
    /// Its name; `None` for the whole.
    pub segment: Option<String>,
    /// Usable predictions.
    pub predictions: u64,
    /// Those whose label is known.
    pub labelled: u64,
    /// Labels with the name of a class that the task does not have.
    pub unknown_labels: u64,
    /// True classes that got less than the least probability of the options.
    pub clipped_probabilities: u64,
    /// How many units the labelled rows belong to; 0 where rows stand for themselves.
    pub units: u64,
    /// Every metric that the task has.
    pub metrics: Vec<MetricReport>,
    /// Every class that the task has; empty for numbers.
    pub classes: Vec<ClassReport>,
    /// Every calibration bin; empty for numbers.
    pub calibration: Vec<BinReport>,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MetricReport {
    /// Which.
    pub metric: Metric,
    /// Its value.
    #[serde(with = "number::one")]
    pub value: Option<f64>,
    /// How many rows it comes from.
    pub count: u64,
    /// Lower end of its interval.
    #[serde(with = "number::one")]
    pub low: Option<f64>,
    /// Upper end of its interval.
    #[serde(with = "number::one")]
    pub high: Option<f64>,
    /// How the interval was made.
    pub method: Option<Method>,
    /// What the exact value is sure to lie between, where too many distinct probabilities came to
    /// keep them all; `value` is then the middle.
    pub bounds: Option<[f64; 2]>,
    /// Why there is no interval, or no value.
    pub reason: Option<String>,
}

/// One class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassReport {
    /// Its name; `negative` and `positive` in binary tasks.
    pub class: String,
    /// Predictions of it, labelled or not.
    pub predictions: u64,
    /// Labelled predictions of it.
    pub predicted: u64,
    /// Labels of it.
    pub actual: u64,
    /// Both at once.
    pub hits: u64,
    /// `hits / predicted`.
    pub precision: Option<f64>,
    /// `hits / actual`.
    pub recall: Option<f64>,
    /// `2 hits / (predicted + actual)`.
    pub f1: Option<f64>,
}

/// One calibration bin, `(low, high]`; the first holds 0, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BinReport {
    /// Its lower edge.
    pub low: f64,
    /// Its upper edge.
    pub high: f64,
    /// Probabilities in it: of the positive class, or the largest of several.
    pub count: u64,
    /// Their mean.
    pub mean_probability: Option<f64>,
    /// The share of them that came true.
    pub share_true: Option<f64>,
}

impl QualityReport {
    pub(super) fn with_join(mut self, counts: JoinCounts) -> Self {
        self.join = Some(counts);
        self
    }

    /// The entry of a segment.
    #[must_use]
    pub fn segment(&self, name: &str) -> Option<&SegmentReport> {
        self.segments.iter().find(|segment| segment.segment.as_deref() == Some(name))
    }
}

impl SegmentReport {
    /// The entry of a metric; `None` where the task does not have it.
    #[must_use]
    pub fn metric(&self, metric: Metric) -> Option<&MetricReport> {
        self.metrics.iter().find(|entry| entry.metric == metric)
    }

    /// The value of a metric; `None` where it is undefined or the task does not have it.
    #[must_use]
    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.metric(metric).and_then(|entry| entry.value)
    }

    fn of(segment: Option<&str>, tally: &Tally, task: &Task) -> Self {
        let metrics = Metric::of(task).iter();
        Self {
            segment: segment.map(str::to_owned),
            predictions: tally.predictions,
            labelled: tally.labelled,
            unknown_labels: tally.unknown_labels,
            clipped_probabilities: tally.clipped,
            units: tally.units.len() as u64,
            metrics: metrics
                .map(|&metric| MetricReport::of(metric, metric.estimate(tally, ALPHA)))
                .collect(),
            classes: classes(tally, task),
            calibration: bins(tally, task),
        }
    }
}

impl MetricReport {
    fn of(metric: Metric, estimate: Estimate) -> Self {
        let interval = estimate.interval.map(|(interval, _)| interval);
        Self {
            metric,
            value: estimate.value,
            count: estimate.count,
            low: interval.map(|[low, _]| low),
            high: interval.map(|[_, high]| high),
            method: estimate.interval.map(|(_, method)| method),
            bounds: estimate.bounds,
            reason: estimate.reason.map(str::to_owned),
        }
    }
}

fn classes(tally: &Tally, task: &Task) -> Vec<ClassReport> {
    let report = |name: &str, class: &Class, predictions: u64| ClassReport {
        class: name.to_owned(),
        predictions,
        predicted: class.predicted,
        actual: class.actual,
        hits: class.hits,
        precision: class.precision(),
        recall: class.recall(),
        f1: class.f1(),
    };
    let counts = tally.classes.0.iter().zip(&tally.decided);
    match task {
        Task::Binary { .. } => ["negative", "positive"]
            .iter()
            .zip(counts)
            .map(|(name, (class, decided))| report(name, class, *decided))
            .collect(),
        Task::Classes(names) => names
            .iter()
            .zip(counts)
            .map(|(name, (class, decided))| report(name, class, *decided))
            .collect(),
        Task::Number => Vec::new(),
    }
}

fn bins(tally: &Tally, task: &Task) -> Vec<BinReport> {
    if matches!(task, Task::Number) {
        return Vec::new();
    }
    let bins = tally.calibration.0.iter().enumerate();
    bins.map(|(index, bin)| BinReport {
        low: if index == 0 { 0.0 } else { tally.calibration.edge(index - 1) },
        high: tally.calibration.edge(index),
        count: bin.count,
        mean_probability: (bin.count > 0).then(|| bin.sum.value() / bin.count as f64),
        share_true: super::classes::ratio(bin.hits, bin.count),
    })
    .collect()
}

impl QualityState {
    /// Every metric with its interval, at 95 %.
    #[must_use]
    pub fn report(&self) -> QualityReport {
        let parts = &self.0;
        let task = &parts.options.task;
        let named = parts.segments.iter().map(|(name, tally)| (name.as_str(), tally));
        let other = parts.other.as_deref().map(|tally| (OTHER, tally));
        QualityReport {
            schema: SCHEMA.to_owned(),
            task: task.clone(),
            alpha: ALPHA,
            unusable_predictions: parts.unusable_predictions,
            unusable_labels: parts.unusable_labels,
            join: None,
            total: SegmentReport::of(None, &parts.total, task),
            segments: named
                .chain(other)
                .map(|(name, tally)| SegmentReport::of(Some(name), tally, task))
                .collect(),
        }
    }
}

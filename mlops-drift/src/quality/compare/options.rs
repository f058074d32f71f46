//! How a change of quality is judged.

use crate::error::{Error, Result};
use crate::quality::metric::Metric;
use crate::quality::task::Task;

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

    pub(super) fn metrics(&self, task: &Task) -> Result<Vec<Metric>> {
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

//! The metrics by name: which a task has, and which way each is better.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::task::Task;

/// A measure of predictions, of their truth or of their sureness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Metric {
    /// The share of predictions of the true class.
    Accuracy,
    /// Of those predicted positive, the share that is (binary tasks).
    Precision,
    /// Of the positive ones, the share that was predicted so (binary tasks).
    Recall,
    /// The harmonic mean of precision and recall (binary tasks).
    F1,
    /// The mean of precision over the classes that occur, undefined where it is for one of them.
    MacroPrecision,
    /// The mean of recall over the classes that occur, undefined where it is for one of them.
    MacroRecall,
    /// The mean of F1 over the classes that occur, predicted or true.
    MacroF1,
    /// The area under the ROC curve, ties by midranks (binary tasks).
    Auc,
    /// The mean squared distance of the probabilities from the truth (Brier 1950); of several classes the sum over them, up to 2.
    Brier,
    /// The mean of `-ln p` of the true class, in nats.
    LogLoss,
    /// The expected calibration error, over bins of equal width.
    CalibrationError,
    /// The mean absolute error.
    Mae,
    /// The root of the mean squared error.
    Rmse,
    /// The mean of prediction less label.
    Bias,
    /// The mean prediction: probability of the positive class, or number. Needs no label.
    MeanPrediction,
    /// The mean entropy of the predicted distributions, in nats. Needs no label.
    Entropy,
    /// The mean difference of the two largest probabilities. Needs no label.
    Margin,
    /// The mean of the largest probability. Needs no label.
    MaxProbability,
}

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    Higher,
    Lower,
    Neither,
}

/// What an interval was made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Method {
    /// Wilson's score interval of a share.
    Wilson,
    /// DeLong's variance, on the scale of log-odds.
    Delong,
    /// Student's t.
    Student,
    /// Ratio of sums over units, with Student's t on the units.
    Units,
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Metric {
    /// Its name, as reports have it: `log-loss`. A label for whatever exports it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::F1 => "f1",
            Self::MacroPrecision => "macro-precision",
            Self::MacroRecall => "macro-recall",
            Self::MacroF1 => "macro-f1",
            Self::Auc => "auc",
            Self::Brier => "brier",
            Self::LogLoss => "log-loss",
            Self::CalibrationError => "calibration-error",
            Self::Mae => "mae",
            Self::Rmse => "rmse",
            Self::Bias => "bias",
            Self::MeanPrediction => "mean-prediction",
            Self::Entropy => "entropy",
            Self::Margin => "margin",
            Self::MaxProbability => "max-probability",
        }
    }

    /// Those that a task has.
    pub(super) fn of(task: &Task) -> &'static [Self] {
        use Metric::*;
        match task {
            Task::Binary { .. } => &[
                Accuracy,
                Precision,
                Recall,
                F1,
                MacroF1,
                Auc,
                Brier,
                LogLoss,
                CalibrationError,
                MeanPrediction,
                Entropy,
                Margin,
                MaxProbability,
            ],
            Task::Classes(_) => &[
                Accuracy,
                MacroPrecision,
                MacroRecall,
                MacroF1,
                Brier,
                LogLoss,
                CalibrationError,
                Entropy,
                Margin,
                MaxProbability,
            ],
            Task::Number => &[Mae, Rmse, Bias, MeanPrediction],
        }
    }

    pub(super) fn better(self) -> Better {
        match self {
            Self::Accuracy
            | Self::Precision
            | Self::Recall
            | Self::F1
            | Self::MacroPrecision
            | Self::MacroRecall
            | Self::MacroF1
            | Self::Auc => Better::Higher,
            Self::Brier | Self::LogLoss | Self::CalibrationError | Self::Mae | Self::Rmse => {
                Better::Lower
            }
            _ => Better::Neither,
        }
    }
}

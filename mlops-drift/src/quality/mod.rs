//! How good a model's predictions are, once labels come; and how sure of themselves, before.
//!
//! | question | answer |
//! |---|---|
//! | what became of each prediction and label | [`JoinCounts`]: joined by a request's id in bounded memory, dropped, repeated, contradicted, unusable |
//! | how good | accuracy, precision, recall, F1 (binary and by class), AUC, Brier score, log loss, calibration error, MAE, RMSE, bias, each with an interval where it has one |
//! | how sure | entropy, margin, largest probability: [`Uncertainty`], needs no label |
//! | worse than before? | [`QualityState::compare`]: the interval of the change, and a practical floor |
//!
//! [`QualityMonitor`] does all of that for many workers. Its parts can be used on their own: a
//! [`Join`] makes [`Outcome`]s of predictions and labels, a [`QualityState`] counts them. States merge and
//! serialise, and any split and order gives the same state bit by bit: counts are integers, sums
//! are exact. The area under the ROC curve is exact up to a number of distinct probabilities, and an
//! interval that is sure to hold the exact one beyond ([`QualityOptions::max_scores`]).
//!
//! Nothing is lost in silence: a value that is no number, no probability or no class is counted,
//! and what is undefined is `None`, never 0.

mod calibration;
mod classes;
mod compare;
mod estimate;
mod interval;
mod join;
mod metric;
mod monitor;
mod options;
mod report;
mod scored;
mod scores;
mod state;
mod sum;
mod tally;
mod task;
#[cfg(test)]
mod tests;
mod unit;
mod value;

pub use compare::{
    CompareOptions, MetricChange, QualityComparison, QualityVerdict, SegmentComparison,
};
pub(crate) use join::Taken;
pub use join::{Join, JoinCounts, JoinOptions, Outcome, RequestId};
pub use metric::{Method, Metric};
pub use monitor::{QualityHandle, QualityMonitor};
pub use options::QualityOptions;
pub use report::{BinReport, ClassReport, MetricReport, QualityReport, SCHEMA, SegmentReport};
pub use state::{Group, OTHER, QualityState};
pub use task::Task;
pub use value::{Label, Prediction, Uncertainty};

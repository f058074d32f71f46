//! What a comparison in parts found, in the shape `mlops.drift.split/1`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::by::Split;
use crate::decision::Correction;
use crate::monitor::MonitorOptions;
use crate::report::{Report, Sides, Verdict};

/// The name of the shape, as `schema` holds it.
pub const SPLIT_SCHEMA: &str = "mlops.drift.split/1";

/// The outcome of one comparison in parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SplitReport {
    /// [`SPLIT_SCHEMA`].
    pub schema: String,
    /// What makes the parts.
    pub by: Split,
    /// The rows of both sides.
    pub rows: Sides<u64>,
    /// Current rows without a time (or with one beyond the years 0 to 9999): they are in no window. 0
    /// for segments, where rows without a value are a part.
    pub without_time: u64,
    /// The rate of false alarms that was asked for, of all parts together.
    pub alpha: f64,
    /// How p-values were corrected for the number of tests.
    pub correction: Correction,
    /// How many tests there are in all parts: what the correction runs over.
    pub tests: usize,
    /// All parts together.
    pub dataset: SplitDataset,
    /// Segments by their size, the largest first; windows in the order of time.
    pub parts: Vec<Part>,
}

/// All parts together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SplitDataset {
    /// Whether the data as a whole has drifted.
    pub drifted: bool,
    /// By what rule.
    pub rule: String,
    /// How many parts there are.
    pub parts: usize,
    /// In how many of them a column has drifted.
    pub drifted_parts: usize,
    /// In how many of them no column could be checked.
    pub unchecked_parts: usize,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Part {
    /// Which rows.
    #[serde(flatten)]
    pub span: Span,
    /// What was found. Adjusted p-values and verdicts are those within all parts.
    pub report: Report,
}

/// Which rows a part holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Span {
    /// Those with a value.
    Value {
        /// The value's text.
        name: String,
    },
    /// Those without one.
    Missing,
    /// Those with one of all other values.
    Rest {
        /// How many values these are.
        values: u64,
    },
    /// Those of a time.
    Window {
        /// The first time in it, as RFC 3339 in UTC.
        from: String,
        /// The first time behind it.
        to: String,
    },
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { name } if name.is_empty() => f.write_str("(empty)"),
            Self::Value { name } => f.write_str(name),
            Self::Missing => f.write_str("(no value)"),
            Self::Rest { values } => write!(f, "({values} other values)"),
            Self::Window { from, .. } => f.write_str(from.trim_end_matches("T00:00:00Z")),
        }
    }
}

impl SplitReport {
    pub(super) fn new(
        by: &Split,
        rows: Sides<u64>,
        without_time: u64,
        options: &MonitorOptions,
        parts: Vec<Part>,
    ) -> Self {
        let columns = parts.iter().flat_map(|part| &part.report.columns);
        let checked = columns.filter(|column| column.verdict != Verdict::Unchecked);
        let tests = checked.flat_map(|column| &column.tests);
        let tests = tests.filter(|test| test.adjusted_p_value.is_some()).count();
        let drifted_parts = parts.iter().filter(|part| part.report.dataset.drifted).count();
        let is_unchecked = |part: &&Part| {
            let dataset = &part.report.dataset;
            dataset.unchecked_columns == dataset.columns
        };
        Self {
            schema: SPLIT_SCHEMA.to_owned(),
            by: by.clone(),
            rows,
            without_time,
            alpha: options.alpha,
            correction: options.correction,
            tests,
            dataset: SplitDataset {
                drifted: drifted_parts > 0,
                rule: "at least one column has drifted in at least one part".to_owned(),
                parts: parts.len(),
                drifted_parts,
                unchecked_parts: parts.iter().filter(is_unchecked).count(),
            },
            parts,
        }
    }

    /// The parts in which a column has drifted.
    pub fn drifted(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.report.dataset.drifted)
    }
}

//! What a peer would have reported, in the shape `mlops.drift.compat/1`.

use arrow::datatypes::Field;
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::peer::Peer;
use crate::report::{Kind, Sides};

/// The name of the shape, as `schema` holds it.
pub const SCHEMA: &str = "mlops.drift.compat/1";

/// The outcome of one comparison by a peer's rules. Undefined numbers are `null`, infinities the
/// strings `"inf"` and `"-inf"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// Whose rules.
    pub peer: Peer,
    /// The peer's version whose definitions these are; a rule of thumb has none.
    pub version: Option<String>,
    /// The rows of both sides.
    pub rows: Sides<u64>,
    /// All columns together.
    pub dataset: Dataset,
    /// One entry a column, in the order of the reference's schema.
    pub columns: Vec<ColumnReport>,
}

impl Report {
    pub(super) fn new(peer: Peer, rows: Sides<u64>, columns: Vec<ColumnReport>) -> Self {
        let count = |verdict| columns.iter().filter(|column| column.verdict == verdict).count();
        let (drifted, unchecked) = (count(Verdict::Drifted), count(Verdict::Unchecked));
        let dataset = Dataset {
            drifted: peer.dataset_drifted(drifted, columns.len() - unchecked),
            rule: peer.dataset_rule().to_owned(),
            columns: columns.len(),
            drifted_columns: drifted,
            unchecked_columns: unchecked,
        };
        let version = peer.version().map(str::to_owned);
        Self { schema: SCHEMA.to_owned(), peer, version, rows, dataset, columns }
    }

    /// The entry of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnReport> {
        self.columns.iter().find(|column| column.column == name)
    }
}

/// All columns together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Dataset {
    /// Whether the data as a whole has drifted.
    pub drifted: bool,
    /// By what rule.
    pub rule: String,
    /// How many columns there are.
    pub columns: usize,
    /// How many have drifted.
    pub drifted_columns: usize,
    /// How many could not be checked; they count on neither side of the rule.
    pub unchecked_columns: usize,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ColumnReport {
    /// Its name.
    pub column: String,
    /// Its Arrow type.
    #[serde(rename = "type")]
    pub data_type: String,
    /// How its values are held; `None` when no peer knows its type.
    pub kind: Option<Kind>,
    /// What became of it.
    pub verdict: Verdict,
    /// Why it is unchecked.
    pub reason: Option<String>,
    /// The first decides.
    pub findings: Vec<Finding>,
}

impl ColumnReport {
    pub(super) fn new(field: &Field, kind: Option<Kind>, found: Found) -> Self {
        let Found { verdict, reason, findings } = found;
        let (column, data_type) = (field.name().clone(), field.data_type().to_string());
        Self { column, data_type, kind, verdict, reason, findings }
    }
}

/// What a peer says of one column.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// What became of it.
    pub verdict: Verdict,
    /// Why it is unchecked.
    pub reason: Option<String>,
    /// The first decides, the others are what the peer offers on request.
    pub findings: Vec<Finding>,
}

impl Found {
    pub(super) fn unchecked(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unchecked, reason: Some(reason.into()), findings: Vec::new() }
    }

    /// The first finding decides.
    pub(super) fn of(findings: Vec<Finding>) -> Self {
        match findings.first().and_then(|finding| finding.drifted) {
            Some(drifted) => {
                let verdict = if drifted { Verdict::Drifted } else { Verdict::Stable };
                Self { verdict, reason: None, findings }
            }
            None => Self { findings, ..Self::unchecked("the peer's statistic is undefined here") },
        }
    }
}

/// What became of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// The peer would say nothing.
    Stable,
    /// Between the two thresholds of [`Peer::RuleOfThumb`].
    Moderate,
    /// The peer would raise an alarm.
    Drifted,
    /// The peer would leave it out, or what it does is not reproduced.
    Unchecked,
}

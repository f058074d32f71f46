//! What other tools would have said: their definitions, for people who move over.
//!
//! [`compare`] judges two sets of batches by the rules of one [`Peer`], and [`Peer::check`] a single
//! pair of columns. The [`Report`] has the shape `mlops.drift.compat/1`. None of this is a verdict of
//! this crate: these rules state no error rate, and most have a bad one. [`crate::compare`] does.
//!
//! ```
//! use mlops_drift::compat::{Column, Peer, Verdict};
//!
//! let reference: Vec<f64> = (0..500).map(f64::from).collect();
//! let current: Vec<f64> = (0..500).map(|row| f64::from(row) + 80.0).collect();
//! let found = Peer::Evidently.check(&Column::floats(&reference), &Column::floats(&current));
//! assert_eq!(found.verdict, Verdict::Drifted);
//! assert_eq!(found.findings[0].statistic, Some(0.16));
//! ```
//!
//! # The peers
//!
//! | peer | version | a column's default | drifts when | data set |
//! |---|---|---|---|---|
//! | Evidently | 0.7.23 | up to 1,000 reference rows KS, chi-square (3 to 5 values, categories) or Z (at most 2); beyond Wasserstein over the deviation, or Jensen-Shannon | KS p <= 0.05, chi-square and Z p < 0.05, distances >= 0.1 | half of the columns |
//! | NannyML | 0.13.1 | Jensen-Shannon, base 2, on Doane's bins or by category, in ten chunks | a chunk is above mean + 3 deviations of the reference's chunks | no rule; here any column |
//! | scouter | 0.25.0 | PSI on deciles or by category, shares + 1e-10 | PSI > the 95 % point of chi-square(B - 1), over the current rows | no rule; here any column |
//! | SciPy | 1.17.1 | KS; chi-square of the contingency table | no rule; here p < 0.05 | no rule; here any column |
//! | rule of thumb | | PSI on deciles or by category | >= 0.25, moderate from 0.1 | any column |
//!
//! The first finding of a column decides; what else the peer offers on request follows it, with the
//! threshold that it then has. Kept as they are, since they are definitions: Evidently's bins, which
//! move with the current data, and its chi-square, which takes the reference for the truth; the
//! type of an integer column (Evidently: by category up to ten distinct current values); Yates'
//! correction of tables of two by two.
//!
//! # Where the peers are wrong, and this module is not
//!
//! | peer | its fault | here |
//! |---|---|---|
//! | Evidently | unsigned integers, nullable types and Arrow's own are left out in silence | checked like others |
//! | Evidently | offsets of 1e16, values near 1e308 and narrow floats lose digits or become NaN, read as no drift | exact integers, safe sums |
//! | Evidently | Z's p-value is 0 below 1e-16 | keeps its tail |
//! | NannyML | from 10,000 reference rows KS and Wasserstein are estimated on bins of equal width: one outlier hides everything | exact at any size |
//! | NannyML | an infinity makes Wasserstein NaN and Jensen-Shannon fail | left out |
//! | scouter | nulls, NaN and infinities stay in the current denominator, so shares do not sum to 1 | left out on both sides |
//! | scouter | unseen categories are dropped | bins of their own |
//! | scouter | deciles move by a rounding where (n - 1) is a multiple of 10; strings that are not named are binned by an arbitrary code | exact positions; by category |
//! | Evidently, SciPy | integers beyond 2^53 are rounded | compared as integers |
//! | SciPy | p is NaN where the effective size rounds to 0 | never NaN |
//!
//! # What is left out
//!
//! Text and embeddings (Evidently judges them by a classifier), dates, times and decimals (the peers
//! leave them out or refuse them) end as unchecked, with the reason. Tests with random draws
//! (permutation of total variation, MMD) are not reproduced, nor are the exact laws of Evidently's
//! Mann-Whitney (at most 8 values on a side, no ties) and Cramer-von Mises (at most 20 on both), and its
//! Epps-Singleton on fewer than five distinct values, where the inverse that it takes is rounding. G and
//! Fisher are undefined unless both sides are equally large: the peer gives up there.

mod bins;
mod column;
mod distance;
mod epps_singleton;
mod evidently;
mod finding;
mod goodness;
mod kstwo;
mod location;
mod nannyml;
mod pair;
mod peer;
mod read;
mod report;
mod rule_of_thumb;
mod scipy;
mod scouter;
mod significance;
#[cfg(test)]
mod tests;
mod two_sample;

pub use column::Column;
pub use finding::{Chunk, Compared, Finding, Method};
pub use peer::Peer;
pub use report::{ColumnReport, Dataset, Found, Report, SCHEMA, Verdict};

use arrow::array::RecordBatch;

use crate::error::{Error, ErrorKind, Result};
use crate::report::Sides;

/// Judges every column of the reference by a peer's rules.
///
/// Columns that only the current data has are ignored. Integers with nulls are read as floating point,
/// as pandas would. Without any row, or with a type that the peer does not check, a column is
/// [`Verdict::Unchecked`] with the reason.
///
/// # Errors
///
/// [`InvalidInput`](ErrorKind::InvalidInput) without any batch on a side, or for two columns of one
/// name; [`SchemaChanged`](ErrorKind::SchemaChanged) when a batch lacks a column of the first
/// reference batch or has another type there.
pub fn compare(reference: &[RecordBatch], current: &[RecordBatch], peer: Peer) -> Result<Report> {
    let (Some(first), Some(_)) = (reference.first(), current.first()) else {
        return Err(Error::invalid("each side needs at least one batch, if only for its schema"));
    };
    let schema = first.schema();
    let mut columns: Vec<ColumnReport> = Vec::new();
    for field in schema.fields() {
        let name = field.name();
        if columns.iter().any(|column| column.column == *name) {
            return Err(Error::invalid(format!("two columns have one name: column={name}")));
        }
        let found = match read::kind(field.data_type()) {
            Err(reason) => {
                read::arrays(reference, field)?;
                read::arrays(current, field)?;
                Found::unchecked(reason)
            }
            Ok(_) => peer.check(&read::column(reference, field)?, &read::column(current, field)?),
        };
        let kind = read::kind(field.data_type()).ok();
        columns.push(ColumnReport::new(field, kind, found));
    }
    let rows = |batches: &[RecordBatch]| batches.iter().map(|batch| batch.num_rows() as u64).sum();
    let rows = Sides { reference: rows(reference), current: rows(current) };
    Ok(Report::new(peer, rows, columns))
}

/// The error of a batch that does not have the reference's column.
fn schema_changed(name: &str, expected: &dyn std::fmt::Display, found: &str) -> Error {
    let message = format!("a column changed: column={name} expected={expected} found={found}");
    Error::new(ErrorKind::SchemaChanged, message)
}

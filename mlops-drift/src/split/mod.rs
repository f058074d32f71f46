//! One comparison as many, decided together: within each value of a column, or window by window.
//!
//! Each part has a [`Report`] of its own, and one correction runs over the tests of all of them: thirty
//! segments are no thirty chances of a false alarm. What is not corrected stays as a comparison of that
//! part alone would have it.
//!
//! Windows are all compared with one reference, so they are not independent of each other, which
//! Benjamini-Hochberg stands (their dependence is positive) and Bonferroni and Benjamini-Yekutieli
//! stand whatever it is. Here all windows are looked at once; to look again after each new one, take
//! [`sequential`](crate::sequential).

mod by;
mod cut;
mod report;
mod time;

#[cfg(test)]
mod tests;

use arrow::array::RecordBatch;

use crate::error::{Error, Result};
use crate::monitor::MonitorOptions;
use crate::reference::{FitOptions, Kept, Reference, State};
use crate::report::{Looked, Report, Sides, build_all, examine, look_again};
pub use by::Split;
pub use report::{Part, SPLIT_SCHEMA, Span, SplitDataset, SplitReport};

use cut::{Windows, segments, windows};

/// Compares two sets of batches part by part, and decides over all parts at once.
///
/// The column that makes the parts is not checked itself. Distances and quantiles are exact, as in
/// [`compare`](crate::compare).
///
/// ```
/// use std::sync::Arc;
/// use mlops_drift::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
/// use mlops_drift::split::{Split, compare_split};
/// use mlops_drift::{FitOptions, MonitorOptions};
///
/// // One of two origins moves; both together hardly do.
/// let batch = |shift: f64| {
///     let origin: Vec<&str> = (0..2_000).map(|row| ["JFK", "LGA"][usize::from(row % 20 == 0)]).collect();
///     let values = (0..2_000).map(|row| {
///         let value = f64::from(row * 37 % 2_000);
///         if row % 20 == 0 { value + shift } else { value }
///     });
///     let load: ArrayRef = Arc::new(Float64Array::from_iter_values(values));
///     let origin: ArrayRef = Arc::new(StringArray::from(origin));
///     RecordBatch::try_from_iter([("origin", origin), ("load", load)])
/// };
/// let by = Split::segments("origin");
/// let (fit, options) = (FitOptions::default(), MonitorOptions::default());
/// let report = compare_split(&[batch(0.0)?], &[batch(900.0)?], &by, &fit, &options)?;
/// let drifted: Vec<String> = report.drifted().map(|part| part.span.to_string()).collect();
/// assert_eq!(drifted, ["LGA"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Those of [`compare`](crate::compare); [`UnknownColumn`](crate::ErrorKind::UnknownColumn) or
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a column that is not there or can't make parts,
/// for widths and numbers out of range, for more than [`Split::MOST_PARTS`] windows, and where no
/// column is left to check.
pub fn compare_split(
    reference: &[RecordBatch],
    current: &[RecordBatch],
    by: &Split,
    fit: &FitOptions,
    options: &MonitorOptions,
) -> Result<SplitReport> {
    options.check()?;
    by.check()?;
    let fit = without(fit, by.column(), reference);
    let mut parts = match by {
        Split::Segments { column, most } => {
            let (spans, [old, new]) = segments(column, *most, reference, current)?;
            let mut parts = Parts::new(spans, 0);
            for part in 0..parts.spans.len() {
                let (old, new) = (old.pick(reference, part)?, new.pick(current, part)?);
                let at = parts.fit(&old, &fit)?;
                parts.observe(at, &new)?;
            }
            parts
        }
        Split::Windows { column, width } => {
            let Windows { spans, cut, without_time } = windows(column, *width, current)?;
            let mut parts = Parts::new(spans, without_time);
            let at = parts.fit(reference, &fit)?;
            for part in 0..parts.spans.len() {
                parts.observe(at, &cut.pick(current, part)?)?;
            }
            parts
        }
    };
    let rows = |batches: &[RecordBatch]| batches.iter().map(|batch| batch.num_rows() as u64).sum();
    let rows = Sides { reference: rows(reference), current: rows(current) };
    let reports = parts.decide(options);
    let spans = std::mem::take(&mut parts.spans);
    let parts_of = spans.into_iter().zip(reports).map(|(span, report)| Part { span, report });
    Ok(SplitReport::new(by, rows, parts.without_time, options, parts_of.collect()))
}

/// The column that makes the parts tells nothing within them.
fn without(fit: &FitOptions, column: &str, reference: &[RecordBatch]) -> FitOptions {
    let mut fit = fit.clone();
    let has = |batch: &RecordBatch| batch.schema().field_with_name(column).is_ok();
    if reference.first().is_some_and(has) {
        fit.exclude.push(column.to_owned());
    }
    fit
}

/// All parts, counted; none of their rows.
struct Parts {
    spans: Vec<Span>,
    references: Vec<(Reference, Vec<Kept>)>,
    observed: Vec<Observed>,
    without_time: u64,
}

/// The current side of one part.
struct Observed {
    reference: usize,
    state: State,
    looked: Vec<Looked>,
}

impl Parts {
    fn new(spans: Vec<Span>, without_time: u64) -> Self {
        Self { spans, references: Vec::new(), observed: Vec::new(), without_time }
    }

    /// Fits a reference, and says which it is.
    fn fit(&mut self, batches: &[RecordBatch], fit: &FitOptions) -> Result<usize> {
        // Only the newest one is looked at again.
        if let Some((_, kept)) = self.references.last_mut() {
            kept.clear();
        }
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        let fitted = Reference::fit_kept(&batches, fit)?;
        if fitted.0.columns.is_empty() {
            return Err(Error::invalid(
                "no column is left to check beside the one that makes the parts",
            ));
        }
        self.references.push(fitted);
        Ok(self.references.len() - 1)
    }

    fn observe(&mut self, at: usize, batches: &[RecordBatch]) -> Result<()> {
        let (reference, kept) = &self.references[at];
        let mut state = reference.empty_state();
        for batch in batches {
            state.observe(batch, &reference.columns, reference.cluster.as_ref())?;
        }
        let looked = look_again(reference, &state, kept, batches)?;
        self.observed.push(Observed { reference: at, state, looked });
        Ok(())
    }

    fn decide(&self, options: &MonitorOptions) -> Vec<Report> {
        let examined = self.observed.iter().map(|part| {
            let (reference, _) = &self.references[part.reference];
            examine(reference, &part.state, options, &part.looked)
        });
        build_all(examined.collect(), options)
    }
}

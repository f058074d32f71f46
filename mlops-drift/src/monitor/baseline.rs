//! Comparing whole sets of batches, exactly.

use arrow::array::RecordBatch;

use super::MonitorOptions;
use crate::error::Result;
use crate::reference::{FitOptions, Kept, Reference};
use crate::report::{Report, build, look_again};

/// A reference and its sorted values, to which many sets of batches are compared.
///
/// Where a [`Reference`] alone gives intervals, distances and quantiles are exact: the values of the few
/// cells that matter are looked at again, on both sides. It takes as much memory as the columns.
#[derive(Debug, Clone)]
pub struct Baseline {
    reference: Reference,
    kept: Vec<Kept>,
}

impl Baseline {
    /// Fits a reference to batches of one schema and keeps its sorted values.
    ///
    /// # Errors
    ///
    /// Those of [`Reference::fit`].
    pub fn fit<'a>(
        batches: impl IntoIterator<Item = &'a RecordBatch>,
        options: &FitOptions,
    ) -> Result<Self> {
        let batches: Vec<&RecordBatch> = batches.into_iter().collect();
        let (reference, kept) = Reference::fit_kept(&batches, options)?;
        Ok(Self { reference, kept })
    }

    /// The reference alone, for monitors.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Compares batches with it.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for options out of range;
    /// [`SchemaChanged`](crate::ErrorKind::SchemaChanged) when a column of the reference is missing or
    /// has another type.
    pub fn compare(&self, current: &[RecordBatch], options: &MonitorOptions) -> Result<Report> {
        options.check()?;
        let reference = &self.reference;
        let mut state = reference.empty_state();
        for batch in current {
            state.observe(batch, &reference.columns, reference.cluster.as_ref())?;
        }
        let exact = look_again(reference, &state, &self.kept, current)?;
        Ok(build(reference, &state, options, &exact))
    }
}

/// Compares two sets of batches in one go; distances and quantiles are exact.
///
/// # Errors
///
/// Those of [`Baseline::fit`] and [`Baseline::compare`].
pub fn compare(
    reference: &[RecordBatch],
    current: &[RecordBatch],
    fit: &FitOptions,
    options: &MonitorOptions,
) -> Result<Report> {
    options.check()?;
    Baseline::fit(reference, fit)?.compare(current, options)
}

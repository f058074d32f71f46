//! Watching current data against a reference: many workers, one report.

mod baseline;
mod bytes;
mod options;
mod value;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arrow::array::RecordBatch;

use crate::artefact::Fingerprint;
use crate::error::{Error, Result};
use crate::reference::{ColumnId, Lane, Reference, State};
use crate::report::{Report, build};
pub use baseline::{Baseline, compare};
pub use options::MonitorOptions;
pub use value::Value;

/// Gathers current data and compares it with a [`Reference`].
///
/// Each worker observes through its own [`Handle`], without a lock; what handles publish is added up
/// here. All that is added up are integers, so the report is bit-identical whatever the order or the
/// split of the rows. Memory is bounded by the cells of the reference, but for names of categories.
#[derive(Debug)]
pub struct DriftMonitor {
    reference: Arc<Reference>,
    options: MonitorOptions,
    published: Arc<Mutex<State>>,
    fingerprint: OnceLock<Fingerprint>,
}

impl DriftMonitor {
    /// A monitor that has seen nothing yet.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for options out of range.
    pub fn new(reference: Arc<Reference>, options: MonitorOptions) -> Result<Self> {
        options.check()?;
        let published = Arc::new(Mutex::new(reference.empty_state()));
        Ok(Self { reference, options, published, fingerprint: OnceLock::new() })
    }

    /// A handle for one worker.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle {
            own: self.reference.empty_state(),
            reference: Arc::clone(&self.reference),
            published: Arc::clone(&self.published),
            dirty: false,
        }
    }

    /// Observes a batch and publishes it at once.
    ///
    /// # Errors
    ///
    /// Those of [`Handle::observe`].
    pub fn observe(&self, batch: &RecordBatch) -> Result<()> {
        self.handle().observe(batch)
    }

    /// Compares all that has been published so far with the reference; the state stays as it is.
    #[must_use]
    pub fn report(&self) -> Report {
        let current = lock(&self.published).clone();
        build(&self.reference, &current, &self.options, &[])
    }

    /// Forgets all that has been published, so that a new window begins. What handles have not
    /// published yet will count for it.
    pub fn reset(&self) {
        *lock(&self.published) = self.reference.empty_state();
    }

    /// Adds what another monitor of the same reference has published.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when the other's reference has other
    /// columns, types, clusters or cells.
    pub fn merge(&self, other: &Self) -> Result<()> {
        if !self.reference.is_compatible(&other.reference) {
            return Err(Error::invalid("monitors of different references can't be merged"));
        }
        // Never both locks at once: two monitors may merge into each other.
        let theirs = lock(&other.published).clone();
        lock(&self.published).merge(&theirs);
        Ok(())
    }
}

/// One worker's way into a [`DriftMonitor`]: its own state, no lock until it publishes.
///
/// Publishes when asked and when dropped. Can be sent to another thread.
#[derive(Debug)]
pub struct Handle {
    reference: Arc<Reference>,
    own: State,
    published: Arc<Mutex<State>>,
    dirty: bool,
}

impl Handle {
    /// Observes a batch. Columns that the reference does not know are ignored.
    ///
    /// # Errors
    ///
    /// [`SchemaChanged`](crate::ErrorKind::SchemaChanged), naming the column with the expected and
    /// the found type, when one is missing or has another type; nothing of the batch is then kept.
    pub fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        let Reference { columns, cluster, .. } = &*self.reference;
        self.own.observe(batch, columns, cluster.as_ref())?;
        self.dirty = true;
        Ok(())
    }

    /// Observes values of one floating-point column, NaN and infinities included.
    ///
    /// # Errors
    ///
    /// [`UnknownColumn`](crate::ErrorKind::UnknownColumn) for a column that the reference does not
    /// check; [`InvalidInput`](crate::ErrorKind::InvalidInput) for one that is not floating-point,
    /// or when rows are clustered, since values alone do not say to which cluster they belong.
    pub fn observe_values(&mut self, column: &str, values: &[f64]) -> Result<()> {
        let ColumnId(index) = self.reference.float_column(column)?;
        let (state, layout) = (&mut self.own.columns[index], &self.reference.columns[index].layout);
        state.tally_floats(layout, values);
        self.own.rows = self.own.rows.max(state.seen.rows);
        self.dirty = true;
        Ok(())
    }

    /// Observes one value of a floating-point column: a few nanoseconds, no allocation, no lock.
    ///
    /// Of an [`id`](Reference::float_column) of another reference nothing is kept.
    #[inline]
    pub fn observe_value(&mut self, column: ColumnId, value: f64) {
        let fitted = self.reference.columns.get(column.0);
        if let (Some(state), Some(fitted)) = (self.own.columns.get_mut(column.0), fitted) {
            state.tally_float(&fitted.layout, value);
            self.own.rows = self.own.rows.max(state.seen.rows);
            self.dirty = true;
        }
    }

    /// Observes one row, its values in the order of [`Reference::row_columns`].
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for another number of values;
    /// [`SchemaChanged`](crate::ErrorKind::SchemaChanged) for a value that does not fit its column.
    /// Nothing of the row is then kept.
    pub fn observe_row(&mut self, row: &[Value<'_>]) -> Result<()> {
        let reference = &self.reference;
        let expected = reference.row_columns().count();
        if row.len() != expected {
            return Err(Error::invalid(format!(
                "a row has one value a column: expected={expected} found={}",
                row.len()
            )));
        }
        for (fitted, value) in reference.columns.iter().zip(row) {
            value.with_cell(&fitted.name, &fitted.data_type, &fitted.lane, |_| ())?;
        }
        let mut slot = None;
        if let (Some(plan), Some(value)) = (&reference.cluster, row.last()) {
            let own = &mut self.own;
            value.with_cell(&plan.column, &plan.data_type, &plan.lane, |cell| {
                slot = Some(own.slot(plan.key(cell)));
            })?;
        }
        for ((fitted, value), state) in reference.columns.iter().zip(row).zip(&mut self.own.columns)
        {
            if matches!(fitted.lane, Lane::Unsupported(_)) {
                state.seen.rows += 1;
                continue;
            }
            value.with_cell(&fitted.name, &fitted.data_type, &fitted.lane, |cell| {
                state.tally(&fitted.layout, cell);
                if let Some(slot) = slot {
                    state.count(cell, &fitted.layout, slot);
                }
            })?;
        }
        self.own.rows += 1;
        self.dirty = true;
        Ok(())
    }

    /// Adds what this handle has observed to the monitor and starts anew.
    pub fn publish(&mut self) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        let own = std::mem::replace(&mut self.own, self.reference.empty_state());
        lock(&self.published).merge(&own);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.publish();
    }
}

/// A panic elsewhere leaves counts that are whole: additions are all that happens under this lock.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

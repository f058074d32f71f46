//! Windows over a drift monitor: each ends with a report.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use serde::{Deserialize, Serialize};

use super::Pane;
use super::panes::{Closed, Windows};
use super::spec::{WindowCounts, WindowSpec};
use super::times::times;
use crate::error::{Error, Result};
use crate::monitor::{DriftMonitor, MonitorOptions};
use crate::reference::Reference;
use crate::report::Report;

/// What a drift monitor of its own has observed.
#[derive(Debug)]
pub struct DriftPane {
    reference: Arc<Reference>,
    options: MonitorOptions,
    monitor: DriftMonitor,
}

impl DriftPane {
    /// A pane that holds nothing.
    ///
    /// # Errors
    ///
    /// Those of [`DriftMonitor::new`].
    pub fn new(reference: Arc<Reference>, options: MonitorOptions) -> Result<Self> {
        let monitor = DriftMonitor::new(Arc::clone(&reference), options.clone())?;
        Ok(Self { reference, options, monitor })
    }

    /// The monitor that holds what was observed: handles, values, rows and reports go by it.
    #[must_use]
    pub fn monitor(&self) -> &DriftMonitor {
        &self.monitor
    }
}

impl Pane for DriftPane {
    fn empty(&self) -> Result<Self> {
        Self::new(Arc::clone(&self.reference), self.options.clone())
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        self.monitor.merge(&other.monitor)
    }
}

/// A window that has ended, and what a drift monitor says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WindowReport {
    /// The first time in it, or its first row's number.
    pub start: i64,
    /// The first time behind it, or the number of the first row behind it.
    pub end: i64,
    /// How many rows it holds.
    pub rows: u64,
    /// Whether its time had come; `false` where [`DriftWindows::finish`] ended it before.
    pub complete: bool,
    /// What was found. Looking at window after window is looking often: its verdict states the
    /// rate of false alarms of one look.
    pub report: Report,
}

/// Compares window after window of the current data with a [`Reference`].
///
/// Rows of one batch come at once: none of them is late for another of the same batch.
///
/// ```
/// use std::sync::Arc;
/// use mlops_drift::arrow::array::{ArrayRef, Float64Array, RecordBatch};
/// use mlops_drift::window::{DriftWindows, WindowSpec};
/// use mlops_drift::{FitOptions, MonitorOptions, Reference};
///
/// let values: ArrayRef = Arc::new(Float64Array::from_iter_values((0..250).map(f64::from)));
/// let batch = RecordBatch::try_from_iter([("load", values)])?;
/// let reference = Arc::new(Reference::fit([&batch], &FitOptions::default())?);
/// let spec = WindowSpec::tumbling(100);
/// let mut windows = DriftWindows::by_rows(reference, MonitorOptions::default(), spec)?;
/// let ended = windows.observe(&batch)?;
/// assert_eq!(ended.iter().map(|w| (w.start, w.end)).collect::<Vec<_>>(), [(0, 100), (100, 200)]);
/// let rest = windows.finish()?;
/// assert_eq!((rest[0].rows, rest[0].complete), (50, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DriftWindows {
    windows: Windows<DriftPane>,
    time: Option<String>,
}

impl DriftWindows {
    /// Windows of so many rows, in the order in which they come.
    ///
    /// # Errors
    ///
    /// Those of [`DriftMonitor::new`] and [`Windows::new`].
    pub fn by_rows(
        reference: Arc<Reference>,
        options: MonitorOptions,
        spec: WindowSpec,
    ) -> Result<Self> {
        let windows = Windows::new(spec.with_lateness(0), DriftPane::new(reference, options)?)?;
        Ok(Self { windows, time: None })
    }

    /// Windows by the time in a column: of timestamps and dates, with the widths in microseconds; or
    /// of 64-bit integers, with the widths in their unit. A row without a time is in no window, and is counted.
    ///
    /// # Errors
    ///
    /// Those of [`DriftMonitor::new`] and [`Windows::new`].
    pub fn by_time(
        reference: Arc<Reference>,
        options: MonitorOptions,
        spec: WindowSpec,
        column: impl Into<String>,
    ) -> Result<Self> {
        let windows = Windows::new(spec, DriftPane::new(reference, options)?)?;
        Ok(Self { windows, time: Some(column.into()) })
    }

    /// Observes a batch; the windows that end with it, in their order.
    ///
    /// # Errors
    ///
    /// Those of [`Handle::observe`](crate::Handle::observe), and
    /// [`UnknownColumn`](crate::ErrorKind::UnknownColumn) or
    /// [`SchemaChanged`](crate::ErrorKind::SchemaChanged) for the column of the time; nothing of the
    /// batch is then kept.
    pub fn observe(&mut self, batch: &RecordBatch) -> Result<Vec<WindowReport>> {
        // A batch without rows has the same schema: what is wrong with it is found before anything is kept.
        self.windows.template().monitor.observe(&batch.slice(0, 0))?;
        match self.time.clone() {
            None => self.count(batch)?,
            Some(column) => self.place(batch, &column)?,
        }
        Ok(self.windows.ended().into_iter().map(WindowReport::of).collect())
    }

    fn count(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut from = 0;
        while from < batch.num_rows() {
            let left = batch.num_rows() - from;
            let room = usize::try_from(self.windows.room()).unwrap_or(left).min(left);
            let number = self.windows.next_row();
            if let Some(pane) = self.windows.pane(number, room as u64)? {
                pane.monitor.observe(&batch.slice(from, room))?;
            }
            self.windows.advance(self.windows.next_row())?;
            from += room;
        }
        Ok(())
    }

    fn place(&mut self, batch: &RecordBatch, column: &str) -> Result<()> {
        // By step: the latest time, and the rows.
        let mut steps: BTreeMap<i64, (i64, Vec<u32>)> = BTreeMap::new();
        let (mut nowhere, mut ahead) = (0, Vec::new());
        let windows = &self.windows;
        times(batch, column, |row, time| match time.and_then(|t| Some((t, windows.step(t)?))) {
            None => nowhere += 1,
            Some((time, _)) if windows.is_ahead(time) => ahead.push(time),
            Some((time, step)) => {
                let (latest, rows) = steps.entry(step).or_insert((time, Vec::new()));
                *latest = time.max(*latest);
                rows.push(row);
            }
        })?;
        self.windows.without_time(nowhere);
        for time in ahead {
            self.windows.pane(time, 1)?;
        }
        for (latest, rows) in steps.into_values() {
            let count = rows.len();
            if let Some(pane) = self.windows.pane(latest, count as u64)? {
                if count == batch.num_rows() {
                    pane.monitor.observe(batch)?;
                } else {
                    pane.monitor.observe(&pick(batch, rows)?)?;
                }
            }
        }
        Ok(())
    }

    /// Says that all rows before this time have come; the windows that end with it.
    ///
    /// # Errors
    ///
    /// Those of [`Windows::advance`].
    pub fn advance(&mut self, watermark: i64) -> Result<Vec<WindowReport>> {
        self.windows.advance(watermark)?;
        Ok(self.windows.ended().into_iter().map(WindowReport::of).collect())
    }

    /// Leaves out, and counts, rows of a later time from now on; see [`Windows::set_latest`].
    pub fn set_latest(&mut self, latest: i64) {
        self.windows.set_latest(latest);
    }

    /// Ends all windows that hold a row, whether or not their time has come.
    ///
    /// # Errors
    ///
    /// Those of [`Windows::finish`].
    pub fn finish(self) -> Result<Vec<WindowReport>> {
        Ok(self.windows.finish()?.into_iter().map(WindowReport::of).collect())
    }

    /// What became of all rows.
    #[must_use]
    pub fn counts(&self) -> WindowCounts {
        self.windows.counts()
    }
}

impl WindowReport {
    fn of(window: Closed<DriftPane>) -> Self {
        let Closed { start, end, rows, complete, pane } = window;
        Self { start, end, rows, complete, report: pane.monitor.report() }
    }
}

fn pick(batch: &RecordBatch, rows: Vec<u32>) -> Result<RecordBatch> {
    take_record_batch(batch, &UInt32Array::from(rows))
        .map_err(|source| Error::invalid("rows of a batch can't be taken").with_source(source))
}

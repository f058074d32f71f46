//! How long windows are, how often they begin, and how long they wait.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The widths of windows, in the unit of the times, or in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WindowSpec {
    /// The length of a window.
    pub width: i64,
    /// From the begin of one to the begin of the next.
    pub every: i64,
    /// The time at which a window begins, as do all those whole steps away from it; 0.
    pub origin: i64,
    /// How far behind the latest time a row may come and still find all of its windows; 0.
    pub lateness: i64,
}

impl WindowSpec {
    /// One window after the other.
    #[must_use]
    pub fn tumbling(width: i64) -> Self {
        Self { width, every: width, origin: 0, lateness: 0 }
    }

    /// Windows that overlap where `every` is less than `width`.
    #[must_use]
    pub fn hopping(width: i64, every: i64) -> Self {
        Self { width, every, origin: 0, lateness: 0 }
    }

    /// A window that moves on by a `panes`th part of its width.
    #[must_use]
    pub fn sliding(width: i64, panes: i64) -> Self {
        // A width that can't be divided so leaves no step, which `check` refuses.
        let every = if panes > 0 && width % panes == 0 { width / panes } else { 0 };
        Self::hopping(width, every)
    }

    /// Sets a time at which a window begins.
    #[must_use]
    pub fn with_origin(mut self, origin: i64) -> Self {
        self.origin = origin;
        self
    }

    /// Sets how far behind the latest time a row may come.
    #[must_use]
    pub fn with_lateness(mut self, lateness: i64) -> Self {
        self.lateness = lateness;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let Self { width, every, lateness, .. } = *self;
        if every <= 0 || width < every || width % every != 0 {
            return Err(Error::invalid(format!(
                "a window's width is a whole number of steps: width={width} every={every}"
            )));
        }
        if width / every > MOST_PANES {
            return Err(Error::invalid(format!(
                "a window has at most {MOST_PANES} panes: width={width} every={every}"
            )));
        }
        if lateness < 0 {
            return Err(Error::invalid(format!("a lateness is at least 0: lateness={lateness}")));
        }
        Ok(())
    }
}

/// A window is merged from its panes each time one ends.
const MOST_PANES: i64 = 10_000;

/// What became of all rows: `rows = counted + late + ahead + without_time`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WindowCounts {
    /// Rows that came.
    pub rows: u64,
    /// Rows that found at least one of their windows open.
    pub counted: u64,
    /// Of these, rows that came too late for some of their windows.
    pub partly_late: u64,
    /// Rows that came too late for all of their windows, and are in none.
    pub late: u64,
    /// Rows of a time further ahead than the host allows, and are in no window.
    pub ahead: u64,
    /// Rows without a time, or with one that can't be counted, and are in no window.
    pub without_time: u64,
}

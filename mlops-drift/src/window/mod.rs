//! Windows over anything that adds up: tumbling, hopping and sliding, by count and by event time.
//!
//! Rows go into *panes*, stretches that windows share; a window is the sum of its panes. A pane is
//! whatever implements [`Pane`]: [`QualityState`], [`DriftPane`], or
//! a type of the host's.
//!
//! # Late rows
//!
//! By event time a window ends when the *watermark* reaches its end: the latest time seen, less the
//! allowed lateness, or what the host says with [`Windows::advance`]. A row behind the
//! watermark still counts for those of its windows that have not ended; one that is too late for all of
//! them is counted as late and left out. Nothing is left out without being counted: [`WindowCounts`].

#[cfg(test)]
mod tests;

mod drift;
mod panes;
mod quality;
mod spec;
mod times;

pub use drift::{DriftPane, DriftWindows, WindowReport};
pub use panes::{Closed, Windows};
pub use quality::{QualityWindow, QualityWindows};
pub use spec::{WindowCounts, WindowSpec};

use crate::error::Result;
use crate::quality::QualityState;

/// What a window is made of: it can be empty, and it adds up.
///
/// Adding must not depend on order, and adding an empty pane must change nothing; then a window
/// holds the same whatever the order of its rows.
pub trait Pane: Sized {
    /// One of the same kind that holds nothing.
    ///
    /// # Errors
    ///
    /// Where such a pane can't be made.
    fn empty(&self) -> Result<Self>;

    /// Adds all that another pane holds.
    ///
    /// # Errors
    ///
    /// Where the other is of another kind; nothing is then added.
    fn merge(&mut self, other: &Self) -> Result<()>;
}

impl Pane for QualityState {
    fn empty(&self) -> Result<Self> {
        Ok(self.fresh())
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        Self::merge(self, other)
    }
}

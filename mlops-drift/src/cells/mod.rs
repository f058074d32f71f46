//! Anchored cells: what is kept of a column of numbers, whatever its length.
//!
//! ```text
//!          e0        e1    e2              e3         edges: order statistics of the reference, and the
//!   slot 0 | slot 1  | 2   | 3             | 4        edges of PSI's bins and of the quantiles shown
//!  --------o---------o-----o---------------o------->  values
//!           at e0: a count; inside: a count and the sum of the offsets from e0
//! ```
//!
//! At every edge the distribution functions of both sides are known exactly; inside of a cell each
//! is enclosed. So PSI is exact, the Kolmogorov-Smirnov and Wasserstein distances are intervals no
//! wider than the fullest cell, and rank tests on the cells are valid with a cell as a tie. All of it is
//! integers: states of any parts of the data add up to the same state in any order. A second look at
//! the few cells that matter makes the distances exact ([`refine`]).

mod bounds;
mod far;
mod lay;
mod lookup;
mod moments;
mod number;
mod parts;
mod quantile;
mod refine;
mod squared;
mod tally;

use crate::kernels::find_cells;
use lookup::Lookup;
use moments::Origin;

pub(crate) use bounds::{Bounds, bounds};
pub(crate) use far::scale;
pub(crate) use lay::{deciles, lay};
pub(crate) use number::Number;
pub(crate) use parts::{AnchorParts, TallyParts};
pub(crate) use quantile::{Located, locate};
pub(crate) use refine::{Exact, Sought, refine};
pub(crate) use squared::{cramer_von_mises, energy};
pub(crate) use tally::Tally;

/// The edges of a column's cells, laid once by its reference, and the way to them.
#[derive(Debug, Clone)]
pub(crate) struct Anchors<T: Number> {
    /// The edges, then two that no value passes.
    padded: Vec<T>,
    /// The unit of the offsets, a slot.
    units: Vec<T::Unit>,
    /// Which of the edges PSI's bins end at.
    bins: Vec<u32>,
    lookup: Lookup<T::Plain, T::Tailed>,
    origin: Origin<T>,
}

impl<T: Number> Anchors<T> {
    /// From ascending, distinct edges, the places of PSI's edges among them, and where squares are
    /// taken from.
    pub(crate) fn new(mut edges: Vec<T>, bins: Vec<u32>, origin: Origin<T>) -> Self {
        let lookup = T::lookup(&edges);
        let inner = edges.windows(2).map(|pair| T::unit(pair[0], pair[1]));
        let none = T::unit(T::default(), T::default());
        let units = std::iter::once(none).chain(inner).chain([none]).collect();
        edges.extend([T::END; 2]);
        Self { padded: edges, units, bins, lookup, origin }
    }

    /// The edges, ascending.
    pub(crate) fn edges(&self) -> &[T] {
        &self.padded[..self.len()]
    }

    /// How many edges there are.
    pub(crate) fn len(&self) -> usize {
        self.padded.len() - 2
    }

    /// The slot of a value: how many edges are at most as large.
    #[inline]
    pub(crate) fn cell(&self, value: T) -> usize {
        match &self.lookup {
            Lookup::Plain(table) => table.cell(&self.padded, value).min(self.len()),
            Lookup::Tailed(table) => table.cell(&self.padded, value).min(self.len()),
            Lookup::Search => self.search(value),
        }
    }

    /// The slots of values, into as many places.
    pub(crate) fn cells(&self, values: &[T], cells: &mut [u16]) {
        match &self.lookup {
            Lookup::Plain(table) => find_cells(table, &self.padded, values, cells),
            Lookup::Tailed(table) => find_cells(table, &self.padded, values, cells),
            Lookup::Search => {
                let found = values.iter().map(|&value| self.search(value) as u16);
                cells.iter_mut().zip(found).for_each(|(cell, found)| *cell = found);
            }
        }
    }

    fn search(&self, value: T) -> usize {
        self.edges().partition_point(|edge| *edge <= value)
    }

    /// The edges between PSI's bins.
    pub(crate) fn bin_edges(&self) -> Vec<T> {
        self.bins.iter().map(|&at| self.padded[at as usize]).collect()
    }

    /// The counts of PSI's bins `(low, high]`.
    pub(crate) fn bin_counts(&self, tally: &Tally) -> Vec<u64> {
        let (mut counts, mut open) = (Vec::with_capacity(self.bins.len() + 1), 0);
        let mut ends = self.bins.iter().map(|&at| at as usize + 1).peekable();
        for (at, slot) in tally.slots.iter().enumerate() {
            open += slot.at;
            if ends.peek() == Some(&at) {
                counts.push(std::mem::take(&mut open));
                ends.next();
            }
            open += slot.inside;
        }
        counts.push(open);
        counts
    }

    /// The mean of a side's distances from the centre, times `down`.
    fn mean_distance(&self, tally: &Tally, count: f64, down: f64) -> f64 {
        let mut sum = crate::statistic::Sum::default();
        let distance = |edge: T| {
            let (distance, quarters) = edge.difference(self.origin.centre);
            distance * (down * f64::from(1_u32 << quarters))
        };
        for (at, (slot, &unit)) in tally.slots.iter().zip(&self.units).enumerate() {
            let edge = self.padded[at.saturating_sub(1)];
            let held = slot.at + slot.inside;
            if held > 0 {
                sum.add(distance(edge) * (held as f64 / count));
                sum.add(slot.offsets as f64 / count * (T::unit_size(unit) * down));
            }
        }
        sum.add(-tally.below.share(count, down));
        sum.add(tally.above.share(count, down));
        sum.value()
    }

    /// Mean distance from the centre and standard deviation (divided by n), times `down`; `None` for
    /// an empty side.
    pub(crate) fn moments(&self, tally: &Tally, down: f64) -> Option<(f64, f64)> {
        let count = tally.len();
        if count == 0 {
            return None;
        }
        let mean = self.mean_distance(tally, count as f64, down);
        // In units of 2^power, so that a square neither overflows nor vanishes.
        let (squares, power) = tally.squares.value(&self.origin);
        let centred = scale(mean / down, -power);
        let variance = squares / count as f64 - centred * centred;
        // Less than this is rounding: every distance may be the same.
        let least = centred * centred * 2_f64.powi(-50);
        let deviation = if variance > least { variance.sqrt() } else { 0.0 };
        Some((mean, scale(deviation * down, power)))
    }

    /// Whether sums of squares can be added.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.origin == other.origin
    }

    pub(crate) fn centre(&self) -> T {
        self.origin.centre
    }
}

#[cfg(test)]
mod tests;

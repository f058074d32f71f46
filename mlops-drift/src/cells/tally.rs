//! The counts of a column's cells: one mergeable state, equal for the same values in any order.

use super::Anchors;
use super::far::Far;
use super::lookup::{Lookup, Slots, Table};
use super::moments::Squares;
use super::number::Number;

/// What lies from one edge up to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Values at the lower edge.
    pub(crate) at: u64,
    /// Values strictly inside.
    pub(crate) inside: u64,
    /// Their offsets from the lower edge, in the cell's unit.
    pub(crate) offsets: u128,
}

/// The counts of one side. Slot 0 lies below all edges, the last one above them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) slots: Vec<Slot>,
    /// Distances from the first edge, of what lies below it.
    pub(crate) below: Far,
    /// Distances from the last edge, of what lies above it.
    pub(crate) above: Far,
    pub(crate) squares: Squares,
}

impl Tally {
    pub(crate) fn new(edges: usize) -> Self {
        Self { slots: vec![Slot::default(); edges + 1], ..Self::default() }
    }

    /// Adds values, all of them finite.
    pub(crate) fn add_all<T: Number>(&mut self, anchors: &Anchors<T>, values: &[T]) {
        self.squares.add_all(&anchors.origin, values);
        match &anchors.lookup {
            Lookup::Plain(table) => self.count_all(anchors, table, values),
            Lookup::Tailed(table) => self.count_all(anchors, table, values),
            Lookup::Search => {
                values.iter().for_each(|&value| self.count(anchors, value, anchors.search(value)));
            }
        }
    }

    fn count_all<T: Number, S: Slots<T>>(
        &mut self,
        anchors: &Anchors<T>,
        table: &Table<S>,
        values: &[T],
    ) {
        for &value in values {
            self.count(anchors, value, table.cell(&anchors.padded, value).min(anchors.len()));
        }
    }

    /// Adds one value, which is finite.
    #[inline]
    pub(crate) fn add<T: Number>(&mut self, anchors: &Anchors<T>, value: T) {
        self.squares.add(&anchors.origin, value);
        self.count(anchors, value, anchors.cell(value));
    }

    #[inline(always)]
    fn count<T: Number>(&mut self, anchors: &Anchors<T>, value: T, cell: usize) {
        // One comparison for both ends: cell 0 wraps around.
        if cell.wrapping_sub(1) >= anchors.len().wrapping_sub(1) {
            return self.count_end(anchors, value, cell);
        }
        let edge = anchors.padded[cell - 1];
        let at = u64::from(value == edge);
        let slot = &mut self.slots[cell];
        slot.at += at;
        slot.inside += 1 - at;
        slot.offsets += u128::from(value.offset(edge, anchors.units[cell]));
    }

    #[cold]
    fn count_end<T: Number>(&mut self, anchors: &Anchors<T>, value: T, cell: usize) {
        let slot = &mut self.slots[cell];
        let edge = anchors.padded[cell.saturating_sub(1)];
        if cell > 0 && value == edge {
            slot.at += 1;
            return;
        }
        slot.inside += 1;
        if anchors.len() == 0 {
            return; // An empty reference has nothing to measure from.
        }
        let (distance, quarters) = value.difference(edge);
        let sum = if cell == 0 { &mut self.below } else { &mut self.above };
        sum.add(distance, quarters);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (own, other) in self.slots.iter_mut().zip(&other.slots) {
            own.at += other.at;
            own.inside += other.inside;
            own.offsets += other.offsets;
        }
        self.below.merge(&other.below);
        self.above.merge(&other.above);
        self.squares.merge(&other.squares);
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> u64 {
        self.slots.iter().map(|slot| slot.at + slot.inside).sum()
    }

    /// The counts of edges and the gaps between them in ascending order, beginning and ending with a
    /// gap.
    pub(crate) fn counts(&self) -> impl Iterator<Item = u64> + Clone + '_ {
        self.slots.iter().flat_map(|slot| [slot.at, slot.inside]).skip(1)
    }
}

//! The counts of a column's cells: one mergeable state, equal for the same values in any order.

use super::Anchors;
use super::far::Far;
use super::lookup::Lookup;
use super::moments::Squares;
use super::number::Number;
use crate::kernels::{Counted, Slot, Slots, Table, count_cells};

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
        let Self { slots, below, above, .. } = self;
        let (mut first, mut last) = (Slot::default(), Slot::default());
        let into = Counted { padded: &anchors.padded, units: &anchors.units, slots };
        count_cells(table, into, values, &mut |value, cell| {
            let (slot, sum) =
                if cell == 0 { (&mut first, &mut *below) } else { (&mut last, &mut *above) };
            count_end(anchors, value, cell, slot, sum);
        });
        let outer = slots.len() - 1;
        for (at, end) in [(0, first), (outer, last)] {
            slots[at].at += end.at;
            slots[at].inside += end.inside;
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
        let slot = &mut self.slots[cell];
        // One comparison for both ends: cell 0 wraps around.
        if cell.wrapping_sub(1) >= anchors.len().wrapping_sub(1) {
            let sum = if cell == 0 { &mut self.below } else { &mut self.above };
            return count_end(anchors, value, cell, slot, sum);
        }
        let edge = anchors.padded[cell - 1];
        slot.add(value == edge, value.offset(edge, anchors.units[cell]));
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

/// Counts a value below the first edge, or from the last one on.
#[cold]
fn count_end<T: Number>(
    anchors: &Anchors<T>,
    value: T,
    cell: usize,
    slot: &mut Slot,
    sum: &mut Far,
) {
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
    sum.add(distance, quarters);
}

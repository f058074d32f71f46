//! Finding the cells of values by a table, and counting in them.

use crate::cells::Number;

/// From a value to a place in a table, never descending as values ascend.
pub(crate) trait Slots<T>: Clone + std::fmt::Debug + Send + Sync {
    fn slot(&self, value: T) -> u32;
}

/// Places from 0 up, for numbers that are rounded down to them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    /// At least 0 and below 2^31: conversions depend on it.
    last: f64,
}

impl Places {
    /// So many of them, at least one.
    pub(crate) fn new(count: usize) -> Self {
        Self { last: count.clamp(1, 1 << 30) as f64 - 1.0 }
    }

    /// The place of a number, the nearest one if it lies outside; 0 for NaN.
    #[inline(always)]
    pub(crate) fn nearest(self, number: f64) -> u32 {
        // Written so that each is one instruction: NaN fails the first comparison.
        let positive = if number > 0.0 { number } else { 0.0 };
        let inside = if positive < self.last { positive } else { self.last };
        // SAFETY: `positive` is no NaN and at least 0; `last` is a number from 0 and below 2^31 by
        // construction. So `inside`, one of the two and not above `last`, is in the range of i32.
        let place: i32 = unsafe { inside.to_int_unchecked() };
        place as u32
    }
}

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

impl Slot {
    /// Counts one value.
    #[inline(always)]
    pub(crate) fn add(&mut self, is_at_edge: bool, offset: u64) {
        // One count is chosen and written, which is less work than adding to both.
        let count = if is_at_edge { &mut self.at } else { &mut self.inside };
        *count = count.wrapping_add(1);
        self.offsets = self.offsets.wrapping_add(u128::from(offset));
    }
}

/// How many edges lie in earlier slots, a slot; the last entry is the number of all edges.
#[derive(Debug, Clone)]
pub(crate) struct Table<S> {
    slots: S,
    /// At least two entries, none of them beyond `edges` once [`CROWDED`] is taken off.
    before: Vec<u16>,
    edges: usize,
}

/// Set where a slot holds more edges than two comparisons can tell apart.
const CROWDED: u16 = 1 << 15;
/// The most edges a column can have.
pub(crate) const MOST_EDGES: usize = (CROWDED - 2) as usize;
/// Values whose places are found together.
const BLOCK: usize = 256;

impl<S> Table<S> {
    /// Of ascending edges, at most [`MOST_EDGES`] of them.
    pub(crate) fn new<T: Copy>(slots: S, size: usize, edges: &[T]) -> Self
    where
        S: Slots<T>,
    {
        assert!(edges.len() <= MOST_EDGES, "more edges than a table can hold: {}", edges.len());
        let size = size.max(1);
        let mut held = vec![0_u16; size];
        edges.iter().for_each(|&edge| held[(slots.slot(edge) as usize).min(size - 1)] += 1);
        let mut sum = 0;
        let mut before: Vec<u16> = held
            .iter()
            .map(|&count| {
                let here = sum;
                sum += count;
                here | if count > 2 { CROWDED } else { 0 }
            })
            .collect();
        before.push(sum);
        Self { slots, before, edges: edges.len() }
    }

    /// The share of values, taken as one an edge, that two comparisons are not enough for.
    pub(crate) fn crowded(&self) -> f64 {
        let held = |pair: &[u16]| match pair[0] & CROWDED {
            0 => 0,
            _ => u32::from(pair[1] & !CROWDED) - u32::from(pair[0] & !CROWDED),
        };
        let crowded: u32 = self.before.windows(2).map(held).sum();
        f64::from(crowded) / self.edges.max(1) as f64
    }

    /// How many edges are at most `value`; `padded` are the edges and two more that no value passes, or
    /// only the largest one there is.
    #[inline(always)]
    pub(crate) fn cell<T: Copy + PartialOrd>(&self, padded: &[T], value: T) -> usize
    where
        S: Slots<T>,
    {
        assert!(padded.len() == self.edges + 2, "edges of another table");
        let place = (self.slots.slot(value) as usize).min(self.before.len() - 2);
        // SAFETY: the edges are of the length that this table was made for, and the place is clamped to
        // the last but one entry.
        unsafe { self.find(padded, value, place) }
    }

    /// # Safety
    ///
    /// `padded` has two more elements than there are edges, and `place + 1` is an entry of the table.
    #[inline(always)]
    unsafe fn find<T: Copy + PartialOrd>(&self, padded: &[T], value: T, place: usize) -> usize {
        // SAFETY: the caller vouches for the place.
        let before = unsafe { *self.before.get_unchecked(place) };
        let start = usize::from(before & !CROWDED);
        if before & CROWDED == 0 {
            // SAFETY: no entry is beyond the number of edges, and there are two elements more.
            let (first, second) =
                unsafe { (*padded.get_unchecked(start), *padded.get_unchecked(start + 1)) };
            let cell = start + usize::from(value >= first) + usize::from(value >= second);
            return cell.min(self.edges);
        }
        let end = usize::from(self.before[place + 1] & !CROWDED);
        start + padded[start..end].partition_point(|edge| *edge <= value)
    }
}

/// Where values are counted: all four belong to one column.
pub(crate) struct Counted<'a, T: Number> {
    pub(crate) padded: &'a [T],
    pub(crate) units: &'a [T::Unit],
    pub(crate) slots: &'a mut [Slot],
}

dispatch! {
    /// Counts values in their cells; those outside of all edges, and at the outer ones, go to `far` with
    /// their cell.
    fn count_cells[T: Number, S: Slots<T>](
        table: &Table<S>,
        into: Counted<'_, T>,
        values: &[T],
        far: &mut dyn FnMut(T, usize),
    ) = count_all;
}

#[inline(always)]
fn count_all<T: Number, S: Slots<T>>(
    table: &Table<S>,
    into: Counted<'_, T>,
    values: &[T],
    far: &mut dyn FnMut(T, usize),
) {
    let Counted { padded, units, slots } = into;
    let edges = table.edges;
    assert!(padded.len() == edges + 2 && units.len() == edges + 1 && slots.len() == edges + 1);
    let last = u32::try_from(table.before.len() - 2).unwrap_or(u32::MAX);
    let inner = edges.wrapping_sub(1);
    let mut places = [0_u32; BLOCK];
    for block in values.chunks(BLOCK) {
        for (place, &value) in places.iter_mut().zip(block) {
            *place = table.slots.slot(value).min(last);
        }
        for (&place, &value) in places.iter().zip(block) {
            // SAFETY: the edges have the length that the table was made for (asserted above), and the
            // place was clamped to the last but one entry.
            let cell = unsafe { table.find(padded, value, place as usize) };
            let below = cell.wrapping_sub(1);
            // One comparison for both ends: cell 0 wraps around.
            if below >= inner {
                far(value, cell);
                continue;
            }
            // SAFETY: `below < edges - 1`, so `below` is an element of `padded`, and `cell = below + 1 < edges`
            // is one of `units` and `slots`, which hold `edges + 1` each (asserted above).
            let (edge, unit, slot) = unsafe {
                let unit = *units.get_unchecked(cell);
                (*padded.get_unchecked(below), unit, slots.get_unchecked_mut(cell))
            };
            slot.add(value == edge, value.offset(edge, unit));
        }
    }
}

dispatch! {
    /// The cells of values, one after the other into as many places.
    fn find_cells[T: Number, S: Slots<T>](
        table: &Table<S>,
        padded: &[T],
        values: &[T],
        cells: &mut [u16],
    ) = find_all;
}

#[inline(always)]
fn find_all<T: Number, S: Slots<T>>(
    table: &Table<S>,
    padded: &[T],
    values: &[T],
    cells: &mut [u16],
) {
    assert!(padded.len() == table.edges + 2, "edges of another table");
    let last = u32::try_from(table.before.len() - 2).unwrap_or(u32::MAX);
    for (cell, &value) in cells.iter_mut().zip(values) {
        let place = table.slots.slot(value).min(last) as usize;
        // SAFETY: the edges are of the length that this table was made for, and the place is clamped to
        // the last but one entry.
        *cell = unsafe { table.find(padded, value, place) } as u16;
    }
}

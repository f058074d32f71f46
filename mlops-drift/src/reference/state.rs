//! What is kept of the data: one mergeable state, equal for the same rows in any order.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;

use super::Fitted;
use super::bins;
use super::cluster::{ClusterKey, ClusterPlan, column};
use super::coarse::COARSE_CELLS;
use super::codes::by_code;
use super::dense;
use super::lane::Lane;
use super::layout::{Layout, Values, narrow};
use super::read::{Cell, read};
use crate::error::Result;
use crate::parallel;

/// Numbers kept a cluster and column: its rows, then its coarse cells.
pub(crate) const STRIDE: usize = COARSE_CELLS + 1;

/// How many rows hold what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) rows: u64,
    pub(crate) null: u64,
    pub(crate) nan: u64,
    pub(crate) infinite: u64,
}

impl Seen {
    /// Counts a row, and says whether its value is usable.
    #[inline]
    pub(crate) fn count(&mut self, cell: Cell<'_>) -> bool {
        self.count_rows(cell, 1)
    }

    /// The same of several rows with one value.
    #[inline]
    pub(crate) fn count_rows(&mut self, cell: Cell<'_>, rows: u64) -> bool {
        self.rows += rows;
        match cell {
            Cell::Null => self.null += rows,
            Cell::Float(value) if value.is_nan() => self.nan += rows,
            Cell::Float(value) if value.is_infinite() => self.infinite += rows,
            _ => return true,
        }
        false
    }

    fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.null += other.null;
        self.nan += other.nan;
        self.infinite += other.infinite;
    }
}

/// One column's state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnState {
    pub(crate) seen: Seen,
    pub(crate) values: Values,
    /// [`STRIDE`] numbers a cluster, by slot.
    pub(crate) clusters: Vec<u64>,
}

impl ColumnState {
    fn new(layout: &Layout) -> Self {
        Self { seen: Seen::default(), values: layout.empty(), clusters: Vec::new() }
    }

    /// The rows with a usable value.
    pub(crate) fn finite(&self) -> u64 {
        let Seen { rows, null, nan, infinite } = self.seen;
        rows - null - nan - infinite
    }

    /// Counts plain values, NaN and infinities among them; they have no nulls.
    pub(crate) fn tally_floats(&mut self, layout: &Layout, values: &[f64]) {
        let Self { seen, values: own, .. } = self;
        match (layout, own) {
            (Layout::Float(laid), Values::Numbers(tally)) => {
                dense::blocks(values, None, seen, &mut |block| tally.add_all(&laid.anchors, block));
            }
            (Layout::FloatBins(laid), Values::Bins(counts)) => {
                bins::plain(laid, values, seen, counts);
            }
            _ => seen.rows += values.len() as u64,
        }
    }

    /// Counts all values of an array.
    pub(crate) fn tally_all(&mut self, fitted: &Fitted, array: &dyn Array) -> Result<()> {
        let Self { seen, values, .. } = self;
        match (&fitted.layout, values) {
            (Layout::Float(own), Values::Numbers(tally)) => {
                dense::floats(array, seen, &mut |block| tally.add_all(&own.anchors, block))
            }
            (Layout::Integer(own), Values::Numbers(tally)) => {
                dense::integers(array, seen, &mut |block| tally.add_all(&own.anchors, block))
            }
            (Layout::Wide(own), Values::Numbers(tally)) => {
                dense::wide(array, seen, &mut |block| tally.add_all(&own.anchors, block))
            }
            (Layout::FloatBins(own), Values::Bins(counts)) => {
                bins::floats(own, array, seen, counts)
            }
            (Layout::IntegerBins(own), Values::Bins(counts)) => {
                dense::integers(array, seen, &mut |block| own.count(block, counts))
            }
            (Layout::WideBins(own), Values::Bins(counts)) => {
                dense::wide(array, seen, &mut |block| own.count(block, counts))
            }
            (Layout::Category(_), Values::Category(counts)) => {
                categories(array, &fitted.lane, seen, counts)
            }
            _ => {
                seen.rows += array.len() as u64;
                Ok(())
            }
        }
    }

    /// Counts one number.
    #[inline]
    pub(crate) fn tally_float(&mut self, layout: &Layout, value: f64) {
        match (layout, &mut self.values) {
            (Layout::Float(own), Values::Numbers(tally)) if value.is_finite() => {
                self.seen.rows += 1;
                tally.add(&own.anchors, value);
            }
            (Layout::FloatBins(own), Values::Bins(counts)) if value.is_finite() => {
                self.seen.rows += 1;
                counts[own.bin(value)] += 1;
            }
            _ => self.tally(layout, Cell::Float(value)),
        }
    }

    #[inline]
    pub(crate) fn tally(&mut self, layout: &Layout, cell: Cell<'_>) {
        if !self.seen.count(cell) {
            return;
        }
        match (layout, cell, &mut self.values) {
            (Layout::Float(own), Cell::Float(value), Values::Numbers(tally)) => {
                tally.add(&own.anchors, value);
            }
            (Layout::Integer(own), Cell::Integer(value), Values::Numbers(tally)) => {
                tally.add(&own.anchors, narrow(value));
            }
            (Layout::Wide(own), Cell::Integer(value), Values::Numbers(tally)) => {
                tally.add(&own.anchors, value);
            }
            (Layout::FloatBins(own), Cell::Float(value), Values::Bins(counts)) => {
                counts[own.bin(value)] += 1;
            }
            (layout, cell, Values::Bins(counts)) => {
                if let Some(bin) = layout.coarse(cell) {
                    counts[bin] += 1;
                }
            }
            (Layout::Category(_), Cell::Text(text), Values::Category(counts)) => {
                add_rows(counts, text, 1);
            }
            // A lane reads only cells of its own kind; were it otherwise, the row would still count.
            _ => self.seen.null += 1,
        }
    }

    pub(crate) fn count(&mut self, cell: Cell<'_>, layout: &Layout, slot: usize) {
        if self.clusters.len() < (slot + 1) * STRIDE {
            self.clusters.resize((slot + 1) * STRIDE, 0);
        }
        let own = &mut self.clusters[slot * STRIDE..][..STRIDE];
        own[0] += 1;
        if let Some(index) = layout.coarse(cell) {
            own[index + 1] += 1;
        }
    }

    fn merge(&mut self, other: &Self, slots: &[usize]) {
        self.seen.merge(&other.seen);
        match (&mut self.values, &other.values) {
            (Values::Numbers(own), Values::Numbers(other)) => own.merge(other),
            (Values::Bins(own), Values::Bins(other)) => {
                own.iter_mut().zip(other).for_each(|(own, other)| *own += other);
            }
            (Values::Category(own), Values::Category(other)) => {
                for (name, count) in other {
                    *own.entry(name.clone()).or_default() += count;
                }
            }
            _ => {}
        }
        for (counts, &slot) in other.clusters.chunks_exact(STRIDE).zip(slots) {
            if self.clusters.len() < (slot + 1) * STRIDE {
                self.clusters.resize((slot + 1) * STRIDE, 0);
            }
            let own = &mut self.clusters[slot * STRIDE..][..STRIDE];
            own.iter_mut().zip(counts).for_each(|(own, count)| *own += count);
        }
    }
}

/// The state of all columns, and of the clusters they share.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) rows: u64,
    pub(crate) columns: Vec<ColumnState>,
    slots: BTreeMap<ClusterKey, usize>,
}

impl State {
    pub(crate) fn new<'a>(layouts: impl Iterator<Item = &'a Layout>) -> Self {
        Self { rows: 0, columns: layouts.map(ColumnState::new).collect(), slots: BTreeMap::new() }
    }

    /// What a reference was counted to be.
    pub(crate) fn fitted(rows: u64, columns: Vec<ColumnState>) -> Self {
        Self { rows, columns, slots: BTreeMap::new() }
    }

    /// Columns whose clusters come in the order of these keys, which are distinct.
    pub(crate) fn from_parts(rows: u64, columns: Vec<ColumnState>, keys: Vec<ClusterKey>) -> Self {
        let slots = keys.into_iter().enumerate().map(|(slot, key)| (key, slot)).collect();
        Self { rows, columns, slots }
    }

    /// The clusters in the order of their keys, each with its slot.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = (&ClusterKey, usize)> + '_ {
        self.slots.iter().map(|(key, &slot)| (key, slot))
    }

    /// Whether the other state can be added to this one, with at most so many rows in all.
    pub(crate) fn has_room_for(&self, other: &Self, most_rows: u64) -> bool {
        let rows = self.rows.checked_add(other.rows);
        let room = |(own, other): (&ColumnState, &ColumnState)| match (&own.values, &other.values) {
            (Values::Numbers(own), Values::Numbers(other)) => own.has_room_for(other),
            _ => true,
        };
        rows.is_some_and(|rows| rows <= most_rows)
            && self.columns.iter().zip(&other.columns).all(room)
    }

    /// The slots in the order of their clusters' keys.
    pub(crate) fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        self.slots.values().copied()
    }

    pub(crate) fn slot(&mut self, key: ClusterKey) -> usize {
        let next = self.slots.len();
        *self.slots.entry(key).or_insert(next)
    }

    /// Adds a batch; on an error nothing of it is kept.
    pub(crate) fn observe(
        &mut self,
        batch: &RecordBatch,
        columns: &[Fitted],
        plan: Option<&ClusterPlan>,
    ) -> Result<()> {
        let arrays = arrays(batch, columns)?;
        let slots = self.row_slots(batch, plan)?;
        self.rows += batch.num_rows() as u64;
        let values = batch.num_rows() * columns.len();
        let parts = arrays.into_iter().zip(columns).zip(&mut self.columns);
        parallel::each(parts, values, |((array, fitted), state)| {
            state.tally_all(fitted, array)?;
            if plan.is_none() {
                return Ok(());
            }
            read(array, &fitted.lane, &mut |row, cell| {
                state.count(cell, &fitted.layout, slots[row]);
            })
        })
    }

    /// The second pass of a fit: clusters in the cells that the first pass has laid.
    pub(crate) fn count(
        &mut self,
        batch: &RecordBatch,
        columns: &[Fitted],
        plan: &ClusterPlan,
    ) -> Result<()> {
        let arrays = arrays(batch, columns)?;
        let slots = self.row_slots(batch, Some(plan))?;
        for ((array, fitted), state) in arrays.into_iter().zip(columns).zip(&mut self.columns) {
            read(array, &fitted.lane, &mut |row, cell| {
                state.count(cell, &fitted.layout, slots[row]);
            })?;
        }
        Ok(())
    }

    fn row_slots(&mut self, batch: &RecordBatch, plan: Option<&ClusterPlan>) -> Result<Vec<usize>> {
        let Some(plan) = plan else {
            return Ok(Vec::new());
        };
        let array = column(batch, &plan.column, &plan.data_type)?;
        let mut slots = Vec::with_capacity(batch.num_rows());
        // Rows of a cluster mostly follow each other.
        let mut last: Option<(ClusterKey, usize)> = None;
        plan.keys(array, &mut |key| {
            let slot = match &last {
                Some((previous, slot)) if *previous == key => *slot,
                _ => self.slot(key.clone()),
            };
            slots.push(slot);
            last = Some((key, slot));
        })?;
        Ok(slots)
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        let mut slots = vec![0; other.slots.len()];
        for (key, &theirs) in &other.slots {
            slots[theirs] = self.slot(key.clone());
        }
        self.rows += other.rows;
        for (own, other) in self.columns.iter_mut().zip(&other.columns) {
            own.merge(other, &slots);
        }
    }
}

/// Counts all values of an array by category.
pub(super) fn categories(
    array: &dyn Array,
    lane: &Lane,
    seen: &mut Seen,
    counts: &mut HashMap<String, u64>,
) -> Result<()> {
    let mut add = |cell: Cell<'_>, rows: u64| {
        if seen.count_rows(cell, rows) {
            match cell {
                Cell::Text(text) => add_rows(counts, text, rows),
                // A lane reads only cells of its own kind; were it otherwise, the rows would still count.
                _ => seen.null += rows,
            }
        }
    };
    match array.data_type() {
        DataType::Dictionary(..) => by_code(array, &mut add),
        _ => read(array, lane, &mut |_, cell| add(cell, 1)),
    }
}

fn add_rows(counts: &mut HashMap<String, u64>, name: &str, rows: u64) {
    match counts.get_mut(name) {
        Some(count) => *count += rows,
        None => {
            counts.insert(name.to_owned(), rows);
        }
    }
}

/// The arrays of the columns that were fitted, checked by name and type.
pub(super) fn arrays<'a>(batch: &'a RecordBatch, columns: &[Fitted]) -> Result<Vec<&'a dyn Array>> {
    columns.iter().map(|fitted| column(batch, &fitted.name, &fitted.data_type)).collect()
}

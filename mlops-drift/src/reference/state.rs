//! What is kept of the data: one mergeable state, equal for the same rows in any order.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, RecordBatch};

use super::Fitted;
use super::cluster::{ClusterKey, ClusterPlan, column};
use super::coarse::{COARSE_CELLS, Codes, Cuts};
use super::lane::Lane;
use super::read::{Cell, read};
use crate::error::Result;
use crate::statistic::{Point, Sample};

/// Values wait unsorted until there are this many, or as many as there are distinct ones.
const PENDING: usize = 8192;
/// Numbers kept a cluster and column: its rows, then its coarse cells.
pub(crate) const STRIDE: usize = COARSE_CELLS + 1;

/// The values of a numeric column.
#[derive(Debug, Clone)]
pub(crate) struct Numbers<T> {
    sample: Sample<T>,
    pending: Vec<T>,
}

impl<T: Point> Default for Numbers<T> {
    fn default() -> Self {
        Self { sample: Sample::default(), pending: Vec::new() }
    }
}

impl<T: Point> Numbers<T> {
    fn push(&mut self, value: T) {
        self.pending.push(value);
        if self.pending.len() >= PENDING.max(self.sample.runs().len()) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.sample.absorb(&mut self.pending);
    }

    fn merge(&mut self, other: &Self) {
        self.sample.merge(&other.sample);
        self.pending.extend_from_slice(&other.pending);
        self.settle();
    }

    /// The values, sorted; only what has been settled.
    pub(crate) fn sample(&self) -> &Sample<T> {
        &self.sample
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Values {
    Float(Numbers<f64>),
    Integer(Numbers<i128>),
    Category(HashMap<String, u64>),
    Unsupported,
}

/// Where a column's values fall when clusters are counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Coarse {
    Float(Cuts<f64>),
    Integer(Cuts<i128>),
    Category(Codes),
    None,
}

impl Coarse {
    pub(crate) fn lay(values: &Values) -> Self {
        match values {
            Values::Float(numbers) => Self::Float(Cuts::lay(&numbers.sample)),
            Values::Integer(numbers) => Self::Integer(Cuts::lay(&numbers.sample)),
            Values::Category(counts) => Self::Category(Codes::lay(counts)),
            Values::Unsupported => Self::None,
        }
    }

    /// `None` for a cell that holds no usable value.
    fn cell_of(&self, cell: Cell<'_>) -> Option<usize> {
        match (self, cell) {
            (Self::Float(cuts), Cell::Float(value)) => value.canonical().map(|v| cuts.cell_of(v)),
            (Self::Integer(cuts), Cell::Integer(value)) => Some(cuts.cell_of(value)),
            (Self::Category(codes), Cell::Text(text)) => Some(codes.cell_of(text)),
            _ => None,
        }
    }
}

/// One column's state.
#[derive(Debug, Clone)]
pub(crate) struct ColumnState {
    pub(crate) rows: u64,
    pub(crate) null: u64,
    pub(crate) nan: u64,
    pub(crate) infinite: u64,
    pub(crate) values: Values,
    /// [`STRIDE`] numbers a cluster, by slot.
    pub(crate) clusters: Vec<u64>,
}

impl ColumnState {
    fn new(lane: &Lane) -> Self {
        let values = match lane {
            Lane::Float => Values::Float(Numbers::default()),
            Lane::Integer { .. } => Values::Integer(Numbers::default()),
            Lane::Category => Values::Category(HashMap::new()),
            Lane::Unsupported(_) => Values::Unsupported,
        };
        Self { rows: 0, null: 0, nan: 0, infinite: 0, values, clusters: Vec::new() }
    }

    /// The rows with a usable value.
    pub(crate) fn finite(&self) -> u64 {
        self.rows - self.null - self.nan - self.infinite
    }

    pub(crate) fn tally(&mut self, cell: Cell<'_>) {
        self.rows += 1;
        match (cell, &mut self.values) {
            (Cell::Null, _) => self.null += 1,
            (Cell::Float(value), _) if value.is_nan() => self.nan += 1,
            (Cell::Float(value), _) if value.is_infinite() => self.infinite += 1,
            (Cell::Float(value), Values::Float(numbers)) => numbers.push(value + 0.0),
            (Cell::Integer(value), Values::Integer(numbers)) => numbers.push(value),
            (Cell::Text(text), Values::Category(counts)) => match counts.get_mut(text) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(text.to_owned(), 1);
                }
            },
            // A lane reads only cells of its own kind; were it otherwise, the row would still count.
            _ => self.null += 1,
        }
    }

    pub(crate) fn count(&mut self, cell: Cell<'_>, coarse: &Coarse, slot: usize) {
        if self.clusters.len() < (slot + 1) * STRIDE {
            self.clusters.resize((slot + 1) * STRIDE, 0);
        }
        let own = &mut self.clusters[slot * STRIDE..][..STRIDE];
        own[0] += 1;
        if let Some(index) = coarse.cell_of(cell) {
            own[index + 1] += 1;
        }
    }

    fn merge(&mut self, other: &Self, slots: &[usize]) {
        self.rows += other.rows;
        self.null += other.null;
        self.nan += other.nan;
        self.infinite += other.infinite;
        match (&mut self.values, &other.values) {
            (Values::Float(own), Values::Float(other)) => own.merge(other),
            (Values::Integer(own), Values::Integer(other)) => own.merge(other),
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
    pub(crate) fn new<'a>(lanes: impl Iterator<Item = &'a Lane>) -> Self {
        Self { rows: 0, columns: lanes.map(ColumnState::new).collect(), slots: BTreeMap::new() }
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
        for ((array, fitted), state) in arrays.into_iter().zip(columns).zip(&mut self.columns) {
            read(array, &fitted.lane, &mut |row, cell| {
                state.tally(cell);
                if let Some(&slot) = slots.get(row) {
                    state.count(cell, &fitted.coarse, slot);
                }
            })?;
            state.count_unread(&fitted.lane, batch.num_rows());
        }
        Ok(())
    }

    /// The first pass of a fit: values without clusters.
    pub(crate) fn tally(&mut self, batch: &RecordBatch, columns: &[Fitted]) -> Result<()> {
        self.observe(batch, columns, None)
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
                state.count(cell, &fitted.coarse, slots[row]);
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

    /// Sorts what still waits, so that the samples hold every value.
    pub(crate) fn settle(&mut self) {
        for column in &mut self.columns {
            match &mut column.values {
                Values::Float(numbers) => numbers.settle(),
                Values::Integer(numbers) => numbers.settle(),
                Values::Category(_) | Values::Unsupported => {}
            }
        }
    }
}

impl ColumnState {
    fn count_unread(&mut self, lane: &Lane, rows: usize) {
        if matches!(lane, Lane::Unsupported(_)) {
            self.rows += rows as u64;
        }
    }
}

fn arrays<'a>(batch: &'a RecordBatch, columns: &[Fitted]) -> Result<Vec<&'a dyn Array>> {
    columns.iter().map(|fitted| column(batch, &fitted.name, &fitted.data_type)).collect()
}

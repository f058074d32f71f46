//! The reference: what the data looked like when all was well.

mod cluster;
mod coarse;
mod gather;
mod lane;
mod layout;
mod options;
mod read;
mod state;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};

use crate::error::{Error, Result};
use crate::report::Kind;
pub(crate) use cluster::{ClusterKey, ClusterPlan, column};
pub(crate) use gather::Kept;
pub(crate) use lane::Lane;
pub(crate) use layout::{Layout, Ordered, Values, narrow};
pub use options::{ClusterBy, FitOptions};
pub(crate) use read::{Cell, read};
pub(crate) use state::{ColumnState, STRIDE, Seen, State};

use gather::Gathered;
use state::arrays;

/// One column as it was fitted.
#[derive(Debug, Clone)]
pub(crate) struct Fitted {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) kind: Option<Kind>,
    pub(crate) lane: Lane,
    pub(crate) layout: Layout,
}

impl Fitted {
    /// Calls `each` with every row of this column.
    pub(crate) fn read(
        &self,
        batch: &RecordBatch,
        each: &mut dyn FnMut(usize, Cell<'_>),
    ) -> Result<()> {
        read(cluster::column(batch, &self.name, &self.data_type)?, &self.lane, each)
    }
}

/// A fitted reference, to be shared by the monitors of all workers.
///
/// ```
/// use std::sync::Arc;
/// use mlops_drift::arrow::array::{ArrayRef, Float64Array, RecordBatch};
/// use mlops_drift::{FitOptions, Reference};
///
/// let speeds: ArrayRef = Arc::new(Float64Array::from(vec![9.5, 12.0, 11.0]));
/// let batch = RecordBatch::try_from_iter([("speed", speeds)])?;
/// let reference = Reference::fit([&batch], &FitOptions::default())?;
/// assert_eq!(reference.rows(), 3);
/// assert_eq!(reference.row_columns().collect::<Vec<_>>(), ["speed"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Reference {
    pub(crate) columns: Vec<Fitted>,
    pub(crate) cluster: Option<ClusterPlan>,
    pub(crate) state: State,
}

impl Reference {
    /// Fits a reference to batches of one schema.
    ///
    /// Keeps counts in cells between order statistics of each column, about `16 sqrt(n)` of them, or all
    /// distinct values while they are few; with clusters also the counts of at most 32 coarse cells a
    /// cluster and column. A column of an unsupported type is kept with its reason and
    /// reported as unchecked; zero rows are allowed and make every column unchecked.
    ///
    /// # Errors
    ///
    /// [`UnknownColumn`](crate::ErrorKind::UnknownColumn) for a name in the options that no column
    /// has; [`SchemaChanged`](crate::ErrorKind::SchemaChanged) when a later batch lacks a column or
    /// has another type; [`InvalidInput`](crate::ErrorKind::InvalidInput) without any batch, for two
    /// columns of one name, or for a cluster column that can't be one.
    pub fn fit<'a>(
        batches: impl IntoIterator<Item = &'a RecordBatch>,
        options: &FitOptions,
    ) -> Result<Self> {
        let batches: Vec<&RecordBatch> = batches.into_iter().collect();
        Ok(Self::fit_kept(&batches, options)?.0)
    }

    /// The same, with the sorted values of each column.
    pub(crate) fn fit_kept(
        batches: &[&RecordBatch],
        options: &FitOptions,
    ) -> Result<(Self, Vec<Kept>)> {
        let Some(first) = batches.first() else {
            return Err(Error::invalid(
                "a reference needs at least one batch, if only for its schema",
            ));
        };
        let schema = first.schema();
        let mut columns = select(&schema, options)?;
        let cluster = plan(&schema, &options.cluster)?;
        let mut gathered: Vec<Gathered> =
            columns.iter().map(|fitted| Gathered::new(&fitted.lane)).collect();
        let mut rows = 0;
        for batch in batches {
            let arrays = arrays(batch, &columns)?;
            rows += batch.num_rows() as u64;
            for ((array, fitted), column) in arrays.into_iter().zip(&columns).zip(&mut gathered) {
                match fitted.lane {
                    Lane::Unsupported(_) => column.skip(batch.num_rows()),
                    _ => read(array, &fitted.lane, &mut |_, cell| column.push(cell))?,
                }
            }
        }
        let (mut states, mut kept) = (Vec::new(), Vec::new());
        for (fitted, column) in columns.iter_mut().zip(gathered) {
            let (layout, state, sorted) = column.settle(options.edges);
            fitted.layout = layout;
            states.push(state);
            kept.push(sorted);
        }
        let mut state = State::fitted(rows, states);
        if let Some(plan) = &cluster {
            for batch in batches {
                state.count(batch, &columns, plan)?;
            }
        }
        Ok((Self { columns, cluster, state }, kept))
    }

    /// How many rows the reference was fitted to.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.state.rows
    }

    /// The columns of a row for [`Handle::observe_row`](crate::Handle::observe_row), in its order:
    /// the checked ones in the order of the schema, then the column of the cluster where there is one.
    pub fn row_columns(&self) -> impl Iterator<Item = &str> {
        let cluster = self.cluster.iter().map(|plan| plan.column.as_str());
        self.columns.iter().map(|fitted| fitted.name.as_str()).chain(cluster)
    }

    pub(crate) fn empty_state(&self) -> State {
        State::new(self.columns.iter().map(|fitted| &fitted.layout))
    }

    /// Whether states that were counted against `other` can be added to ours.
    pub(crate) fn is_compatible(&self, other: &Self) -> bool {
        let same = |a: &Fitted, b: &Fitted| {
            a.name == b.name
                && a.data_type == b.data_type
                && a.lane == b.lane
                && a.layout.same(&b.layout)
        };
        self.cluster == other.cluster
            && self.columns.len() == other.columns.len()
            && self.columns.iter().zip(&other.columns).all(|(a, b)| same(a, b))
    }
}

/// The columns to check, in the order of the schema.
fn select(schema: &Schema, options: &FitOptions) -> Result<Vec<Fitted>> {
    let names = || schema.fields().iter().map(|field| field.name().as_str());
    let chosen = options.columns.as_deref().unwrap_or_default();
    for name in chosen.iter().chain(&options.exclude).chain(&options.categorical) {
        if !names().any(|existing| existing == name) {
            return Err(Error::unknown_column(name, names()));
        }
    }
    let mut columns: Vec<Fitted> = Vec::new();
    for field in schema.fields() {
        let name = field.name();
        let wanted = options.columns.as_ref().is_none_or(|chosen| chosen.contains(name));
        if !wanted || options.exclude.contains(name) || options.cluster.column() == Some(name) {
            continue;
        }
        if columns.iter().any(|fitted| fitted.name == *name) {
            return Err(Error::invalid(format!("two columns have one name: column={name}")));
        }
        let (lane, kind) = Lane::of(field.data_type(), options.categorical.contains(name));
        let (name, data_type) = (name.clone(), field.data_type().clone());
        columns.push(Fitted { name, data_type, kind, lane, layout: Layout::None });
    }
    Ok(columns)
}

fn plan(schema: &Schema, by: &ClusterBy) -> Result<Option<ClusterPlan>> {
    let Some(name) = by.column() else {
        return Ok(None);
    };
    let names = || schema.fields().iter().map(|field| field.name().as_str());
    let field = schema.field_with_name(name).map_err(|_| Error::unknown_column(name, names()))?;
    ClusterPlan::new(by, field.data_type())
}

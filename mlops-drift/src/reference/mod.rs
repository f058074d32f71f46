//! The reference: what the data looked like when all was well.

mod bins;
mod cluster;
mod coarse;
mod codes;
pub(crate) mod dense;
mod gather;
mod lane;
mod layout;
mod options;
mod read;
mod state;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Schema};

use crate::error::{Error, Result};
use crate::parallel;
use crate::report::Kind;
pub(crate) use bins::Bins;
pub(crate) use cluster::{ClusterKey, ClusterPlan, column};
pub(crate) use coarse::{COARSE_CELLS, Codes};
pub(crate) use gather::Kept;
pub(crate) use lane::Lane;
pub(crate) use layout::{Layout, Ordered, Values};
pub use options::{ClusterBy, Detail, FitOptions};
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
    /// This column of a batch, whose type must be the same.
    pub(crate) fn array<'a>(&self, batch: &'a RecordBatch) -> Result<&'a dyn Array> {
        cluster::column(batch, &self.name, &self.data_type)
    }
}

/// A column of one reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnId(pub(crate) usize);

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
            let values = batch.num_rows() * columns.len();
            let parts = arrays.into_iter().zip(&columns).zip(&mut gathered);
            parallel::each(parts, values, |((array, fitted), column)| {
                column.read(array, &fitted.lane)
            })?;
        }
        let (mut states, mut kept) = (Vec::new(), Vec::new());
        let values = rows as usize * columns.len();
        let settled = parallel::map(gathered, values, |column| column.settle(options));
        for (fitted, (layout, state, sorted)) in columns.iter_mut().zip(settled) {
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

    /// What [`Handle::observe_value`](crate::Handle::observe_value) calls a floating-point column.
    ///
    /// # Errors
    ///
    /// [`UnknownColumn`](crate::ErrorKind::UnknownColumn) for a column that the reference does not
    /// check; [`InvalidInput`](crate::ErrorKind::InvalidInput) for one that is not floating-point,
    /// or when rows are clustered, since values alone do not say to which cluster they belong.
    pub fn float_column(&self, name: &str) -> Result<ColumnId> {
        let Some(index) = self.columns.iter().position(|fitted| fitted.name == name) else {
            return Err(Error::unknown_column(name, self.columns.iter().map(|c| c.name.as_str())));
        };
        if self.columns[index].lane != Lane::Float {
            let found = &self.columns[index].data_type;
            return Err(Error::invalid(format!(
                "only floating-point columns take plain values: column={name} type={found}"
            )));
        }
        if self.cluster.is_some() {
            return Err(Error::invalid(format!(
                "values alone do not name their cluster, rows do: column={name}"
            )));
        }
        Ok(ColumnId(index))
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

//! From today's state to version 1.

use std::collections::HashMap;

use super::types::Type;
use super::{
    Cells, Cluster, ClusterColumn, Column, Counted, Counts, Grid, Key, Numbers, Outside, Reference,
    Values,
};
use crate::cells::{Anchors, Number, Tally};
use crate::error::{Error, Result};
use crate::reference::{
    self, ClusterBy, ClusterKey, ClusterPlan, ColumnState, Fitted, Lane, Layout, Ordered, STRIDE,
    State,
};

impl Reference {
    pub(in crate::artefact) fn of(reference: &reference::Reference) -> Result<Self> {
        let state = &reference.state;
        let columns = reference.columns.iter().zip(&state.columns);
        let column = |(fitted, counts): (&Fitted, &ColumnState)| {
            Ok(Column {
                name: fitted.name.clone(),
                data_type: type_of(&fitted.data_type, &fitted.name)?,
                cells: Cells::of(fitted),
                counted: Counted::of(counts, state),
            })
        };
        Ok(Self {
            rows: state.rows,
            cluster: reference.cluster.as_ref().map(ClusterColumn::of).transpose()?,
            clusters: keys(state),
            columns: columns.map(column).collect::<Result<_>>()?,
        })
    }
}

impl Counts {
    pub(in crate::artefact) fn of(state: &State, reference: [u8; 32]) -> Self {
        let columns = state.columns.iter().map(|column| Counted::of(column, state)).collect();
        Self { reference, rows: state.rows, clusters: keys(state), columns }
    }
}

fn type_of(data_type: &arrow::datatypes::DataType, column: &str) -> Result<Type> {
    Type::of(data_type).ok_or_else(|| {
        Error::invalid(format!(
            "a type is nested too deeply to be written, leave the column out: column={column}"
        ))
    })
}

impl ClusterColumn {
    fn of(plan: &ClusterPlan) -> Result<Self> {
        let (by, data_type) = plan.by();
        let block = match by {
            ClusterBy::TimeBlock { width, .. } => Some(width.as_nanos()),
            ClusterBy::Column(_) | ClusterBy::Rows => None,
        };
        let data_type = type_of(data_type, &plan.column)?;
        Ok(Self { name: plan.column.clone(), data_type, block })
    }
}

fn keys(state: &State) -> Vec<Key> {
    let key = |key: &ClusterKey| match key {
        ClusterKey::Null => Key::Null,
        ClusterKey::Number(number) => Key::Number(*number),
        ClusterKey::Text(text) => Key::Text(text.clone()),
    };
    state.clusters().map(|(name, _)| key(name)).collect()
}

impl Cells {
    fn of(fitted: &Fitted) -> Self {
        match (&fitted.layout, &fitted.lane) {
            (Layout::Float(own), _) => Self::Floats(Grid::of(own)),
            (Layout::Integer(own), _) => Self::Integers(Grid::of(own)),
            (Layout::Wide(own), _) => Self::Wide(Grid::of(own)),
            (Layout::FloatBins(bins), _) => Self::FloatBins(bins.edges().to_vec()),
            (Layout::IntegerBins(bins), _) => Self::IntegerBins(bins.edges().to_vec()),
            (Layout::WideBins(bins), _) => Self::WideBins(bins.edges().to_vec()),
            (Layout::Category(codes), _) => Self::Categories(codes.names()),
            (Layout::None, Lane::Unsupported(reason)) => Self::Unsupported(reason.clone()),
            (Layout::None, _) => Self::Unsupported("it was not fitted".to_owned()),
        }
    }
}

impl<T: Number> Grid<T> {
    fn of(own: &Ordered<T>) -> Self {
        let anchors: &Anchors<T> = &own.anchors;
        let parts = anchors.parts();
        Self {
            edges: parts.edges,
            bins: parts.bins,
            coarse: own.unions().starts(),
            centre: parts.centre,
            power: parts.power,
        }
    }
}

impl Counted {
    fn of(column: &ColumnState, state: &State) -> Self {
        let seen = column.seen;
        Self {
            rows: seen.rows,
            null: seen.null,
            nan: seen.nan,
            infinite: seen.infinite,
            values: Values::of(&column.values),
            clusters: match column.values {
                reference::Values::Unsupported => Vec::new(),
                _ => state.clusters().map(|(_, slot)| Cluster::of(column, slot)).collect(),
            },
        }
    }
}

impl Values {
    fn of(values: &reference::Values) -> Self {
        match values {
            reference::Values::Numbers(tally) => Self::Numbers(Numbers::of(tally)),
            reference::Values::Bins(counts) => Self::Bins(counts.clone()),
            reference::Values::Category(counts) => Self::Categories(sorted(counts)),
            reference::Values::Unsupported => Self::Unsupported,
        }
    }
}

fn sorted(counts: &HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut sorted: Vec<(String, u64)> =
        counts.iter().map(|(name, &count)| (name.clone(), count)).collect();
    sorted.sort_unstable();
    sorted
}

impl Numbers {
    fn of(tally: &Tally) -> Self {
        let parts = tally.parts();
        let [below, above] = parts.distances;
        let outside = |count, distances| Outside { count, distances };
        Self {
            below: outside(parts.outside[0], below),
            at: parts.at,
            inside: parts.inside,
            offsets: parts.offsets,
            above: outside(parts.outside[1], above),
            // A sum of squares is not negative.
            near: parts.near.unsigned_abs(),
            far: parts.far,
        }
    }
}

impl Cluster {
    fn of(column: &ColumnState, slot: usize) -> Self {
        let counts = column.clusters.get(slot * STRIDE..(slot + 1) * STRIDE).unwrap_or_default();
        let (rows, cells) = counts.split_first().unwrap_or((&0, &[]));
        let held = (0_u8..).zip(cells).filter(|(_, count)| **count > 0);
        Self { rows: *rows, cells: held.map(|(cell, &count)| (cell, count)).collect() }
    }
}

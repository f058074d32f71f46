//! From version 1 to today's state. What later code relies on is checked here, once.

mod counted;

use std::collections::HashSet;
use std::time::Duration;

use super::{Cells, ClusterColumn, Column, Counts, Grid, Key, Reference};
use crate::artefact::container::Content;
use crate::artefact::{MOST_ROWS, check_clusters};
use crate::cells::{AnchorParts, Anchors, Number};
use crate::error::Result;
use crate::reference::{
    self, Bins, ClusterBy, ClusterKey, ClusterPlan, Codes, ColumnState, Fitted, Lane, Layout,
    Ordered, State,
};

/// Why something can't be what was written.
type Checked<T> = std::result::Result<T, &'static str>;

impl Reference {
    pub(in crate::artefact) fn restore(self) -> Result<reference::Reference> {
        let Self { rows, cluster, clusters, columns } = self;
        let damaged = |why: &str| Content::Reference.damaged(why);
        check_rows(rows).map_err(damaged)?;
        check_clusters(clusters.len(), columns.len())?;
        let cluster = cluster.map(ClusterColumn::restore).transpose().map_err(damaged)?;
        let keys = restore_keys(clusters, cluster.as_ref()).map_err(damaged)?;
        let mut names = HashSet::new();
        names.extend(cluster.as_ref().map(|plan| plan.column.clone()));
        let (mut fitted, mut states) = (Vec::new(), Vec::new());
        for column in columns {
            let name = column.name.clone();
            let wrong = |why| Content::Reference.damaged(format!("{why}: column={name}"));
            if !names.insert(name.clone()) {
                return Err(wrong("two columns have one name"));
            }
            let (column, state) =
                column.restore(rows, keys.len(), cluster.is_some()).map_err(wrong)?;
            fitted.push(column);
            states.push(state);
        }
        let state = State::from_parts(rows, states, keys);
        Ok(reference::Reference { columns: fitted, cluster, state })
    }
}

impl Counts {
    /// The reference that this was counted against, by its bytes.
    pub(in crate::artefact) fn reference(&self) -> [u8; 32] {
        self.reference
    }

    pub(in crate::artefact) fn restore(self, reference: &reference::Reference) -> Result<State> {
        let Self { rows, clusters, columns, .. } = self;
        let damaged = |why: &str| Content::Counts.damaged(why);
        check_rows(rows).map_err(damaged)?;
        check_clusters(clusters.len(), columns.len())?;
        if columns.len() != reference.columns.len() {
            return Err(damaged("it has not as many columns as its reference"));
        }
        let clustered = reference.cluster.is_some();
        let keys = restore_keys(clusters, reference.cluster.as_ref()).map_err(damaged)?;
        let mut states = Vec::new();
        for (counted, fitted) in columns.into_iter().zip(&reference.columns) {
            let name = &fitted.name;
            let wrong = |why| Content::Counts.damaged(format!("{why}: column={name}"));
            if counted.rows > rows {
                return Err(wrong("a column has more rows than all"));
            }
            states.push(counted.restore(&fitted.layout, keys.len(), clustered).map_err(wrong)?);
        }
        Ok(State::from_parts(rows, states, keys))
    }
}

fn check_rows(rows: u64) -> Checked<()> {
    if rows <= MOST_ROWS { Ok(()) } else { Err("it claims more rows than there can be") }
}

impl ClusterColumn {
    fn restore(self) -> Checked<ClusterPlan> {
        let Self { name: column, data_type, block } = self;
        let data_type = data_type.restore().ok_or("the type of the cluster column is none")?;
        let by = match block {
            None => ClusterBy::Column(column),
            Some(nanoseconds) => {
                let seconds = u64::try_from(nanoseconds / 1_000_000_000)
                    .map_err(|_| "a block of time is too long")?;
                let width = Duration::new(seconds, (nanoseconds % 1_000_000_000) as u32);
                ClusterBy::TimeBlock { column, width }
            }
        };
        let plan = ClusterPlan::new(&by, &data_type);
        plan.ok().flatten().ok_or("rows can't be clustered by its cluster column")
    }
}

fn restore_keys(keys: Vec<Key>, plan: Option<&ClusterPlan>) -> Checked<Vec<ClusterKey>> {
    let restored = keys.into_iter().map(|key| match key {
        Key::Null => ClusterKey::Null,
        Key::Number(number) => ClusterKey::Number(number),
        Key::Text(text) => ClusterKey::Text(text),
    });
    let keys: Vec<ClusterKey> = restored.collect();
    if !keys.iter().all(|key| plan.is_some_and(|plan| plan.may_be(key))) {
        return Err("a cluster's key does not fit the cluster column");
    }
    if keys.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err("the clusters are not in order");
    }
    Ok(keys)
}

impl Column {
    fn restore(
        self,
        rows: u64,
        clusters: usize,
        clustered: bool,
    ) -> Checked<(Fitted, ColumnState)> {
        let Self { name, data_type, cells, counted } = self;
        let data_type = data_type.restore().ok_or("its type is none")?;
        let (lane, kind) = Lane::of(&data_type, matches!(cells, Cells::Categories(_)));
        let (lane, kind) = match &cells {
            // What is read today may not have been when it was fitted.
            Cells::Unsupported(reason) => (Lane::Unsupported(reason.clone()), None),
            _ => (lane, kind),
        };
        let layout = cells.restore(&lane)?;
        if counted.rows != rows {
            return Err("it has not as many rows as the reference");
        }
        let state = counted.restore(&layout, clusters, clustered)?;
        match &state.values {
            reference::Values::Numbers(tally) if tally.is_out_of_range() => {
                Err("values of the reference lie outside of its own edges")
            }
            _ => Ok((Fitted { name, data_type, kind, lane, layout }, state)),
        }
    }
}

impl Cells {
    fn restore(self, lane: &Lane) -> Checked<Layout> {
        const NO_BINS: &str = "the edges of its bins can't be";
        Ok(match (self, lane) {
            (Self::Floats(grid), Lane::Float) => Layout::Float(grid.restore()?),
            (Self::Integers(grid), Lane::Integer { wide: false, .. }) => {
                Layout::Integer(grid.restore()?)
            }
            (Self::Wide(grid), Lane::Integer { wide: true, .. }) => Layout::Wide(grid.restore()?),
            (Self::FloatBins(edges), Lane::Float) => {
                Layout::FloatBins(Bins::from_edges(edges).ok_or(NO_BINS)?)
            }
            (Self::IntegerBins(edges), Lane::Integer { wide: false, .. }) => {
                Layout::IntegerBins(Bins::from_edges(edges).ok_or(NO_BINS)?)
            }
            (Self::WideBins(edges), Lane::Integer { wide: true, .. }) => {
                Layout::WideBins(Bins::from_edges(edges).ok_or(NO_BINS)?)
            }
            (Self::Categories(names), Lane::Category) => {
                Layout::Category(Codes::from_names(names).ok_or("its coarse categories can't be")?)
            }
            (Self::Unsupported(_), Lane::Unsupported(_)) => Layout::None,
            _ => return Err("its cells do not fit its type"),
        })
    }
}

impl<T: Number> Grid<T> {
    fn restore(self) -> Checked<Ordered<T>> {
        let Self { edges, bins, coarse, centre, power } = self;
        let anchors = Anchors::from_parts(AnchorParts { edges, bins, centre, power })?;
        Ordered::from_parts(anchors, &coarse).ok_or("its coarse cells are no unions of its cells")
    }
}

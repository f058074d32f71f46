//! What was counted of one column.

use super::super::{Cluster, Counted, Numbers, Values};
use super::Checked;
use crate::cells::{Anchors, Number, Tally, TallyParts};
use crate::reference::{self, COARSE_CELLS, ColumnState, Layout, STRIDE, Seen};

impl Counted {
    pub(super) fn restore(
        self,
        layout: &Layout,
        clusters: usize,
        clustered: bool,
    ) -> Checked<ColumnState> {
        let Self { rows, null, nan, infinite, values, clusters: own } = self;
        let unusable = [null, nan, infinite].into_iter().try_fold(0_u64, u64::checked_add);
        let Some(finite) = unusable.and_then(|unusable| rows.checked_sub(unusable)) else {
            return Err("more rows are unusable than there are");
        };
        let values = match (values, layout) {
            (Values::Numbers(own), Layout::Float(into)) => own.restore(&into.anchors, finite)?,
            (Values::Numbers(own), Layout::Integer(into)) => own.restore(&into.anchors, finite)?,
            (Values::Numbers(own), Layout::Wide(into)) => own.restore(&into.anchors, finite)?,
            (Values::Bins(counts), Layout::FloatBins(into)) => bins(counts, into.len(), finite)?,
            (Values::Bins(counts), Layout::IntegerBins(into)) => bins(counts, into.len(), finite)?,
            (Values::Bins(counts), Layout::WideBins(into)) => bins(counts, into.len(), finite)?,
            (Values::Categories(counts), Layout::Category(_)) => categories(counts, finite)?,
            (Values::Unsupported, Layout::None) => reference::Values::Unsupported,
            _ => return Err("its counts do not fit its cells"),
        };
        let wanted = if clustered && !matches!(layout, Layout::None) { clusters } else { 0 };
        if own.len() != wanted {
            return Err("it has not as many clusters as there are");
        }
        let mut state =
            ColumnState { seen: Seen { rows, null, nan, infinite }, values, clusters: Vec::new() };
        if wanted > 0 {
            state.clusters = restore_clusters(&own, rows, layout.coarse_counts(&state.values))?;
        }
        Ok(state)
    }
}

/// The flat counts of clusters, which add up to all rows and to what the coarse cells hold.
fn restore_clusters(
    clusters: &[Cluster],
    rows: u64,
    coarse: [u64; COARSE_CELLS],
) -> Checked<Vec<u64>> {
    let mut flat = vec![0; clusters.len() * STRIDE];
    let mut left = [rows].into_iter().chain(coarse).collect::<Vec<u64>>();
    for (cluster, into) in clusters.iter().zip(flat.chunks_exact_mut(STRIDE)) {
        into[0] = cluster.rows;
        let mut usable = 0_u64;
        for pair in cluster.cells.windows(2) {
            if pair[0].0 >= pair[1].0 {
                return Err("the coarse cells of a cluster are not in order");
            }
        }
        for &(cell, count) in &cluster.cells {
            let place =
                into.get_mut(usize::from(cell) + 1).ok_or("there is no such coarse cell")?;
            *place = count;
            usable = usable.saturating_add(count);
        }
        if usable > cluster.rows {
            return Err("a cluster has more values than rows");
        }
        for (left, count) in left.iter_mut().zip(into) {
            *left = left.checked_sub(*count).ok_or("its clusters do not add up to its rows")?;
        }
    }
    if left.iter().any(|&left| left > 0) {
        return Err("its clusters do not add up to its rows");
    }
    Ok(flat)
}

fn bins(counts: Vec<u64>, bins: usize, finite: u64) -> Checked<reference::Values> {
    let sum = counts.iter().copied().try_fold(0_u64, u64::checked_add);
    if counts.len() != bins || sum != Some(finite) {
        return Err("the counts of its bins do not add up to its usable rows");
    }
    Ok(reference::Values::Bins(counts))
}

fn categories(counts: Vec<(String, u64)>, finite: u64) -> Checked<reference::Values> {
    if counts.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err("its categories are not in order");
    }
    let sum = counts.iter().map(|count| count.1).try_fold(0_u64, u64::checked_add);
    if sum != Some(finite) || counts.iter().any(|count| count.1 == 0) {
        return Err("the counts of its categories do not add up to its usable rows");
    }
    Ok(reference::Values::Category(counts.into_iter().collect()))
}

impl Numbers {
    fn restore<T: Number>(self, anchors: &Anchors<T>, count: u64) -> Checked<reference::Values> {
        let Self { below, at, inside, offsets, above, near, far } = self;
        let parts = TallyParts {
            outside: [below.count, above.count],
            distances: [below.distances, above.distances],
            at,
            inside,
            offsets,
            near: i128::try_from(near).map_err(|_| "its squared distances are too large")?,
            far,
        };
        Tally::from_parts(parts, anchors, count).map(reference::Values::Numbers)
    }
}

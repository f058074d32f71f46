//! Where the edges of a column's cells come to lie.

use super::Anchors;
use super::moments::Origin;
use super::number::Number;
use super::tally::Tally;
use crate::kernels::MOST_EDGES;

/// The quantiles that a report shows, in hundredths; the cells around them are laid to be exact.
pub(crate) const SHOWN: [u64; 5] = [5, 25, 50, 75, 95];

/// Up to so many distinct values each is an edge.
const FEW: usize = 1_024;

/// How many edges a reference of so many values gets by default: about `16 sqrt(n)`.
pub(crate) fn default_edges(values: usize) -> usize {
    ((16.0 * (values as f64).sqrt()) as usize).max(FEW)
}

/// Lays the cells of a column by its sorted reference and counts it in them; at most about `most`
/// edges.
pub(crate) fn lay<T: Number>(sorted: &[T], most: Option<usize>) -> (Anchors<T>, Tally) {
    let most = most.unwrap_or_else(|| default_edges(sorted.len())).clamp(2, MOST_EDGES - 64);
    let psi = deciles(sorted);
    let mut edges = evenly(sorted, most);
    edges.extend(&psi);
    let shown = SHOWN.iter().filter_map(|&percent| position(sorted.len(), percent, 100));
    edges.extend(shown.flat_map(|(at, rest)| [sorted[at], sorted[at + usize::from(rest > 0)]]));
    edges.sort_unstable_by(|a, b| a.order(*b));
    // A cell from end to end of what a number can hold has no width.
    let boundless = edges.windows(2).any(|pair| !T::gap(pair[0], pair[1], 1.0).is_finite());
    if boundless {
        edges.push(T::default());
        edges.sort_unstable_by(|a, b| a.order(*b));
    }
    edges.dedup();
    let bins = psi.iter().map(|edge| edges.partition_point(|e| e.order(*edge).is_lt()) as u32);
    let bins = bins.collect();
    let quartile = |percent| quantile(sorted, percent, 100).unwrap_or_default();
    let origin = Origin::new(quartile(25), quartile(50), quartile(75));
    let anchors = Anchors::new(edges, bins, origin);
    let mut tally = Tally::new(anchors.len());
    tally.add_all(&anchors, sorted);
    (anchors, tally)
}

/// Every distinct value while they are few, else order statistics at even ranks, both ends included.
fn evenly<T: Number>(sorted: &[T], most: usize) -> Vec<T> {
    let mut edges = Vec::with_capacity(most + 64);
    for &value in sorted {
        if edges.last() != Some(&value) {
            edges.push(value);
            if edges.len() > most {
                break;
            }
        }
    }
    if edges.len() <= most {
        return edges;
    }
    let last = sorted.len() as u128 - 1;
    let rank = |k: usize| (k as u128 * last / (most as u128 - 1)) as usize;
    let mut edges: Vec<T> = (0..most).map(|k| sorted[rank(k)]).collect();
    edges.dedup();
    edges
}

/// The position `(n - 1) part / of` in whole steps and what is left over; `None` without values.
fn position(len: usize, part: u64, of: u64) -> Option<(usize, u64)> {
    let position = (len.checked_sub(1)? as u128) * u128::from(part);
    let of = u128::from(of);
    Some(((position / of) as usize, (position % of) as u64))
}

/// The quantile of type 7 of sorted values.
pub(crate) fn quantile<T: Number>(sorted: &[T], part: u64, of: u64) -> Option<T> {
    let (at, rest) = position(sorted.len(), part, of)?;
    Some(if rest == 0 { sorted[at] } else { T::between(sorted[at], sorted[at + 1], rest, of) })
}

/// The interior edges of PSI's bins.
pub(crate) fn deciles<T: Number>(sorted: &[T]) -> Vec<T> {
    let mut edges: Vec<T> = (1..10).filter_map(|tenth| quantile(sorted, tenth, 10)).collect();
    edges.dedup();
    edges
}

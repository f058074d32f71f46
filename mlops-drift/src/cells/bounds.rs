//! What two sides' cells say of the distances between them: the value at the edges, and how far it may
//! be exceeded in between.

use super::Anchors;
use super::number::Number;
use super::tally::Tally;
use crate::kernels::Slot;
use crate::statistic::Sum;

/// The distances that the counts allow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bounds {
    /// Of the Kolmogorov-Smirnov distance: `|i m - j n|`.
    pub(crate) ks: [u128; 2],
    /// `n m`.
    pub(crate) product: u128,
    /// Of the Wasserstein-1 distance.
    pub(crate) wasserstein: [f64; 2],
    /// The slots in which the first may be larger than at any edge, or the second is not known.
    pub(crate) open: Vec<usize>,
}

/// Bounds of both distances; `None` when a side is empty.
pub(crate) fn bounds<T: Number>(anchors: &Anchors<T>, old: &Tally, new: &Tally) -> Option<Bounds> {
    let (n, m) = (u128::from(old.len()), u128::from(new.len()));
    if n == 0 || m == 0 {
        return None;
    }
    let (mut i, mut j) = (0, 0);
    let mut ks = [0_u128; 2];
    let mut sums = [Sum::default(); 2];
    let mut largest = Vec::new();
    let mut open = Vec::new();
    let edges = anchors.edges();
    let down = match edges {
        [first, .., last] => T::scale(*first, *last),
        _ => 1.0,
    };
    for (at, (r, c)) in old.slots.iter().zip(&new.slots).enumerate() {
        (i, j) = (i + u128::from(r.at), j + u128::from(c.at));
        ks[0] = ks[0].max((i * m).abs_diff(j * n));
        let cell = Cell { i, j, n, m, r, c };
        (i, j) = (i + u128::from(r.inside), j + u128::from(c.inside));
        ks[0] = ks[0].max((i * m).abs_diff(j * n));
        if r.inside > 0 && c.inside > 0 {
            largest.push((at, cell.largest()));
        }
        let area = if at == 0 || at == edges.len() {
            let far = if at == 0 { [&old.below, &new.below] } else { [&old.above, &new.above] };
            // Only one side lies out there: the reference has no value beyond its outer edges.
            let area = far[0].share(n as f64, down) + far[1].share(m as f64, down);
            [area; 2]
        } else {
            let width = T::gap(edges[at - 1], edges[at], down);
            cell.area(width, T::unit_size(anchors.units[at]) * down)
        };
        sums[0].add(area[0]);
        sums[1].add(area[1]);
        if area[0] != area[1] {
            open.push(at);
        }
    }
    ks[1] = largest.iter().map(|cell| cell.1).fold(ks[0], u128::max);
    open.extend(largest.iter().filter(|cell| cell.1 > ks[0]).map(|cell| cell.0));
    open.sort_unstable();
    open.dedup();
    let wasserstein = sums.map(|sum| sum.value() / down);
    Some(Bounds { ks, product: n * m, wasserstein, open })
}

/// The inside of a cell: how many values lie before it, and what it holds of each side.
struct Cell<'a> {
    i: u128,
    j: u128,
    n: u128,
    m: u128,
    r: &'a Slot,
    c: &'a Slot,
}

impl Cell<'_> {
    /// The largest `|i m - j n|` that some order of the values inside would give.
    fn largest(&self) -> u128 {
        let (r, c) = (u128::from(self.r.inside), u128::from(self.c.inside));
        let old_first = ((self.i + r) * self.m).abs_diff(self.j * self.n);
        let new_first = (self.i * self.m).abs_diff((self.j + c) * self.n);
        old_first.max(new_first)
    }

    /// Bounds of the area between the distribution functions. Their signed area is known by the sums of
    /// the offsets, so the area is known wherever they can't cross.
    fn area(&self, width: f64, unit: f64) -> [f64; 2] {
        let (n, m) = (self.n as f64, self.m as f64);
        let (r, c) = (u128::from(self.r.inside), u128::from(self.c.inside));
        let (before_old, before_new) = (self.i * self.m, self.j * self.n);
        let (after_old, after_new) = ((self.i + r) * self.m, (self.j + c) * self.n);
        let apart = |old: u128, new: u128| {
            let distance = old.abs_diff(new) as f64 / (n * m);
            if old >= new { distance } else { -distance }
        };
        let step = |slot: &Slot, all: f64| {
            slot.inside as f64 / all * width - slot.offsets as f64 / all * unit
        };
        let signed = apart(before_old, before_new) * width + step(self.r, n) - step(self.c, m);
        let area = signed.abs();
        if before_old >= after_new || before_new >= after_old {
            return [area; 2];
        }
        let over = apart(after_old, before_new).max(0.0) * width;
        let under = apart(after_new, before_old).max(0.0) * width;
        [area, over.max(under).min(2.0 * under + signed).min(2.0 * over - signed).max(area)]
    }
}

//! Exact distances, by a second look at the values of the few cells that matter.

use std::collections::HashMap;

use super::Anchors;
use super::bounds::Bounds;
use super::number::Number;
use super::quantile::Located;
use super::tally::Tally;
use crate::statistic::{Pooled, Sum, pool};

/// Which slots' values are wanted again, of which side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sought {
    /// A place among the wanted ones, a slot; `u32::MAX` for what is not.
    places: Vec<u32>,
    slots: Vec<usize>,
    /// Whether nothing at all is left out.
    whole: bool,
}

/// Values whose cells are found together.
const BLOCK: usize = 1_024;

/// So many values inside of cells are looked at again whether or not they matter to a distance: it makes
/// what else a report says of small data exact.
const LITTLE: u64 = 1 << 16;

impl Sought {
    /// The open slots, and those of these order statistics; all of them where they hold little.
    pub(crate) fn new<T>(
        (old, new): (&Tally, &Tally),
        bounds: &Bounds,
        located: &[Located<T>],
    ) -> Self {
        let inside = |tally: &Tally| tally.slots.iter().map(|slot| slot.inside).sum::<u64>();
        let whole = inside(old) + inside(new) <= LITTLE;
        let mut wanted = vec![whole; old.slots.len()];
        bounds.open.iter().for_each(|&at| wanted[at] = true);
        for place in located {
            if let Located::Inside { slot, .. } = place {
                wanted[*slot] = true;
            }
        }
        let slots: Vec<usize> = (0..wanted.len()).filter(|&at| wanted[at]).collect();
        let mut places = vec![u32::MAX; wanted.len()];
        (0_u32..).zip(&slots).for_each(|(place, &at)| places[at] = place);
        Self { places, slots, whole }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Room for the values.
    pub(crate) fn room<T>(&self) -> Vec<Vec<T>> {
        self.slots.iter().map(|_| Vec::new()).collect()
    }

    /// Keeps those of these values that are wanted.
    pub(crate) fn gather<T: Number>(
        &self,
        anchors: &Anchors<T>,
        values: &[T],
        into: &mut [Vec<T>],
    ) {
        let mut cells = [0; BLOCK];
        for block in values.chunks(BLOCK) {
            anchors.cells(block, &mut cells);
            for (&value, &cell) in block.iter().zip(&cells) {
                let cell = usize::from(cell);
                let inside = cell == 0 || anchors.padded[cell - 1] != value;
                if let Some(kept) = into.get_mut(self.places[cell] as usize).filter(|_| inside) {
                    kept.push(value.plain());
                }
            }
        }
    }
}

/// What a second look has found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exact<T> {
    /// `max |i m - j n|`.
    pub(crate) ks: u128,
    pub(crate) wasserstein: f64,
    /// The wanted slots' values of each side, sorted.
    slots: HashMap<usize, [Vec<T>; 2]>,
    whole: bool,
}

impl<T: Number> Exact<T> {
    /// The value of an order statistic of the reference (0) or the current side (1).
    pub(crate) fn value(&self, side: usize, located: Located<T>) -> Option<T> {
        match located {
            Located::At(value) => Some(value),
            Located::Inside { slot, rank } => {
                self.slots.get(&slot)?[side].get(usize::try_from(rank).ok()?).copied()
            }
        }
    }

    /// The distinct values of both sides in ascending order, where all of them are known.
    pub(crate) fn pooled(
        &self,
        anchors: &Anchors<T>,
        (old, new): (&Tally, &Tally),
    ) -> Option<Vec<Pooled<T>>> {
        let mut points = self.whole.then(Vec::new)?;
        for (at, (r, c)) in old.slots.iter().zip(&new.slots).enumerate() {
            if r.at + c.at > 0 {
                let value = anchors.edges()[at - 1];
                points.push(Pooled { value, reference: r.at, current: c.at });
            }
            let [old, new] = self.slots.get(&at)?;
            points.extend(pool(&runs(old), &runs(new)));
        }
        Some(points)
    }
}

/// Sorted values, each once with how often it occurs.
fn runs<T: Number>(sorted: &[T]) -> Vec<(T, u64)> {
    let equal = sorted.chunk_by(|a, b| a == b);
    equal.map(|run| (run[0], run.len() as u64)).collect()
}

/// Makes the bounds meet, by the wanted values of both sides.
pub(crate) fn refine<T: Number>(
    anchors: &Anchors<T>,
    (old, new): (&Tally, &Tally),
    bounds: &Bounds,
    sought: &Sought,
    values: [Vec<Vec<T>>; 2],
) -> Exact<T> {
    let [old_values, new_values] = values;
    let sorted = |mut values: Vec<T>| {
        values.sort_unstable_by(|a, b| a.order(*b));
        values
    };
    let pairs = old_values.into_iter().map(sorted).zip(new_values.into_iter().map(sorted));
    let slots: HashMap<usize, [Vec<T>; 2]> =
        sought.slots.iter().copied().zip(pairs.map(|(old, new)| [old, new])).collect();
    let (n, m) = (u128::from(old.len()), u128::from(new.len()));
    let edges = anchors.edges();
    let down = match edges {
        [first, .., last] => T::scale(*first, *last),
        _ => 1.0,
    };
    let (mut ks, mut correction) = (bounds.ks[0], Sum::default());
    let (mut i, mut j) = (0, 0);
    for (at, (r, c)) in old.slots.iter().zip(&new.slots).enumerate() {
        (i, j) = (i + u128::from(r.at), j + u128::from(c.at));
        if let (Some([old, new]), true) = (slots.get(&at), at > 0 && at < edges.len()) {
            let span =
                Span { edges: (edges[at - 1], edges[at]), before: (i, j), all: (n, m), down };
            let (largest, area, signed) = span.walk(old, new);
            ks = ks.max(largest);
            // The lower bound holds the signed area; what crossing adds comes on top.
            correction.add(area - signed.abs());
        }
        (i, j) = (i + u128::from(r.inside), j + u128::from(c.inside));
    }
    let wasserstein = bounds.wasserstein[0] + correction.value() / down;
    Exact { ks, wasserstein, slots, whole: sought.whole }
}

/// One cell, whose values are known.
struct Span<T> {
    edges: (T, T),
    before: (u128, u128),
    all: (u128, u128),
    down: f64,
}

impl<T: Number> Span<T> {
    /// The largest `|i m - j n|`, the area between the distribution functions, and the signed one.
    fn walk(&self, old: &[T], new: &[T]) -> (u128, f64, f64) {
        let (n, m) = self.all;
        let (mut i, mut j) = self.before;
        let (mut a, mut b) = (0, 0);
        let product = n as f64 * m as f64;
        let (mut largest, mut area, mut signed) = (0, Sum::default(), Sum::default());
        let mut previous = self.edges.0;
        loop {
            let next = match (old.get(a), new.get(b)) {
                (Some(&x), Some(&y)) if x.order(y).is_le() => x,
                (Some(&x), None) => x,
                (_, Some(&y)) => y,
                (None, None) => self.edges.1,
            };
            let (ahead, behind) = (i * m, j * n);
            let step =
                T::gap(previous, next, self.down) * (ahead.abs_diff(behind) as f64 / product);
            area.add(step);
            signed.add(if ahead >= behind { step } else { -step });
            if a == old.len() && b == new.len() {
                return (largest, area.value(), signed.value());
            }
            while old.get(a) == Some(&next) {
                (a, i) = (a + 1, i + 1);
            }
            while new.get(b) == Some(&next) {
                (b, j) = (b + 1, j + 1);
            }
            largest = largest.max((i * m).abs_diff(j * n));
            previous = next;
        }
    }
}

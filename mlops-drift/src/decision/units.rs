//! Whole clusters of one column, and how they are drawn.

use rand::RngExt;

use super::draw::Random;
use crate::reference::{ColumnState, STRIDE, State};

/// Beyond this many clusters neighbours are joined.
pub(crate) const MAX_CLUSTERS: usize = 4_096;
/// Counts of whole clusters: those of the reference first, then the current ones.
#[derive(Debug, Clone)]
pub(crate) struct Units {
    pub(super) counts: Vec<[u64; STRIDE]>,
    /// How many of them are the reference's.
    pub(super) reference: usize,
}

impl Units {
    /// The clusters of one column, in the order of their keys.
    pub(crate) fn new(reference: (&State, &ColumnState), current: (&State, &ColumnState)) -> Self {
        let all = reference.0.slots().count() + current.0.slots().count();
        let join = all.div_ceil(MAX_CLUSTERS).max(1);
        let mut counts = joined(reference.0, reference.1, join);
        let first = counts.len();
        counts.extend(joined(current.0, current.1, join));
        Self { counts, reference: first }
    }

    /// Only the clusters that hold a usable value.
    pub(crate) fn with_values(&self) -> Self {
        let holds = |unit: &&[u64; STRIDE]| unit[1..].iter().any(|&count| count > 0);
        let (before, after) = self.counts.split_at(self.reference);
        let mut counts: Vec<_> = before.iter().filter(holds).copied().collect();
        let reference = counts.len();
        counts.extend(after.iter().filter(holds).copied());
        Self { counts, reference }
    }

    /// How many clusters each side has.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        (self.reference as u64, (self.counts.len() - self.reference) as u64)
    }

    pub(super) fn totals(&self) -> [u64; STRIDE] {
        let mut totals = [0; STRIDE];
        self.counts.iter().for_each(|unit| add(&mut totals, unit));
        totals
    }
}

fn joined(state: &State, column: &ColumnState, join: usize) -> Vec<[u64; STRIDE]> {
    let slots: Vec<usize> = state.slots().collect();
    let unit = |slots: &[usize]| {
        let mut sum = [0; STRIDE];
        for slot in slots {
            if let Some(counts) = column.clusters.get(slot * STRIDE..(slot + 1) * STRIDE) {
                sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
        sum
    };
    slots.chunks(join).map(unit).filter(|unit| unit[0] > 0).collect()
}

pub(super) fn add(sum: &mut [u64; STRIDE], unit: &[u64; STRIDE]) {
    sum.iter_mut().zip(unit).for_each(|(sum, count)| *sum += count);
}

/// Picks `size` of the indices below `all` without replacement, again and again.
pub(super) struct Picker {
    order: Vec<usize>,
    pub(super) size: usize,
}

impl Picker {
    pub(super) fn new(all: usize, size: usize) -> Self {
        Self { order: (0..all).collect(), size: size.min(all - size) }
    }

    pub(super) fn pick(&mut self, random: &mut Random) -> &[usize] {
        for next in 0..self.size {
            let other = random.random_range(next..self.order.len());
            self.order.swap(next, other);
        }
        &self.order[..self.size]
    }
}

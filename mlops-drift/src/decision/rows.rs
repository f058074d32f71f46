//! Value tests by exchange of single rows, on at most 256 pooled cells.

use super::draw::{Random, RowSampler};
use super::joint;
use super::marginal::{ORDERED, Observed, Thresholds, reaches};
use super::scores::Scored;
use super::sequential::{sequential, sequential_one};
use super::tail::{ln_upper, shape_upper};
use crate::statistic::g;

/// How many pooled cells a permutation has at most.
pub(crate) const POOLED_CELLS: usize = 256;

/// Below so many standard deviations a bound could not beat the draws.
const TAIL_FROM: f64 = 4.0;
const SHAPE_TAIL_FROM: f64 = 20.0;
/// The most draws for what stands beside a change that is beyond all draws.
const COARSE_DRAWS: u32 = 999;

/// Counts of both sides in the same cells, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cells {
    pub(crate) reference: Vec<u64>,
    pub(crate) current: Vec<u64>,
}

impl Cells {
    /// Joins neighbouring values until at most [`POOLED_CELLS`] cells are left; a value that holds
    /// its part or more keeps a cell of its own. The cells depend on the pooled counts alone, so an
    /// exchange of rows does not move them.
    pub(crate) fn join(counts: impl Iterator<Item = (u64, u64)> + Clone) -> Self {
        let total: u64 = counts.clone().map(|(r, c)| r + c).sum();
        let mut part = total as f64 / POOLED_CELLS as f64;
        if counts.clone().nth(POOLED_CELLS).is_none() {
            part = 0.0;
        }
        loop {
            let cells = Self::with_part(counts.clone(), part);
            if cells.reference.len() <= POOLED_CELLS {
                return cells;
            }
            part *= 1.1;
        }
    }

    fn with_part(counts: impl Iterator<Item = (u64, u64)>, part: f64) -> Self {
        let mut cells = Self::default();
        let mut open = f64::INFINITY;
        for (reference, current) in counts {
            let here = (reference + current) as f64;
            if open + here > part {
                cells.reference.push(0);
                cells.current.push(0);
                open = 0.0;
            }
            open += here;
            if let (Some(r), Some(c)) = (cells.reference.last_mut(), cells.current.last_mut()) {
                *r += reference;
                *c += current;
            }
        }
        cells
    }

    /// Keeps the largest categories and joins the rest of them; of equally large ones those that come
    /// first are kept, whichever side holds them, so an exchange of rows does not move the cells.
    pub(crate) fn largest(mut counts: Vec<(u64, u64)>) -> Self {
        counts.sort_by_key(|&(r, c)| std::cmp::Reverse(r + c));
        let mut cells = Self::default();
        for (rank, (reference, current)) in counts.into_iter().enumerate() {
            if rank < POOLED_CELLS {
                cells.reference.push(reference);
                cells.current.push(current);
            } else {
                cells.reference[POOLED_CELLS - 1] += reference;
                cells.current[POOLED_CELLS - 1] += current;
            }
        }
        cells
    }

    fn totals(&self) -> Vec<u64> {
        self.reference.iter().zip(&self.current).map(|(r, c)| r + c).collect()
    }

    fn sizes(&self) -> (u64, u64) {
        (self.reference.iter().sum(), self.current.iter().sum())
    }
}

/// The statistics of ordered cells when single rows are exchanged.
pub(crate) struct Ordered {
    scored: Scored,
    deviation: [f64; 2],
    /// What makes the sum of squares A².
    factor: f64,
    size: f64,
}

impl Ordered {
    pub(crate) fn new(totals: &[u64], size: u64) -> Self {
        let scored = Scored::new(totals);
        let (size, all) = (size as f64, scored.all());
        let rest = all - size;
        let fixed = size * rest / (all * (all - 1.0));
        let deviation = scored.spread.map(|spread| (spread * fixed).sqrt());
        Self { scored, deviation, factor: (all - 1.0) / (size * rest), size }
    }

    /// Of the side that has `size` rows.
    pub(crate) fn of(&self, counts: &[u64]) -> Observed {
        let sums = self.scored.sums(counts, self.size);
        let z = |kind: usize| {
            let deviation = self.deviation[kind];
            (deviation > 0.0).then(|| sums.linear[kind].abs() / deviation)
        };
        [z(0), z(1), self.scored.shape_varies().then_some(sums.squared * self.factor)]
    }
}

/// The joint p-values of location, scale and shape; `None` for one that can't vary.
pub(crate) fn ordered(cells: &Cells, max_draws: u32, random: &mut Random) -> Observed {
    let totals = cells.totals();
    let (n, m) = cells.sizes();
    let (small, side) = if n < m { (n, &cells.reference) } else { (m, &cells.current) };
    let statistics = Ordered::new(&totals, small);
    let observed = statistics.of(side);
    let bounds = Bounds { statistics: &statistics, totals: &totals, side, small };
    if joint::is_untied(&totals) {
        return joint::p_values(observed, |kind| bounds.of(kind, observed[kind]));
    }
    let mut open = observed;
    let mut p = [None; ORDERED];
    for kind in 0..ORDERED {
        // Either kind of change may be the one that is this unlikely.
        let bound = ORDERED as f64 * bounds.of(kind, observed[kind]);
        // A bound that draws could not reach needs none of them.
        if bound * f64::from(max_draws) < 1.0 {
            p[kind] = Some(bound.max(f64::MIN_POSITIVE));
            open[kind] = None;
        }
    }
    let Some(thresholds) = Thresholds::new(open, statistics.scored.tail()) else { return p };
    // Beside a kind that is beyond all draws the others need not be known as finely.
    let max_draws = if p == [None; ORDERED] { max_draws } else { max_draws.min(COARSE_DRAWS) };
    let sampler = RowSampler::new(&totals, small);
    let mut counts = vec![0; totals.len()];
    let drawn = sequential(thresholds.tested(), thresholds.leading(), max_draws, || {
        sampler.draw(random, &mut counts);
        thresholds.reached(statistics.of(&counts))
    });
    std::array::from_fn(|kind| p[kind].or(drawn[kind]))
}

/// Bounds of p-values by themselves.
struct Bounds<'a> {
    statistics: &'a Ordered,
    totals: &'a [u64],
    side: &'a [u64],
    small: u64,
}

impl Bounds<'_> {
    /// 1 where a bound could not beat the draws.
    fn of(&self, kind: usize, observed: Option<f64>) -> f64 {
        let scored = &self.statistics.scored;
        match (kind, observed) {
            (2, Some(value)) if value >= SHAPE_TAIL_FROM => {
                shape_upper(scored, self.totals, self.small, value)
            }
            (0 | 1, Some(z)) if z >= TAIL_FROM => {
                let sum = scored.sums(self.side, self.small as f64).linear[kind].abs();
                // Either direction.
                let tail = |sign: f64| {
                    let scores: Vec<f64> = scored.scores(kind).map(|score| score * sign).collect();
                    ln_upper(&scores, self.totals, self.small, sum).exp()
                };
                tail(1.0) + tail(-1.0)
            }
            _ => 1.0,
        }
    }
}

/// The p-value of G over categories; `None` for a single category.
pub(crate) fn categories(cells: &Cells, max_draws: u32, random: &mut Random) -> Option<f64> {
    let totals = cells.totals();
    if totals.len() < 2 {
        return None;
    }
    let observed = g(&cells.reference, &cells.current)?;
    let (n, m) = cells.sizes();
    let small = n.min(m);
    let bound = ln_tables(&totals, small) - observed / 2.0;
    if bound < -f64::from(max_draws).ln() {
        return Some(bound.exp().max(f64::MIN_POSITIVE));
    }
    let sampler = RowSampler::new(&totals, small);
    let mut counts = vec![0; totals.len()];
    let mut rest = totals.clone();
    sequential_one(max_draws, || {
        sampler.draw(random, &mut counts);
        for ((rest, total), count) in rest.iter_mut().zip(&totals).zip(&counts) {
            *rest = total - count;
        }
        g(&rest, &counts).is_some_and(|drawn| reaches(drawn, observed))
    })
}

/// The logarithm of c in P(G >= g) <= c exp(-g / 2): at most so many tables, each of probability at
/// most sqrt(8 m (N - m) / N) exp(-G / 2) (method of types; Stirling bounds of the binomials).
fn ln_tables(totals: &[u64], size: u64) -> f64 {
    let all: u64 = totals.iter().sum();
    let ways = |&total: &u64| ((total.min(size) + 1) as f64).ln();
    let sum: f64 = totals.iter().map(ways).sum();
    let largest = totals.iter().map(ways).fold(0.0, f64::max);
    let (all, size) = (all as f64, size as f64);
    sum - largest + 0.5 * (8.0 * size * (all - size) / all).ln()
}

#[cfg(test)]
#[path = "tests_rows.rs"]
mod tests;

//! Value tests by exchange of single rows, on at most 256 pooled cells.

use super::draw::{Random, RowSampler};
use super::scores::{Scored, largest_z};
use super::sequential::sequential;
use super::tail::ln_upper;
use crate::statistic::g;

/// How many pooled cells a permutation has at most.
pub(crate) const POOLED_CELLS: usize = 256;

/// Below so many standard deviations a bound could not beat the draws.
const TAIL_FROM: f64 = 4.0;

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

    /// Keeps the largest categories and joins the rest of them.
    pub(crate) fn largest(mut counts: Vec<(u64, u64)>) -> Self {
        counts.sort_unstable_by_key(|&(r, c)| std::cmp::Reverse((r + c, r)));
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

/// The joint p-values of location and scale; `None` for one that can't vary.
pub(crate) fn location_and_scale(
    cells: &Cells,
    max_draws: u32,
    random: &mut Random,
) -> [Option<f64>; 2] {
    let totals = cells.totals();
    let scored = Scored::new(&totals);
    let (n, m) = cells.sizes();
    let (small, all) = (n.min(m), (n + m) as f64);
    let size = small as f64;
    let fixed = size * (all - size) / (all * (all - 1.0));
    let deviation = scored.spread.map(|spread| (spread * fixed).sqrt());
    let sums = scored.sums(&cells.current);
    let mut observed = scored.standardised(sums, deviation);
    let mut p = [None; 2];
    for kind in 0..2 {
        if observed[kind].is_none_or(|z| z < TAIL_FROM) {
            continue;
        }
        let sum = sums[kind].abs();
        // Either direction, and either kind of change.
        let tail = |sign: f64| {
            let scores: Vec<f64> = scored.scores[kind].iter().map(|score| score * sign).collect();
            ln_upper(&scores, &totals, small, sum).exp()
        };
        let bound = 2.0 * (tail(1.0) + tail(-1.0));
        // A bound that draws could not reach needs none of them.
        if bound * f64::from(max_draws) < 1.0 {
            p[kind] = Some(bound.max(f64::MIN_POSITIVE));
            observed[kind] = None;
        }
    }
    let mut sampler = RowSampler::new(&totals, small);
    let mut counts = vec![0; totals.len()];
    let drawn = sequential(observed, max_draws, || {
        sampler.draw(random, &mut counts);
        largest_z(scored.standardised(scored.sums(&counts), deviation))
    });
    [p[0].or(drawn[0]), p[1].or(drawn[1])]
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
    let mut sampler = RowSampler::new(&totals, small);
    let mut counts = vec![0; totals.len()];
    let mut rest = totals.clone();
    let [p] = sequential([Some(observed)], max_draws, || {
        sampler.draw(random, &mut counts);
        for ((rest, total), count) in rest.iter_mut().zip(&totals).zip(&counts) {
            *rest = total - count;
        }
        g(&rest, &counts).unwrap_or(0.0)
    });
    p
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
mod tests {
    use super::*;
    use crate::decision::draw::random;

    #[test]
    fn joined_cells_are_few_and_keep_every_row() {
        let counts = (0..5_000_u64).map(|k| (k % 3, if k == 70 { 900 } else { k % 2 }));
        let cells = Cells::join(counts.clone());
        assert!((150..=POOLED_CELLS).contains(&cells.reference.len()));
        assert_eq!(cells.sizes(), counts.fold((0, 0), |sum, c| (sum.0 + c.0, sum.1 + c.1)));
        assert!(cells.totals().contains(&901), "the heavy value has a cell of its own");
        assert_eq!(Cells::join([(1, 2), (0, 0), (3, 4)].into_iter()).totals(), [3, 0, 7]);
        let many = Cells::largest((0..300).map(|k| (k, 1)).collect());
        assert_eq!((many.reference.len(), many.current[255]), (256, 45));
    }

    /// All splits of 5 against 4 rows, one by one.
    #[test]
    fn draws_agree_with_complete_enumeration() {
        let totals = [2_u64, 1, 3, 2, 1];
        let current = [0_u64, 0, 1, 2, 1];
        let reference = totals.iter().zip(current).map(|(t, c)| t - c).collect();
        let cells = Cells { reference, current: current.to_vec() };
        let rows: Vec<usize> = vec![0, 0, 1, 2, 2, 2, 3, 3, 4];
        let scored = Scored::new(&totals);
        let deviation = scored.spread.map(f64::sqrt);
        let z = |counts: &[u64]| scored.standardised(scored.sums(counts), deviation);
        let observed = z(&current);
        let (mut splits, mut reached) = (0.0, [0.0; 2]);
        for mask in (0_u32..1 << 9).filter(|mask| mask.count_ones() == 4) {
            let mut counts = [0; 5];
            (0..9).filter(|row| mask >> row & 1 == 1).for_each(|row| counts[rows[row]] += 1);
            splits += 1.0;
            for kind in 0..2 {
                let hit = largest_z(z(&counts)) >= observed[kind].unwrap_or(0.0) - 1e-9;
                reached[kind] += f64::from(u8::from(hit));
            }
        }
        assert_eq!(splits, 126.0);
        let p = location_and_scale(&cells, 4_999, &mut random(3, "x", "values"));
        for kind in 0..2 {
            let exact: f64 = reached[kind] / splits;
            let seen = p[kind].unwrap_or(f64::NAN);
            // Drawing stops at 50 matches of the leading kind: a relative error of a seventh, three of them.
            assert!((seen - exact).abs() < 0.4 * exact, "{kind}: {seen} {exact}");
        }
    }

    #[test]
    fn the_bounds_beyond_the_draws_are_bounds() {
        let totals = [200_u64, 200, 200, 200];
        let (scored, draws) = (Scored::new(&totals), 20_000);
        let mut random = random(11, "x", "values");
        let mut sampler = RowSampler::new(&totals, 100);
        let mut counts = [0; 4];
        let (mut sums, mut gs) = (Vec::new(), Vec::new());
        for _ in 0..draws {
            sampler.draw(&mut random, &mut counts);
            sums.push(scored.sums(&counts)[0].abs());
            gs.push(g(&totals.map(|t| t - 25), &counts).unwrap_or(0.0));
        }
        sums.sort_by(f64::total_cmp);
        gs.sort_by(f64::total_cmp);
        for p in [0.001, 0.000_2] {
            let at = draws - (p * f64::from(draws as u32)) as usize;
            let tail = |sign: f64| {
                let scores: Vec<f64> = scored.scores[0].iter().map(|score| score * sign).collect();
                ln_upper(&scores, &totals, 100, sums[at]).exp()
            };
            let bound = tail(1.0) + tail(-1.0);
            assert!(bound > p && bound < (600.0 * p).max(0.1), "{p} {bound}");
            assert!(ln_tables(&totals, 100) - gs[at] / 2.0 > f64::ln(p));
        }
    }
}

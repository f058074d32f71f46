//! Random draws that are the same on every machine.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use statrs::function::factorial::ln_binomial;

/// The generator: its stream is part of what makes a report reproducible.
pub(crate) type Random = Xoshiro256PlusPlus;

/// The generator of one test: the same for the same seed, column and test.
pub(crate) fn random(seed: u64, column: &str, test: &str) -> Random {
    // FNV-1a; a separator keeps ("ab", "c") and ("a", "bc") apart.
    let bytes = column.bytes().chain([0xff]).chain(test.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Random::seed_from_u64(seed ^ hash)
}

/// Draws `size` rows without replacement from cells of rows and counts what falls where.
///
/// Few rows are picked one by one, many cell by cell; both give the multivariate hypergeometric law.
pub(crate) struct RowSampler<'a> {
    totals: &'a [u64],
    size: u64,
    all: u64,
    /// The cell of each row, in an order that is shuffled on and on; empty when cells are drawn.
    rows: Vec<u8>,
    /// ln k! for k up to the number of rows; empty where rows are drawn, or too many for a table.
    ln_factorials: Vec<f64>,
}

/// Nanoseconds: drawing one row, or one cell with a table of factorials.
const ROW_COST: u64 = 4;
const CELL_COST: u64 = 80;
/// Beyond this many rows neither their shuffled order nor a table is worth its memory.
const TABULATED: u64 = 1 << 21;

impl<'a> RowSampler<'a> {
    /// `totals` has at most 256 cells.
    pub(crate) fn new(totals: &'a [u64], size: u64) -> Self {
        let all: u64 = totals.iter().sum();
        let one_by_one = size * ROW_COST < totals.len() as u64 * CELL_COST && all <= TABULATED;
        let (mut rows, mut ln_factorials) = (Vec::new(), Vec::new());
        if one_by_one {
            for (cell, &count) in (0..=u8::MAX).zip(totals) {
                rows.extend(std::iter::repeat_n(cell, count as usize));
            }
        } else if all <= TABULATED {
            let next = |sum: &mut f64, k: u64| {
                *sum += (k.max(1) as f64).ln();
                Some(*sum)
            };
            ln_factorials.extend((0..=all).scan(0.0, next));
        }
        Self { totals, size, all, rows, ln_factorials }
    }

    pub(crate) fn draw(&mut self, random: &mut Random, counts: &mut [u64]) {
        counts.fill(0);
        if self.rows.is_empty() {
            return self.draw_cells(random, counts);
        }
        for next in 0..self.size as usize {
            let other = random.random_range(next..self.rows.len());
            self.rows.swap(next, other);
            counts[usize::from(self.rows[next])] += 1;
        }
    }

    fn draw_cells(&self, random: &mut Random, counts: &mut [u64]) {
        let mut rest = self.all;
        let mut wanted = self.size;
        for (count, &total) in counts.iter_mut().zip(self.totals) {
            *count = self.hypergeometric(random, rest, total, wanted);
            rest -= total;
            wanted -= *count;
        }
    }

    /// How many of `draws` rows out of `all` are among the `marked` ones: inversion, walking outwards
    /// from the mode, so that the expected number of steps is of the order of the standard deviation.
    fn hypergeometric(&self, random: &mut Random, all: u64, marked: u64, draws: u64) -> u64 {
        let low = (draws + marked).saturating_sub(all);
        let high = marked.min(draws);
        if low == high {
            return low;
        }
        let mode = (u128::from(draws + 1) * u128::from(marked + 1) / u128::from(all + 2)) as u64;
        let mode = mode.clamp(low, high);
        let at_mode = self.probability(all, marked, draws, mode);
        let mut left = random.random::<f64>() - at_mode;
        let (mut up, mut down) = (mode, mode);
        let (mut p_up, mut p_down) = (at_mode, at_mode);
        while left > 0.0 && (up < high || down > low) {
            if up < high {
                p_up *= step_up(all, marked, draws, up);
                up += 1;
                left -= p_up;
                if left <= 0.0 {
                    return up;
                }
            }
            if down > low {
                down -= 1;
                p_down /= step_up(all, marked, draws, down);
                left -= p_down;
                if left <= 0.0 {
                    return down;
                }
            }
        }
        mode
    }

    fn probability(&self, all: u64, marked: u64, draws: u64, k: u64) -> f64 {
        if self.ln_factorials.is_empty() {
            return ln_hypergeometric(all, marked, draws, k).exp();
        }
        let ln = |k: u64| self.ln_factorials[k as usize];
        let choose = |n: u64, k: u64| ln(n) - ln(k) - ln(n - k);
        (choose(marked, k) + choose(all - marked, draws - k) - choose(all, draws)).exp()
    }
}

/// The logarithm of the hypergeometric probability of `k` marked rows.
pub(crate) fn ln_hypergeometric(all: u64, marked: u64, draws: u64, k: u64) -> f64 {
    ln_binomial(marked, k) + ln_binomial(all - marked, draws - k) - ln_binomial(all, draws)
}

/// The probability of `k + 1` over that of `k`.
pub(crate) fn step_up(all: u64, marked: u64, draws: u64, k: u64) -> f64 {
    let up = (marked - k) as f64 * (draws - k) as f64;
    up / ((k + 1) as f64 * (all - marked + k + 1 - draws) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_drawing_have_the_moments_of_the_law() {
        let totals = [300_u64, 50, 0, 650];
        for size in [40_u64, 700] {
            let mut random = random(7, "x", "y");
            let mut sampler = RowSampler::new(&totals, size);
            assert_eq!(sampler.rows.is_empty(), size == 700);
            let (mut sum, mut square, mut counts) = ([0.0; 4], [0.0; 4], [0_u64; 4]);
            let draws = 20_000;
            for _ in 0..draws {
                sampler.draw(&mut random, &mut counts);
                assert_eq!(counts.iter().sum::<u64>(), size);
                for cell in 0..4 {
                    sum[cell] += counts[cell] as f64;
                    square[cell] += (counts[cell] as f64).powi(2);
                }
            }
            for cell in 0..4 {
                let share = totals[cell] as f64 / 1000.0;
                let mean = size as f64 * share;
                let variance = mean * (1.0 - share) * (1000 - size) as f64 / 999.0;
                let seen = sum[cell] / f64::from(draws);
                // Four standard errors of the mean, and of the variance of a near-normal count.
                let error = (variance / f64::from(draws)).sqrt();
                assert!((seen - mean).abs() <= 4.0 * error, "{size} {cell}: {seen} {mean}");
                let spread = square[cell] / f64::from(draws) - seen * seen;
                assert!((spread - variance).abs() <= 0.06 * variance, "{spread} {variance}");
            }
        }
    }

    #[test]
    fn a_stream_belongs_to_its_seed_column_and_test() {
        let first = |seed, column, test| random(seed, column, test).random::<u64>();
        assert_eq!(first(1, "ab", "c"), first(1, "ab", "c"));
        assert_ne!(first(1, "ab", "c"), first(1, "a", "bc"));
        assert_ne!(first(1, "ab", "c"), first(2, "ab", "c"));
    }
}

//! Random draws that are the same on every machine.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use statrs::function::factorial::ln_binomial;

use super::coins::Coins;

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
/// Many cells are drawn by tossing coins, few with many rows one after the other; both give the
/// multivariate hypergeometric law.
pub(crate) struct RowSampler<'a> {
    totals: &'a [u64],
    size: u64,
    all: u64,
    coins: Option<Coins>,
    /// ln k! for k up to the number of rows; empty where coins are tossed, or too many for a table.
    ln_factorials: Vec<f64>,
}

/// Nanoseconds a cell: drawn with a table of factorials.
const CELL_COST: f64 = 80.0;
/// Beyond this many rows a table of factorials is not worth its memory.
const TABULATED: u64 = 1 << 21;

impl<'a> RowSampler<'a> {
    pub(crate) fn new(totals: &'a [u64], size: u64) -> Self {
        let tossed = Coins::cost(totals, size) < CELL_COST * totals.len() as f64;
        Self::with(totals, size, tossed.then(|| Coins::new(totals, size)))
    }

    fn with(totals: &'a [u64], size: u64, coins: Option<Coins>) -> Self {
        let all: u64 = totals.iter().sum();
        let mut ln_factorials = Vec::new();
        if coins.is_none() && all <= TABULATED {
            let next = |sum: &mut f64, k: u64| {
                *sum += (k.max(1) as f64).ln();
                Some(*sum)
            };
            ln_factorials.extend((0..=all).scan(0.0, next));
        }
        Self { totals, size, all, coins, ln_factorials }
    }

    pub(crate) fn draw(&self, random: &mut Random, counts: &mut [u64]) {
        match &self.coins {
            Some(coins) => coins.draw(random, self.size, counts),
            None => self.draw_cells(random, counts),
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

    /// The mean and the variance of every count, and the covariance of neighbours.
    #[test]
    fn both_ways_of_drawing_have_the_moments_of_the_law() {
        let totals = [300_u64, 50, 0, 650];
        let all = 1_000;
        for tossed in [false, true] {
            for size in [40_u64, 480] {
                let mut random = random(7, "x", "y");
                let coins = tossed.then(|| Coins::new(&totals, size));
                let sampler = RowSampler::with(&totals, size, coins);
                let draws = 20_000;
                let mut counts = [0_u64; 4];
                let (mut sum, mut square, mut product) = ([0.0; 4], [0.0; 4], 0.0);
                for _ in 0..draws {
                    sampler.draw(&mut random, &mut counts);
                    assert_eq!(counts.iter().sum::<u64>(), size);
                    assert!(counts.iter().zip(&totals).all(|(count, total)| count <= total));
                    for cell in 0..4 {
                        sum[cell] += counts[cell] as f64;
                        square[cell] += (counts[cell] as f64).powi(2);
                    }
                    product += counts[0] as f64 * counts[3] as f64;
                }
                let spread = size as f64 * (all - size) as f64 / (all - 1) as f64;
                let share = |cell: usize| totals[cell] as f64 / all as f64;
                let mean = |cell: usize| sum[cell] / f64::from(draws);
                for (cell, square) in square.iter().enumerate() {
                    let variance = share(cell) * (1.0 - share(cell)) * spread;
                    let expected = size as f64 * share(cell);
                    // Four standard errors of the mean, and of the variance of a near-normal count.
                    let error = (variance / f64::from(draws)).sqrt();
                    assert!((mean(cell) - expected).abs() <= 4.0 * error, "{size} {cell}");
                    let seen = square / f64::from(draws) - mean(cell).powi(2);
                    assert!((seen - variance).abs() <= 0.06 * variance, "{seen} {variance}");
                }
                let covariance = product / f64::from(draws) - mean(0) * mean(3);
                let expected = -share(0) * share(3) * spread;
                assert!((covariance / expected - 1.0).abs() < 0.06, "{covariance} {expected}");
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

//! Random draws that are the same on every machine: marks that break ties, and who gets which.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use statrs::function::factorial::ln_binomial;

/// The generator: its stream is part of what makes a look reproducible.
pub(super) type Random = Xoshiro256PlusPlus;

/// Up to this many trials are made one by one.
const ONE_BY_ONE: u64 = 16;

/// The generator of one purpose: streams of one seed have nothing in common.
pub(super) fn random(seed: u64, stream: u64) -> Random {
    let spread = stream.wrapping_mul(0xd134_2543_de82_ef95).rotate_left(32);
    Random::seed_from_u64(seed ^ spread)
}

/// How many of `trials` succeed with probability `p` each: inversion, walking outwards from the mode.
pub(super) fn binomial(random: &mut Random, trials: u64, p: f64) -> u64 {
    if p <= 0.0 || trials == 0 {
        return 0;
    }
    if p >= 1.0 {
        return trials;
    }
    if trials <= ONE_BY_ONE {
        return (0..trials).map(|_| u64::from(random.random::<f64>() < p)).sum();
    }
    let n = trials as f64;
    let mode = (((n + 1.0) * p) as u64).min(trials);
    let ln_mode =
        ln_binomial(trials, mode) + mode as f64 * p.ln() + (n - mode as f64) * (-p).ln_1p();
    let step = |k: u64| (trials - k) as f64 / (k + 1) as f64 * (p / (1.0 - p));
    let (mut up, mut down) = (mode, mode);
    let (mut p_up, mut p_down) = (ln_mode.exp(), ln_mode.exp());
    let mut left = random.random::<f64>() - p_up;
    while left > 0.0 && (up < trials && p_up > 0.0 || down > 0 && p_down > 0.0) {
        if up < trials {
            p_up *= step(up);
            up += 1;
            left -= p_up;
            if left <= 0.0 {
                return up;
            }
        }
        if down > 0 {
            down -= 1;
            p_down /= step(down);
            left -= p_down;
            if left <= 0.0 {
                return down;
            }
        }
    }
    mode
}

/// Deals `count` rows with uniform marks out to the cells that ascending `marks` in (0, 1) part.
pub(super) fn deal(random: &mut Random, mut count: u64, marks: &[f64], cells: &mut [u64]) {
    let mut below = 0.0;
    for (cell, mark) in cells.iter_mut().zip(marks) {
        let share = if below < 1.0 { (mark - below) / (1.0 - below) } else { 0.0 };
        let here = binomial(random, count, share);
        *cell += here;
        count -= here;
        below = *mark;
    }
    if let Some(last) = cells.get_mut(marks.len()) {
        *last += count;
    }
}

/// The marks at ascending `positions` (from 1) among `of` sorted uniform ones: each lies beyond the
/// one before by a Beta-distributed part of what is left.
pub(super) fn marks(random: &mut Random, positions: &[u64], of: u64) -> Vec<f64> {
    let (mut below, mut mark) = (0, 0.0);
    let next = |&position: &u64| {
        let step = gamma(random, (position - below) as f64);
        let rest = gamma(random, (of - position + 1) as f64);
        mark += (1.0 - mark) * step / (step + rest);
        below = position;
        mark
    };
    positions.iter().map(next).collect()
}

/// A Gamma variable of shape 1 or more (Marsaglia and Tsang, ACM Transactions on Mathematical Software
/// 26, 2000).
fn gamma(random: &mut Random, shape: f64) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(random);
        let v = (1.0 + c * x).powi(3);
        let u = 1.0 - random.random::<f64>();
        if v > 0.0 && u.ln() < x * x / 2.0 + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

/// A normal variable (Box and Muller, Annals of Mathematical Statistics 29, 1958).
fn normal(random: &mut Random) -> f64 {
    let u = 1.0 - random.random::<f64>();
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of `draws` draws.
    fn moments(draws: u32, mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let (mut sum, mut square) = (0.0, 0.0);
        for _ in 0..draws {
            let value = draw();
            sum += value;
            square += value * value;
        }
        let mean = sum / f64::from(draws);
        (mean, square / f64::from(draws) - mean * mean)
    }

    #[test]
    fn binomials_have_the_moments_of_their_law() {
        let mut random = random(3, 0);
        for (trials, p) in [(5, 0.3), (40, 0.01), (1_000, 0.5), (1_000_000, 0.2), (300, 0.999)] {
            let (mean, variance) = moments(20_000, || binomial(&mut random, trials, p) as f64);
            let expected = trials as f64 * p;
            let spread = expected * (1.0 - p);
            assert!((mean - expected).abs() < 4.0 * (spread / 2e4).sqrt(), "{trials} {p}: {mean}");
            assert!((variance - spread).abs() < 0.08 * spread, "{trials} {p}: {variance}");
        }
        assert_eq!(binomial(&mut random, 9, 0.0) + binomial(&mut random, 9, 1.0), 9);
    }

    #[test]
    fn marks_have_the_moments_of_order_statistics() {
        let mut random = random(4, 0);
        for (positions, of) in [(vec![1, 2, 50, 99], 99), (vec![3_000], 10_000), (vec![1], 1)] {
            for index in 0..positions.len() {
                let (mean, variance) = moments(10_000, || {
                    let marks = marks(&mut random, &positions, of);
                    assert!(marks.is_sorted() && marks[0] > 0.0 && marks[marks.len() - 1] < 1.0);
                    marks[index]
                });
                let (a, b) = (positions[index] as f64, (of + 1 - positions[index]) as f64);
                let expected = a / (a + b);
                let spread = a * b / ((a + b).powi(2) * (a + b + 1.0));
                assert!((mean - expected).abs() < 4.0 * (spread / 1e4).sqrt(), "{a} {b}: {mean}");
                assert!((variance - spread).abs() < 0.1 * spread, "{a} {b}: {variance}");
            }
        }
    }

    #[test]
    fn a_deal_loses_no_row_and_follows_the_widths() {
        let mut random = random(5, 0);
        let mut cells = [0; 4];
        deal(&mut random, 100_000, &[0.1, 0.1, 0.6], &mut cells);
        assert_eq!(cells.iter().sum::<u64>(), 100_000);
        assert_eq!(cells[1], 0);
        // Four standard deviations of a binomial count.
        for (cell, share) in [(0, 0.1), (2, 0.5), (3, 0.4)] {
            let off = (cells[cell] as f64 - 1e5 * share).abs();
            assert!(off < 4.0 * (1e5_f64 * share * (1.0 - share)).sqrt(), "{cells:?}");
        }
    }
}

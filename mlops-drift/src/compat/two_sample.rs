//! The p-value of SciPy's `ks_2samp` with `method="auto"`.
//!
//! It is not [`crate::statistic::ks_p_value`]: SciPy leaves ties out of account, and beyond 10,000
//! values a side it takes the law of one sample of the effective size.

use super::kstwo;
use crate::statistic::Ks;

/// Up to this size of the larger side SciPy counts paths.
const EXACT_UP_TO: u64 = 10_000;
/// Path weights start here, so that 600 decades fit below before anything underflows.
const START: f64 = f64::MAX / 1e10;

/// The probability of a distance at least as large between samples of these sizes without ties.
pub(super) fn p_value(ks: &Ks, reference: u64, current: u64) -> f64 {
    let (small, large) = (reference.min(current), reference.max(current));
    if ks.numerator == 0 {
        return 1.0;
    }
    if large > EXACT_UP_TO {
        let (n, m) = (large as f64, small as f64);
        let effective = (m * n / (m + n)).round_ties_even();
        return kstwo::upper_tail(effective.max(1.0) as u64, ks.value);
    }
    if small == large {
        // Of equal sizes the distance is a multiple of 1 / n.
        return equal(small, (ks.numerator / u128::from(small)) as u64);
    }
    // At most 10,000 squared.
    outside(small as usize, large as usize, ks.numerator as usize)
}

/// Gnedenko & Korolyuk (1951): `2 sum (-1)^(j-1) C(2n, n - jk) / C(2n, n)`, by Horner's scheme.
fn equal(n: u64, k: u64) -> f64 {
    let mut p = 0.0;
    for j in (1..=n / k).rev() {
        // C(2n, n - jk) / C(2n, n - (j - 1)k).
        let ratio: f64 =
            ((j - 1) * k..j * k).map(|i| (n - i) as f64 / (n + i + 1) as f64).product();
        p = ratio * (1.0 - p);
    }
    (2.0 * p).clamp(0.0, 1.0)
}

/// The share of the monotone paths from (0, 0) to (n, m) that somewhere have `|i m - j n| >= bound`:
/// of the paths through (i, j) a share i / (i + j) came from (i - 1, j). Beyond the band that share
/// is 1, so that only the band is walked.
fn outside(n: usize, m: usize, bound: usize) -> f64 {
    let inverse: Vec<f64> = (0..=n + m).map(|t| 1.0 / t.max(1) as f64).collect();
    let mut hit = vec![START; m + 1];
    let mut before = 0;
    for i in 0..=n {
        // The j with |i m - j n| < bound.
        let low = (i * m + 1).saturating_sub(bound).div_ceil(n);
        let high = ((i * m + bound - 1) / n).min(m);
        hit[before..low.min(m + 1)].fill(START);
        before = low;
        let mut left = START;
        for j in low..=high {
            let weight = if i + j == 0 {
                0.0
            } else {
                (i as f64 * hit[j] + j as f64 * left) * inverse[i + j]
            };
            hit[j] = weight;
            left = weight;
        }
    }
    (hit[m] / START).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every split of the ranks 1..=n+m, one by one.
    fn counted(n: u32, m: u32, bound: i64) -> f64 {
        let (mut all, mut hits) = (0_u64, 0_u64);
        for mask in 0_u32..1 << (n + m) {
            if mask.count_ones() != n {
                continue;
            }
            let (mut i, mut j, mut most) = (0_i64, 0_i64, 0_i64);
            for bit in 0..n + m {
                if mask >> bit & 1 == 1 {
                    i += 1
                } else {
                    j += 1
                }
                most = most.max((i * i64::from(m) - j * i64::from(n)).abs());
            }
            all += 1;
            hits += u64::from(most >= bound);
        }
        hits as f64 / all as f64
    }

    #[test]
    fn the_walk_along_the_band_counts_every_split() {
        for (n, m) in [(3, 5), (5, 8), (1, 9), (7, 9)] {
            for bound in 1..=i64::from(n * m) {
                let walked = outside(n as usize, m as usize, bound as usize);
                let exact = counted(n, m, bound);
                assert!((walked / exact - 1.0).abs() < 1e-12, "{n} {m} {bound}: {walked} {exact}");
            }
        }
    }

    #[test]
    fn equal_sizes_have_a_closed_form() {
        for k in 1..=8 {
            let exact = counted(8, 8, i64::from(8 * k));
            assert!((equal(8, u64::from(k as u32)) / exact - 1.0).abs() < 1e-12, "{k}");
        }
        for k in [21, 60] {
            let walked = outside(400, 400, k * 400);
            assert!((equal(400, k as u64) / walked - 1.0).abs() < 1e-10, "{k}");
        }
    }
}

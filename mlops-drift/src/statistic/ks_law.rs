//! How likely a Kolmogorov-Smirnov distance is when nothing has changed.

use serde::{Deserialize, Serialize};

use super::ks::Ks;
use super::sample::{Point, Sample, pooled_counts};

/// Up to this product of the sample sizes the law is computed exactly.
const EXACT_UP_TO: u128 = 1_000_000;
/// Up to this smaller size, with a larger product, the larger side is thinned.
const THIN_UP_TO: u64 = 200;
/// Lattice weights start here, so that 600 decades fit below them before anything underflows.
const START: f64 = f64::MAX / 1e10;

/// Which law a p-value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Law {
    /// The exact law under exchange of the rows, given the ties.
    Exact,
    /// An approximation for distinct values; with ties the p-value is too large, never too small.
    Series,
    /// Drawn by permutation.
    Permutation,
}

/// A p-value that keeps its tail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PValue {
    /// The probability, from 0 to 1; 0 only where [`PValue::log_p`] is below about -745.
    pub p: f64,
    /// Its natural logarithm, always finite.
    pub log_p: f64,
    /// The law it comes from.
    pub law: Law,
}

impl PValue {
    fn from_log(log_p: f64, law: Law) -> Self {
        let log_p = log_p.min(0.0);
        Self { p: log_p.exp(), log_p, law }
    }
}

/// The probability of a distance at least as large as `ks` between these samples' sizes when both
/// come from one distribution. `None` when a side is empty.
///
/// - While `n m` is at most 1,000,000: exact, by counting lattice paths, with the ties of the pooled
///   sample respected (Schröer & Trenkler 1995), so it agrees with R's `psmirnov(z = ...)`; SciPy's
///   exact law leaves ties out of account and is larger on tied data.
/// - Beyond, with the smaller side at most 200: the same lattice with the larger side thinned to
///   1,000,000 / smaller values and the distance rescaled to that size.
/// - Beyond: Kolmogorov's limit law with the continuity correction of Hodges (1958, eq. 5.3) less
///   half a lattice step, `d + 1/(6 min) + 1/(3 max) - 1/(2 lcm)`, which vanishes for equal sizes.
///
/// The p-value is never NaN; where it underflows, its logarithm carries the tail.
#[must_use]
pub fn ks_p_value<T: Point>(ks: &Ks, reference: &Sample<T>, current: &Sample<T>) -> Option<PValue> {
    ks_p_value_of(ks, reference.len(), current.len(), pooled_counts(reference, current))
}

/// [`ks_p_value`] of sides of these sizes, with their counts in ascending cells.
pub(crate) fn ks_p_value_of(
    ks: &Ks,
    n: u64,
    m: u64,
    counts: impl Iterator<Item = (u64, u64)>,
) -> Option<PValue> {
    if n == 0 || m == 0 {
        return None;
    }
    if ks.denominator <= EXACT_UP_TO {
        let mut open = vec![false; (n + m) as usize + 1];
        let mut seen = 0;
        for (old, new) in counts {
            seen += (old + new) as usize;
            open[seen] = true;
        }
        let log_p = lattice(n, m, ks.numerator, |t| open[t]);
        return Some(PValue::from_log(log_p, Law::Exact));
    }
    let log_p =
        if n.min(m) <= THIN_UP_TO { thinned(ks.value, n, m) } else { limit(ks.value, n, m) };
    Some(PValue::from_log(log_p, Law::Series))
}

/// The logarithm of the share of monotone paths from (0, 0) to (n, m) that somewhere at an open step
/// have `|i m - j n| >= bound`: among paths that end at (i, j), a share i / (i + j) came from
/// (i - 1, j).
fn lattice(n: u64, m: u64, bound: u128, open: impl Fn(usize) -> bool) -> f64 {
    if bound == 0 {
        return 0.0;
    }
    // Bounds and products are at most n m <= 1,000,000 (a little more when thinned).
    let (n, m) = (n as usize, m as usize);
    let bound = usize::try_from(bound).unwrap_or(usize::MAX);
    let inverse: Vec<f64> = (0..=n + m).map(|t| 1.0 / t.max(1) as f64).collect();
    let mut hit = vec![0.0_f64; m + 1];
    for i in 0..=n {
        let mut left = 0.0;
        for (j, cell) in hit.iter_mut().enumerate() {
            let reached = open(i + j) && (i * m).abs_diff(j * n) >= bound;
            let mixed = (i as f64 * *cell + j as f64 * left) * inverse[i + j];
            *cell = if reached { START } else { mixed };
            left = *cell;
        }
    }
    // A weight below the smallest number is still a p-value, and that number bounds it.
    hit[m].max(f64::MIN_POSITIVE).ln() - START.ln()
}

fn thinned(d: f64, n: u64, m: u64) -> f64 {
    let (large, small) = (n.max(m), n.min(m));
    let fewer = (EXACT_UP_TO as u64 / small).min(large);
    let size = |large: u64| large as f64 * small as f64 / (large + small) as f64;
    let product = (fewer * small) as f64;
    let bound = (d * (size(large) / size(fewer)).sqrt() * product - 0.5).ceil();
    // Rounding up past the largest distance would make the impossible certain.
    lattice(fewer, small, bound.clamp(1.0, product) as u128, |_| true)
}

fn limit(d: f64, n: u64, m: u64) -> f64 {
    if d == 0.0 {
        return 0.0;
    }
    let (large, small) = (n.max(m) as f64, n.min(m) as f64);
    let lcm = (n / gcd(n, m)) as f64 * m as f64;
    let corrected = d + 1.0 / (6.0 * small) + 1.0 / (3.0 * large) - 1.0 / (2.0 * lcm);
    log_kolmogorov((large / (large + small) * small).sqrt() * corrected)
}

/// The logarithm of the upper tail of Kolmogorov's distribution (Kolmogorov 1933; the form for small
/// arguments is Jacobi's transform of it).
fn log_kolmogorov(x: f64) -> f64 {
    if x < 1.18 {
        let unit = (-std::f64::consts::PI.powi(2) / (8.0 * x * x)).exp();
        let sum: f64 = [1, 9, 25, 49].into_iter().map(|square| unit.powi(square)).sum();
        let below = (2.0 * std::f64::consts::PI).sqrt() / x * sum;
        return (-below).ln_1p();
    }
    let unit = (-2.0 * x * x).exp();
    std::f64::consts::LN_2 - 2.0 * x * x + (-unit.powi(3) + unit.powi(8) - unit.powi(15)).ln_1p()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arguments of Smirnov's table (1948) with the limit law to six digits: the median is near 0.83,
    /// the 5 % and 1 % points near 1.36 and 1.63.
    #[test]
    fn the_limit_law_agrees_with_smirnovs_table() {
        for (x, below) in [(0.83, 0.503808), (1.0, 0.730000), (1.36, 0.950514), (1.63, 0.990154)] {
            assert!((1.0 - log_kolmogorov(x).exp() - below).abs() < 2e-6, "{x}");
        }
        assert!((log_kolmogorov(1.179_999) - log_kolmogorov(1.180_001)).abs() < 1e-4);
    }

    /// For equal sizes the law has a closed form (Gnedenko & Korolyuk 1951):
    /// P(D >= k/n) = 2 sum (-1)^(j-1) C(2n, n - jk) / C(2n, n).
    fn equal_sizes(n: u64, k: u64) -> f64 {
        let mut p = 0.0;
        let mut sign = 2.0;
        for j in 1..=n / k {
            let ratio: f64 = (0..j * k).map(|i| (n - i) as f64 / (n + i + 1) as f64).product();
            p += sign * ratio;
            sign = -sign;
        }
        p
    }

    #[test]
    fn paths_agree_with_the_closed_form_of_equal_sizes() {
        for (n, k) in [(1, 1), (5, 4), (10, 7), (100, 21), (1000, 70)] {
            let p = lattice(n, n, u128::from(k * n), |_| true).exp();
            assert!((p / equal_sizes(n, k) - 1.0).abs() < 1e-12, "{n} {k}");
        }
        // The whole tail: 2 / C(2000, 1000) has no f64, its logarithm has.
        let tail = lattice(1000, 1000, 1_000_000, |_| true);
        let exact = std::f64::consts::LN_2
            + (1..=1000).map(|i| (f64::from(i) / f64::from(1000 + i)).ln()).sum::<f64>();
        assert!((tail / exact - 1.0).abs() < 1e-12, "{tail} {exact}");
    }

    #[test]
    fn the_series_is_close_to_the_exact_law_just_beyond_its_end() {
        for k in [30, 43, 60, 80] {
            let ratio = limit(k as f64 / 1001.0, 1001, 1001).exp() / equal_sizes(1001, k);
            assert!((ratio - 1.0).abs() < 0.02, "{k}: {ratio}");
        }
        // Unequal sizes, against the lattice at the same sizes.
        for (n, m) in [(1201, 800), (4001, 250), (3000, 1000)] {
            for d in [0.05_f64, 0.08, 0.1] {
                let bound = (d * (n * m) as f64).ceil() as u128;
                let value = bound as f64 / (n * m) as f64;
                let exact = lattice(n, m, bound, |_| true).exp();
                let ratio = limit(value, n, m).exp() / exact;
                assert!((ratio - 1.0).abs() < 0.04, "{n} {m} {d}: {ratio}");
            }
        }
    }

    #[test]
    fn thinning_the_larger_side_keeps_the_law() {
        for (n, m, d) in
            [(30_000, 50, 0.19), (30_000, 50, 0.3), (200_000, 7, 0.5), (40_001, 200, 0.1)]
        {
            let bound = (d * (n * m) as f64).ceil() as u128;
            let exact = lattice(n, m, bound, |_| true).exp();
            let ratio = thinned(d, n, m).exp() / exact;
            assert!((ratio - 1.0).abs() < 0.01, "{n} {m} {d}: {ratio}");
        }
    }
}

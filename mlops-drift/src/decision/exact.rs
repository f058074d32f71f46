//! Tests with an exact law: the share of nulls, and values out of range.

use statrs::function::factorial::ln_binomial;

use super::draw::{ln_hypergeometric, step_up};

/// Fisher's exact test, two-sided: the probability of every split at most as likely as the observed
/// one, when `draws` of `all` rows are current, `marked` of all are null and `k` are both.
pub(crate) fn fisher(all: u64, marked: u64, draws: u64, k: u64) -> f64 {
    let low = (draws + marked).saturating_sub(all);
    let high = marked.min(draws);
    let ln = |k: u64| ln_hypergeometric(all, marked, draws, k);
    // Equally likely splits differ by the rounding of their logarithms.
    let bound = ln(k) + 1e-7;
    let mode = (u128::from(draws + 1) * u128::from(marked + 1) / u128::from(all + 2)) as u64;
    let mode = mode.clamp(low, high);
    if ln(mode) <= bound {
        return 1.0;
    }
    // The law rises up to its mode and falls from there: find where each tail begins.
    let left = first(low, mode, |k| ln(k) > bound).checked_sub(1).filter(|&k| k >= low);
    let right = first(mode, high + 1, |k| k > high || ln(k) <= bound);
    let mut p = 0.0;
    if let Some(start) = left {
        p += tail(ln(start).exp(), start - low, |i| {
            1.0 / step_up(all, marked, draws, start - i - 1)
        });
    }
    if right <= high {
        p += tail(ln(right).exp(), high - right, |i| step_up(all, marked, draws, right + i));
    }
    p.clamp(f64::MIN_POSITIVE, 1.0)
}

/// The probability that at least `k` of `m` current values lie outside of the extremes of `n`
/// reference values when all come from one continuous distribution: the beta-binomial law with
/// `m` trials and parameters 2 and `n - 1`. Ties make it smaller still. `None` for fewer than two
/// reference values.
pub(crate) fn out_of_range(n: u64, m: u64, k: u64) -> Option<f64> {
    if n < 2 || m == 0 {
        return None;
    }
    if k == 0 {
        return Some(1.0);
    }
    // P(K = j) = (j + 1) C(m - j + n - 2, n - 2) / C(m + n, n), by counting the orders of the ranks. Summed from k
    // on along the diagonals of Pascal's triangle: (k C(m - k + n - 1, n - 1) + C(m - k + n, n)) / C(m + n, n).
    let rest = m - k + n;
    let ln = ln_binomial(rest - 1, n - 1) - ln_binomial(m + n, n);
    let p = ln.exp() * (k as f64 + rest as f64 / n as f64);
    Some(p.clamp(f64::MIN_POSITIVE, 1.0))
}

/// The smallest p-value that exchanging `a` against `b` units can give: one split of all, or two
/// where a split and its mirror image are as extreme.
pub(crate) fn reachable(a: u64, b: u64) -> f64 {
    let splits = ln_binomial(a + b, a.min(b)).exp();
    if a == b { 2.0 / splits } else { 1.0 / splits }
}

/// A term and up to `more` further ones, each by its ratio to the one before, until they no longer
/// count.
fn tail(first: f64, more: u64, ratio: impl Fn(u64) -> f64) -> f64 {
    let (mut sum, mut term) = (first, first);
    for i in 0..more {
        let ratio = ratio(i);
        term *= ratio;
        sum += term;
        if term <= sum * 1e-18 && ratio < 1.0 {
            break;
        }
    }
    sum
}

/// The first of `low..high` for which the monotone condition holds, or `high`.
fn first(low: u64, high: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (low, high);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SciPy's documentation of `fisher_exact`: [[8, 2], [1, 5]] gives 0.03496503496503495; and
    /// Fisher's tea taster (1935): all of 4 of 8 cups, 2 / C(8, 4).
    #[test]
    fn published_tables() {
        assert!((fisher(16, 9, 10, 8) - 0.034_965_034_965).abs() < 1e-11);
        assert!((fisher(8, 4, 4, 4) - 2.0 / 70.0).abs() < 1e-14);
        assert_eq!(fisher(100, 0, 50, 0), 1.0);
        assert_eq!(fisher(100, 10, 50, 5), 1.0);
    }

    #[test]
    fn fisher_agrees_with_the_sum_over_all_tables() {
        for (all, marked, draws) in [(30_u64, 7_u64, 11_u64), (41, 20, 9), (60, 55, 30)] {
            let low = (draws + marked).saturating_sub(all);
            let high = marked.min(draws);
            let p = |k| ln_hypergeometric(all, marked, draws, k).exp();
            for k in low..=high {
                let sum: f64 = (low..=high).map(p).filter(|&q| q <= p(k) * (1.0 + 1e-7)).sum();
                assert!((fisher(all, marked, draws, k) - sum).abs() < 1e-12, "{all} {k}");
            }
        }
    }

    #[test]
    fn out_of_range_counts_rank_orders() {
        // One of one beyond two: two of the three places are outside.
        assert!(out_of_range(2, 1, 1).is_some_and(|p| (p - 2.0 / 3.0).abs() < 1e-14));
        // All of m beyond n: (m + 1) ways out of C(m + n, n).
        assert!(out_of_range(10, 3, 3).is_some_and(|p| (p - 4.0 / 286.0).abs() < 1e-14));
        // The whole law sums to one: P(K >= 1) = 1 - C(m + n - 2, n - 2) / C(m + n, n).
        let none = (ln_binomial(18, 8) - ln_binomial(20, 10)).exp();
        assert!(out_of_range(10, 10, 1).is_some_and(|p| (p - 1.0 + none).abs() < 1e-12));
        // And so for every count, against the sum over the law.
        for (n, m) in [(2_u64, 9_u64), (7, 4), (30, 200)] {
            let law = |j: u64| {
                let ways = ln_binomial(m - j + n - 2, n - 2) - ln_binomial(m + n, n);
                (j + 1) as f64 * ways.exp()
            };
            for k in 1..=m {
                let sum: f64 = (k..=m).map(law).sum();
                assert!(
                    out_of_range(n, m, k).is_some_and(|p| (p / sum - 1.0).abs() < 1e-11),
                    "{n} {m} {k}"
                );
            }
        }
        assert_eq!(out_of_range(1, 5, 1), None);
        assert_eq!(out_of_range(5, 5, 0), Some(1.0));
    }

    #[test]
    fn few_units_reach_only_so_far() {
        assert!((reachable(2, 3) - 0.1).abs() < 1e-12);
        assert!((reachable(3, 3) - 0.1).abs() < 1e-12);
        assert!((reachable(1, 30) - 1.0 / 31.0).abs() < 1e-12);
        assert!(reachable(1_000_000, 1_000_000) >= 0.0);
    }
}

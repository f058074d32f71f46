//! Statistics of counts by category.

use super::sum::Sum;

/// The likelihood-ratio statistic of two rows of counts, `2 sum o ln(o / e)` over the cells with
/// `o > 0`, where `e` is what the common shares lead one to expect (Wilks 1935; Sokal & Rohlf,
/// Biometry, ch. 17).
///
/// Counts are one a category, in the same order on both sides. Never negative; 0 for one category.
/// `None` when a side is empty or the lengths differ.
#[must_use]
pub fn g(reference: &[u64], current: &[u64]) -> Option<f64> {
    let (n, m) = sides(reference, current)?;
    let total = (n + m) as f64;
    let term = |observed: u64, here: u64, side: u64| match observed {
        0 => 0.0,
        _ => observed as f64 * (observed as f64 * total / (here as f64 * side as f64)).ln(),
    };
    let sum: Sum = reference
        .iter()
        .zip(current)
        .flat_map(|(&r, &c)| [term(r, r + c, n), term(c, r + c, m)])
        .collect();
    Some((2.0 * sum.value()).max(0.0))
}

/// Pearson's statistic of two rows of counts, `sum (o - e)² / e` over the cells, without Yates'
/// correction (Pearson 1900), where `e` is what the common shares lead one to expect.
///
/// Counts are one a category, in the same order on both sides; one that is empty on both sides adds
/// nothing. Each difference is taken in integers. `None` when a side is empty or the lengths differ.
#[must_use]
pub fn chi_square(reference: &[u64], current: &[u64]) -> Option<f64> {
    let (n, m) = sides(reference, current)?;
    let (wide_n, wide_m) = (u128::from(n), u128::from(m));
    // (o - e)² / e over both sides of one category is (r m - c n)² / (n m (r + c)).
    let term = |(&r, &c): (&u64, &u64)| {
        let apart = (u128::from(r) * wide_m).abs_diff(u128::from(c) * wide_n) as f64;
        if r + c == 0 { 0.0 } else { apart / (r + c) as f64 * (apart / n as f64 / m as f64) }
    };
    Some(reference.iter().zip(current).map(term).collect::<Sum>().value())
}

/// The total variation distance, half the sum of the differences of the shares: from 0 (equal) to 1
/// (no category in common). Summed in integers. `None` when a side is empty or the lengths differ.
#[must_use]
pub fn total_variation(reference: &[u64], current: &[u64]) -> Option<f64> {
    let (n, m) = sides(reference, current)?;
    let (n, m) = (u128::from(n), u128::from(m));
    let apart: u128 = reference
        .iter()
        .zip(current)
        .map(|(&r, &c)| (u128::from(r) * m).abs_diff(u128::from(c) * n))
        .sum();
    Some((apart / 2) as f64 / (n * m) as f64)
}

/// [`g`] of counts that need not be integers.
pub(super) fn likelihood_ratio(reference: &[f64], current: &[f64]) -> Option<f64> {
    let (n, m) = float_sides(reference, current)?;
    let term = |observed: f64, here: f64, side: f64| {
        if observed > 0.0 { observed * (observed * (n + m) / (here * side)).ln() } else { 0.0 }
    };
    let cells = reference.iter().zip(current);
    let sum: Sum = cells.flat_map(|(&r, &c)| [term(r, r + c, n), term(c, r + c, m)]).collect();
    Some((2.0 * sum.value()).max(0.0))
}

/// [`chi_square`] of counts that need not be integers.
pub(super) fn pearson(reference: &[f64], current: &[f64]) -> Option<f64> {
    let (n, m) = float_sides(reference, current)?;
    let term = |(&r, &c): (&f64, &f64)| {
        let apart = r * m - c * n;
        if r + c > 0.0 { apart * apart / (n * m * (r + c)) } else { 0.0 }
    };
    Some(reference.iter().zip(current).map(term).collect::<Sum>().value())
}

fn float_sides(reference: &[f64], current: &[f64]) -> Option<(f64, f64)> {
    let sum = |side: &[f64]| side.iter().copied().collect::<Sum>().value();
    let (n, m) = (sum(reference), sum(current));
    (n > 0.0 && m > 0.0 && reference.len() == current.len()).then_some((n, m))
}

pub(super) fn sides(reference: &[u64], current: &[u64]) -> Option<(u64, u64)> {
    let (n, m) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
    (n > 0 && m > 0 && reference.len() == current.len()).then_some((n, m))
}

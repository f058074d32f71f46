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

fn sides(reference: &[u64], current: &[u64]) -> Option<(u64, u64)> {
    let (n, m) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
    (n > 0 && m > 0 && reference.len() == current.len()).then_some((n, m))
}

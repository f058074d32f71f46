//! Distances between shares, each side's shares given as counts.

use super::pair::Cells;
use crate::statistic::Sum;

/// Reference and current shares of each cell; `None` when a side is empty.
fn shares(cells: &Cells) -> Option<Vec<(f64, f64)>> {
    let (n, m) = totals(cells);
    (n > 0 && m > 0)
        .then(|| cells.iter().map(|&(r, c)| (r as f64 / n as f64, c as f64 / m as f64)).collect())
}

/// The sums of both sides.
pub(super) fn totals(cells: &Cells) -> (u64, u64) {
    cells.iter().fold((0, 0), |(n, m), &(r, c)| (n + r, m + c))
}

/// The root of the Jensen-Shannon divergence (Endres & Schindelin 2003), by natural logarithms.
pub(super) fn jensen_shannon(cells: &Cells) -> Option<f64> {
    let half = |p: f64, q: f64| if p > 0.0 { p * (2.0 * p / (p + q)).ln() } else { 0.0 };
    let sum: Sum = shares(cells)?.iter().flat_map(|&(q, p)| [half(p, q), half(q, p)]).collect();
    Some((sum.value().max(0.0) / 2.0).sqrt())
}

/// The Hellinger distance from the Bhattacharyya coefficient, `sqrt(1 - sum sqrt(p q))`.
pub(super) fn hellinger(cells: &Cells) -> Option<f64> {
    let apart = |&(q, p): &(f64, f64)| (p.sqrt() - q.sqrt()).powi(2);
    // 1 - BC = 1/2 sum (sqrt p - sqrt q)^2, which loses nothing where the sides are close.
    Some((shares(cells)?.iter().map(apart).collect::<Sum>().value() / 2.0).sqrt())
}

/// The largest difference of two shares, computed in integers.
pub(super) fn l_infinity(cells: &Cells) -> Option<f64> {
    let (n, m) = totals(cells);
    let (n, m) = (u128::from(n), u128::from(m));
    let apart = |&(r, c): &(u64, u64)| (u128::from(r) * m).abs_diff(u128::from(c) * n);
    let most = cells.iter().map(apart).max()?;
    (n > 0 && m > 0).then(|| most as f64 / (n * m) as f64)
}

/// Shares in which empty cells of a side hold 1e-4, or a millionth of that side's smallest share where
/// that share is at most 1e-4: Evidently's filling.
fn filled(cells: &Cells) -> Option<Vec<(f64, f64)>> {
    let shares = shares(cells)?;
    let fill = |side: fn(&(f64, f64)) -> f64| {
        let least = shares.iter().map(side).filter(|&share| share > 0.0).fold(1.0, f64::min);
        if least <= 1e-4 { least / 1e6 } else { 1e-4 }
    };
    let (q0, p0) = (fill(|share| share.0), fill(|share| share.1));
    let or = |share: f64, empty: f64| if share == 0.0 { empty } else { share };
    Some(shares.iter().map(|&(q, p)| (or(q, q0), or(p, p0))).collect())
}

/// The population stability index of filled shares, which are not normalised again.
pub(super) fn psi_filled(cells: &Cells) -> Option<f64> {
    let term = |&(q, p): &(f64, f64)| (q - p) * (q / p).ln();
    Some(filled(cells)?.iter().map(term).collect::<Sum>().value())
}

/// The Kullback-Leibler divergence `sum q ln(q / p)` of the reference's filled shares q from the current
/// ones p, both normalised.
pub(super) fn kullback_leibler_filled(cells: &Cells) -> Option<f64> {
    let shares = filled(cells)?;
    let (n, m) = shares.iter().fold((0.0, 0.0), |(n, m), &(q, p)| (n + q, m + p));
    let term = |&(q, p): &(f64, f64)| q / n * (q / n / (p / m)).ln();
    Some(shares.iter().map(term).collect::<Sum>().value())
}

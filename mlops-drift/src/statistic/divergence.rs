//! Distances between two sets of shares: Jensen-Shannon, Kullback-Leibler, Hellinger, the largest
//! difference.

use super::category::sides;
use super::psi::EmptyBins;
use super::shares::{self, shares};

/// The Jensen-Shannon distance in base 2, `sqrt((D(p || h) + D(q || h)) / 2)` with `h` half way
/// between the shares (Lin 1991; Endres & Schindelin 2003 for the root): from 0 (equal) to 1 (no bin
/// in common). Agrees with SciPy's `jensenshannon(p, q, 2)`.
///
/// Counts are one a bin, in the same order on both sides; empty bins need no stand-in. `None` when a
/// side is empty or the numbers of bins differ.
#[must_use]
pub fn jensen_shannon(reference: &[u64], current: &[u64]) -> Option<f64> {
    Some(shares::jensen_shannon(shares(reference, current, EmptyBins::Raw)?))
}

/// The Kullback-Leibler divergence of the current shares from the reference's, `sum q ln(q / p)`
/// with `q` of the reference and `p` of the current data (Kullback & Leibler 1951): the information
/// lost where the current data stand for the reference, in nats. Not the same with the sides
/// exchanged; both ways together are [`super::psi`] while no bin is empty.
///
/// Counts are one a bin, in the same order on both sides. With [`EmptyBins::Raw`] infinite where a
/// bin of the reference has become empty. `None` when a side is empty or the numbers of bins differ.
#[must_use]
pub fn kullback_leibler(reference: &[u64], current: &[u64], empty: EmptyBins) -> Option<f64> {
    Some(shares::kullback_leibler(shares(reference, current, empty)?))
}

/// The Hellinger distance, `sqrt(sum (sqrt p - sqrt q)² / 2)`: from 0 (equal) to 1 (no bin in
/// common).
///
/// Counts are one a bin, in the same order on both sides; empty bins need no stand-in. `None` when a
/// side is empty or the numbers of bins differ.
#[must_use]
pub fn hellinger(reference: &[u64], current: &[u64]) -> Option<f64> {
    Some(shares::hellinger(shares(reference, current, EmptyBins::Raw)?))
}

/// The largest difference of a share, `max |p - q|` (L-infinity), taken in integers.
///
/// Counts are one a bin, in the same order on both sides. `None` when a side is empty or the numbers
/// of bins differ.
#[must_use]
pub fn l_infinity(reference: &[u64], current: &[u64]) -> Option<f64> {
    let (n, m) = sides(reference, current)?;
    let (n, m) = (u128::from(n), u128::from(m));
    let apart = |(&r, &c): (&u64, &u64)| (u128::from(r) * m).abs_diff(u128::from(c) * n);
    let largest = reference.iter().zip(current).map(apart).max()?;
    Some(largest as f64 / (n * m) as f64)
}

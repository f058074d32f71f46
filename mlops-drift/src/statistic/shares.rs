//! Shares of bins on both sides, and what is summed over them.

use super::psi::EmptyBins;
use super::sum::Sum;

/// The shares of the reference and of the current data in each bin; `None` when a side is empty or
/// the numbers of bins differ.
pub(super) fn shares(
    reference: &[u64],
    current: &[u64],
    empty: EmptyBins,
) -> Option<Vec<(f64, f64)>> {
    let float = |counts: &[u64]| counts.iter().map(|&count| count as f64).collect::<Vec<f64>>();
    let totals = [reference.iter().sum::<u64>() as f64, current.iter().sum::<u64>() as f64];
    of_floats(&float(reference), &float(current), totals, empty)
}

/// The same of counts that need not be integers.
pub(super) fn of_floats(
    reference: &[f64],
    current: &[f64],
    totals: [f64; 2],
    empty: EmptyBins,
) -> Option<Vec<(f64, f64)>> {
    let bins = reference.len();
    let usable = totals.iter().all(|total| *total > 0.0 && total.is_finite());
    let share =
        |(&r, &c): (&f64, &f64)| (empty.share(r, totals[0], bins), empty.share(c, totals[1], bins));
    (usable && bins == current.len()).then(|| reference.iter().zip(current).map(share).collect())
}

/// `sum (p - q) ln(p / q)`, with q of the reference and p of the current data.
pub(super) fn jeffreys(shares: Vec<(f64, f64)>) -> f64 {
    // Nothing on either side says nothing, not 0 ln(0 / 0).
    let term = |(q, p): (f64, f64)| if p == q { 0.0 } else { (p - q) * (p / q).ln() };
    shares.into_iter().map(term).collect::<Sum>().value()
}

/// `sum q ln(q / p)`, never below 0.
pub(super) fn kullback_leibler(shares: Vec<(f64, f64)>) -> f64 {
    shares.into_iter().map(|(q, p)| relative(q, p)).collect::<Sum>().value().max(0.0)
}

/// The root of the mean of both sides' divergences from their mean, in bits.
pub(super) fn jensen_shannon(shares: Vec<(f64, f64)>) -> f64 {
    let term = |(q, p): (f64, f64)| {
        let middle = f64::midpoint(q, p);
        relative(q, middle) + relative(p, middle)
    };
    let nats = shares.into_iter().map(term).collect::<Sum>().value() / 2.0;
    (nats / std::f64::consts::LN_2).clamp(0.0, 1.0).sqrt()
}

/// `sqrt(sum (sqrt p - sqrt q)² / 2)`.
pub(super) fn hellinger(shares: Vec<(f64, f64)>) -> f64 {
    let term = |(q, p): (f64, f64)| (p.sqrt() - q.sqrt()).powi(2);
    (shares.into_iter().map(term).collect::<Sum>().value() / 2.0).min(1.0).sqrt()
}

/// `p ln(p / q)`, 0 where there is no p.
fn relative(p: f64, q: f64) -> f64 {
    if p > 0.0 { p * (p / q).ln() } else { 0.0 }
}

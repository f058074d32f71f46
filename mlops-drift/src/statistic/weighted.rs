//! The statistics of rows that carry weights.
//!
//! They describe; none has a p-value of its own, for the rows behind a weight are not known to be
//! independent. Weights are f64, at least 0 and finite; others give `None`. What depends on how many
//! rows there are (half-counts, G, chi-square) takes Kish's effective number for them.

use super::category;
use super::psi::EmptyBins;
use super::sample::Point;
use super::shares;
use super::sum::Sum;

/// Weights of one side, summed by bin.
///
/// ```
/// use mlops_drift::statistic::weighted::Bins;
///
/// let bins = Bins::new(2, [(0, 1.0), (1, 2.0), (1, 1.0)]).expect("weights are finite");
/// assert_eq!(bins.weights(), [1.0, 3.0]);
/// assert_eq!(bins.effective_rows(), 16.0 / 6.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    weights: Vec<f64>,
    total: f64,
    effective: f64,
}

impl Bins {
    /// Sums `(bin, weight)` over the rows; `None` for a weight that is negative or not finite, a bin
    /// beyond `bins`, or no weight at all.
    pub fn new(bins: usize, rows: impl IntoIterator<Item = (usize, f64)>) -> Option<Self> {
        let mut sums = vec![Sum::default(); bins];
        let (mut total, mut squares) = (Sum::default(), Sum::default());
        for (bin, weight) in rows {
            if !usable(weight) {
                return None;
            }
            sums.get_mut(bin)?.add(weight);
            total.add(weight);
            squares.add(weight * weight);
        }
        let total = total.value();
        let weights = sums.into_iter().map(Sum::value).collect();
        let effective = kish(total, squares.value())?;
        Some(Self { weights, total, effective })
    }

    /// The sum of the weights in each bin.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Kish's effective number of rows.
    #[must_use]
    pub fn effective_rows(&self) -> f64 {
        self.effective
    }

    /// The weights as if there were as many rows as count.
    fn counts(&self) -> Vec<f64> {
        self.weights.iter().map(|weight| weight * (self.effective / self.total)).collect()
    }

    fn shares_with(&self, current: &Self, empty: EmptyBins) -> Option<Vec<(f64, f64)>> {
        let totals = [self.effective, current.effective];
        shares::of_floats(&self.counts(), &current.counts(), totals, empty)
    }
}

fn usable(weight: f64) -> bool {
    weight >= 0.0 && weight.is_finite()
}

/// Kish's (1965) effective number of rows, `(sum w)² / sum w²`: how many rows of equal weight would
/// vary as little. `None` without weight, or where one is negative or not finite.
#[must_use]
pub fn effective_rows(weights: &[f64]) -> Option<f64> {
    if !weights.iter().copied().all(usable) {
        return None;
    }
    let total = weights.iter().copied().collect::<Sum>().value();
    kish(total, weights.iter().map(|weight| weight * weight).collect::<Sum>().value())
}

fn kish(total: f64, squares: f64) -> Option<f64> {
    let effective = total * (total / squares);
    (total > 0.0 && effective > 0.0 && effective.is_finite()).then_some(effective)
}

/// [`super::psi`] of weighted rows.
#[must_use]
pub fn psi(reference: &Bins, current: &Bins, empty: EmptyBins) -> Option<f64> {
    Some(shares::jeffreys(reference.shares_with(current, empty)?))
}

/// [`super::kullback_leibler`] of weighted rows.
#[must_use]
pub fn kullback_leibler(reference: &Bins, current: &Bins, empty: EmptyBins) -> Option<f64> {
    Some(shares::kullback_leibler(reference.shares_with(current, empty)?))
}

/// [`super::jensen_shannon`] of weighted rows.
#[must_use]
pub fn jensen_shannon(reference: &Bins, current: &Bins) -> Option<f64> {
    Some(shares::jensen_shannon(reference.shares_with(current, EmptyBins::Raw)?))
}

/// [`super::hellinger`] of weighted rows.
#[must_use]
pub fn hellinger(reference: &Bins, current: &Bins) -> Option<f64> {
    Some(shares::hellinger(reference.shares_with(current, EmptyBins::Raw)?))
}

/// [`super::total_variation`] of weighted rows.
#[must_use]
pub fn total_variation(reference: &Bins, current: &Bins) -> Option<f64> {
    let shares = reference.shares_with(current, EmptyBins::Raw)?;
    let sum = shares.into_iter().map(|(q, p)| (p - q).abs()).collect::<Sum>().value();
    Some((sum / 2.0).min(1.0))
}

/// [`super::l_infinity`] of weighted rows.
#[must_use]
pub fn l_infinity(reference: &Bins, current: &Bins) -> Option<f64> {
    let shares = reference.shares_with(current, EmptyBins::Raw)?;
    Some(shares.into_iter().map(|(q, p)| (p - q).abs()).fold(0.0, f64::max))
}

/// [`super::g`] of weighted rows, with the weights of each side scaled to its effective number.
#[must_use]
pub fn g(reference: &Bins, current: &Bins) -> Option<f64> {
    category::likelihood_ratio(&reference.counts(), &current.counts())
}

/// [`super::chi_square`] of weighted rows, with the weights of each side scaled to its effective
/// number.
#[must_use]
pub fn chi_square(reference: &Bins, current: &Bins) -> Option<f64> {
    category::pearson(&reference.counts(), &current.counts())
}

/// [`super::wasserstein`] of weighted rows, as `(value, weight)` in any order. NaN and infinities
/// among the values are left out.
#[must_use]
pub fn wasserstein<T: Point>(reference: &[(T, f64)], current: &[(T, f64)]) -> Option<f64> {
    let mut rows = Vec::with_capacity(reference.len() + current.len());
    let mut totals = [0.0; 2];
    for (side, values) in [reference, current].into_iter().enumerate() {
        let mut total = Sum::default();
        for &(value, weight) in values {
            let Some(value) = value.canonical() else { continue };
            if !usable(weight) {
                return None;
            }
            total.add(weight);
            rows.push((value, side, weight));
        }
        totals[side] = total.value();
    }
    if totals.iter().any(|total| !(*total > 0.0 && total.is_finite())) {
        return None;
    }
    rows.sort_by(|a, b| a.0.order(b.0));
    let (low, high) = (rows.first()?.0, rows.last()?.0);
    let scale = T::scale(low, high);
    let (mut below, mut area) = ([Sum::default(); 2], Sum::default());
    let mut previous = low;
    for (value, side, weight) in rows {
        let apart = below[0].value() / totals[0] - below[1].value() / totals[1];
        area.add(T::gap(previous, value, scale) * apart.abs());
        previous = value;
        below[side].add(weight);
    }
    Some(area.value() / scale)
}

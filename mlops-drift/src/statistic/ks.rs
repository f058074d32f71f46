//! The two-sample Kolmogorov-Smirnov statistic, as an exact fraction.

use super::sample::{Point, Sample, pool};

/// The largest distance between two empirical distribution functions.
///
/// The distance is `numerator / denominator` exactly, where the denominator is the product of the
/// two sample sizes (the fraction is not reduced) and `value` is that fraction rounded once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ks {
    /// The fraction, correctly rounded; from 0 to 1.
    pub value: f64,
    /// `max |i m - j n|` over the distinct values, with `i` of `n` reference and `j` of `m` current
    /// values at or below each.
    pub numerator: u128,
    /// `n m`.
    pub denominator: u128,
}

impl Ks {
    /// The distance of this fraction.
    pub(crate) fn of(numerator: u128, denominator: u128) -> Self {
        Self { value: ratio(numerator, denominator), numerator, denominator }
    }
}

/// The two-sample Kolmogorov-Smirnov distance (Smirnov 1939), `max |F(x) - G(x)|`.
///
/// Computed in integers by one pass over the merged samples, tied values as one step. `None` when a
/// side is empty; two equal constants give 0.
///
/// ```
/// use mlops_drift::statistic::{Sample, ks};
///
/// let ks = ks(&Sample::new([1.0, 2.0]), &Sample::new([1.0, 2.0, 3.0])).expect("both sides hold values");
/// assert_eq!((ks.numerator, ks.denominator), (2, 6));
/// ```
#[must_use]
pub fn ks<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<Ks> {
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    let (n, m) = (u128::from(reference.len()), u128::from(current.len()));
    let (mut i, mut j, mut numerator) = (0_u128, 0_u128, 0_u128);
    for point in pool(reference.runs(), current.runs()) {
        i += u128::from(point.reference);
        j += u128::from(point.current);
        numerator = numerator.max((i * m).abs_diff(j * n));
    }
    let denominator = n * m;
    Some(Ks { value: ratio(numerator, denominator), numerator, denominator })
}

/// `numerator / denominator`, rounded once to nearest even, for `numerator <= denominator < 2^127`.
pub(super) fn ratio(numerator: u128, denominator: u128) -> f64 {
    if denominator < 1 << 53 {
        return numerator as f64 / denominator as f64;
    }
    if numerator == denominator {
        return 1.0;
    }
    // Sixty-four significant bits of the quotient, and whether anything is left below them.
    let (mut rest, mut bits, mut exponent) = (numerator, 0_u64, 0_i32);
    if rest == 0 {
        return 0.0;
    }
    while bits >> 63 == 0 {
        rest <<= 1;
        exponent -= 1;
        bits <<= 1;
        if rest >= denominator {
            rest -= denominator;
            bits |= 1;
        }
    }
    // A sticky bit keeps a tie from being rounded as one when something is left.
    let sticky = bits | u64::from(rest != 0);
    sticky as f64 * 2_f64.powi(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fraction_is_rounded_once() {
        assert_eq!(ratio(1, 3), 1.0 / 3.0);
        assert_eq!(ratio(0, 1 << 100), 0.0);
        assert_eq!(ratio(1 << 99, 1 << 100), 0.5);
        assert_eq!(ratio((1 << 100) / 3, 1 << 100), 1.0 / 3.0);
        // 1 - 2^-54 lies half way between 1 - 2^-53 and 1: to even, up; a little less goes down.
        let den = 1_u128 << 110;
        assert_eq!(ratio(den - (1 << 56), den), 1.0);
        assert_eq!(ratio(den - (1 << 56) - 1, den), 1.0 - 2_f64.powi(-53));
    }
}

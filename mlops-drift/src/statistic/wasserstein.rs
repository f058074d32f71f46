//! The Wasserstein-1 distance of two samples.

use super::sample::{Point, Sample, pool};
use super::sum::Sum;

/// The Wasserstein-1 ("earth mover's") distance: the area between the two empirical distribution
/// functions (Vallender 1974), in the unit of the values.
///
/// Each gap between neighbouring distinct values is taken exactly (integers) or with one rounding
/// and weighted by a difference of shares that is computed in integers; the sum is compensated. So
/// an offset of 1e16 costs nothing, and values near the largest number do not overflow on the way
/// (the distance itself may: it is then infinite). `None` when a side is empty; two equal constants
/// give 0.
///
/// ```
/// use mlops_drift::statistic::{Sample, wasserstein};
///
/// // The example of SciPy's `wasserstein_distance`.
/// let distance = wasserstein(&Sample::new([0.0, 1.0, 3.0]), &Sample::new([5.0, 6.0, 8.0]));
/// assert_eq!(distance, Some(5.0));
/// ```
#[must_use]
pub fn wasserstein<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<f64> {
    let (low, high) = range(reference, current)?;
    let scale = T::scale(low, high);
    let (n, m) = (u128::from(reference.len()), u128::from(current.len()));
    let product = n as f64 * m as f64;
    let (mut i, mut j) = (0_u128, 0_u128);
    let mut previous = low;
    let mut area = Sum::default();
    for point in pool(reference.runs(), current.runs()) {
        let apart = (i * m).abs_diff(j * n) as f64 / product;
        area.add(T::gap(previous, point.value, scale) * apart);
        previous = point.value;
        i += u128::from(point.reference);
        j += u128::from(point.current);
    }
    Some(area.value() / scale)
}

/// The smallest and the largest value of both sides, `None` when a side is empty.
pub(crate) fn range<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<(T, T)> {
    let lesser = |a: T, b: T| if a.order(b).is_le() { a } else { b };
    let greater = |a: T, b: T| if a.order(b).is_ge() { a } else { b };
    Some((lesser(reference.min()?, current.min()?), greater(reference.max()?, current.max()?)))
}

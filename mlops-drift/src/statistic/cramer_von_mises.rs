//! Squared distances of two distribution functions: Cramér-von Mises and the energy distance.

use super::sample::{Point, Pooled, Sample, pool, pooled_counts, sizes};
use super::sum::Sum;

/// The two-sample Cramér-von Mises criterion T (Anderson 1962, eq. 7 and 9), with midranks for ties:
///
/// ```text
/// U = n sum (r_i - i)² + m sum (s_j - j)²,   T = U / (n m N) - (4 n m - 1) / (6 N)
/// ```
///
/// where `r_i` and `s_j` are the ranks of the sorted values among all. Agrees with SciPy's
/// `cramervonmises_2samp`. Exact in integers up to its last division while those fit 128 bits. `None`
/// when a side is empty. Ties are part of the criterion as midranks are: two equal constants of
/// different sizes do not give 0.
#[must_use]
pub fn cramer_von_mises<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<f64> {
    cramer_von_mises_of(pooled_counts(reference, current))
}

/// [`cramer_von_mises`] of the two sides' counts in ascending cells.
pub(crate) fn cramer_von_mises_of(counts: impl Iterator<Item = (u64, u64)> + Clone) -> Option<f64> {
    let (n, m) = sizes(counts.clone());
    if n == 0 || m == 0 {
        return None;
    }
    let all = n + m;
    let (mut i, mut j) = (0_i128, 0_i128);
    // Of each side the sum of (2 r - 2 i)², with twice the midrank.
    let mut sums = [0_i128; 2];
    for (old, new) in counts {
        let (old, new) = (i128::from(old), i128::from(new));
        let doubled = 2 * (i + j) + old + new + 1;
        sums[0] += squares(doubled, i, old);
        sums[1] += squares(doubled, j, new);
        i += old;
        j += new;
    }
    // 4 U / (4 n m N) less (4 n m - 1) / (6 N), over the common denominator 12 n m N: the two terms
    // are large and nearly equal, so they are subtracted as integers wherever those suffice.
    let whole = n
        .checked_mul(sums[0])
        .zip(m.checked_mul(sums[1]))
        .and_then(|(old, new)| old.checked_add(new)?.checked_mul(3))
        .zip((n * m).checked_mul(2 * (4 * n * m - 1)));
    let scale = 12.0 * n as f64 * m as f64 * all as f64;
    Some(match whole {
        Some((left, right)) => (left - right) as f64 / scale,
        None => {
            let left = sums[0] as f64 / (4.0 * m as f64) + sums[1] as f64 / (4.0 * n as f64);
            (left - (4.0 * n as f64 * m as f64 - 1.0) / 6.0) / all as f64
        }
    })
}

/// The sum of `(doubled - 2 i)²` over the `count` places after `before`.
fn squares(doubled: i128, before: i128, count: i128) -> i128 {
    // With a = doubled - 2 before, the terms are (a - 2 k)² for k from 1 to count.
    let a = doubled - 2 * before;
    let places = count * (count + 1);
    count * a * a - 2 * a * places + 2 * places * (2 * count + 1) / 3
}

/// The energy distance, `sqrt(2 int (F - G)² dx)` (Székely & Rizzo 2013; SciPy's `energy_distance`),
/// in the root of the values' unit.
///
/// Gaps are taken as in [`super::wasserstein`], so an offset costs nothing. `None` when a side is
/// empty; two equal constants give 0.
///
/// ```
/// use mlops_drift::statistic::{Sample, energy_distance};
///
/// // The example of SciPy's `energy_distance`.
/// assert_eq!(energy_distance(&Sample::new([0.0]), &Sample::new([2.0])), Some(2.0));
/// ```
#[must_use]
pub fn energy_distance<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<f64> {
    energy_distance_of(pool(reference.runs(), current.runs()))
}

/// [`energy_distance`] of the distinct values of both sides in ascending order.
pub(crate) fn energy_distance_of<T: Point>(
    points: impl Iterator<Item = Pooled<T>> + Clone,
) -> Option<f64> {
    let (n, m) = sizes(points.clone().map(|p| (p.reference, p.current)));
    let first = points.clone().next().filter(|_| n > 0 && m > 0)?.value;
    let last = points.clone().last()?.value;
    let scale = T::scale(first, last);
    let (mut i, mut j) = (0, 0);
    let mut previous = first;
    let mut area = Sum::default();
    let product = n as f64 * m as f64;
    for point in points {
        let apart = (i * m - j * n) as f64 / product;
        area.add(T::gap(previous, point.value, scale) * apart * apart);
        previous = point.value;
        i += i128::from(point.reference);
        j += i128::from(point.current);
    }
    // The root first: the area itself may be beyond the largest number.
    Some((2.0 * area.value()).sqrt() / scale.sqrt())
}

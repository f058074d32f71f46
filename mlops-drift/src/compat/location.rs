//! Tests of location that Evidently runs on request.

use statrs::function::beta::beta_reg;
use statrs::function::erf::erfc;

use super::significance::Test;
use crate::statistic::{Point, Sample, mann_whitney, moments, pool};

/// Up to this size of the smaller side, and without ties, SciPy counts ranks instead.
const COUNTED_UP_TO: u64 = 8;

/// Mann and Whitney's U of the reference, with the one-sided p-value that Evidently takes: small where
/// current values are larger, near 1 where they are smaller. By the normal law with the correction of
/// continuity and of ties. `None` where SciPy would count ranks, which is not reproduced, and for
/// constant data.
pub(super) fn u_less<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<Test> {
    let (n, m) = (reference.len(), current.len());
    let ties =
        || pool(reference.runs(), current.runs()).map(|point| point.reference + point.current);
    if n.min(m) <= COUNTED_UP_TO && ties().all(|count| count == 1) {
        return None;
    }
    let (n, m) = (n as f64, m as f64);
    let total = n + m;
    let tied: f64 = ties().map(|count| (count as f64).powi(3) - count as f64).sum();
    let variance = n * m / 12.0 * (total + 1.0 - tied / (total * (total - 1.0)));
    let above = mann_whitney(reference, current)?.value;
    let z = (above - n * m / 2.0 - 0.5) / variance.sqrt();
    // The lower tail by its complement, which keeps the digits of a p-value near 1.
    let p = erfc(z / std::f64::consts::SQRT_2) / 2.0;
    (variance > 0.0).then_some(Test { statistic: n * m - above, p })
}

/// Student's two-sided t of two samples with one variance (1908). `None` for a single value on both
/// sides and where nothing varies.
pub(super) fn t<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<Test> {
    let moments = moments(reference, current)?;
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let freedom = n + m - 2.0;
    let squares = n * moments.reference.1.powi(2) + m * moments.current.1.powi(2);
    let spread = (squares / freedom * (1.0 / n + 1.0 / m)).sqrt();
    // A gap near the largest number has no square, and no t.
    if freedom < 1.0 || !spread.is_normal() {
        return None;
    }
    let statistic = -moments.mean_shift / spread;
    let share = freedom / (freedom + statistic * statistic);
    Some(Test { statistic, p: beta_reg(freedom / 2.0, 0.5, share) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Student's own data on sleep, by pooled variance: the example of R's `t.test(var.equal = TRUE)`.
    #[test]
    fn t_agrees_with_students_sleep() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let found = t(&Sample::new(first), &Sample::new(second));
        let found = found.map(|found| (found.statistic, found.p));
        assert!(
            found.is_some_and(|(t, p)| (t + 1.8608).abs() < 5e-5 && (p - 0.079_19).abs() < 5e-6)
        );
        assert!(t(&Sample::new([1.0, 1.0]), &Sample::new([1.0])).is_none());
    }

    /// The variance without ties is n m (N + 1) / 12; all values tied leave none.
    #[test]
    fn u_is_normal_with_its_two_corrections() {
        let (low, high) = (0..12, 3..15);
        let sample = |rows: std::ops::Range<i32>| Sample::new(rows.map(|row| f64::from(2 * row)));
        let apart = Sample::new(high.clone().map(|row| f64::from(2 * row) + 1.0));
        let found = u_less(&sample(low.clone()), &apart);
        let above = low.map(|a| high.clone().filter(|b| 2 * b + 1 > 2 * a).count()).sum::<usize>();
        let z = (above as f64 - 72.5) / (144.0 * 25.0 / 12.0_f64).sqrt();
        let expected = (144.0 - above as f64, erfc(z / std::f64::consts::SQRT_2) / 2.0);
        assert_eq!(found.map(|found| (found.statistic, found.p)), Some(expected));
        assert!(u_less(&Sample::new([1.0; 20]), &Sample::new([1.0; 20])).is_none());
        assert!(u_less(&sample(0..8), &Sample::new([1.0, 3.0])).is_none());
    }
}

//! Mean and standard deviation, safe at large offsets and near the largest number.

use super::sample::{Point, Sample};
use super::sum::Sum;
use super::wasserstein::range;

/// Mean and standard deviation of both sides and how far they moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// The reference's mean and standard deviation.
    pub reference: (f64, f64),
    /// The current mean and standard deviation.
    pub current: (f64, f64),
    /// Current mean less reference mean, taken from a common origin so that an offset cancels.
    pub mean_shift: f64,
    /// Current less reference standard deviation.
    pub std_shift: f64,
}

/// Mean and standard deviation (divided by n) of both sides, by two passes from the smallest value.
/// `None` when a side is empty; a constant side has deviation 0.
#[must_use]
pub fn moments<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<Moments> {
    let (low, high) = range(reference, current)?;
    let scale = T::scale(low, high);
    let width = T::gap(low, high, scale);
    let side = |sample: &Sample<T>| {
        let share = |count: u64| count as f64 / sample.len() as f64;
        let offset = |value: T| {
            if width == 0.0 { 0.0 } else { T::gap(low, value, scale) / width }
        };
        let runs = sample.runs();
        let mean = runs.iter().map(|run| share(run.1) * offset(run.0)).collect::<Sum>().value();
        let spread = |run: &(T, u64)| share(run.1) * (offset(run.0) - mean).powi(2);
        let variance = match runs.len() {
            1 => 0.0,
            _ => runs.iter().map(spread).collect::<Sum>().value(),
        };
        (mean, variance.sqrt())
    };
    let (r, c) = (side(reference), side(current));
    let value = |side: (f64, f64)| {
        ((low.to_f64() * scale + side.0 * width) / scale, side.1 * width / scale)
    };
    Some(Moments {
        reference: value(r),
        current: value(c),
        mean_shift: (c.0 - r.0) * width / scale,
        std_shift: (c.1 - r.1) * width / scale,
    })
}

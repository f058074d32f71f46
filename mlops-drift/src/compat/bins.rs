//! Histograms of equal width, as NumPy cuts them.

use crate::statistic::{Point, Sample};

/// Bins of equal width.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bins<T> {
    /// What the edges count from; 0 where there is none.
    pub(super) origin: Option<T>,
    pub(super) edges: Vec<f64>,
}

/// The edges of NumPy's `histogram_bin_edges(bins="sturges")` for so many values between these two.
pub(super) fn sturges<T: Point>(low: T, high: T, values: u64) -> Bins<T> {
    let width = ptp(low, high) / ((values as f64).log2() + 1.0);
    let whole = low.successor().is_some();
    equal_width(low, high, if whole && width > 0.0 { width.max(1.0) } else { width })
}

/// The edges of NumPy's `histogram_bin_edges(bins="doane")` of the values as floating point
/// (Doane 1976): Sturges' bins, and more of them the more skewed the data is.
pub(super) fn doane<T: Point>(sample: &Sample<T>) -> Bins<T> {
    let (Some(low), Some(high)) = (sample.min(), sample.max()) else {
        return Bins { origin: None, edges: Vec::new() };
    };
    let n = sample.len() as f64;
    let mut width = 0.0;
    if sample.len() > 2 && sample.runs().len() > 1 {
        let skew = skewness(sample, low, high);
        let scale = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
        width = ptp(low, high) / (1.0 + n.log2() + (1.0 + skew.abs() / scale).log2());
    }
    equal_width(low, high, width)
}

/// The third moment of the standardised values.
fn skewness<T: Point>(sample: &Sample<T>, low: T, high: T) -> f64 {
    let scale = T::scale(low, high);
    let range = T::gap(low, high, scale);
    let n = sample.len() as f64;
    let moment = |power: i32, centre: f64| -> f64 {
        let term = |&(value, count): &(T, u64)| {
            let offset = T::gap(low, value, scale) / range - centre;
            count as f64 / n * offset.powi(power)
        };
        sample.runs().iter().map(term).collect::<crate::statistic::Sum>().value()
    };
    let mean = moment(1, 0.0);
    moment(3, mean) / moment(2, mean).powf(1.5)
}

/// The range, times a power of two where it would overflow: only its ratio to a width counts.
fn ptp<T: Point>(low: T, high: T) -> f64 {
    T::gap(low, high, T::scale(low, high))
}

/// As many bins of about this width as reach from low to high; one bin for width 0.
fn equal_width<T: Point>(low: T, high: T, width: f64) -> Bins<T> {
    let range = ptp(low, high);
    let (mut first, mut last) = (low.to_f64(), high.to_f64());
    let bins = match width > 0.0 {
        // The quotient has its rounding error on purpose: it decides how many bins there are.
        true => (range / width).ceil().max(1.0),
        false => 1.0,
    };
    if range == 0.0 {
        (first, last) = (first - 0.5, last + 0.5);
    }
    let edges = linear(first, last, bins);
    if range == 0.0 || edges.windows(2).all(|pair| pair[0] < pair[1]) {
        return Bins { origin: None, edges };
    }
    // So far out that neighbouring edges are one number: NumPy gives up, we count from the lowest value.
    Bins { origin: Some(low), edges: linear(0.0, range, bins) }
}

/// So many bins from first to last, the last edge exact.
fn linear(first: f64, last: f64, bins: f64) -> Vec<f64> {
    let range = last - first;
    let step = if range.is_finite() { range / bins } else { last / bins - first / bins };
    let mut edges: Vec<f64> = (0..bins as u64).map(|bin| bin as f64 * step + first).collect();
    edges.push(last);
    edges
}

impl<T: Point> Bins<T> {
    /// How many values stand in each bin `[low, high)`, of which the last is closed; what lies outside
    /// of all is not counted.
    pub(super) fn counts(&self, sample: &Sample<T>) -> Vec<u64> {
        let runs = sample.runs();
        let last = self.edges.len().saturating_sub(1);
        let place = |value: T| match self.origin {
            None => value.to_f64(),
            Some(origin) if value.order(origin).is_lt() => -1.0,
            Some(origin) => T::gap(origin, value, 1.0),
        };
        let mut below = self.edges.iter().enumerate().map(|(at, &edge)| {
            let inside = |value: f64| if at == last { value <= edge } else { value < edge };
            let end = runs.partition_point(|run| inside(place(run.0)));
            runs[..end].iter().map(|run| run.1).sum::<u64>()
        });
        let mut previous = below.next().unwrap_or(0);
        below.map(|upto| upto - std::mem::replace(&mut previous, upto)).collect()
    }
}

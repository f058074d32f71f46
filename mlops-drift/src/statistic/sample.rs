//! A sorted multiset of values, the one form in which the statistics take their data.

use std::cmp::Ordering;

/// A value that can be ordered and measured: `f64`, `i64` for integers, dates and small decimals, `i128`
/// for what is wider.
///
/// Integers never pass through `f64` on their way to a rank, so values beyond 2^53 stay apart.
pub trait Point: Copy + PartialEq + Send + Sync + private::Sealed {
    /// The value as it is kept: -0.0 becomes 0.0; `None` for NaN and infinities.
    fn canonical(self) -> Option<Self>;
    /// The order of two canonical values.
    fn order(self, other: Self) -> Ordering;
    /// The nearest `f64`.
    fn to_f64(self) -> f64;
    /// A power of two by which gaps within `low..=high` are multiplied so that none overflows.
    fn scale(low: Self, high: Self) -> f64;
    /// `(high - low) * scale`, with one rounding.
    fn gap(low: Self, high: Self, scale: f64) -> f64;
    /// The point `part / of` of the way from `low` to `high`; integers are rounded down, exactly.
    fn between(low: Self, high: Self, part: u64, of: u64) -> Self;
    /// The next larger value where there is nothing in between (integers), else `None`.
    fn successor(self) -> Option<Self>;
}

mod private {
    pub trait Sealed {}
    impl Sealed for f64 {}
    impl Sealed for i64 {}
    impl Sealed for i128 {}
}

impl Point for f64 {
    fn canonical(self) -> Option<Self> {
        // Adding 0.0 turns -0.0 into 0.0 and changes nothing else.
        self.is_finite().then_some(self + 0.0)
    }

    fn order(self, other: Self) -> Ordering {
        self.total_cmp(&other)
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn scale(low: Self, high: Self) -> f64 {
        if low.abs().max(high.abs()) > f64::MAX / 4.0 { 0.25 } else { 1.0 }
    }

    fn gap(low: Self, high: Self, scale: f64) -> f64 {
        high * scale - low * scale
    }

    fn between(low: Self, high: Self, part: u64, of: u64) -> Self {
        if part == 0 {
            return low;
        }
        // Multiplied first and divided once, a point that is an integer comes out as that integer.
        let product = (high - low) * part as f64;
        let value = if product.is_finite() {
            low + product / of as f64
        } else {
            let share = part as f64 / of as f64;
            low * (1.0 - share) + high * share
        };
        value.clamp(low, high) + 0.0
    }

    fn successor(self) -> Option<Self> {
        None
    }
}

impl Point for i64 {
    fn canonical(self) -> Option<Self> {
        Some(self)
    }

    fn order(self, other: Self) -> Ordering {
        self.cmp(&other)
    }

    fn to_f64(self) -> f64 {
        self as f64
    }

    fn scale(_: Self, _: Self) -> f64 {
        1.0
    }

    fn gap(low: Self, high: Self, scale: f64) -> f64 {
        // The difference of two i64 always fits u64; wrapping is how it gets there.
        high.wrapping_sub(low) as u64 as f64 * scale
    }

    fn between(low: Self, high: Self, part: u64, of: u64) -> Self {
        let gap = u128::from(high.wrapping_sub(low) as u64);
        low.wrapping_add((gap * u128::from(part) / u128::from(of)) as i64)
    }

    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Point for i128 {
    fn canonical(self) -> Option<Self> {
        Some(self)
    }

    fn order(self, other: Self) -> Ordering {
        self.cmp(&other)
    }

    fn to_f64(self) -> f64 {
        self as f64
    }

    fn scale(_: Self, _: Self) -> f64 {
        1.0
    }

    fn gap(low: Self, high: Self, scale: f64) -> f64 {
        // The difference of two i128 always fits u128; wrapping is how it gets there.
        high.wrapping_sub(low) as u128 as f64 * scale
    }

    fn between(low: Self, high: Self, part: u64, of: u64) -> Self {
        let (part, of) = (u128::from(part), u128::from(of));
        let gap = high.wrapping_sub(low) as u128;
        let step = gap / of * part + gap % of * part / of;
        low.wrapping_add(step as i128)
    }

    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// A sorted multiset of finite values.
///
/// Built by sorting; equal whenever the same values went in, in whatever order or portions.
///
/// ```
/// use mlops_drift::statistic::Sample;
///
/// let sample = Sample::new([2.0, -0.0, 0.0, f64::NAN, 2.0]);
/// assert_eq!(sample.runs(), [(0.0, 2), (2.0, 2)]);
/// assert_eq!(sample.len(), 4);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<T> {
    runs: Vec<(T, u64)>,
    len: u64,
}

impl<T> Default for Sample<T> {
    fn default() -> Self {
        Self { runs: Vec::new(), len: 0 }
    }
}

impl<T: Point> Sample<T> {
    /// Sorts the finite values; NaN and infinities are left out, -0.0 is 0.0.
    pub fn new(values: impl IntoIterator<Item = T>) -> Self {
        let mut values: Vec<T> = values.into_iter().filter_map(T::canonical).collect();
        let mut sample = Self::default();
        sample.absorb(&mut values);
        sample
    }

    /// The distinct values in ascending order, each with the number of times it occurs.
    #[must_use]
    pub fn runs(&self) -> &[(T, u64)] {
        &self.runs
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The smallest value.
    #[must_use]
    pub fn min(&self) -> Option<T> {
        self.runs.first().map(|run| run.0)
    }

    /// The largest value.
    #[must_use]
    pub fn max(&self) -> Option<T> {
        self.runs.last().map(|run| run.0)
    }

    /// The quantile `part / of` of type 7 (Hyndman & Fan 1996): linear between the order statistics
    /// around `(n - 1) part / of`, a position that is computed in integers. Integers are rounded
    /// down. `None` when the sample is empty.
    #[must_use]
    pub fn quantile(&self, part: u64, of: u64) -> Option<T> {
        let last = u128::from(self.len.checked_sub(1)?);
        let position = last * u128::from(part.min(of));
        let index = (position / u128::from(of)) as u64;
        let rest = (position % u128::from(of)) as u64;
        let low = self.nth(index)?;
        if rest == 0 {
            return Some(low);
        }
        Some(T::between(low, self.nth(index + 1)?, rest, of))
    }

    /// How many values are at most `edge`.
    #[must_use]
    pub fn at_most(&self, edge: T) -> u64 {
        let end = self.runs.partition_point(|run| run.0.order(edge).is_le());
        self.runs[..end].iter().map(|run| run.1).sum()
    }

    fn nth(&self, index: u64) -> Option<T> {
        let mut seen = 0;
        self.runs
            .iter()
            .find(|run| {
                seen += run.1;
                seen > index
            })
            .map(|run| run.0)
    }

    /// Sorts `values` (all canonical) into the sample and leaves it empty.
    pub(crate) fn absorb(&mut self, values: &mut Vec<T>) {
        values.sort_unstable_by(|a, b| a.order(*b));
        let mut runs: Vec<(T, u64)> = Vec::new();
        for value in values.drain(..) {
            match runs.last_mut() {
                Some(last) if last.0 == value => last.1 += 1,
                _ => runs.push((value, 1)),
            }
        }
        self.merge_runs(runs);
    }

    /// Adds the values of another sample.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.merge_runs(other.runs.clone());
    }

    fn merge_runs(&mut self, runs: Vec<(T, u64)>) {
        self.len += runs.iter().map(|run| run.1).sum::<u64>();
        if self.runs.is_empty() {
            self.runs = runs;
            return;
        }
        let own = std::mem::take(&mut self.runs);
        self.runs = pool(&own, &runs).map(|p| (p.value, p.reference + p.current)).collect();
    }
}

/// One distinct value of two samples with its count in each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pooled<T> {
    pub(crate) value: T,
    pub(crate) reference: u64,
    pub(crate) current: u64,
}

/// The counts of both sides, a distinct value, in ascending order.
pub(crate) fn pooled_counts<'a, T: Point>(
    reference: &'a Sample<T>,
    current: &'a Sample<T>,
) -> impl Iterator<Item = (u64, u64)> + Clone + 'a {
    pool(reference.runs(), current.runs()).map(|point| (point.reference, point.current))
}

/// How many values the two sides hold.
pub(super) fn sizes(counts: impl Iterator<Item = (u64, u64)>) -> (i128, i128) {
    counts.fold((0, 0), |(n, m), (old, new)| (n + i128::from(old), m + i128::from(new)))
}

/// The distinct values of both sides in ascending order.
pub(crate) fn pool<'a, T: Point>(
    mut reference: &'a [(T, u64)],
    mut current: &'a [(T, u64)],
) -> impl Iterator<Item = Pooled<T>> + Clone + 'a {
    std::iter::from_fn(move || {
        let order = match (reference.first(), current.first()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(r), Some(c)) => r.0.order(c.0),
        };
        let take = |from: &mut &'a [(T, u64)], wanted: bool| {
            let run = from.split_first().filter(|_| wanted)?;
            *from = run.1;
            Some(*run.0)
        };
        let left = take(&mut reference, order.is_le());
        let right = take(&mut current, order.is_ge());
        let value = left.or(right)?.0;
        let count = |run: Option<(T, u64)>| run.map_or(0, |run| run.1);
        Some(Pooled { value, reference: count(left), current: count(right) })
    })
}

//! The sum of squared distances from a fixed centre, the same in whatever order values come.
//!
//! A square is split into a multiple of 2^-23 and a multiple of 2^-60 of the squared unit. Sums of a
//! thousand such multiples are exact in `f64`, so plain additions (which a compiler can do four at a
//! time) are enough, and integers hold the rest. What is more than a thousand units away is rare and
//! goes into a sum by powers of two.

use super::far::{Far, scale};
use super::number::Number;
use crate::kernels::{NEAR, split, split_squares};

/// How many squares are added up before integers take them.
pub(crate) const BLOCK: u32 = 1_024;
const COARSE_BITS: i32 = 23;
const FINE_BITS: i32 = 60;

/// Where a column's squares are taken from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Origin<T> {
    pub(crate) centre: T,
    /// The unit is `2^power`, near the spread of the reference; even.
    pub(crate) power: i32,
    /// `2^(-power / 2)`: to be applied twice, once would not reach the smallest numbers.
    factor: f64,
}

impl<T: Number> Origin<T> {
    /// From three quartiles.
    pub(crate) fn new(low: T, centre: T, high: T) -> Self {
        let (width, quarters) = high.difference(low);
        let power = if width > 0.0 { width.log2().floor() as i32 + quarters } else { 0 };
        Self::of_half(centre, power.clamp(-1_074, 1_000).div_euclid(2))
    }

    /// One that was written down; `None` when it could not have been one.
    pub(crate) fn from_parts(centre: T, power: i32) -> Option<Self> {
        let plausible = (-1_074..=1_000).contains(&power) && power % 2 == 0;
        (plausible && centre.canonical().is_some()).then(|| Self::of_half(centre, power / 2))
    }

    fn of_half(centre: T, half: i32) -> Self {
        Self { centre, power: 2 * half, factor: 2_f64.powi(-half) }
    }
}

/// A sum of squares.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Squares {
    high: f64,
    low: f64,
    pending: u32,
    /// In units of 2^-60 of the squared unit.
    near: i128,
    /// Not in units, but as they are.
    far: Far,
}

impl Squares {
    /// The near ones in units of 2^-60 of the squared unit, and the far ones.
    pub(crate) fn parts(&self) -> (i128, Far) {
        let mut settled = self.clone();
        settled.settle();
        (settled.near, settled.far)
    }

    /// A sum that was written down; `None` when it could not have been one of `count` squares.
    pub(crate) fn from_parts(near: i128, far: Far, count: u64) -> Option<Self> {
        let most = (NEAR as i128).checked_mul(i128::from(count))?.checked_mul(1 << FINE_BITS)?;
        (0..=most).contains(&near).then(|| Self { near, far, ..Self::default() })
    }

    /// Whether the other sum can be added to this one.
    pub(crate) fn has_room_for(&self, other: &Self) -> bool {
        let ((near, far), (more, further)) = (self.parts(), other.parts());
        near.checked_add(more).is_some() && far.has_room_for(&further)
    }

    /// Adds the squares of these values' distances.
    pub(crate) fn add_all<T: Number>(&mut self, origin: &Origin<T>, values: &[T]) {
        for block in values.chunks(BLOCK as usize) {
            self.settle();
            let sum = split_squares(block, origin.centre, origin.factor);
            if sum.near {
                (self.high, self.low, self.pending) = (sum.high, sum.low, BLOCK);
            } else {
                block.iter().for_each(|&value| self.add(origin, value));
            }
        }
        self.settle();
    }

    /// Adds the square of one value's distance.
    #[inline]
    pub(crate) fn add<T: Number>(&mut self, origin: &Origin<T>, value: T) {
        let scaled = value.distance(origin.centre) * origin.factor * origin.factor;
        let square = scaled * scaled;
        if square < NEAR {
            let (coarse, fine) = split(square);
            self.high += coarse;
            self.low += fine;
            self.pending += 1;
            if self.pending >= BLOCK {
                self.settle();
            }
        } else {
            let (distance, quarters) = value.difference(origin.centre);
            self.far.add_square(distance, quarters);
        }
    }

    /// Hands what is pending over to the integers.
    pub(crate) fn settle(&mut self) {
        if std::mem::take(&mut self.pending) > 0 {
            let high = (std::mem::take(&mut self.high) * 2_f64.powi(COARSE_BITS)) as i128;
            let low = (std::mem::take(&mut self.low) * 2_f64.powi(FINE_BITS)) as i128;
            self.near += (high << (FINE_BITS - COARSE_BITS)) + low;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        other.settle();
        self.settle();
        self.near += other.near;
        self.far.merge(&other.far);
    }

    /// The sum in squares of a power of two, and that power: one in which it does not overflow.
    pub(crate) fn value<T>(&self, origin: &Origin<T>) -> (f64, i32) {
        let mut settled = self.clone();
        settled.settle();
        let largest = self.far.terms().last().map_or(i32::MIN, |term| term.0 / 2 + 48);
        let power = origin.power.max(largest);
        let near = scale(settled.near as f64, 2 * (origin.power - power) - FINE_BITS);
        (near + settled.far.scaled(-2 * power), power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_by_one_in_blocks_and_in_halves_is_the_same_sum() {
        let value = |k: u32| {
            f64::from(k.wrapping_mul(2_654_435_761) >> 8) / 1e6 + if k == 77 { 1e9 } else { 1e16 }
        };
        let values: Vec<f64> = (0..5_000).map(value).collect();
        let origin = Origin::new(1e16, 1e16 + 8.0, 1e16 + 16.0);
        let mut whole = Squares::default();
        whole.add_all(&origin, &values);
        let mut single = Squares::default();
        values.iter().rev().for_each(|&value| single.add(&origin, value));
        single.settle();
        assert_eq!(whole, single);
        let (mut left, mut right) = (Squares::default(), Squares::default());
        left.add_all(&origin, &values[..1_234]);
        values[1_234..].iter().for_each(|&value| right.add(&origin, value));
        left.merge(&right);
        assert_eq!(whole, left);
    }

    #[test]
    fn the_sum_is_right() {
        let values: Vec<f64> = (0..3_000).map(|k| f64::from(k) * 0.25).collect();
        let origin = Origin::new(200.0, 300.0, 420.0);
        let mut squares = Squares::default();
        squares.add_all(&origin, &values);
        // Quarters are exact: sum (k/4 - 300)^2 in integers over 16.
        let exact: i64 = (0..3_000_i64).map(|k| (k - 1_200).pow(2)).sum();
        let (sum, power) = squares.value(&origin);
        let sum = scale(sum, 2 * power);
        assert!((sum / (exact as f64 / 16.0) - 1.0).abs() < 1e-15, "{sum}");
        let mut wide = Squares::default();
        let origin = Origin::new(-1e308, 0.0, 1e308);
        wide.add_all(&origin, &[1e308, -1.7e308]);
        let (sum, power) = wide.value(&origin);
        let root = sum.sqrt();
        assert!((scale(root / 1.7e308, power) - 1.160_18_f64).abs() < 1e-3, "{root}");
    }
}

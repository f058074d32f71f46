//! What a column of numbers must offer to be counted in cells.

use super::lookup::{Digits, Even, Lengths, Lookup, Nowhere, Shift, for_floats, for_integers};
use crate::kernels::Slots;
use crate::statistic::Point;

/// A number of one of the three lanes: `f64`, `i64`, or `i128` for what is wider.
pub(crate) trait Number: Point + PartialOrd + Default + std::fmt::Debug + 'static {
    /// Larger than every value, or as large as the largest.
    const END: Self;

    /// The two ways to a cell.
    type Plain: Slots<Self>;
    /// The one for heavy tails.
    type Tailed: Slots<Self>;
    /// The better of them.
    fn lookup(edges: &[Self]) -> Lookup<Self::Plain, Self::Tailed>;

    /// How the offset from an edge becomes an integer.
    type Unit: Copy + std::fmt::Debug + PartialEq + Send + Sync;

    /// The unit for offsets of at most `width`.
    fn unit(low: Self, high: Self) -> Self::Unit;
    /// The offset from `edge` in units, rounded; the value is neither below the edge nor beyond its cell.
    fn offset(self, edge: Self, unit: Self::Unit) -> u64;
    /// One unit as a number, before `Point::scale`.
    fn unit_size(unit: Self::Unit) -> f64;
    /// `self - other`, halved twice and marked so where the difference itself would overflow.
    fn difference(self, other: Self) -> (f64, i32);
    /// `self - other`, infinite where it would overflow.
    #[inline(always)]
    fn distance(self, other: Self) -> f64 {
        self.difference(other).0
    }
    /// The same without a sign of zero.
    #[inline(always)]
    fn plain(self) -> Self {
        self
    }
    /// An image that keeps the order, for sorting; the widest numbers keep themselves.
    type Key: Ord + Copy + Send;
    /// To the image.
    fn key(self) -> Self::Key;
    /// And back.
    fn of_key(key: Self::Key) -> Self;
}

/// Bits of an offset, at most one more.
const OFFSET_BITS: i32 = 51;
/// Added to less than itself, it leaves the nearest integer in the low bits.
const SHIFTED: f64 = (1_u64 << 52) as f64;

/// What stands for the unit of a cell without a width, in which nothing lies.
const NO_WIDTH: i16 = i16::MIN;

/// For normal powers, as all units of cells are.
#[inline(always)]
fn power_of_two(exponent: i16) -> f64 {
    f64::from_bits((i64::from(exponent).wrapping_add(1_023) as u64) << 52)
}

impl Number for f64 {
    const END: Self = Self::INFINITY;

    type Plain = Even;
    type Tailed = Digits;

    fn lookup(edges: &[Self]) -> Lookup<Even, Digits> {
        for_floats(edges)
    }

    /// Of a power of two to multiply with, twice: once would not reach the smallest numbers.
    type Unit = i16;
    type Key = u64;

    fn unit(low: Self, high: Self) -> i16 {
        let width = high - low;
        if !(width > 0.0 && width.is_finite()) {
            return NO_WIDTH;
        }
        // The exponent of the width, so that every offset stays below 2^52; -1023 for what is smaller than
        // every normal number, whose unit is the smallest number there is.
        let exponent = (width.to_bits() >> 52) as i32 - 1023;
        (OFFSET_BITS - exponent).div_euclid(2) as i16
    }

    #[inline(always)]
    fn offset(self, edge: Self, unit: i16) -> u64 {
        let unit = power_of_two(unit);
        ((self - edge) * unit * unit + SHIFTED).to_bits().wrapping_sub(SHIFTED.to_bits())
    }

    fn unit_size(unit: i16) -> f64 {
        if unit == NO_WIDTH { 0.0 } else { 1.0 / power_of_two(unit) / power_of_two(unit) }
    }

    #[inline(always)]
    fn distance(self, other: Self) -> f64 {
        self - other
    }

    #[inline(always)]
    fn plain(self) -> Self {
        self + 0.0
    }

    fn difference(self, other: Self) -> (f64, i32) {
        let plain = self - other;
        if plain.is_finite() { (plain, 0) } else { (self * 0.25 - other * 0.25, 2) }
    }

    #[inline(always)]
    fn key(self) -> u64 {
        let bits = self.to_bits();
        bits ^ (((bits as i64 >> 63) as u64) | 1 << 63)
    }

    #[inline(always)]
    fn of_key(key: u64) -> Self {
        let flipped = ((!key as i64 >> 63) as u64) | 1 << 63;
        Self::from_bits(key ^ flipped)
    }
}

impl Number for i64 {
    const END: Self = Self::MAX;

    type Plain = Shift;
    type Tailed = Lengths;

    fn lookup(edges: &[Self]) -> Lookup<Shift, Lengths> {
        for_integers(edges)
    }

    type Unit = ();
    type Key = Self;

    fn unit(_: Self, _: Self) {}

    #[inline(always)]
    fn offset(self, edge: Self, (): ()) -> u64 {
        self.wrapping_sub(edge) as u64
    }

    fn unit_size((): ()) -> f64 {
        1.0
    }

    #[inline(always)]
    fn difference(self, other: Self) -> (f64, i32) {
        match self.checked_sub(other) {
            Some(difference) => (difference as f64, 0),
            None => ((i128::from(self) - i128::from(other)) as f64, 0),
        }
    }

    fn key(self) -> Self {
        self
    }

    fn of_key(key: Self) -> Self {
        key
    }
}

impl Number for i128 {
    const END: Self = Self::MAX;

    type Plain = Nowhere;
    type Tailed = Nowhere;

    fn lookup(_: &[Self]) -> Lookup<Nowhere, Nowhere> {
        Lookup::Search
    }

    /// Bits that are dropped.
    type Unit = u32;
    type Key = Self;

    fn unit(low: Self, high: Self) -> u32 {
        let width = high.wrapping_sub(low) as u128;
        (128 - width.leading_zeros()).saturating_sub(u64::BITS)
    }

    #[inline(always)]
    fn offset(self, edge: Self, unit: u32) -> u64 {
        (self.wrapping_sub(edge) as u128 >> unit) as u64
    }

    fn unit_size(unit: u32) -> f64 {
        2_f64.powi(unit as i32)
    }

    fn difference(self, other: Self) -> (f64, i32) {
        let apart =
            (if self >= other { self.wrapping_sub(other) } else { other.wrapping_sub(self) })
                as u128 as f64;
        (if self >= other { apart } else { -apart }, 0)
    }

    fn key(self) -> Self {
        self
    }

    fn of_key(key: Self) -> Self {
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_order_and_the_value() {
        let values = [f64::MIN, -1e300, -1.0, -5e-324, 0.0, 5e-324, 1.0, 1e16, f64::MAX];
        assert!(values.windows(2).all(|pair| pair[0].key() < pair[1].key()));
        assert!(values.iter().all(|value| f64::of_key(value.key()) == *value));
    }

    #[test]
    fn offsets_fill_their_bits_whatever_the_width() {
        for (low, high) in
            [(0.0, 1.0), (1e16, 1e16 + 6.0), (0.0, f64::MAX), (5e-310, 7e-310), (-3.0, 0.1)]
        {
            let unit = f64::unit(low, high);
            let offset = high.offset(low, unit);
            assert!(offset <= 1 << 52, "{low} {high}: {offset}");
            // Half of it near the largest number: rounded up, it would be beyond.
            let part = if high > 1e300 { 0.5 } else { 1.0 };
            let back = offset as f64 * part * f64::unit_size(unit);
            // The smallest numbers have fewer digits themselves.
            let error = if high < 1e-300 { 1e-12 } else { 1e-14 };
            assert!((back / ((high - low) * part) - 1.0).abs() < error, "{low} {high}: {back}");
        }
        assert_eq!(f64::unit_size(f64::unit(1.0, 1.0)), 0.0);
        assert_eq!(i64::MAX.offset(i64::MIN, ()), u64::MAX);
        let unit = i128::unit(i128::MIN, i128::MAX);
        assert_eq!(i128::MAX.offset(i128::MIN, unit), u64::MAX);
        assert_eq!(i128::MAX.difference(i128::MIN), (u128::MAX as f64, 0));
        assert_eq!(f64::MAX.difference(f64::MIN), (f64::MAX / 2.0, 2));
    }
}

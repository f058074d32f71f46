//! Sums of any numbers without a rounding error: every bit of a double has its place.

use serde::de::{Deserializer, Error};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::{SHRINK, Total};

/// Digits of 32 bits from 2^-1074 upwards: 2,098 bits of a double, and 2^40 terms above them.
const DIGITS: usize = 68;
/// Bits of a digit.
const BITS: usize = 32;
/// Terms after which carries are passed on, long before a digit overflows.
const PATIENCE: u32 = 1 << 30;
const MASK: i64 = (1 << BITS) - 1;

/// The exact sum of any finite terms (Kulisch's long accumulator); infinite ones are counted.
///
/// Digits are kept in their one canonical form when compared, merged or written: 32 bits each, the
/// highest with the sign.
#[derive(Debug, Clone)]
pub(crate) struct ExactSum {
    digits: Box<[i64; DIGITS]>,
    pending: u32,
    /// Terms that were positive infinity, and negative infinity.
    infinite: [u64; 2],
}

impl Default for ExactSum {
    fn default() -> Self {
        Self { digits: Box::new([0; DIGITS]), pending: 0, infinite: [0; 2] }
    }
}

impl ExactSum {
    /// Passes carries on, so that every digit but the highest is in `0..2^32`.
    fn settle(&mut self) {
        let mut carry = 0;
        for digit in &mut self.digits[..DIGITS - 1] {
            *digit += carry;
            carry = *digit >> BITS;
            *digit &= MASK;
        }
        self.digits[DIGITS - 1] += carry;
        self.pending = 0;
    }

    fn settled(&self) -> Self {
        let mut own = self.clone();
        own.settle();
        own
    }

    /// The finite part times 2^`scale`, rounded once to the nearest even (but for subnormal results of a
    /// scale below 0).
    fn finite(&self, scale: i32) -> f64 {
        let mut own = self.settled();
        let negative = own.digits[DIGITS - 1] < 0;
        if negative {
            own.digits.iter_mut().for_each(|digit| *digit = -*digit);
            own.settle();
        }
        let Some(top) = own.digits.iter().rposition(|&digit| digit != 0) else {
            return 0.0;
        };
        // Four digits hold at least 97 bits, so one more bit for all below decides a tie rightly.
        let low = (top + 1).saturating_sub(4);
        let bits = own.digits[low..=top]
            .iter()
            .rev()
            .fold(0_u128, |bits, &digit| (bits << BITS) | digit as u128);
        let sticky = own.digits[..low].iter().any(|&digit| digit != 0);
        let magnitude = (bits | u128::from(sticky)) as f64;
        // Half of the scale at a time: the whole of it may be no number.
        let exponent = (BITS * low) as i32 - 1074 + scale;
        let half = exponent / 2;
        let value = magnitude * 2_f64.powi(half) * 2_f64.powi(exponent - half);
        if negative { -value } else { value }
    }
}

impl Total for ExactSum {
    fn add(&mut self, term: f64) {
        let bits = term.to_bits();
        let exponent = (bits >> 52) as usize & 0x7ff;
        if exponent == 0x7ff {
            self.infinite[0] += u64::from(term.is_nan() || term > 0.0);
            self.infinite[1] += u64::from(term.is_nan() || term < 0.0);
            return;
        }
        let fraction = bits & ((1 << 52) - 1);
        let mantissa = if exponent == 0 { fraction } else { fraction | 1 << 52 };
        let place = exponent.max(1) - 1;
        let wide = u128::from(mantissa) << (place % BITS);
        let sign = if term.is_sign_negative() { -1 } else { 1 };
        for (index, digit) in self.digits[place / BITS..][..3].iter_mut().enumerate() {
            *digit += sign * ((wide >> (BITS * index)) as i64 & MASK);
        }
        self.pending += 1;
        if self.pending == PATIENCE {
            self.settle();
        }
    }

    fn merge(&mut self, other: &Self) {
        self.settle();
        let other_settled = other.settled();
        self.digits.iter_mut().zip(other_settled.digits.iter()).for_each(|(own, d)| *own += d);
        self.settle();
        for (own, more) in self.infinite.iter_mut().zip(other.infinite) {
            *own = own.saturating_add(more);
        }
    }

    fn pair(&self) -> (f64, f64) {
        match self.infinite {
            [0, 0] => {}
            [_, 0] => return (f64::INFINITY, 0.0),
            [0, _] => return (f64::NEG_INFINITY, 0.0),
            _ => return (f64::NAN, 0.0),
        }
        let high = self.finite(0);
        if !high.is_finite() {
            return (high, 0.0);
        }
        let mut rest = self.settled();
        rest.add(-high);
        (high, rest.finite(0))
    }

    fn shrunk(&self) -> Option<f64> {
        (self.infinite == [0, 0]).then(|| self.finite(-SHRINK))
    }
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &Self) -> bool {
        self.infinite == other.infinite && self.settled().digits == other.settled().digits
    }
}

/// The digits that are not 0, with their places, and the infinite terms.
#[derive(Serialize, Deserialize)]
struct Wire {
    digits: Vec<(u8, i64)>,
    infinite: [u64; 2],
}

impl Serialize for ExactSum {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let own = self.settled();
        let places = own.digits.iter().zip(0_u8..).filter(|(digit, _)| **digit != 0);
        let digits = places.map(|(&digit, place)| (place, digit)).collect();
        Wire { digits, infinite: own.infinite }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for ExactSum {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(from)?;
        let mut sum = Self { infinite: wire.infinite, ..Self::default() };
        for (place, digit) in wire.digits {
            match sum.digits.get_mut(usize::from(place)) {
                Some(own) if digit.unsigned_abs() <= MASK as u64 => *own = digit,
                _ => return Err(D::Error::custom(format!("not a digit of a sum: place={place}"))),
            }
        }
        sum.settle();
        Ok(sum)
    }
}

//! Sums of squares in two parts, each of them exact.

use crate::cells::Number;

/// Squares from here on are far: the exactness of the sums ends there.
pub(crate) const NEAR: f64 = (1_u64 << 20) as f64;
/// Adding and subtracting these rounds to multiples of 2^-23 and 2^-60.
const COARSE: f64 = 1.5 * (1_u64 << 29) as f64;
const FINE: f64 = 1.5 / (1_u64 << 8) as f64;

/// The sums of some squares.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Split {
    /// In multiples of 2^-23.
    pub(crate) high: f64,
    /// In multiples of 2^-60.
    pub(crate) low: f64,
    /// Whether every square is below [`NEAR`]; if not, the sums mean nothing.
    pub(crate) near: bool,
}

/// A square in its two parts.
#[inline(always)]
pub(crate) fn split(square: f64) -> (f64, f64) {
    let coarse = (square + COARSE) - COARSE;
    let fine = ((square - coarse) + FINE) - FINE;
    (coarse, fine)
}

dispatch! {
    /// Adds up the squares of `(value - centre) * factor * factor`, at most 1,024 of them.
    fn split_squares[T: Number](values: &[T], centre: T, factor: f64) -> Split = sum;
}

#[inline(always)]
fn sum<T: Number>(values: &[T], centre: T, factor: f64) -> Split {
    const LANES: usize = 4;
    let (mut high, mut low, mut far) = ([0.0; LANES], [0.0; LANES], [0_u64; LANES]);
    let mut one = |lane: usize, value: T| {
        let scaled = value.distance(centre) * factor * factor;
        let square = scaled * scaled;
        let (coarse, fine) = split(square);
        high[lane] += coarse;
        low[lane] += fine;
        // Finite values have no distance that is not a number.
        far[lane] |= u64::from(square >= NEAR);
    };
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &value) in chunk.iter().enumerate() {
            one(lane, value);
        }
    }
    rest.iter().for_each(|&value| one(0, value));
    // Multiples below 2^30 of one unit: any order of adding them up gives the same.
    Split { high: high.iter().sum(), low: low.iter().sum(), near: far == [0; LANES] }
}

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
    const LANES: usize = 8;
    let (mut high, mut low, mut largest) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let square = |value: T| {
        let scaled = value.distance(centre) * factor * factor;
        scaled * scaled
    };
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        let squares = chunk.map(square);
        for (lane, square) in squares.into_iter().enumerate() {
            let (coarse, fine) = split(square);
            high[lane] += coarse;
            low[lane] += fine;
            largest[lane] = if square > largest[lane] { square } else { largest[lane] };
        }
    }
    for &value in rest {
        let square = square(value);
        let (coarse, fine) = split(square);
        high[0] += coarse;
        low[0] += fine;
        largest[0] = if square > largest[0] { square } else { largest[0] };
    }
    // Multiples below 2^30 of one unit: any order of adding them up gives the same. Finite values have no
    // distance that is not a number.
    let near = largest.iter().all(|square| *square < NEAR);
    Split { high: high.iter().sum(), low: low.iter().sum(), near }
}

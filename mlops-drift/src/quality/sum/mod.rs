//! Sums that do not depend on the order or the split of their terms.

mod exact;
mod fixed;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(crate) use exact::ExactSum;
pub(crate) use fixed::Fixed;

/// The power of two by which too large a sum is divided: more terms than that are never added.
const SHRINK: i32 = 64;

/// A sum whose state is the same for the same terms, in whatever order and portions they came.
pub(crate) trait Total: Default {
    /// Adds a term.
    fn add(&mut self, term: f64);
    /// Adds all of another's terms.
    fn merge(&mut self, other: &Self);
    /// The sum as a number and the rest that its rounding left; infinite or NaN where the sum is.
    fn pair(&self) -> (f64, f64);
    /// The sum divided by 2^[`SHRINK`], where it may be too large for a number though no term was.
    fn shrunk(&self) -> Option<f64> {
        None
    }
}

/// Count, sum and sum of squares: what a mean, a variance and their intervals need.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mean<S> {
    pub(crate) count: u64,
    pub(crate) sum: S,
    squares: S,
}

impl<S: Total> Mean<S> {
    pub(crate) fn add(&mut self, term: f64) {
        self.count += 1;
        self.sum.add(term);
        let (square, rest) = square(term);
        self.squares.add(square);
        self.squares.add(rest);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
    }

    /// `None` without a term, and where infinities of both signs cancel.
    pub(crate) fn value(&self) -> Option<f64> {
        let ((high, low), n) = (self.sum.pair(), self.count as f64);
        let value = match self.sum.shrunk() {
            _ if self.count == 0 => return None,
            Some(shrunk) if high.is_infinite() => shrunk / n * 2_f64.powi(SHRINK),
            _ if high.is_infinite() => high,
            _ => {
                let quotient = high / n;
                quotient + (quotient.mul_add(-n, high) + low) / n
            }
        };
        (!value.is_nan()).then_some(value)
    }

    /// The squared standard error of the mean, divided by n - 1; `None` below two terms or where a
    /// sum is not finite.
    ///
    /// `(n sum(x^2) - sum(x)^2) / (n^2 (n - 1))` in twice the digits of a number, so a large mean
    /// does not eat a small deviation.
    pub(crate) fn error_squared(&self) -> Option<f64> {
        if self.count < 2 {
            return None;
        }
        let n = self.count as f64;
        let ((a, b), (c, d)) = (self.sum.pair(), self.squares.pair());
        let (left, right) = (n * c, a * a);
        let rest = n.mul_add(c, -left) + n * d - (a.mul_add(a, -right) + 2.0 * a * b + b * b);
        let spread = (left - right) + rest;
        (a.is_finite() && spread.is_finite()).then(|| spread.max(0.0) / (n * n * (n - 1.0)))
    }
}

/// `x * x` and what its rounding lost (Dekker 1971); the latter is 0 where it can't be had.
fn square(x: f64) -> (f64, f64) {
    let square = x * x;
    if !(square.is_finite() && x.abs() < 1e150) {
        return (square, 0.0);
    }
    let split = 134_217_729.0 * x; // 2^27 + 1
    let high = split - (split - x);
    let low = x - high;
    (square, ((high * high - square) + 2.0 * high * low) + low * low)
}

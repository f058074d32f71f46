//! Compensated summation.

/// A running sum whose rounding error does not grow with the number of terms (Neumaier 1974).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, term: f64) {
        let next = self.high + term;
        self.low += if self.high.abs() >= term.abs() {
            (self.high - next) + term
        } else {
            (term - next) + self.high
        };
        self.high = next;
    }

    pub(crate) fn value(self) -> f64 {
        // Past the largest number the correction is NaN while the sum is rightly infinite.
        if self.high.is_finite() { self.high + self.low } else { self.high }
    }
}

impl FromIterator<f64> for Sum {
    fn from_iter<I: IntoIterator<Item = f64>>(terms: I) -> Self {
        let mut sum = Self::default();
        terms.into_iter().for_each(|term| sum.add(term));
        sum
    }
}

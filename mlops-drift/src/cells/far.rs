//! Sums of numbers of any size that come out the same in whatever order they are added.

/// Bits of a number that are kept; a sum of squares of them has room for 2^32 terms.
const KEPT: u32 = 48;

/// What a sum is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Summed {
    Numbers,
    Squares,
}

/// A sum of non-negative numbers: one integer a power of two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Far {
    /// Ascending by exponent; a term is `sum * 2^exponent`.
    terms: Vec<(i32, u128)>,
}

impl Far {
    /// Adds `|value| * 2^power`.
    pub(crate) fn add(&mut self, value: f64, power: i32) {
        let (digits, exponent) = parts(value.abs());
        self.add_term(exponent + power, u128::from(digits));
    }

    /// Adds the square of `value * 2^power`; it neither overflows nor vanishes.
    pub(crate) fn add_square(&mut self, value: f64, power: i32) {
        let (digits, exponent) = parts(value.abs());
        self.add_term(2 * (exponent + power), u128::from(digits) * u128::from(digits));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.terms.iter().for_each(|&(exponent, sum)| self.add_term(exponent, sum));
    }

    pub(crate) fn terms(&self) -> &[(i32, u128)] {
        &self.terms
    }

    /// A sum that was written down; `None` when it could not have been one of `count` numbers, or of their
    /// squares.
    pub(crate) fn from_terms(terms: Vec<(i32, u128)>, count: u64, of: Summed) -> Option<Self> {
        let bits = match of {
            Summed::Numbers => KEPT,
            Summed::Squares => 2 * KEPT,
        };
        let most = u128::from(count).saturating_mul(1 << bits);
        let plausible =
            |term: &(i32, u128)| term.1 > 0 && term.1 <= most && term.0.abs() <= 2 * 1_100;
        let ascending = terms.windows(2).all(|pair| pair[0].0 < pair[1].0);
        (ascending && terms.iter().all(plausible)).then_some(Self { terms })
    }

    /// Whether the other sum can be added to this one.
    pub(crate) fn has_room_for(&self, other: &Self) -> bool {
        other.terms.iter().all(|&(exponent, sum)| {
            let own = self.terms.binary_search_by_key(&exponent, |term| term.0);
            own.map_or(0, |at| self.terms[at].1).checked_add(sum).is_some()
        })
    }

    /// The sum times `2^power`.
    pub(crate) fn scaled(&self, power: i32) -> f64 {
        // Smallest first, so that little ones are not lost one by one.
        self.terms.iter().map(|&(exponent, sum)| scale(sum as f64, exponent + power)).sum()
    }

    /// The sum over `count`, times `down`.
    pub(crate) fn share(&self, count: f64, down: f64) -> f64 {
        // Away from both ends while it is divided.
        let large = self.terms.last().is_some_and(|term| term.0 > 0);
        let power = if large { -200 } else { 200 };
        scale(self.scaled(power) / count * down, -power)
    }

    fn add_term(&mut self, exponent: i32, sum: u128) {
        if sum == 0 {
            return;
        }
        match self.terms.binary_search_by_key(&exponent, |term| term.0) {
            Ok(at) => self.terms[at].1 += sum,
            Err(at) => self.terms.insert(at, (exponent, sum)),
        }
    }
}

/// A finite number that is not negative as `digits * 2^exponent`, to [`KEPT`] bits.
fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let (biased, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
    let (digits, exponent) = match biased {
        0 => (fraction, -1074),
        _ => (fraction | 1 << 52, biased - 1075),
    };
    let dropped = (u64::BITS - digits.leading_zeros()).saturating_sub(KEPT);
    // A carry into bit KEPT is harmless: the square still has room.
    let half = if dropped > 0 { 1 << (dropped - 1) } else { 0 };
    ((digits + half) >> dropped, exponent + dropped as i32)
}

/// `value * 2^power`, for powers that a single factor could not hold.
pub(crate) fn scale(value: f64, power: i32) -> f64 {
    let step = power.clamp(-1_000, 1_000);
    let value = value * 2_f64.powi(step);
    if step == power || value == 0.0 || value.is_infinite() {
        return value;
    }
    scale(value, power - step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_gives_the_same_sum() {
        let values = [1e-300, 3.5, 2e200, 7e-12, 0.0, 1e16, 5e-324, f64::MAX];
        let sum = |order: &mut dyn Iterator<Item = f64>| {
            let mut far = Far::default();
            order.for_each(|value| {
                far.add(value, 0);
                far.add_square(value, 0);
            });
            far
        };
        let forwards = sum(&mut values.into_iter());
        assert_eq!(forwards, sum(&mut values.into_iter().rev()));
        let mut halves = sum(&mut values[..3].iter().copied());
        halves.merge(&sum(&mut values[3..].iter().copied()));
        assert_eq!(forwards, halves);
        let terms = forwards.terms().to_vec();
        assert_eq!(Far::from_terms(terms, 8, Summed::Squares), Some(forwards));
        assert_eq!(Far::from_terms(vec![(2, 1), (1, 1)], 8, Summed::Numbers), None);
        let most = |count: u128, of| Far::from_terms(vec![(0, count << 48)], 8, of);
        assert!(most(8, Summed::Numbers).is_some() && most(9, Summed::Numbers).is_none());
        assert!(most(9, Summed::Squares).is_some());
    }

    #[test]
    fn a_sum_knows_what_it_has_room_for() {
        let far = |sum| Far { terms: vec![(3, 1), (5, sum)] };
        assert!(far(7).has_room_for(&far(u128::MAX - 7)));
        assert!(!far(7).has_room_for(&far(u128::MAX - 6)));
        assert!(Far::default().has_room_for(&far(u128::MAX)));
    }

    #[test]
    fn squares_of_the_largest_numbers_can_be_taken() {
        let mut far = Far::default();
        (0..4).for_each(|_| far.add_square(2.5e299, 2));
        let root = far.scaled(-2 * 900).sqrt() * 2_f64.powi(900);
        assert!((root / 2e300 - 1.0).abs() < 1e-14, "{root:e}");
        assert_eq!(far.scaled(0), f64::INFINITY);
        let mut small = Far::default();
        small.add_square(3e-200, 0);
        assert!((small.scaled(2_000).log2() - 2_000.0 - 2.0 * 3e-200_f64.log2()).abs() < 1e-9);
    }
}

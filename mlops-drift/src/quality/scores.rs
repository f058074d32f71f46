//! Counts of probabilities by truth, and the area under the ROC curve from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Rounded probabilities keep this many bits behind the leading one.
const KEPT_BITS: u32 = 6;
const SHIFT: u32 = 52 - KEPT_BITS;
/// The cell of 1/2.
const MIDDLE: u64 = 1022 << KEPT_BITS;
/// Everything nearer to 0, or to 1, than 2^-64 is one cell.
const LOWEST: u64 = (1022 - 63) << KEPT_BITS;

/// How many negatives and positives have each probability.
///
/// Probabilities are kept as they are (by their bits, which sort as they do) until there are more
/// than the cap; then all of them are rounded. Both are functions of all that was added, so order and split leave
/// no trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scores {
    exact: bool,
    /// As pairs: keys of JSON objects would be strings.
    #[serde(with = "pairs")]
    counts: BTreeMap<u64, [u64; 2]>,
}

impl Default for Scores {
    fn default() -> Self {
        Self { exact: true, counts: BTreeMap::new() }
    }
}

/// The area under the ROC curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Auc {
    /// The area, exact or the middle of its bounds.
    pub(crate) value: f64,
    /// What the area is sure to lie between; both the value where it is exact.
    pub(crate) bounds: [f64; 2],
    /// Its variance (DeLong, DeLong & Clarke-Pearson 1988), rounded probabilities taken as ties;
    /// `None` with fewer than two of either class.
    pub(crate) variance: Option<f64>,
}

impl Scores {
    pub(crate) fn add(&mut self, probability: f64, positive: bool, cap: usize) {
        let key = if self.exact { probability.to_bits() } else { cell(probability) };
        self.counts.entry(key).or_default()[usize::from(positive)] += 1;
        self.keep(cap);
    }

    pub(crate) fn merge(&mut self, other: &Self, cap: usize) {
        if !other.exact {
            self.round();
        }
        for (&key, counts) in &other.counts {
            let key = if !self.exact && other.exact { cell(f64::from_bits(key)) } else { key };
            let own = self.counts.entry(key).or_default();
            own.iter_mut().zip(counts).for_each(|(own, count)| *own += count);
        }
        self.keep(cap);
    }

    fn keep(&mut self, cap: usize) {
        if self.counts.len() > cap {
            self.round();
        }
    }

    fn round(&mut self) {
        if !std::mem::take(&mut self.exact) {
            return;
        }
        for (bits, counts) in std::mem::take(&mut self.counts) {
            let own = self.counts.entry(cell(f64::from_bits(bits))).or_default();
            own.iter_mut().zip(counts).for_each(|(own, count)| *own += count);
        }
    }

    /// Whether what was read can be one of ours.
    pub(crate) fn is_sound(&self) -> bool {
        let fits = |key: u64| match self.exact {
            true => (0.0..=1.0).contains(&f64::from_bits(key)) && key >> 63 == 0,
            false => (LOWEST..=2 * MIDDLE - LOWEST).contains(&key),
        };
        let mut counts = self.counts.values().flatten();
        let sum = counts.try_fold(0_u64, |sum, &count| sum.checked_add(count));
        sum.is_some_and(|sum| sum <= 1 << 53) && self.counts.keys().all(|&key| fits(key))
    }

    /// Negatives and positives.
    pub(crate) fn totals(&self) -> [u64; 2] {
        self.counts.values().fold([0, 0], |sum, counts| [sum[0] + counts[0], sum[1] + counts[1]])
    }

    /// The share of pairs of a positive and a negative in which the positive has the larger
    /// probability, ties by half (midranks; Mann & Whitney 1947), counted in integers. `None` without both classes.
    pub(crate) fn auc(&self) -> Option<Auc> {
        let [negatives, positives] = self.totals();
        let pairs = u128::from(negatives) * u128::from(positives);
        if pairs == 0 {
            return None;
        }
        let (mut below, mut won, mut tied) = (0_u64, 0_u128, 0_u128);
        for &[negative, positive] in self.counts.values() {
            won += u128::from(positive) * u128::from(below);
            tied += u128::from(positive) * u128::from(negative);
            below += negative;
        }
        let share = |wins: u128| wins as f64 / (2 * pairs) as f64;
        let value = share(2 * won + tied);
        let bounds =
            if self.exact { [value; 2] } else { [share(2 * won), share(2 * (won + tied))] };
        Some(Auc { value, bounds, variance: self.variance(value) })
    }

    /// From the placement of each positive among the negatives, and of each negative among the positives.
    fn variance(&self, auc: f64) -> Option<f64> {
        let [negatives, positives] = self.totals();
        if negatives < 2 || positives < 2 {
            return None;
        }
        let (n, p) = (negatives as f64, positives as f64);
        let (mut seen, mut sums) = ([0_u64; 2], [0.0; 2]);
        for counts in self.counts.values() {
            let placed = (seen[0] as f64 + counts[0] as f64 / 2.0) / n;
            sums[1] += counts[1] as f64 * (placed - auc).powi(2);
            let above = positives - seen[1] - counts[1];
            let placed = (above as f64 + counts[1] as f64 / 2.0) / p;
            sums[0] += counts[0] as f64 * (placed - auc).powi(2);
            seen = [seen[0] + counts[0], seen[1] + counts[1]];
        }
        Some(sums[1] / (p - 1.0) / p + sums[0] / (n - 1.0) / n)
    }
}

/// The cell of a probability, the finer the nearer it is to 0 or to 1. Never larger for a smaller one.
fn cell(probability: f64) -> u64 {
    let low = |value: f64| (value.to_bits() >> SHIFT).max(LOWEST);
    // From 1/2 on the difference from 1 has no rounding error.
    if probability < 0.5 { low(probability) } else { 2 * MIDDLE - low(1.0 - probability) }
}

mod pairs {
    //! A map as a list of its entries.

    use std::collections::BTreeMap;

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::Serializer;

    type Counts = BTreeMap<u64, [u64; 2]>;

    pub(super) fn serialize<S: Serializer>(counts: &Counts, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(counts)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Counts, D::Error> {
        Ok(Vec::<(u64, [u64; 2])>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cells_keep_the_order_and_are_narrow(a in 0.0..=1.0_f64, b in 0.0..=1.0_f64) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(cell(low) <= cell(high));
            if cell(low) == cell(high) {
                let end = if high < 0.5 { high } else { 1.0 - low };
                prop_assert!(high - low <= end / 64.0 + 2_f64.powi(-63));
            }
        }
    }

    #[test]
    fn ends_have_cells() {
        let points = [0.0, 1e-300, 0.25, 0.5_f64.next_down(), 0.5, 0.75, 1.0_f64.next_down(), 1.0];
        let cells = points.map(cell);
        assert!(cells.is_sorted(), "{cells:?}");
        assert_eq!(cells[0], cells[1]);
        assert_eq!(cells[0] + cells[7], 2 * MIDDLE);
    }
}

//! Quantiles of counted cells.

use super::Anchors;
use super::number::Number;
use super::tally::Tally;

/// An order statistic as the cells know it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Located<T> {
    /// A value at an edge.
    At(T),
    /// The value of this rank (from 0) among those inside of a slot.
    Inside { slot: usize, rank: u64 },
}

/// Where the value of a rank, counted from 0, lies; `None` beyond the last.
pub(crate) fn locate<T: Number>(
    anchors: &Anchors<T>,
    tally: &Tally,
    rank: u64,
) -> Option<Located<T>> {
    let mut before = 0;
    for (at, slot) in tally.slots.iter().enumerate() {
        if rank < before + slot.at {
            return Some(Located::At(anchors.edges()[at - 1]));
        }
        before += slot.at;
        if rank < before + slot.inside {
            return Some(Located::Inside { slot: at, rank: rank - before });
        }
        before += slot.inside;
    }
    None
}

impl<T: Number> Located<T> {
    /// The value, or its place among those of its cell if they were evenly spread; at the outer ends the
    /// edge. `None` where an empty reference has no edge.
    pub(crate) fn guess(self, anchors: &Anchors<T>, tally: &Tally) -> Option<T> {
        match self {
            Self::At(value) => Some(value),
            Self::Inside { slot, rank } => {
                let edges = anchors.edges();
                let low = *edges.get(slot.saturating_sub(1))?;
                let high = *edges.get(slot).unwrap_or(&low);
                let low = if slot == 0 { high } else { low };
                Some(T::between(low, high, 2 * rank + 1, 2 * tally.slots[slot].inside))
            }
        }
    }
}

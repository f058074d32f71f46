//! Cells between order statistics of a reference, ties broken by marks.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::draw::{Random, deal, marks};
use crate::error::{Error, Result};
use crate::statistic::Point;

/// Into how many equal parts the ranks are cut; the outer two are cut further.
const PARTS: u64 = 32;

/// A value that has a place in an order: numbers, and categories as they were put in order.
pub trait Rung: Clone + private::Sealed {
    /// The order of two values.
    fn order(&self, other: &Self) -> Ordering;
}

pub(super) mod private {
    pub trait Sealed {}
    impl Sealed for f64 {}
    impl Sealed for i128 {}
}

impl Rung for f64 {
    fn order(&self, other: &Self) -> Ordering {
        Point::order(*self, *other)
    }
}

impl Rung for i128 {
    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

/// Edges at fixed ranks of a reference, by which current rows are counted.
///
/// The ranks depend on the number of reference rows alone, never on their values or ties: 32 equal
/// parts, and parts that shrink towards both ends down to a single gap, so that values beyond the
/// reference are found at once. An edge that falls among equal values is one of their random marks.
/// A row without a usable value stands below every value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ladder<K> {
    /// The marks of the edges among the missing.
    missing: Vec<f64>,
    edges: Vec<Edge<K>>,
    gaps: Vec<u64>,
}

/// One or more edges within the rows of one value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Edge<K> {
    value: K,
    marks: Vec<f64>,
}

/// What a window holds between the values of a [`Ladder`] and at them: plain counts, which add up in
/// any order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Rows without a usable value.
    pub missing: u64,
    /// Rows below the first value, between two, and above the last: one more than there are values.
    pub between: Vec<u64>,
    /// Rows that equal each value.
    pub equal: Vec<u64>,
}

impl Tally {
    /// Adds the counts of another part of the same window.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for counts of another ladder.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.between.len() != other.between.len() || self.equal.len() != other.equal.len() {
            return Err(Error::invalid("these counts belong to different ladders"));
        }
        self.missing += other.missing;
        self.between.iter_mut().zip(&other.between).for_each(|(sum, count)| *sum += count);
        self.equal.iter_mut().zip(&other.equal).for_each(|(sum, count)| *sum += count);
        Ok(())
    }
}

impl<K: Rung> Ladder<K> {
    /// Edges of a reference: its distinct values in ascending order with their counts, and how many
    /// rows have no usable value.
    pub(super) fn new(runs: &[(K, u64)], missing: u64, random: &mut Random) -> Result<Self> {
        let rows = runs.iter().map(|run| run.1).sum::<u64>() + missing;
        if rows == 0 {
            return Err(Error::invalid("a reference without rows can't be drifted from"));
        }
        let ranks = ranks(rows);
        let mut rest = &ranks[..];
        let mut below = 0;
        let mut marks_of = |count: u64| {
            let here = rest.partition_point(|rank| *rank <= below + count);
            let positions: Vec<u64> = rest[..here].iter().map(|rank| rank - below).collect();
            rest = &rest[here..];
            below += count;
            marks(random, &positions, count)
        };
        let missing = marks_of(missing);
        let edge =
            |(value, count): &(K, u64)| Edge { value: value.clone(), marks: marks_of(*count) };
        let edges = runs.iter().map(edge).filter(|edge| !edge.marks.is_empty()).collect();
        let ends = ranks.iter().copied().chain([rows + 1]);
        let gaps = ends.scan(0, |last, rank| Some(rank - std::mem::replace(last, rank))).collect();
        Ok(Self { missing, edges, gaps })
    }

    /// The values at which and between which rows are counted.
    pub fn values(&self) -> impl Iterator<Item = &K> {
        self.edges.iter().map(|edge| &edge.value)
    }

    /// How many gaps of the reference each cell holds.
    #[must_use]
    pub fn gaps(&self) -> &[u64] {
        &self.gaps
    }

    /// Counts of nothing yet.
    #[must_use]
    pub fn empty(&self) -> Tally {
        let values = self.edges.len();
        Tally { missing: 0, between: vec![0; values + 1], equal: vec![0; values] }
    }

    /// Counts a value that occurs so many times. NaN must be counted as missing.
    pub fn add(&self, tally: &mut Tally, value: &K, count: u64) {
        let at = self.edges.partition_point(|edge| edge.value.order(value).is_lt());
        let equal = self.edges.get(at).is_some_and(|edge| edge.value.order(value).is_eq());
        let counts = if equal { &mut tally.equal } else { &mut tally.between };
        counts.iter_mut().skip(at).take(1).for_each(|sum| *sum += count);
    }

    /// The counts of the cells: the rows that equal a value are dealt out by marks of their own.
    pub(super) fn cells(&self, tally: &Tally, random: &mut Random) -> Result<Vec<u64>> {
        let values = self.edges.len();
        if tally.between.len() != values + 1 || tally.equal.len() != values {
            return Err(Error::invalid("these counts belong to another ladder"));
        }
        let mut cells = vec![0; self.gaps.len()];
        deal(random, tally.missing, &self.missing, &mut cells);
        let mut at = self.missing.len();
        cells[at] += tally.between[0];
        for ((edge, equal), above) in self.edges.iter().zip(&tally.equal).zip(&tally.between[1..]) {
            deal(random, *equal, &edge.marks, &mut cells[at..]);
            at += edge.marks.len();
            cells[at] += above;
        }
        Ok(cells)
    }
}

/// The ranks of the edges, among this many rows.
fn ranks(rows: u64) -> Vec<u64> {
    let gaps = rows + 1;
    let equal = (1..PARTS).map(|part| {
        let rank = u128::from(gaps) * u128::from(part) / u128::from(PARTS);
        rank as u64
    });
    let mut ranks: Vec<u64> = equal.collect();
    let factor = (gaps as f64 / PARTS as f64).powf(1.0 / 6.0).max(2.0);
    let mut rank = 1;
    while rank < gaps.div_ceil(PARTS) {
        ranks.extend([rank, gaps - rank]);
        rank = (rank as f64 * factor) as u64;
    }
    ranks.extend([1, rows]);
    ranks.retain(|rank| (1..=rows).contains(rank));
    ranks.sort_unstable();
    ranks.dedup();
    ranks
}

#[cfg(test)]
mod tests {
    use super::super::draw::random;
    use super::*;

    #[test]
    fn ranks_are_fixed_and_symmetric() {
        for rows in [1, 2, 5, 31, 32, 200, 1_000, 1_000_000] {
            let ranks = ranks(rows);
            let mirrored: Vec<u64> = ranks.iter().rev().map(|rank| rows + 1 - rank).collect();
            assert!(ranks.len() <= 45 && ranks[0] == 1, "{rows}: {ranks:?}");
            let off = ranks.iter().zip(&mirrored).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(off <= Some(1), "{rows}: {ranks:?}");
        }
        assert_eq!(ranks(4), [1, 2, 3, 4]);
    }

    #[test]
    fn rows_are_counted_between_their_edges() -> Result<()> {
        let runs = [(1.0, 1), (2.0, 1), (4.0, 1)];
        let mut random = random(1, 0);
        let ladder = Ladder::new(&runs, 0, &mut random)?;
        assert_eq!(ladder.gaps(), [1, 1, 1, 1]);
        let mut tally = ladder.empty();
        for (value, count) in [(0.5, 1), (1.5, 2), (3.0, 4), (9.0, 8)] {
            ladder.add(&mut tally, &value, count);
        }
        let mut more = ladder.empty();
        ladder.add(&mut more, &2.0, 16);
        more.missing = 32;
        tally.merge(&more)?;
        assert_eq!((&tally.between[..], &tally.equal[..]), (&[1, 2, 4, 8][..], &[0, 16, 0][..]));
        // Those that equal the one 2 of the reference lie on either side of its mark.
        let cells = ladder.cells(&tally, &mut random)?;
        assert_eq!((cells[0], cells[3], cells[1] + cells[2]), (33, 8, 22));
        assert!(cells[1] >= 2 && cells[2] >= 4, "{cells:?}");
        assert!(tally.merge(&Tally::default()).is_err());
        Ok(())
    }

    #[test]
    fn equal_values_share_the_cells_between_their_marks() -> Result<()> {
        let mut random = random(2, 0);
        let ladder = Ladder::new(&[(0_i128, 600), (1, 300)], 100, &mut random)?;
        assert_eq!(ladder.gaps().iter().sum::<u64>(), 1_001);
        assert_eq!(ladder.values().count(), 2);
        let mut tally = ladder.empty();
        ladder.add(&mut tally, &0, 6_000);
        ladder.add(&mut tally, &1, 3_000);
        tally.missing = 1_000;
        let cells = ladder.cells(&tally, &mut random)?;
        assert_eq!(cells.iter().sum::<u64>(), 10_000);
        // Ten rows to a gap, give or take the error of order statistics of a thousand rows.
        let (mut count, mut gaps) = (0, 0);
        for (cell, gap) in cells.iter().zip(ladder.gaps()) {
            count += cell;
            gaps += gap;
            let off = (count as f64 / 1e4 - gaps as f64 / 1_001.0).abs();
            assert!(off < 0.04, "{count} {gaps}");
        }
        Ok(())
    }
}

//! One regression tree, complete and in heap order.
//!
//! Every path has the same length: a branch that ended early is filled up with splits whose two
//! sides lead to the same value. A walk then needs no test for a leaf and no unpredictable branch,
//! which makes scoring several times faster than following pointers.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// The deepest tree that is grown or read.
pub(super) const MAX_DEPTH: u8 = 12;

/// A question: is the feature at most the threshold?
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "(u16, f32, bool)", from = "(u16, f32, bool)")]
pub(super) struct Split {
    pub(super) threshold: f32,
    pub(super) feature: u16,
    /// Where a missing value goes.
    pub(super) missing_left: bool,
}

impl From<Split> for (u16, f32, bool) {
    fn from(split: Split) -> Self {
        (split.feature, split.threshold, split.missing_left)
    }
}

impl From<(u16, f32, bool)> for Split {
    fn from((feature, threshold, missing_left): (u16, f32, bool)) -> Self {
        Self { threshold, feature, missing_left }
    }
}

impl Split {
    /// 1 for the right side, 0 for the left.
    fn side(self, row: &[f32]) -> usize {
        let value = row[usize::from(self.feature)];
        let above = value > self.threshold;
        usize::from(above | (value.is_nan() & !self.missing_left))
    }
}

/// `2^depth - 1` splits in heap order (the children of `i` are `2i + 1` and `2i + 2`), `2^depth`
/// values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tree {
    pub(super) splits: Vec<Split>,
    pub(super) values: Vec<f32>,
}

impl Tree {
    /// A tree of this depth that answers 0.
    pub(super) fn of_depth(depth: u8) -> Self {
        let leaves = 1_usize << depth;
        Self { splits: vec![Split::default(); leaves - 1], values: vec![0.0; leaves] }
    }

    /// How many questions lead to a value.
    pub(super) fn depth(&self) -> u32 {
        self.values.len().trailing_zeros()
    }

    /// Gives every leaf below a node, which lies on `level`, the value.
    pub(super) fn fill(&mut self, node: usize, level: u32, value: f32) {
        let span = self.values.len() >> level;
        let first = (node + 1 - (1 << level)) * span;
        self.values[first..first + span].fill(value);
    }

    /// Cuts levels off the bottom that ask nothing; the answers stay the same.
    pub(super) fn shorten(mut self, depth: u32) -> Self {
        let step = 1_usize << (self.depth() - depth.min(self.depth()));
        self.values = self.values.into_iter().step_by(step).collect();
        self.splits.truncate(self.values.len() - 1);
        self
    }

    /// The value for a row, one step at a time: what [`Tree::add_values`] is held against.
    #[cfg(test)]
    pub(super) fn value(&self, row: &[f32]) -> f32 {
        let mut node = 0;
        for _ in 0..self.depth() {
            node = 2 * node + 1 + self.splits[node].side(row);
        }
        self.values[node - self.splits.len()]
    }

    /// Adds the value of each row (`width` numbers each) to its sum.
    ///
    /// Rows advance together, a level at a time, so that their walks overlap in the processor.
    pub(super) fn add_values(&self, rows: &[f32], width: usize, sums: &mut [f64]) {
        const TOGETHER: usize = 32;
        for (rows, sums) in rows.chunks(TOGETHER * width).zip(sums.chunks_mut(TOGETHER)) {
            let mut at = [0_u32; TOGETHER];
            for _ in 0..self.depth() {
                for (node, row) in at.iter_mut().zip(rows.chunks_exact(width)) {
                    *node = 2 * *node + 1 + self.splits[*node as usize].side(row) as u32;
                }
            }
            for (sum, node) in sums.iter_mut().zip(at) {
                *sum += f64::from(self.values[node as usize - self.splits.len()]);
            }
        }
    }

    /// Refuses a tree that can't be walked over rows of `width` features.
    pub(super) fn check(&self, width: usize) -> Result<()> {
        let leaves = self.values.len();
        let complete =
            leaves.is_power_of_two() && leaves <= 1 << MAX_DEPTH && self.splits.len() + 1 == leaves;
        ensure!(complete, "tree is not complete splits={} values={leaves}", self.splits.len());
        let known = |split: &Split| usize::from(split.feature) < width;
        ensure!(self.splits.iter().all(known), "tree asks for a feature beyond width={width}");
        let finite = self.values.iter().all(|value| value.is_finite());
        ensure!(finite, "tree holds a value that is not finite");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stump() -> Tree {
        let split = Split { feature: 1, threshold: 0.5, missing_left: true };
        Tree { splits: vec![split], values: vec![-1.0, 2.0] }
    }

    #[test]
    fn a_missing_value_goes_where_it_was_learned() {
        let mut tree = stump();
        assert_eq!(tree.value(&[9.0, 0.5]), -1.0);
        assert_eq!(tree.value(&[9.0, 0.6]), 2.0);
        assert_eq!(tree.value(&[9.0, f32::NAN]), -1.0);
        tree.splits[0].missing_left = false;
        assert_eq!(tree.value(&[9.0, f32::NAN]), 2.0);
    }

    #[test]
    fn filled_branches_answer_alike_and_can_be_cut_off() {
        let mut tree = Tree::of_depth(3);
        tree.splits[0] = Split { feature: 0, threshold: 0.0, missing_left: false };
        tree.fill(1, 1, -1.0);
        tree.fill(2, 1, 1.0);
        let short = tree.clone().shorten(1);
        assert_eq!((short.depth(), short.values.len()), (1, 2));
        for value in [-3.0, 0.0, 0.1, f32::NAN] {
            assert_eq!(tree.value(&[value]), short.value(&[value]));
        }
    }

    #[test]
    fn many_rows_are_scored_as_each_alone() {
        let tree = stump();
        let rows: Vec<f32> = (0..200).map(|at| (at % 7) as f32 / 6.0).collect();
        let mut sums = vec![1.0; 100];
        tree.add_values(&rows, 2, &mut sums);
        for (row, sum) in rows.chunks(2).zip(sums) {
            assert_eq!(sum, 1.0 + f64::from(tree.value(row)));
        }
    }

    #[test]
    fn a_tree_that_can_not_be_walked_is_refused() {
        assert!(stump().check(2).is_ok());
        assert!(stump().check(1).is_err());
        let mut cut = stump();
        cut.values.pop();
        assert!(cut.check(2).is_err());
        let mut infinite = stump();
        infinite.values[0] = f32::INFINITY;
        assert!(infinite.check(2).is_err());
    }
}

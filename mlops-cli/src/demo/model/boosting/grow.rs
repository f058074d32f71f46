//! Growing one tree, level by level, from histograms of gradients.
//!
//! The gain of a split is that of Chen and Guestrin, "XGBoost: A scalable tree boosting system",
//! KDD 2016, eq. 7, without its complexity term. Of two siblings only the smaller is counted; the
//! other histogram is the parent's less that one. Sums are `f64`, each feature is summed by one
//! thread in the order of the rows, and ties go to the lower feature and bin: the tree does not
//! depend on the number of threads.

use super::bins::Column;
use super::parallel;
use super::tree::{Split, Tree};

/// Below this much work (rows times features) a level is grown on one thread.
const WORTH_THREADS: usize = 40_000;
/// A gain smaller than this is rounding.
const MIN_GAIN: f64 = 1e-9;

/// First and second derivative of the loss, of one row or summed over several.
pub(super) type Slope = [f64; 2];

/// What bounds the growth of a tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) depth: u8,
    pub(super) l2: f64,
    pub(super) min_child_weight: f64,
    pub(super) learning_rate: f64,
    pub(super) workers: usize,
}

impl Limits {
    fn score(&self, [gradient, hessian]: Slope) -> f64 {
        gradient * gradient / (hessian + self.l2)
    }

    /// The Newton step, shortened by the learning rate. It is rounded to `f32` here, so that a
    /// model read from a file scores exactly as the one that was trained.
    fn value(&self, [gradient, hessian]: Slope) -> f32 {
        (-self.learning_rate * gradient / (hessian + self.l2)) as f32
    }
}

/// A node of the level that is being grown.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Position in the tree's heap.
    at: usize,
    /// Its rows are `order[start..end]`.
    start: usize,
    end: usize,
    total: Slope,
    /// Position of its parent among the nodes of the level above.
    parent: usize,
}

/// The best split of a node by one feature.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    gain: f64,
    feature: usize,
    bin: usize,
    missing_left: bool,
    left: Slope,
}

/// The histograms of one feature, one a node, for this level and the one above.
struct Histograms<'a> {
    feature: usize,
    column: &'a Column,
    level: Vec<Slope>,
    above: Vec<Slope>,
}

/// Grows a tree over the rows in `order` (ascending), by the features in `chosen`.
pub(super) fn grow(
    columns: &[Column],
    chosen: &[usize],
    slopes: &[[f32; 2]],
    order: Vec<u32>,
    limits: &Limits,
) -> Tree {
    let mut tree = Tree::of_depth(limits.depth);
    let mut histograms: Vec<Histograms<'_>> = chosen
        .iter()
        .map(|feature| Histograms {
            feature: *feature,
            column: &columns[*feature],
            level: Vec::new(),
            above: Vec::new(),
        })
        .collect();
    let mut grower = Grower { columns, slopes, limits, gathered: Vec::new(), order };
    let total = grower.total();
    let mut level = vec![Node { at: 0, start: 0, end: grower.order.len(), total, parent: 0 }];
    let mut reached = 0;
    tree.fill(0, 0, limits.value(total));
    for depth in 0..u32::from(limits.depth) {
        level = grower.grow_level(&mut tree, &mut histograms, &level, depth);
        if level.is_empty() {
            break;
        }
        reached = depth + 1;
    }
    tree.shorten(reached)
}

struct Grower<'a> {
    columns: &'a [Column],
    slopes: &'a [[f32; 2]],
    limits: &'a Limits,
    /// The rows of each node of the level, one node after the other.
    order: Vec<u32>,
    /// The slopes in the order of `order`, so that each feature reads them in sequence.
    gathered: Vec<[f32; 2]>,
}

impl Grower<'_> {
    fn total(&self) -> Slope {
        self.order.iter().fold([0.0; 2], |sum, row| plus(sum, self.slopes[*row as usize]))
    }

    /// Splits the nodes of a level where that pays, and returns the nodes of the next.
    fn grow_level(
        &mut self,
        tree: &mut Tree,
        histograms: &mut [Histograms<'_>],
        nodes: &[Node],
        depth: u32,
    ) -> Vec<Node> {
        self.gathered.clear();
        self.gathered.extend(self.order.iter().map(|row| self.slopes[*row as usize]));
        let best = self.best_splits(histograms, nodes);
        let mut next = Vec::with_capacity(2 * nodes.len());
        for (slot, (node, best)) in nodes.iter().zip(best).enumerate() {
            let Some(best) = best else { continue };
            let middle = self.divide(node, &best);
            let right = [node.total[0] - best.left[0], node.total[1] - best.left[1]];
            let threshold = self.threshold(&best);
            let feature = best.feature as u16;
            tree.splits[node.at] = Split { threshold, feature, missing_left: best.missing_left };
            let sides = [(node.start, middle, best.left), (middle, node.end, right)];
            for (side, (start, end, total)) in sides.into_iter().enumerate() {
                let at = 2 * node.at + 1 + side;
                tree.fill(at, depth + 1, self.limits.value(total));
                next.push(Node { at, start, end, total, parent: slot });
            }
        }
        next
    }

    /// The best split of each node over all features.
    fn best_splits(
        &self,
        histograms: &mut [Histograms<'_>],
        nodes: &[Node],
    ) -> Vec<Option<Candidate>> {
        let rows: usize = nodes.iter().map(|node| node.end - node.start).sum();
        let worth = rows * histograms.len() >= WORTH_THREADS;
        let workers = if worth { self.limits.workers } else { 1 };
        let by_feature = parallel::each(workers, histograms, |histogram| {
            histogram.advance(&self.order, &self.gathered, nodes);
            histogram.best(nodes, self.limits)
        });
        let mut best = vec![None; nodes.len()];
        for candidates in by_feature {
            for (best, candidate) in best.iter_mut().zip(candidates) {
                keep_better(best, candidate);
            }
        }
        best
    }

    /// The value that separates the bins. A split of present from missing has none above it.
    fn threshold(&self, split: &Candidate) -> f32 {
        let cuts = &self.columns[split.feature].cuts;
        cuts.get(split.bin).copied().unwrap_or(f32::MAX)
    }

    /// Moves the rows of the left side to the front, keeping the order, and returns the border.
    fn divide(&mut self, node: &Node, split: &Candidate) -> usize {
        let column = &self.columns[split.feature];
        let missing = column.missing();
        let is_left = |row: u32| match usize::from(column.bins[row as usize]) {
            bin if bin == missing => split.missing_left,
            bin => bin <= split.bin,
        };
        let rows = &mut self.order[node.start..node.end];
        let (left, right): (Vec<u32>, Vec<u32>) = rows.iter().partition(|row| is_left(**row));
        rows[..left.len()].copy_from_slice(&left);
        rows[left.len()..].copy_from_slice(&right);
        node.start + left.len()
    }
}

impl Histograms<'_> {
    /// Counts the nodes of the next level; the former level becomes the one above.
    fn advance(&mut self, order: &[u32], gathered: &[[f32; 2]], nodes: &[Node]) {
        let bins = self.column.count();
        std::mem::swap(&mut self.level, &mut self.above);
        self.level.clear();
        self.level.resize(bins * nodes.len(), [0.0; 2]);
        if let [root] = nodes {
            self.column.count_into(&mut self.level, root, order, gathered);
            return;
        }
        for (pair, into) in nodes.chunks_exact(2).zip(self.level.chunks_exact_mut(2 * bins)) {
            let (left, right) = into.split_at_mut(bins);
            let left_is_smaller = pair[0].end - pair[0].start <= pair[1].end - pair[1].start;
            let (smaller, counted, rest) =
                if left_is_smaller { (&pair[0], left, right) } else { (&pair[1], right, left) };
            self.column.count_into(counted, smaller, order, gathered);
            let parent = &self.above[smaller.parent * bins..][..bins];
            for ((rest, counted), parent) in rest.iter_mut().zip(counted).zip(parent) {
                *rest = [parent[0] - counted[0], parent[1] - counted[1]];
            }
        }
    }

    fn best(&self, nodes: &[Node], limits: &Limits) -> Vec<Option<Candidate>> {
        let bins = self.level.chunks_exact(self.column.count());
        nodes.iter().zip(bins).map(|(node, bins)| self.best_of(node, bins, limits)).collect()
    }

    /// Tries every cut with the missing values on either side, and present against missing.
    fn best_of(&self, node: &Node, bins: &[Slope], limits: &Limits) -> Option<Candidate> {
        let missing = bins[self.column.missing()];
        let present = &bins[..self.column.missing()];
        let whole = limits.score(node.total);
        let any_missing = missing[1] > 1e-12;
        let mut best = None;
        let mut below = [0.0; 2];
        // After the last bin the right side is the missing values alone.
        let cuts = if any_missing { present.len() } else { present.len() - 1 };
        for (bin, slope) in present.iter().enumerate().take(cuts) {
            below = [below[0] + slope[0], below[1] + slope[1]];
            let with_missing = [below[0] + missing[0], below[1] + missing[1]];
            // Without missing values in training they will go to the heavier side.
            let heavier_left = 2.0 * below[1] >= node.total[1];
            let sides = [(below, !any_missing && heavier_left), (with_missing, true)];
            for (left, missing_left) in sides.into_iter().take(1 + usize::from(any_missing)) {
                let right = [node.total[0] - left[0], node.total[1] - left[1]];
                if left[1] < limits.min_child_weight || right[1] < limits.min_child_weight {
                    continue;
                }
                let gain = limits.score(left) + limits.score(right) - whole;
                let feature = self.feature;
                keep_better(&mut best, Some(Candidate { gain, feature, bin, missing_left, left }));
            }
        }
        best.filter(|best| best.gain > MIN_GAIN)
    }
}

impl Column {
    /// Adds the slopes of a node's rows to their bins: the inner loop of training.
    fn count_into(&self, bins: &mut [Slope], node: &Node, order: &[u32], gathered: &[[f32; 2]]) {
        let rows = &order[node.start..node.end];
        for (row, slope) in rows.iter().zip(&gathered[node.start..node.end]) {
            let bin = &mut bins[usize::from(self.bins[*row as usize])];
            *bin = plus(*bin, *slope);
        }
    }
}

fn plus(sum: Slope, slope: [f32; 2]) -> Slope {
    [sum[0] + f64::from(slope[0]), sum[1] + f64::from(slope[1])]
}

/// The earlier of two equals stays, so that ties go to the lower feature and bin.
fn keep_better(best: &mut Option<Candidate>, other: Option<Candidate>) {
    let better = match (&best, &other) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(best), Some(other)) => other.gain > best.gain,
    };
    if better {
        *best = other;
    }
}

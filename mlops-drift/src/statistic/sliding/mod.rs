//! The Kolmogorov-Smirnov distance of the last so many values from a fixed reference, value by value.

mod critical;
#[cfg(test)]
mod tests;

use super::ks::{Ks, ratio};
use super::sample::{Point, Sample};
use crate::error::{Error, Result};
pub use critical::{SlidingPromise, sliding_critical};

/// What stands in the ring where no value has been yet.
const VACANT: u32 = u32::MAX;

/// Cells between fixed edges: each edge is a cell of its own, and so is each gap between two.
///
/// With K edges there are 2 K + 1 cells: below the first edge, the first edge, between the first and
/// the second, and so on. Where every distinct value of the reference is an edge, the distance over
/// the cells is the distance over the values; with fewer edges it is a lower bound.
///
/// ```
/// use mlops_drift::statistic::EdgeCells;
///
/// let cells = EdgeCells::new(&[1.0, 2.0])?;
/// let found: Vec<_> = [0.5, 1.0, 1.5, 2.0, 9.0].map(|value| cells.cell(value)).to_vec();
/// assert_eq!(found, [Some(0), Some(1), Some(2), Some(3), Some(4)]);
/// assert_eq!(cells.cell(f64::NAN), None);
/// # Ok::<(), mlops_drift::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeCells<T> {
    edges: Vec<T>,
}

impl<T: Point> EdgeCells<T> {
    /// Cells between these edges.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for edges that do not ascend, or that are
    /// not finite.
    pub fn new(edges: &[T]) -> Result<Self> {
        let canonical: Vec<T> = edges.iter().filter_map(|edge| edge.canonical()).collect();
        let ascend = canonical.windows(2).all(|pair| pair[0].order(pair[1]).is_lt());
        if canonical.len() != edges.len() || !ascend {
            return Err(Error::invalid("edges must be finite and ascend"));
        }
        Ok(Self { edges: canonical })
    }

    /// How many cells there are.
    #[must_use]
    pub fn count(&self) -> usize {
        2 * self.edges.len() + 1
    }

    /// The cell of a value; `None` for NaN and infinities.
    #[must_use]
    pub fn cell(&self, value: T) -> Option<usize> {
        let value = value.canonical()?;
        let below = self.edges.partition_point(|edge| edge.order(value).is_lt());
        let on_edge = self.edges.get(below).is_some_and(|edge| edge.order(value).is_eq());
        Some(2 * below + usize::from(on_edge))
    }

    /// How many values of a sample lie in each cell.
    #[must_use]
    pub fn counts(&self, sample: &Sample<T>) -> Vec<u64> {
        let mut counts = vec![0; self.count()];
        for &(value, times) in sample.runs() {
            if let Some(cell) = self.cell(value) {
                counts[cell] += times;
            }
        }
        counts
    }
}

/// Sums of one stretch of cells: all of it, and its largest and smallest beginning.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    sum: i64,
    max: i64,
    min: i64,
}

impl Node {
    fn leaf(sum: i64) -> Self {
        Self { sum, max: sum, min: sum }
    }

    fn join(left: Self, right: Self) -> Self {
        Self {
            sum: left.sum + right.sum,
            max: left.max.max(left.sum + right.max),
            min: left.min.min(left.sum + right.min),
        }
    }
}

/// The distance between a reference and the last `window` values, kept up to date value by value.
///
/// A segment tree over the cells of the reference holds, in integers, `window i - n j` for `i` of
/// the `n` reference values and `j` of the window's in a cell; the largest sum of a beginning, either way, is
/// the distance's numerator. A push takes one value in and one out in O(log cells), without
/// allocating. (dos Reis et al. 2016 keep the values themselves in a treap, which a reference that
/// stays the same makes needless.)
///
/// The result is exact on the cells: the same fraction that [`ks`](super::ks()) gives for the
/// cells' numbers. It is undefined (`None`) until the window has filled. Looking after every value
/// is looking often: [`sliding_critical`] says what distance that calls for.
///
/// ```
/// use mlops_drift::statistic::{EdgeCells, Sample, SlidingKs};
///
/// let reference = Sample::new([1.0, 2.0, 3.0, 4.0]);
/// let cells = EdgeCells::new(&[1.0, 2.0, 3.0, 4.0])?;
/// let mut sliding = SlidingKs::new(&cells.counts(&reference), 2)?;
/// let mut push = |value| cells.cell(value).and_then(|cell| sliding.push(cell));
/// assert_eq!(push(1.0), None); // the window is not full
/// assert_eq!(push(4.0).map(|ks| ks.value), Some(0.25));
/// assert_eq!(push(4.0).map(|ks| ks.value), Some(0.75));
/// # Ok::<(), mlops_drift::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SlidingKs {
    /// A heap in an array: the root at 1, the cells from `leaves` on.
    tree: Vec<Node>,
    leaves: usize,
    cells: usize,
    ring: Vec<u32>,
    next: usize,
    seen: usize,
    /// How many values the reference holds: what one value of the window weighs.
    weight: i64,
    denominator: u64,
}

impl SlidingKs {
    /// A window of `window` values beside a reference with these counts a cell.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a window or a reference of no values,
    /// for more than 2^31 cells, or where window times reference does not fit 62 bits.
    pub fn new(reference: &[u64], window: usize) -> Result<Self> {
        let total = reference.iter().try_fold(0_u64, |sum, &count| sum.checked_add(count));
        let product = total.zip(u64::try_from(window).ok()).and_then(|(n, m)| n.checked_mul(m));
        let denominator = match product {
            Some(0) => return Err(Error::invalid("a window and its reference hold values")),
            Some(product) if product < 1 << 62 && reference.len() < 1 << 31 => product,
            _ => return Err(Error::invalid("window times reference must fit 62 bits")),
        };
        let leaves = reference.len().next_power_of_two();
        let mut tree = vec![Node::default(); 2 * leaves];
        // Both products are at most the denominator, which fits.
        let (each, weight) = (window as i64, (denominator / window as u64) as i64);
        for (leaf, &count) in tree[leaves..].iter_mut().zip(reference) {
            *leaf = Node::leaf(each * count as i64);
        }
        for parent in (1..leaves).rev() {
            tree[parent] = Node::join(tree[2 * parent], tree[2 * parent + 1]);
        }
        let (cells, ring) = (reference.len(), vec![VACANT; window]);
        Ok(Self { tree, leaves, cells, ring, next: 0, seen: 0, weight, denominator })
    }

    /// Takes in a value by its cell, and lets the oldest one out where the window is full.
    ///
    /// `None` while the window is not full. A cell that does not exist is not taken in: `None`.
    pub fn push(&mut self, cell: usize) -> Option<Ks> {
        if cell >= self.cells {
            return None;
        }
        let old = std::mem::replace(&mut self.ring[self.next], cell as u32);
        self.next = if self.next + 1 == self.ring.len() { 0 } else { self.next + 1 };
        if old == VACANT {
            self.seen += 1;
            self.add(cell, -self.weight);
            self.climb(cell);
        } else if old as usize != cell {
            self.add(cell, -self.weight);
            self.add(old as usize, self.weight);
            self.climb_both(cell, old as usize);
        }
        self.distance()
    }

    /// The distance as it stands; `None` while the window is not full.
    #[must_use]
    pub fn distance(&self) -> Option<Ks> {
        if self.seen < self.ring.len() {
            return None;
        }
        let root = self.tree[1];
        // With a single cell the root is a leaf, whose sum is 0; so the larger is never negative.
        let numerator = root.max.max(-root.min) as u64;
        let value = if self.denominator < 1 << 53 {
            numerator as f64 / self.denominator as f64
        } else {
            ratio(u128::from(numerator), u128::from(self.denominator))
        };
        let (numerator, denominator) = (u128::from(numerator), u128::from(self.denominator));
        Some(Ks { value, numerator, denominator })
    }

    /// How many values the window holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seen
    }

    /// Whether the window holds no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen == 0
    }

    fn add(&mut self, cell: usize, weight: i64) {
        let leaf = &mut self.tree[self.leaves + cell];
        *leaf = Node::leaf(leaf.sum + weight);
    }

    fn climb(&mut self, cell: usize) {
        let mut at = (self.leaves + cell) / 2;
        while at > 0 {
            self.tree[at] = Node::join(self.tree[2 * at], self.tree[2 * at + 1]);
            at /= 2;
        }
    }

    /// Mends the paths above two cells, and what they share only once.
    fn climb_both(&mut self, one: usize, other: usize) {
        let (mut a, mut b) = ((self.leaves + one) / 2, (self.leaves + other) / 2);
        while a != b {
            self.tree[a] = Node::join(self.tree[2 * a], self.tree[2 * a + 1]);
            self.tree[b] = Node::join(self.tree[2 * b], self.tree[2 * b + 1]);
            (a, b) = (a / 2, b / 2);
        }
        while a > 0 {
            self.tree[a] = Node::join(self.tree[2 * a], self.tree[2 * a + 1]);
            a /= 2;
        }
    }
}

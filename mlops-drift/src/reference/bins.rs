//! Counting in PSI's bins alone: the fastest there is, for who needs no more.

use arrow::array::{Array, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes as dt;
use arrow::datatypes::DataType;

use super::coarse::COARSE_CELLS;
use super::dense;
use super::state::Seen;
use crate::cells::{Number, deciles};
use crate::error::Result;
use crate::kernels::{BINS_BLOCK, Column, TOGETHER, count_above};

/// The edges of the bins `(low, high]` of one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bins<T> {
    edges: Vec<T>,
    /// The edges in groups that are compared together, filled up with what no value is above.
    groups: Vec<[T; TOGETHER]>,
}

impl<T: Number + Column> Bins<T> {
    /// Between the deciles of a sorted reference, which is counted, too.
    pub(crate) fn lay(sorted: &[T]) -> (Self, Vec<u64>) {
        let bins = Self::new(deciles(sorted));
        let up_to = bins.edges.iter().map(|edge| sorted.partition_point(|value| value <= edge));
        let ends: Vec<usize> = [0].into_iter().chain(up_to).chain([sorted.len()]).collect();
        let counts = ends.windows(2).map(|pair| (pair[1] - pair[0]) as u64).collect();
        (bins, counts)
    }

    /// Between these edges, ascending.
    pub(crate) fn new(edges: Vec<T>) -> Self {
        let group = |edges: &[T]| {
            let mut group = [T::MOST; TOGETHER];
            group[..edges.len()].copy_from_slice(edges);
            group
        };
        let mut groups: Vec<[T; TOGETHER]> = edges.chunks(TOGETHER).map(group).collect();
        if groups.is_empty() {
            // Comparing is also how unusable values are found.
            groups.push(group(&[]));
        }
        Self { groups, edges }
    }

    /// Between edges that were written down; `None` when they can't be those of bins.
    pub(crate) fn from_edges(edges: Vec<T>) -> Option<Self> {
        let finite = edges.iter().all(|edge| edge.canonical().is_some());
        let ascending = edges.windows(2).all(|pair| pair[0] < pair[1]);
        (finite && ascending && edges.len() < COARSE_CELLS).then(|| Self::new(edges))
    }

    pub(crate) fn edges(&self) -> &[T] {
        &self.edges
    }

    /// How many bins there are.
    pub(crate) fn len(&self) -> usize {
        self.edges.len() + 1
    }

    /// The bin of a value.
    pub(crate) fn bin(&self, value: T) -> usize {
        // All of them: comparisons cost less than jumps that are guessed wrong.
        let below = |group: &[T; TOGETHER]| -> usize {
            group.iter().map(|edge| usize::from(value > *edge)).fold(0, usize::wrapping_add)
        };
        self.groups.iter().map(below).fold(0, usize::wrapping_add)
    }

    /// Counts values, all of them usable.
    pub(crate) fn count(&self, values: &[T], counts: &mut [u64]) {
        let mut scratch = [T::default(); BINS_BLOCK];
        for block in values.chunks(BINS_BLOCK) {
            count_block(&self.groups, (block, &[]), &mut scratch, block.len() as u64, counts);
        }
    }
}

/// Counts a block of values and says whether all of them were usable; if not, none is counted.
fn count_block<C: Column>(
    groups: &[[C; TOGETHER]],
    (block, valid): (&[C], &[u64]),
    scratch: &mut [C; BINS_BLOCK],
    held: u64,
    counts: &mut [u64],
) -> bool {
    let mut before = held;
    let mut bins = counts.iter_mut();
    let mut all_above = [[0; TOGETHER]; 4];
    for (group, above) in groups.iter().zip(&mut all_above) {
        if !count_above(block, valid, scratch, group, above) {
            return false;
        }
    }
    // What is above an edge and not above the next one lies between them; filled-up edges have no bin.
    for above in all_above.iter().take(groups.len()).flatten() {
        let Some(bin) = bins.next() else { return true };
        *bin += before - above;
        before = *above;
    }
    if let Some(last) = bins.next() {
        *last += before;
    }
    true
}

/// Counts the values of a floating-point array.
pub(crate) fn floats(
    bins: &Bins<f64>,
    array: &dyn Array,
    seen: &mut Seen,
    counts: &mut [u64],
) -> Result<()> {
    match array.data_type() {
        DataType::Float64 => {
            let array = array.as_primitive::<dt::Float64Type>();
            masked(bins, &bins.groups, array.values(), array.nulls(), seen, counts, |value| value);
            Ok(())
        }
        DataType::Float32 => {
            let array = array.as_primitive::<dt::Float32Type>();
            // A narrow number is above an edge where it is above the next narrow number below it.
            let groups: Vec<[f32; TOGETHER]> =
                bins.groups.iter().map(|group| group.map(rounded_down)).collect();
            masked(bins, &groups, array.values(), array.nulls(), seen, counts, f64::from);
            Ok(())
        }
        _ => dense::floats(array, seen, &mut |block| bins.count(block, counts)),
    }
}

/// Counts plain values.
pub(crate) fn plain(bins: &Bins<f64>, values: &[f64], seen: &mut Seen, counts: &mut [u64]) {
    masked(bins, &bins.groups, values, None, seen, counts, |value| value);
}

/// The largest `f32` that is at most `edge`.
fn rounded_down(edge: f64) -> f32 {
    let nearest = edge as f32;
    if f64::from(nearest) > edge { nearest.next_down() } else { nearest }
}

/// Counts values by block; a block with NaN or infinities is packed first.
fn masked<C: Column>(
    bins: &Bins<f64>,
    groups: &[[C; TOGETHER]],
    values: &[C],
    nulls: Option<&NullBuffer>,
    seen: &mut Seen,
    counts: &mut [u64],
    widen: impl Fn(C) -> f64,
) {
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    let bits = nulls.map(|nulls| nulls.inner().bit_chunks());
    let mut words = bits.iter().flat_map(|bits| bits.iter_padded());
    let mut valid = [0; BINS_BLOCK / 64];
    let mut scratch = [C::default(); BINS_BLOCK];
    for (at, block) in values.chunks(BINS_BLOCK).enumerate() {
        let used = if nulls.is_some() { block.len().div_ceil(64) } else { 0 };
        valid[..used].iter_mut().for_each(|word| *word = words.next().unwrap_or(0));
        let held = match nulls {
            Some(_) => valid[..used].iter().map(|word| u64::from(word.count_ones())).sum(),
            None => block.len() as u64,
        };
        if count_block(groups, (block, &valid[..used]), &mut scratch, held, counts) {
            seen.rows += block.len() as u64;
            seen.null += block.len() as u64 - held;
            continue;
        }
        let wide: Vec<f64> = block.iter().map(|&value| widen(value)).collect();
        let nulls = nulls.map(|nulls| nulls.slice(at * BINS_BLOCK, block.len()));
        dense::block(&wide, nulls.as_ref(), seen, &mut |kept| bins.count(kept, counts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::{Sample, bin_counts, decile_edges};
    use arrow::array::{Float32Array, Float64Array};

    #[test]
    fn bins_are_those_of_sorted_values() {
        let value = |row: u32| match row % 13 {
            0 => None,
            1 if row.is_multiple_of(3) => Some(f64::NAN),
            2 if row.is_multiple_of(5) => Some(f64::INFINITY),
            _ => Some(f64::from(row.wrapping_mul(2_654_435_761) >> 20) * 0.1),
        };
        let usable = |rows: std::ops::Range<u32>| -> Vec<f64> {
            rows.filter_map(value).filter(|value| value.is_finite()).collect()
        };
        let mut sorted = usable(0..3_000);
        sorted.sort_unstable_by(f64::total_cmp);
        let (bins, reference) = Bins::lay(&sorted);
        let sample = Sample::new(sorted);
        assert_eq!(bins.edges(), decile_edges(&sample));
        assert_eq!(Bins::from_edges(bins.edges().to_vec()).as_ref(), Some(&bins));
        assert_eq!(Bins::from_edges(vec![1.0, 1.0]), None);
        assert_eq!(reference, bin_counts(&sample, bins.edges()));

        for first in [0, 5_000] {
            // Without and with blocks that hold what can't be used.
            let rows = first + 3..first + 4_200;
            let array: Float64Array = (first..first + 4_300)
                .map(|row| value(row).filter(|value| first > 0 || value.is_finite()))
                .collect();
            let array = array.slice(3, 4_197);
            let mut seen = Seen::default();
            let mut counts = vec![0; bins.len()];
            floats(&bins, &array, &mut seen, &mut counts).unwrap();
            let wanted = bin_counts(&Sample::new(usable(rows.clone())), bins.edges());
            assert_eq!(counts, wanted, "{first}");
            assert_eq!(seen.rows, 4_197);
            let unusable = seen.null + seen.nan + seen.infinite;
            assert_eq!(seen.rows - unusable, counts.iter().sum::<u64>());
            assert_eq!(seen.nan > 0, first > 0);

            let narrow: Float32Array = array.iter().map(|v| v.map(|v| v as f32)).collect();
            let mut counts = vec![0; bins.len()];
            floats(&bins, &narrow, &mut seen, &mut counts).unwrap();
            let widened = narrow.iter().flatten().map(f64::from).filter(|v| v.is_finite());
            assert_eq!(counts, bin_counts(&Sample::new(widened), bins.edges()), "{first}");
        }
    }

    #[test]
    fn without_edges_there_is_one_bin_of_usable_values() {
        let bins = Bins::new(Vec::new());
        let array = Float64Array::from(vec![Some(1.0), None, Some(f64::NAN), Some(-f64::INFINITY)]);
        let (mut seen, mut counts) = (Seen::default(), vec![0; bins.len()]);
        floats(&bins, &array, &mut seen, &mut counts).unwrap();
        assert_eq!((seen, counts), (Seen { rows: 4, null: 1, nan: 1, infinite: 1 }, vec![1]));
    }

    #[test]
    fn an_edge_between_narrow_numbers_is_kept() {
        assert_eq!(f64::from(rounded_down(0.5)), 0.5);
        assert!(f64::from(rounded_down(0.1)) < 0.1 && rounded_down(0.1).next_up() as f64 > 0.1);
        assert_eq!(rounded_down(f64::INFINITY), f32::INFINITY);
        assert_eq!(rounded_down(f64::MIN), f32::NEG_INFINITY);
    }
}

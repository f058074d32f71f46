//! Columns in at most 255 bins of about equal size, and a bin of their own for missing values.

use ndarray::ArrayView1;

/// A column as bin numbers.
///
/// Bin `b` holds the values in `(cuts[b - 1], cuts[b]]`; the last but one those above every cut,
/// and the last ([`Column::missing`]) the NaN.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) bins: Vec<u8>,
    pub(super) cuts: Vec<f32>,
}

impl Column {
    /// Bins a column; `max_bins` (2 to 255) does not count the missing bin.
    pub(super) fn new(values: ArrayView1<'_, f32>, max_bins: u8) -> Self {
        let mut sorted: Vec<f32> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        sorted.sort_unstable_by(f32::total_cmp);
        let cuts = cuts(&sorted, usize::from(max_bins));
        let missing = cuts.len() as u8 + 1;
        let bin = |value: &f32| match value.is_nan() {
            true => missing,
            false => cuts.partition_point(|cut| cut < value) as u8,
        };
        Self { bins: values.iter().map(bin).collect(), cuts }
    }

    /// The bin of missing values.
    pub(super) fn missing(&self) -> usize {
        self.cuts.len() + 1
    }

    /// How many bins, with the missing one.
    pub(super) fn count(&self) -> usize {
        self.cuts.len() + 2
    }
}

/// Cuts between distinct values, so that each bin holds its share of what is left to place.
fn cuts(sorted: &[f32], max_bins: usize) -> Vec<f32> {
    let groups: Vec<&[f32]> = sorted.chunk_by(|a, b| a == b).collect();
    let every = groups.len() <= max_bins;
    let mut cuts = Vec::new();
    let (mut in_bin, mut left) = (0, sorted.len());
    for pair in groups.windows(2) {
        in_bin += pair[0].len();
        let open = max_bins.saturating_sub(cuts.len());
        if open <= 1 {
            break;
        }
        if every || in_bin * open >= left {
            cuts.push(between(pair[0][0], pair[1][0]));
            left -= in_bin;
            in_bin = 0;
        }
    }
    cuts
}

/// The middle of two values, or the lower one where the middle would round to the upper.
fn between(low: f32, high: f32) -> f32 {
    let middle = ((f64::from(low) + f64::from(high)) / 2.0) as f32;
    if middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array1;

    #[test]
    fn few_values_get_a_bin_each() {
        let column = Column::new(Array1::from(vec![3.0, 1.0, f32::NAN, 2.0, 1.0]).view(), 255);
        assert_eq!(column.cuts, [1.5, 2.5]);
        assert_eq!(column.bins, [2, 0, 3, 1, 0]);
        assert_eq!((column.missing(), column.count()), (3, 4));
    }

    #[test]
    fn many_values_share_bins_evenly() {
        let values: Array1<f32> =
            (0..10_000).map(|value| (value * 7_919 % 10_000) as f32).collect();
        let column = Column::new(values.view(), 255);
        assert_eq!(column.cuts.len(), 254);
        let mut counts = [0; 256];
        column.bins.iter().for_each(|bin| counts[usize::from(*bin)] += 1);
        assert!(counts[..255].iter().all(|count| (38..=41).contains(count)), "{counts:?}");
    }

    #[test]
    fn constant_and_empty_columns_have_no_cut() {
        assert!(Column::new(Array1::from(vec![2.0; 9]).view(), 255).cuts.is_empty());
        let column = Column::new(Array1::from(vec![f32::NAN; 3]).view(), 255);
        assert_eq!(column.bins, [1, 1, 1]);
        assert!(Column::new(Array1::from(vec![]).view(), 255).bins.is_empty());
    }

    #[test]
    fn a_cut_always_separates_its_neighbours() {
        let high = f32::from_bits(1.0_f32.to_bits() + 1);
        assert_eq!(between(1.0, high), 1.0);
        assert_eq!(between(f32::MIN, f32::MAX), 0.0);
    }
}

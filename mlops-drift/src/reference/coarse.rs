//! The at most 32 coarse cells in which clusters are counted.

use std::collections::HashMap;

use crate::statistic::{Point, Sample};

/// How many coarse cells a column has at most.
pub(crate) const COARSE_CELLS: usize = 32;

/// A point between two values: before or after one of them.
type Cut<T> = (T, bool);

/// Ordered cells of a numeric column, laid once by its reference.
///
/// A value that holds more than its part has a cell of its own, and so have the values below and
/// above everything that the reference has seen: otherwise a constant column could never drift.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Cuts<T>(Vec<Cut<T>>);

impl<T: Point> Cuts<T> {
    pub(crate) fn lay(reference: &Sample<T>) -> Self {
        let mut part = reference.len() as f64 / COARSE_CELLS as f64;
        loop {
            let cuts = Self::with_part(reference, part);
            if cuts.cells() <= COARSE_CELLS {
                return cuts;
            }
            part *= 1.1;
        }
    }

    fn with_part(reference: &Sample<T>, part: f64) -> Self {
        let mut cuts: Vec<Cut<T>> = Vec::new();
        // For integers "after 5" and "before 6" are one cut.
        let after = |value: T| value.successor().map_or((value, true), |next| (next, false));
        let mut push = |cut: Cut<T>| {
            if cuts.last() != Some(&cut) {
                cuts.push(cut);
            }
        };
        let mut open = 0.0;
        let mut previous = None;
        for &(value, count) in reference.runs() {
            let count = count as f64;
            if previous.is_none() || count > part {
                push((value, false));
                open = 0.0;
            } else if open + count > part {
                previous.into_iter().for_each(|value| push(after(value)));
                open = 0.0;
            }
            open += count;
            if count > part {
                push(after(value));
                open = 0.0;
            }
            previous = Some(value);
        }
        previous.into_iter().for_each(|value| push(after(value)));
        Self(cuts)
    }

    pub(crate) fn cells(&self) -> usize {
        self.0.len() + 1
    }

    pub(crate) fn cell_of(&self, value: T) -> usize {
        self.0.partition_point(|&(at, after)| {
            let order = at.order(value);
            if after { order.is_lt() } else { order.is_le() }
        })
    }
}

/// Cells of a column of categories: the most frequent ones of the reference each their own, and one
/// for the rest of them and all that the reference has not seen.
///
/// The unseen have no cell to themselves beside the rare ones: it would be empty on the reference's
/// side by its making, and rare categories, which are seen on few days, would alarm too often.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Codes(HashMap<String, usize>);

impl Codes {
    const REST: usize = COARSE_CELLS - 1;

    pub(crate) fn lay(reference: &HashMap<String, u64>) -> Self {
        let mut ranked: Vec<(&String, u64)> = reference.iter().map(|(k, &v)| (k, v)).collect();
        ranked.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        ranked.truncate(Self::REST);
        let code = |(rank, (name, _)): (usize, (&String, u64))| (name.clone(), rank);
        Self(ranked.into_iter().enumerate().map(code).collect())
    }

    pub(crate) fn cell_of(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(Self::REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_has_room_on_both_sides() {
        let cuts = Cuts::lay(&Sample::new([5.0; 9]));
        assert_eq!([4.0, 5.0, 6.0].map(|value| cuts.cell_of(value)), [0, 1, 2]);
        let cuts = Cuts::lay(&Sample::new([5_i128; 9]));
        assert_eq!([4, 5, 6].map(|value| cuts.cell_of(value)), [0, 1, 2]);
    }

    #[test]
    fn heavy_values_stand_alone_and_cells_stay_few() {
        let hours = (0..24_000).map(|row| f64::from(row % 24));
        let mixed = (0..10_000).map(|row| if row % 3 == 0 { 0.0 } else { f64::from(row) });
        for sample in [Sample::new(hours), Sample::new(mixed), Sample::new((0..50).map(f64::from))]
        {
            let cuts = Cuts::lay(&sample);
            assert!((20..=COARSE_CELLS).contains(&cuts.cells()), "{}", cuts.cells());
        }
        let cuts = Cuts::lay(&Sample::new((0..10_000).map(|row| (row % 3 * row) as f64)));
        assert_eq!(cuts.cell_of(0.0), 1);
        assert_eq!((cuts.cell_of(-1.0), cuts.cell_of(0.5)), (0, 2));
        assert_eq!(cuts.cell_of(1e300), cuts.cells() - 1);
    }

    #[test]
    fn an_empty_reference_has_one_cell() {
        assert_eq!(Cuts::<f64>::lay(&Sample::default()).cells(), 1);
    }

    #[test]
    fn rare_and_new_categories_share_a_cell() {
        let counts = (0..40_u64).map(|k| (format!("c{k:02}"), 100 - k)).collect();
        let codes = Codes::lay(&counts);
        assert_eq!([codes.cell_of("c00"), codes.cell_of("c30")], [0, 30]);
        assert_eq!(["c31", "c39", "never"].map(|name| codes.cell_of(name)), [31; 3]);
    }
}

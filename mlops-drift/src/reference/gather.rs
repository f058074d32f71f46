//! A reference being read: the values of one column, until they are sorted and its cells laid.

use std::collections::HashMap;

use arrow::array::Array;

use super::bins::Bins;
use super::coarse::Codes;
use super::dense;
use super::lane::Lane;
use super::layout::{Layout, Ordered, Values};
use super::options::{Detail, FitOptions};
use super::state::{ColumnState, Seen, categories};
use crate::cells::{Number, Tally, lay};
use crate::error::Result;

/// The sorted values of a column, for who compares exactly.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    Float(Vec<f64>),
    Integer(Vec<i64>),
    Wide(Vec<i128>),
    None,
}

/// What has been read of a column.
#[derive(Debug)]
pub(crate) struct Gathered {
    seen: Seen,
    values: Unsorted,
}

/// Numbers by their images that keep the order.
#[derive(Debug)]
enum Unsorted {
    Float(Vec<u64>),
    Integer(Vec<i64>),
    Wide(Vec<i128>),
    Category(HashMap<String, u64>),
    Unsupported,
}

impl Gathered {
    pub(crate) fn new(lane: &Lane) -> Self {
        let values = match lane {
            Lane::Float => Unsorted::Float(Vec::new()),
            Lane::Integer { wide: false, .. } => Unsorted::Integer(Vec::new()),
            Lane::Integer { wide: true, .. } => Unsorted::Wide(Vec::new()),
            Lane::Category => Unsorted::Category(HashMap::new()),
            Lane::Unsupported(_) => Unsorted::Unsupported,
        };
        Self { seen: Seen::default(), values }
    }

    /// Reads one more array of the column.
    pub(crate) fn read(&mut self, array: &dyn Array, lane: &Lane) -> Result<()> {
        let seen = &mut self.seen;
        match &mut self.values {
            Unsorted::Float(values) => dense::floats(array, seen, &mut |block| {
                values.extend(block.iter().map(|value| (value + 0.0).key()));
            }),
            Unsorted::Integer(values) => {
                dense::integers(array, seen, &mut |block| values.extend_from_slice(block))
            }
            Unsorted::Wide(values) => {
                dense::wide(array, seen, &mut |block| values.extend_from_slice(block))
            }
            Unsorted::Category(counts) => categories(array, lane, seen, counts),
            Unsorted::Unsupported => {
                seen.rows += array.len() as u64;
                Ok(())
            }
        }
    }

    /// Lays the cells and counts the reference in them.
    pub(crate) fn settle(self, options: &FitOptions) -> (Layout, ColumnState, Kept) {
        if options.detail == Detail::Bins {
            return self.settle_in_bins();
        }
        let most_edges = options.edges;
        let state = |values: Values| ColumnState { seen: self.seen, values, clusters: Vec::new() };
        match self.values {
            Unsorted::Float(keys) => {
                let (sorted, ordered, tally) = ordered(keys, most_edges);
                (Layout::Float(ordered), state(Values::Numbers(tally)), Kept::Float(sorted))
            }
            Unsorted::Integer(keys) => {
                let (sorted, ordered, tally) = ordered(keys, most_edges);
                (Layout::Integer(ordered), state(Values::Numbers(tally)), Kept::Integer(sorted))
            }
            Unsorted::Wide(keys) => {
                let (sorted, ordered, tally) = ordered(keys, most_edges);
                (Layout::Wide(ordered), state(Values::Numbers(tally)), Kept::Wide(sorted))
            }
            Unsorted::Category(counts) => {
                let codes = Codes::lay(&counts);
                (Layout::Category(codes), state(Values::Category(counts)), Kept::None)
            }
            Unsorted::Unsupported => (Layout::None, state(Values::Unsupported), Kept::None),
        }
    }

    fn settle_in_bins(self) -> (Layout, ColumnState, Kept) {
        let (layout, counts) = match self.values {
            Unsorted::Float(keys) => {
                let (bins, counts) = Bins::lay(&sorted(keys));
                (Layout::FloatBins(bins), counts)
            }
            Unsorted::Integer(keys) => {
                let (bins, counts) = Bins::lay(&sorted(keys));
                (Layout::IntegerBins(bins), counts)
            }
            Unsorted::Wide(keys) => {
                let (bins, counts) = Bins::lay(&sorted(keys));
                (Layout::WideBins(bins), counts)
            }
            _ => return self.settle(&FitOptions::default()),
        };
        let values = Values::Bins(counts);
        (layout, ColumnState { seen: self.seen, values, clusters: Vec::new() }, Kept::None)
    }
}

fn sorted<T: Number>(mut keys: Vec<T::Key>) -> Vec<T> {
    keys.sort_unstable();
    keys.into_iter().map(T::of_key).collect()
}

fn ordered<T: Number>(keys: Vec<T::Key>, most: Option<usize>) -> (Vec<T>, Ordered<T>, Tally) {
    let sorted: Vec<T> = sorted(keys);
    let (anchors, tally) = lay(&sorted, most);
    let ordered = Ordered::new(anchors, &tally);
    (sorted, ordered, tally)
}

//! Where a column's values are counted: in cells that its reference has laid.

use std::collections::HashMap;

use super::bins::Bins;
use super::coarse::{COARSE_CELLS, Codes, Unions};
use super::read::Cell;
use crate::cells::{Anchors, Number, Tally};

/// The cells of one column, fine and coarse.
#[derive(Debug, Clone)]
pub(crate) enum Layout {
    Float(Ordered<f64>),
    Integer(Ordered<i64>),
    Wide(Ordered<i128>),
    /// In bins alone.
    FloatBins(Bins<f64>),
    IntegerBins(Bins<i64>),
    WideBins(Bins<i128>),
    Category(Codes),
    /// Nothing is counted.
    None,
}

/// The cells of a column of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Ordered<T: Number> {
    pub(crate) anchors: Anchors<T>,
    unions: Unions,
}

impl<T: Number> Ordered<T> {
    pub(crate) fn new(anchors: Anchors<T>, reference: &Tally) -> Self {
        let unions = Unions::lay(&anchors, reference);
        Self { anchors, unions }
    }

    /// `None` when the coarse cells can't be unions of the cells.
    pub(crate) fn from_parts(anchors: Anchors<T>, coarse: &[u32]) -> Option<Self> {
        let unions = Unions::from_starts(anchors.len() + 1, coarse)?;
        Some(Self { anchors, unions })
    }

    pub(crate) fn unions(&self) -> &Unions {
        &self.unions
    }

    /// Bins are left out: they are looked up, not counted. Squares are counted from the origin.
    fn same(&self, other: &Self) -> bool {
        self.anchors.edges() == other.anchors.edges()
            && self.anchors.same_origin(&other.anchors)
            && self.unions == other.unions
    }
}

/// What was counted of a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    Numbers(Tally),
    Bins(Vec<u64>),
    Category(HashMap<String, u64>),
    Unsupported,
}

impl Layout {
    /// Nothing counted yet.
    pub(crate) fn empty(&self) -> Values {
        match self {
            Self::Float(ordered) => Values::Numbers(Tally::new(ordered.anchors.len())),
            Self::Integer(ordered) => Values::Numbers(Tally::new(ordered.anchors.len())),
            Self::Wide(ordered) => Values::Numbers(Tally::new(ordered.anchors.len())),
            Self::FloatBins(bins) => Values::Bins(vec![0; bins.len()]),
            Self::IntegerBins(bins) => Values::Bins(vec![0; bins.len()]),
            Self::WideBins(bins) => Values::Bins(vec![0; bins.len()]),
            Self::Category(_) => Values::Category(HashMap::new()),
            Self::None => Values::Unsupported,
        }
    }

    /// The coarse cell of a value; `None` for one that is not usable.
    pub(crate) fn coarse(&self, cell: Cell<'_>) -> Option<usize> {
        match (self, cell) {
            (Self::Float(own), Cell::Float(value)) => {
                value.is_finite().then(|| own.unions.cell_of(&own.anchors, value))
            }
            (Self::Integer(own), Cell::Integer(value)) => {
                Some(own.unions.cell_of(&own.anchors, narrow(value)))
            }
            (Self::Wide(own), Cell::Integer(value)) => {
                Some(own.unions.cell_of(&own.anchors, value))
            }
            (Self::FloatBins(bins), Cell::Float(value)) => {
                value.is_finite().then(|| bins.bin(value))
            }
            (Self::IntegerBins(bins), Cell::Integer(value)) => Some(bins.bin(narrow(value))),
            (Self::WideBins(bins), Cell::Integer(value)) => Some(bins.bin(value)),
            (Self::Category(codes), Cell::Text(text)) => Some(codes.cell_of(text)),
            _ => None,
        }
    }

    /// The edges of PSI's bins, where nothing but bins is counted.
    pub(crate) fn bin_edges(&self) -> Option<Vec<f64>> {
        fn edges<T: Number>(edges: &[T]) -> Option<Vec<f64>> {
            Some(edges.iter().map(|edge| edge.to_f64()).collect())
        }
        match self {
            Self::FloatBins(bins) => edges(bins.edges()),
            Self::IntegerBins(bins) => edges(bins.edges()),
            Self::WideBins(bins) => edges(bins.edges()),
            _ => None,
        }
    }

    /// How many of these values lie in each coarse cell.
    pub(crate) fn coarse_counts(&self, values: &Values) -> [u64; COARSE_CELLS] {
        match (self, values) {
            (Self::Float(own), Values::Numbers(tally)) => own.unions.counts(tally),
            (Self::Integer(own), Values::Numbers(tally)) => own.unions.counts(tally),
            (Self::Wide(own), Values::Numbers(tally)) => own.unions.counts(tally),
            (Self::Category(codes), Values::Category(counts)) => codes.counts(counts),
            (_, Values::Bins(bins)) => {
                let mut counts = [0; COARSE_CELLS];
                counts.iter_mut().zip(bins).for_each(|(count, bin)| *count = *bin);
                counts
            }
            _ => [0; COARSE_CELLS],
        }
    }

    /// Whether counts in one can be added to counts in the other.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => a.same(b),
            (Self::Integer(a), Self::Integer(b)) => a.same(b),
            (Self::Wide(a), Self::Wide(b)) => a.same(b),
            (Self::FloatBins(a), Self::FloatBins(b)) => a == b,
            (Self::IntegerBins(a), Self::IntegerBins(b)) => a == b,
            (Self::WideBins(a), Self::WideBins(b)) => a == b,
            (Self::Category(a), Self::Category(b)) => a == b,
            (Self::None, Self::None) => true,
            _ => false,
        }
    }
}

/// A number of a lane of at most 64 bits; whatever came otherwise would be at the nearest end.
pub(crate) fn narrow(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

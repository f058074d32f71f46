//! A reference being read: the values of one column, until they are sorted and its cells laid.

use std::collections::HashMap;

use super::coarse::Codes;
use super::lane::Lane;
use super::layout::{Layout, Ordered, Values, narrow};
use super::read::Cell;
use super::state::{ColumnState, Seen};
use crate::cells::{Number, Tally, lay};

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

#[derive(Debug)]
enum Unsorted {
    Float(Vec<f64>),
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

    pub(crate) fn push(&mut self, cell: Cell<'_>) {
        if !self.seen.count(cell) {
            return;
        }
        match (cell, &mut self.values) {
            (Cell::Float(value), Unsorted::Float(values)) => values.push(value + 0.0),
            (Cell::Integer(value), Unsorted::Integer(values)) => values.push(narrow(value)),
            (Cell::Integer(value), Unsorted::Wide(values)) => values.push(value),
            (Cell::Text(text), Unsorted::Category(counts)) => match counts.get_mut(text) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(text.to_owned(), 1);
                }
            },
            // A lane reads only cells of its own kind; were it otherwise, the row would still count.
            _ => self.seen.null += 1,
        }
    }

    /// Rows that a column of an unsupported type does not even read.
    pub(crate) fn skip(&mut self, rows: usize) {
        self.seen.rows += rows as u64;
    }

    /// Lays the cells and counts the reference in them.
    pub(crate) fn settle(self, most_edges: Option<usize>) -> (Layout, ColumnState, Kept) {
        let state = |values: Values| ColumnState { seen: self.seen, values, clusters: Vec::new() };
        match self.values {
            Unsorted::Float(values) => {
                let (sorted, ordered, tally) = ordered(values, most_edges);
                (Layout::Float(ordered), state(Values::Numbers(tally)), Kept::Float(sorted))
            }
            Unsorted::Integer(values) => {
                let (sorted, ordered, tally) = ordered(values, most_edges);
                (Layout::Integer(ordered), state(Values::Numbers(tally)), Kept::Integer(sorted))
            }
            Unsorted::Wide(values) => {
                let (sorted, ordered, tally) = ordered(values, most_edges);
                (Layout::Wide(ordered), state(Values::Numbers(tally)), Kept::Wide(sorted))
            }
            Unsorted::Category(counts) => {
                let codes = Codes::lay(&counts);
                (Layout::Category(codes), state(Values::Category(counts)), Kept::None)
            }
            Unsorted::Unsupported => (Layout::None, state(Values::Unsupported), Kept::None),
        }
    }
}

fn ordered<T: Number>(values: Vec<T>, most: Option<usize>) -> (Vec<T>, Ordered<T>, Tally) {
    let mut keys: Vec<T::Key> = values.into_iter().map(T::key).collect();
    keys.sort_unstable();
    let sorted: Vec<T> = keys.into_iter().map(T::of_key).collect();
    let (anchors, tally) = lay(&sorted, most);
    let ordered = Ordered::new(anchors, &tally);
    (sorted, ordered, tally)
}

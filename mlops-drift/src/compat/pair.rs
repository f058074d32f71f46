//! Both sides of a column in one form, so that a definition is written once for each form.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::column::{Column, Rows};
use crate::statistic::{Point, Sample, pool};

/// The rows of both sides, reference first.
pub(super) enum Pair<'a> {
    Floats(Cow<'a, [f64]>, Cow<'a, [f64]>),
    Integers(&'a [i128], &'a [i128]),
    Categories(Coded, Coded),
}

/// Rows of categories as codes in the order of the names; both sides share them.
pub(super) struct Coded {
    pub(super) rows: Vec<Option<usize>>,
    pub(super) names: usize,
}

/// How often a value or category stands on the reference and on the current side.
pub(super) type Cells = Vec<(u64, u64)>;

impl<'a> Pair<'a> {
    /// `None` when one side holds numbers and the other categories.
    pub(super) fn of(reference: &'a Column, current: &'a Column) -> Option<Self> {
        let floats = |rows: &'a [i128]| Cow::Owned(rows.iter().map(|&row| row as f64).collect());
        Some(match (&reference.0, &current.0) {
            (Rows::Floats(r), Rows::Floats(c)) => Self::Floats(r.into(), c.into()),
            (Rows::Integers(r), Rows::Integers(c)) => Self::Integers(r, c),
            (Rows::Floats(r), Rows::Integers(c)) => Self::Floats(r.into(), floats(c)),
            (Rows::Integers(r), Rows::Floats(c)) => Self::Floats(floats(r), c.into()),
            (Rows::Categories { rows: r, .. }, Rows::Categories { rows: c, .. }) => {
                let mut codes: BTreeMap<&str, usize> =
                    r.iter().chain(c).flatten().map(|name| (name.as_str(), 0)).collect();
                codes.values_mut().enumerate().for_each(|(next, code)| *code = next);
                let coded = |rows: &[Option<String>]| Coded {
                    rows: rows
                        .iter()
                        .map(|row| row.as_ref().and_then(|name| codes.get(name.as_str()).copied()))
                        .collect(),
                    names: codes.len(),
                };
                Self::Categories(coded(r), coded(c))
            }
            _ => return None,
        })
    }

    /// How many values are not missing.
    pub(super) fn usable(&self) -> (usize, usize) {
        let finite = |rows: &[f64]| rows.iter().filter(|row| row.is_finite()).count();
        let known = |side: &Coded| side.rows.iter().flatten().count();
        match self {
            Self::Floats(r, c) => (finite(r), finite(c)),
            Self::Integers(r, c) => (r.len(), c.len()),
            Self::Categories(r, c) => (known(r), known(c)),
        }
    }

    /// How often each distinct value stands on both sides, in the order of the values.
    pub(super) fn cells(&self) -> Cells {
        match self {
            Self::Floats(r, c) => cells(&sample(r), &sample(c)),
            Self::Integers(r, c) => cells(&sample(r), &sample(c)),
            Self::Categories(r, c) => {
                let (r, c) = (r.counts(0..r.rows.len()), c.counts(0..c.rows.len()));
                r.into_iter().zip(c).collect()
            }
        }
    }
}

impl Coded {
    /// How often each category stands in these rows.
    pub(super) fn counts(&self, rows: Range<usize>) -> Vec<u64> {
        let mut counts = vec![0; self.names];
        self.rows[rows].iter().flatten().for_each(|&code| counts[code] += 1);
        counts
    }

    /// How many of the rows are missing.
    pub(super) fn missing(&self) -> u64 {
        self.rows.iter().filter(|row| row.is_none()).count() as u64
    }
}

/// The rows, sorted, without missing ones.
pub(super) fn sample<T: Point>(rows: &[T]) -> Sample<T> {
    Sample::new(rows.iter().copied())
}

/// How often each distinct value stands on both sides.
pub(super) fn cells<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Cells {
    pool(reference.runs(), current.runs()).map(|point| (point.reference, point.current)).collect()
}

/// The smallest and the largest value of both sides; `None` when a side is empty.
pub(super) fn range<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<(T, T)> {
    let lesser = |a: T, b: T| if a.order(b).is_le() { a } else { b };
    let greater = |a: T, b: T| if a.order(b).is_ge() { a } else { b };
    Some((lesser(reference.min()?, current.min()?), greater(reference.max()?, current.max()?)))
}

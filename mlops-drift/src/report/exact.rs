//! The second look at the data that makes a report exact.

use arrow::array::{Array, RecordBatch};

use crate::cells::{
    Anchors, Bounds, Exact, Located, Number, Sought, Tally, bounds, locate, refine,
};
use crate::error::Result;
use crate::parallel;
use crate::reference::{Kept, Layout, Ordered, Reference, Seen, State, Values, dense};

/// The quantiles that a report shows, in hundredths.
pub(super) const SHOWN: [u64; 5] = [5, 25, 50, 75, 95];

/// What a second look found of a column.
#[derive(Debug, Clone)]
pub(crate) enum Looked {
    Float(Exact<f64>),
    Integer(Exact<i64>),
    Wide(Exact<i128>),
    /// Nothing was open.
    None,
}

/// Where the quantile `percent` of so many values lies: the rank below it, and the hundredths of the way to
/// the next.
pub(super) fn position(len: u64, percent: u64) -> Option<(u64, u64)> {
    let position = u128::from(len.checked_sub(1)?) * u128::from(percent);
    Some(((position / 100) as u64, (position % 100) as u64))
}

/// The order statistics of a side that the quantiles need.
pub(super) fn needed<T: Number>(anchors: &Anchors<T>, tally: &Tally) -> Vec<Located<T>> {
    let ranks = SHOWN.iter().filter_map(|&percent| position(tally.len(), percent));
    ranks
        .flat_map(|(rank, rest)| [rank, rank + u64::from(rest > 0)])
        .filter_map(|rank| locate(anchors, tally, rank))
        .collect()
}

/// A column's open cells, and what has been gathered of them.
struct Search<T: Number> {
    bounds: Bounds,
    sought: Sought,
    found: Vec<Vec<T>>,
}

impl<T: Number> Search<T> {
    fn new(anchors: &Anchors<T>, old: &Tally, new: &Tally) -> Option<Self> {
        let bounds = bounds(anchors, old, new)?;
        let mut located = needed(anchors, old);
        located.extend(needed(anchors, new));
        let sought = Sought::new((old, new), &bounds, &located);
        let found = sought.room();
        Some(Self { bounds, sought, found })
    }

    fn finish(self, anchors: &Anchors<T>, sides: (&Tally, &Tally), sorted: &[T]) -> Exact<T> {
        let mut own = self.sought.room();
        self.sought.gather(anchors, sorted, &mut own);
        refine(anchors, sides, &self.bounds, &self.sought, [own, self.found])
    }
}

enum Searching<'a> {
    Float(&'a Ordered<f64>, Search<f64>),
    Integer(&'a Ordered<i64>, Search<i64>),
    Wide(&'a Ordered<i128>, Search<i128>),
    None,
}

impl<'a> Searching<'a> {
    fn new(layout: &'a Layout, old: &Values, new: &Values) -> Self {
        let (Values::Numbers(old), Values::Numbers(new)) = (old, new) else {
            return Self::None;
        };
        let search = match layout {
            Layout::Float(own) => {
                Search::new(&own.anchors, old, new).map(|search| Self::Float(own, search))
            }
            Layout::Integer(own) => {
                Search::new(&own.anchors, old, new).map(|search| Self::Integer(own, search))
            }
            Layout::Wide(own) => {
                Search::new(&own.anchors, old, new).map(|search| Self::Wide(own, search))
            }
            _ => None,
        };
        search.unwrap_or(Self::None)
    }

    fn read(&mut self, array: &dyn Array) -> Result<()> {
        // All of it has been counted before.
        let seen = &mut Seen::default();
        match self {
            Self::Float(own, Search { sought, found, .. }) => {
                dense::floats(array, seen, &mut |block| sought.gather(&own.anchors, block, found))
            }
            Self::Integer(own, Search { sought, found, .. }) => {
                dense::integers(array, seen, &mut |block| sought.gather(&own.anchors, block, found))
            }
            Self::Wide(own, Search { sought, found, .. }) => {
                dense::wide(array, seen, &mut |block| sought.gather(&own.anchors, block, found))
            }
            Self::None => Ok(()),
        }
    }

    fn is_open(&self) -> bool {
        match self {
            Self::Float(_, search) => !search.sought.is_empty(),
            Self::Integer(_, search) => !search.sought.is_empty(),
            Self::Wide(_, search) => !search.sought.is_empty(),
            Self::None => false,
        }
    }

    fn finish(self, old: &Values, new: &Values, kept: &Kept) -> Looked {
        let (Values::Numbers(old), Values::Numbers(new)) = (old, new) else {
            return Looked::None;
        };
        match (self, kept) {
            (Self::Float(own, search), Kept::Float(sorted)) => {
                Looked::Float(search.finish(&own.anchors, (old, new), sorted))
            }
            (Self::Integer(own, search), Kept::Integer(sorted)) => {
                Looked::Integer(search.finish(&own.anchors, (old, new), sorted))
            }
            (Self::Wide(own, search), Kept::Wide(sorted)) => {
                Looked::Wide(search.finish(&own.anchors, (old, new), sorted))
            }
            _ => Looked::None,
        }
    }
}

/// Reads the current data again for the cells in which the distances are not known yet.
pub(crate) fn look_again(
    reference: &Reference,
    current: &State,
    kept: &[Kept],
    batches: &[RecordBatch],
) -> Result<Vec<Looked>> {
    let sides = || reference.state.columns.iter().zip(&current.columns);
    let layouts = reference.columns.iter().map(|fitted| &fitted.layout);
    let mut searches: Vec<Searching<'_>> = layouts
        .zip(sides())
        .map(|(layout, (old, new))| Searching::new(layout, &old.values, &new.values))
        .collect();
    for batch in batches {
        let values = batch.num_rows() * searches.len();
        let parts = reference.columns.iter().zip(&mut searches);
        let open = parts.filter(|(_, search)| search.is_open());
        parallel::each(open, values, |(fitted, search)| search.read(fitted.array(batch)?))?;
    }
    let found = searches.into_iter().zip(sides()).zip(kept);
    Ok(found
        .map(|((search, (old, new)), kept)| search.finish(&old.values, &new.values, kept))
        .collect())
}

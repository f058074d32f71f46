//! Work on many columns: on all threads of the host's pool with the feature `rayon`, else one by one.

use crate::error::Result;

/// Values of a table below which threads cost more than they save.
#[cfg(feature = "rayon")]
const WORTH_IT: usize = 1 << 16;

/// Does `work` for every item; `values` says how much there is to do in all. One of the errors is returned.
#[cfg(feature = "rayon")]
pub(crate) fn each<T: Send>(
    items: impl Iterator<Item = T>,
    values: usize,
    work: impl Fn(T) -> Result<()> + Send + Sync,
) -> Result<()> {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};
    let mut items = items;
    if values < WORTH_IT {
        return items.try_for_each(work);
    }
    let items: Vec<T> = items.collect();
    items.into_par_iter().try_for_each(work)
}

/// Does `work` for every item.
#[cfg(not(feature = "rayon"))]
pub(crate) fn each<T>(
    mut items: impl Iterator<Item = T>,
    _values: usize,
    work: impl Fn(T) -> Result<()>,
) -> Result<()> {
    items.try_for_each(work)
}

/// What `work` makes of every item, in order.
#[cfg(feature = "rayon")]
pub(crate) fn map<T: Send, U: Send>(
    items: Vec<T>,
    values: usize,
    work: impl Fn(T) -> U + Send + Sync,
) -> Vec<U> {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};
    if values < WORTH_IT {
        return items.into_iter().map(work).collect();
    }
    items.into_par_iter().map(work).collect()
}

/// What `work` makes of every item, in order.
#[cfg(not(feature = "rayon"))]
pub(crate) fn map<T, U>(items: Vec<T>, _values: usize, work: impl Fn(T) -> U) -> Vec<U> {
    items.into_iter().map(work).collect()
}

//! Categories: put in order by a fifth of the reference, watched against the rest of it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::draw::{binomial, random};
use super::ladder::{Rung, private};
use super::{Sequential, SequentialOptions};
use crate::error::Result;

/// Which part of the reference puts the categories in order.
const ORDERING: f64 = 0.2;
/// So many categories have a place; the rest count as rare, like those never seen.
const PLACES: usize = 1_024;

/// The place of a category: frequent ones first, then the rare and the unseen by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// Among the categories of the part that orders, the most frequent first.
    Known(u32),
    /// Not in that part.
    Rare(String),
}

impl private::Sealed for Place {}

impl Rung for Place {
    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

/// A column of categories, watched for ever against one reference.
///
/// Ranks need an order that was fixed without the rows that are ranked. By name it would scatter new
/// categories among the old ones. So a fifth of the reference rows, drawn at random, only says which
/// categories are how frequent; the others are ranked in that order, and whatever is rare or new
/// stands at one end, where the cells are fine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Categories {
    places: HashMap<String, u32>,
    watch: Sequential<Place>,
}

impl Categories {
    /// Watches a column whose reference holds these categories, each so many times, and `missing` rows
    /// without one. A category may be named more than once.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for options out of range, or when no row is left
    /// to be ranked.
    pub fn new<'a>(
        reference: impl IntoIterator<Item = (&'a str, u64)>,
        missing: u64,
        options: &SequentialOptions,
    ) -> Result<Self> {
        let mut random = random(options.seed, u64::MAX);
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        reference.into_iter().for_each(|(name, count)| *counts.entry(name).or_default() += count);
        let mut split = |(name, count): (&'a str, u64)| {
            let first = binomial(&mut random, count, ORDERING);
            (name, first, count - first)
        };
        let split: Vec<(&str, u64, u64)> = counts.into_iter().map(&mut split).collect();
        let missing = missing - binomial(&mut random, missing, ORDERING);
        let mut frequent: Vec<(u64, &str)> =
            split.iter().filter(|part| part.1 > 0).map(|part| (part.1, part.0)).collect();
        frequent.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        frequent.truncate(PLACES);
        let places = (0..).zip(&frequent).map(|(place, (_, name))| ((*name).to_owned(), place));
        let places: HashMap<String, u32> = places.collect();
        let runs = runs(&places, split.iter().map(|part| (part.0, part.2)));
        Ok(Self { watch: Sequential::new(&runs, missing, options)?, places })
    }

    /// Looks at the next window: its categories with their counts, and how many rows have none.
    ///
    /// # Errors
    ///
    /// Those of [`Evidence::observe`](super::Evidence::observe).
    pub fn observe<'a>(
        &mut self,
        window: impl IntoIterator<Item = (&'a str, u64)>,
        missing: u64,
    ) -> Result<()> {
        let runs = runs(&self.places, window);
        self.watch.observe_runs(&runs, missing)
    }

    /// The alarm and the evidence so far.
    #[must_use]
    pub fn watch(&self) -> &Sequential<Place> {
        &self.watch
    }
}

/// The counts of places, in their order.
fn runs<'a>(
    places: &HashMap<String, u32>,
    counts: impl IntoIterator<Item = (&'a str, u64)>,
) -> Vec<(Place, u64)> {
    let mut sums: BTreeMap<Place, u64> = BTreeMap::new();
    for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        let place = places.get(name).map(|place| Place::Known(*place));
        *sums.entry(place.unwrap_or_else(|| Place::Rare(name.to_owned()))).or_default() += count;
    }
    sums.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_ones_come_first_and_new_ones_last() -> Result<()> {
        let options = SequentialOptions::default();
        let reference = [("b", 4_000), ("a", 900), ("b", 4_000), ("rare", 1)];
        let watched = Categories::new(reference, 0, &options)?;
        assert_eq!((watched.places["b"], watched.places["a"]), (0, 1));
        let runs = runs(&watched.places, [("new", 2), ("a", 3), ("b", 5), ("a", 4), ("no", 0)]);
        let new = Place::Rare("new".to_owned());
        assert_eq!(runs, [(Place::Known(0), 5), (Place::Known(1), 7), (new, 2)]);
        // Four fifths are ranked, give or take four standard deviations.
        let rows = watched.watch.evidence().reference_rows();
        assert!(rows.abs_diff(7_121) < 152, "{rows}");
        Ok(())
    }

    #[test]
    fn a_few_rows_of_a_new_category_are_found() -> Result<()> {
        let mut watched = Categories::new(
            [("a", 600), ("b", 300), ("c", 100)],
            0,
            &SequentialOptions::default(),
        )?;
        for _ in 0..20 {
            watched.observe([("c", 10), ("a", 60), ("b", 30)], 0)?;
        }
        assert!(watched.watch().alarm().is_none());
        watched.observe([("new", 10), ("a", 60), ("b", 30)], 0)?;
        assert!(watched.watch().alarm().is_some());
        let kept = serde_json::to_string(&watched).expect("a state as JSON");
        let read: Categories = serde_json::from_str(&kept).expect("the state read back");
        assert_eq!(read, watched);
        Ok(())
    }
}

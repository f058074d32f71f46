//! The flights as plain columns: what a model is trained on and what it scores.
//!
//! Rows stay in the order of the scheduled hour. A name (airport, carrier) is a code into a sorted
//! list of names; the codes of two tables need not agree, so whoever compares tables goes by name.
//! A null weather reading is NaN, a flight that never arrived has no label.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

/// The weather readings at the origin, in the order of [`Flights::weather`].
pub(crate) const WEATHER: [&str; 7] =
    ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"];

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A column of names: one code a row, and the sorted names that the codes point into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Category {
    pub(crate) codes: Vec<u16>,
    pub(crate) names: Arc<[String]>,
}

impl Category {
    /// Encodes one name a row.
    ///
    /// # Errors
    /// More than 65,536 distinct names.
    pub(crate) fn from_names<'a>(rows: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut found: HashMap<&str, usize> = HashMap::new();
        let seen: Vec<usize> = rows
            .map(|name| {
                let next = found.len();
                *found.entry(name).or_insert(next)
            })
            .collect();
        ensure!(found.len() <= 1 << 16, "too many distinct names count={}", found.len());
        let mut names: Vec<(&str, usize)> = found.into_iter().collect();
        names.sort_unstable();
        // From the order in which names were seen to the sorted one.
        let mut code = vec![0; names.len()];
        names.iter().zip(0..).for_each(|((_, seen), sorted)| code[*seen] = sorted);
        let codes = seen.into_iter().map(|seen| code[seen]).collect();
        Ok(Self { codes, names: names.iter().map(|(name, _)| (*name).to_owned()).collect() })
    }

    /// The name of a row.
    pub(crate) fn name(&self, row: usize) -> &str {
        &self.names[usize::from(self.codes[row])]
    }

    fn select(&self, rows: &[usize]) -> Self {
        Self { codes: pick(&self.codes, rows), names: Arc::clone(&self.names) }
    }
}

/// Flights in columns of one length, sorted by [`Flights::time`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Flights {
    /// Scheduled hour of departure, seconds since 1970 in UTC.
    pub(crate) time: Vec<i64>,
    pub(crate) origin: Category,
    pub(crate) dest: Category,
    pub(crate) carrier: Category,
    /// Scheduled hour of departure on the airport's clock, 0 to 23.
    pub(crate) hour: Vec<u8>,
    /// Scheduled minute of departure, 0 to 59.
    pub(crate) minute: Vec<u8>,
    /// Miles.
    pub(crate) distance: Vec<u16>,
    /// One column a reading, as listed in [`WEATHER`]; NaN where the station missed an hour.
    pub(crate) weather: [Vec<f32>; WEATHER.len()],
    /// Whether the flight came in more than 15 minutes late; `None` if cancelled or diverted.
    pub(crate) label: Vec<Option<bool>>,
}

impl Flights {
    /// How many rows.
    pub(crate) fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// The flights that were scheduled in `[from, to)`, in seconds since 1970 (UTC).
    pub(crate) fn between(&self, from: i64, to: i64) -> Self {
        self.select(&self.rows_between(from, to).collect::<Vec<_>>())
    }

    /// Which rows those are.
    pub(crate) fn rows_between(&self, from: i64, to: i64) -> std::ops::Range<usize> {
        stretch(&self.time, from, to)
    }

    /// The flights whose label is known.
    pub(crate) fn labelled(&self) -> Self {
        let rows: Vec<usize> = (0..self.len()).filter(|row| self.label[*row].is_some()).collect();
        self.select(&rows)
    }

    /// The labels of a table that has them all, as [`Flights::labelled`] returns it.
    ///
    /// # Errors
    /// A row without a label.
    pub(crate) fn labels(&self) -> Result<Vec<bool>> {
        let labels: Option<Vec<bool>> = self.label.iter().copied().collect();
        labels.context("a flight has no label, keep the labelled ones first")
    }

    /// The day of departure on the airport's clock, counted from 1970-01-01, of each row.
    ///
    /// The clock's distance from UTC follows from the row itself, which holds the hour in both:
    /// no time zone table is needed, and the change to summer time is right.
    pub(crate) fn local_days(&self) -> Vec<i32> {
        let local = |(time, hour): (&i64, &u8)| {
            let behind = (time.div_euclid(HOUR) - i64::from(*hour)).rem_euclid(24);
            let offset = if behind <= 12 { -behind } else { 24 - behind };
            (time + offset * HOUR).div_euclid(DAY) as i32
        };
        self.time.iter().zip(&self.hour).map(local).collect()
    }

    /// The rows of these indices, which ascend.
    fn select(&self, rows: &[usize]) -> Self {
        Self {
            time: pick(&self.time, rows),
            origin: self.origin.select(rows),
            dest: self.dest.select(rows),
            carrier: self.carrier.select(rows),
            hour: pick(&self.hour, rows),
            minute: pick(&self.minute, rows),
            distance: pick(&self.distance, rows),
            weather: std::array::from_fn(|column| pick(&self.weather[column], rows)),
            label: pick(&self.label, rows),
        }
    }
}

/// Where `[from, to)` lies in sorted times.
pub(crate) fn stretch(times: &[i64], from: i64, to: i64) -> std::ops::Range<usize> {
    let start = times.partition_point(|time| *time < from);
    start..times.partition_point(|time| *time < to).max(start)
}

fn pick<T: Copy>(column: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|row| column[*row]).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// `count` flights an hour apart from 2013-01-01T10:00Z (5 o'clock in New York); afternoon
    /// flights are late, a seventh has no label and a fifth no temperature.
    pub(crate) fn sample(count: usize) -> Flights {
        let rows = 0..count;
        let start = 1_357_034_400;
        let hour = |row: usize| ((5 + row) % 24) as u8;
        let name = |names: &'static [&'static str]| {
            Category::from_names(rows.clone().map(|row| names[row % names.len()])).unwrap()
        };
        let reading = |column: usize, row: usize| match (column, row % 5) {
            (0, 0) => f32::NAN,
            _ => ((row * (column + 3)) % 11) as f32,
        };
        Flights {
            time: rows.clone().map(|row| start + row as i64 * HOUR).collect(),
            origin: name(&["LGA", "EWR", "JFK"]),
            dest: name(&["MIA", "BOS"]),
            carrier: name(&["UA", "B6", "AA", "DL"]),
            hour: rows.clone().map(hour).collect(),
            minute: rows.clone().map(|row| (row * 7 % 60) as u8).collect(),
            distance: rows.clone().map(|row| 200 + (row * 13 % 900) as u16).collect(),
            weather: std::array::from_fn(|column| {
                rows.clone().map(|row| reading(column, row)).collect()
            }),
            label: rows.clone().map(|row| (row % 7 != 0).then_some(hour(row) >= 15)).collect(),
        }
    }

    #[test]
    fn a_range_is_half_open_and_keeps_columns_together() {
        let flights = sample(50);
        let part = flights.between(flights.time[10], flights.time[20]);
        assert_eq!(part.len(), 10);
        assert_eq!(part.time[0], flights.time[10]);
        assert_eq!(part.origin.name(3), flights.origin.name(13));
        assert_eq!(part.weather[6][9], flights.weather[6][19]);
        assert!(flights.between(flights.time[20], flights.time[10]).is_empty());
    }

    #[test]
    fn only_labelled_rows_have_labels() {
        let flights = sample(50);
        assert!(flights.labels().is_err());
        let labelled = flights.labelled();
        assert_eq!(labelled.labels().unwrap().len(), labelled.len());
        assert_eq!(labelled.len(), 42);
    }

    #[test]
    fn the_local_day_ends_at_local_midnight() {
        let flights = sample(24);
        let first = 15_706; // 2013-01-01
        let days = flights.local_days();
        let expected: Vec<i32> = (5..29).map(|hour| first + i32::from(hour >= 24)).collect();
        assert_eq!(days, expected);
    }

    #[test]
    fn names_are_sorted_and_found_again() {
        let category = Category::from_names(["b", "a", "b"].into_iter()).unwrap();
        assert_eq!(category.codes, [1, 0, 1]);
        assert_eq!(&category.names[..], ["a", "b"]);
    }
}

//! The demo's time: seconds since 1970, days of UTC.

use mlops_core::time::Timestamp;

pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 24 * HOUR;
pub(crate) const WEEK: i64 = 7 * DAY;

/// 2013-01-01, where the data begin.
pub(crate) const JANUARY: i64 = 1_356_998_400;
/// 2013-03-01, where watching begins.
pub(crate) const MARCH: i64 = JANUARY + 59 * DAY;
/// 2014-01-01, where the data end.
pub(crate) const END: i64 = JANUARY + 365 * DAY;

/// A stretch of time, from inclusive, to exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Span {
    pub(crate) const fn new(from: i64, to: i64) -> Self {
        Self { from, to }
    }
}

/// The same moment in milliseconds.
pub(crate) fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

/// The same moment in seconds.
pub(crate) fn seconds(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1_000)
}

/// The day that a moment falls into, counted from 1970-01-01.
pub(crate) fn day(seconds: i64) -> i32 {
    seconds.div_euclid(DAY) as i32
}

/// `2013-07-04`
pub(crate) fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_lies_where_it_should() {
        assert_eq!(moment(JANUARY).to_string(), "2013-01-01T00:00:00Z");
        assert_eq!(moment(MARCH).to_string(), "2013-03-01T00:00:00Z");
        assert_eq!(moment(END).to_string(), "2014-01-01T00:00:00Z");
        assert_eq!(date(moment(MARCH)), "2013-03-01");
    }
}

//! Times in text, as RFC 3339 in UTC.

const DAY: i128 = 86_400_000_000_000;
const MONTHS: [i128; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Nanoseconds since 1970 as RFC 3339; `None` beyond the years 0 to 9999, which it can't name.
pub(super) fn rfc3339(nanoseconds: i128) -> Option<String> {
    let (days, rest) = (nanoseconds.div_euclid(DAY), nanoseconds.rem_euclid(DAY));
    let days = days + before(1970);
    if !(0..before(10_000)).contains(&days) {
        return None;
    }
    // The mean length of a year is just below 365.2425 days: this is the year, or the one beside it.
    let guess = days * 10_000 / 3_652_425;
    let year = (guess - 1..=guess + 1).rev().find(|&year| before(year) <= days)?;
    let mut day = days - before(year);
    let leap = before(year + 1) - before(year) - 365;
    let mut month = 1;
    for (index, length) in MONTHS.into_iter().enumerate() {
        let length = if index == 1 { length + leap } else { length };
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (seconds, fraction) = (rest / 1_000_000_000, rest % 1_000_000_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = match fraction {
        0 => String::new(),
        fraction => format!(".{fraction:09}"),
    };
    Some(format!(
        "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z",
        day + 1
    ))
}

/// The days from the begin of the year 0 to that of another.
fn before(year: i128) -> i128 {
    let last = year - 1;
    // The year 0 is a leap year.
    let leaps = last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400) + 1;
    year * 365 + leaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, TimestampNanosecondArray, TimestampSecondArray};
    use arrow::util::display::array_value_to_string;

    #[track_caller]
    fn same(array: &dyn Array, nanoseconds: i128) {
        let expected = array_value_to_string(array, 0).expect("a text");
        assert_eq!(rfc3339(nanoseconds), Some(expected));
    }

    #[test]
    fn every_day_of_nine_centuries_and_odd_times_are_named_as_arrow_names_them() {
        for day in -150_000..180_000_i64 {
            let seconds = day * 86_400 + day.rem_euclid(86_400);
            let array = TimestampSecondArray::from(vec![seconds]).with_timezone("+00:00");
            same(&array, i128::from(seconds) * 1_000_000_000);
        }
        for nanoseconds in [-1, 1, 999_999_999, i64::MIN + 1, i64::MAX, 951_868_799_123_456_789] {
            let array = TimestampNanosecondArray::from(vec![nanoseconds]).with_timezone("+00:00");
            same(&array, i128::from(nanoseconds));
        }
    }

    #[test]
    fn what_has_no_name_has_none() {
        let second = 1_000_000_000;
        assert_eq!(rfc3339(-62_167_219_200 * second).as_deref(), Some("0000-01-01T00:00:00Z"));
        assert_eq!(rfc3339(-62_167_219_200 * second - 1), None);
        assert_eq!(rfc3339(253_402_300_799 * second).as_deref(), Some("9999-12-31T23:59:59Z"));
        assert_eq!(rfc3339(253_402_300_800 * second), None);
        assert_eq!(rfc3339(i128::MAX), None);
    }
}

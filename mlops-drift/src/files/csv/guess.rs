//! What one cell of a CSV file looks like.

use arrow::array::timezone::Tz;
use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::datatypes::Date32Type;

use super::super::settle::Guess;

/// The kind of a cell; none for an empty or a blank one.
///
/// Digits behind a leading zero are text: they are somebody's code, and would lose the zero.
pub(super) fn guess(cell: &[u8]) -> Guess {
    let Ok(text) = std::str::from_utf8(cell) else { return Guess::TEXT };
    let word = text.trim();
    if word.is_empty() {
        return Guess::default();
    }
    if word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false") {
        return Guess::BOOLEAN;
    }
    number(word).or_else(|| time(word)).unwrap_or(Guess::TEXT)
}

fn number(word: &str) -> Option<Guess> {
    let unsigned = word.trim_start_matches(['-', '+']);
    let mut digits = unsigned.bytes();
    if digits.next() == Some(b'0') && digits.next().is_some_and(|next| next.is_ascii_digit()) {
        return None;
    }
    if let Ok(integer) = word.parse::<i64>() {
        return Some(if integer < 0 { Guess::NEGATIVE } else { Guess::INTEGER });
    }
    if word.parse::<u64>().is_ok() {
        return Some(Guess::LARGE);
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too long to be a number that somebody counts with.
        return None;
    }
    word.parse::<f64>().is_ok().then_some(Guess::FLOAT)
}

fn time(word: &str) -> Option<Guess> {
    let date = word.get(..10)?;
    let shape = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    if !date.bytes().enumerate().all(shape) {
        return None;
    }
    if word.len() == 10 {
        return Date32Type::parse(word).map(|_| Guess::DATE);
    }
    let utc: Tz = "+00:00".parse().ok()?;
    let moment = string_to_datetime(&utc, word).ok()?;
    let is_coarse = moment.timestamp_subsec_nanos() % 1_000 == 0;
    Some(if is_coarse { Guess::MICROSECONDS } else { Guess::NANOSECONDS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_what_they_look_like() {
        let cases = [
            ("", Guess::default()),
            ("  ", Guess::default()),
            ("True", Guess::BOOLEAN),
            ("0", Guess::INTEGER),
            (" 12 ", Guess::INTEGER),
            ("-3", Guess::NEGATIVE),
            ("9223372036854775808", Guess::LARGE),
            ("18446744073709551616", Guess::TEXT),
            ("0.5", Guess::FLOAT),
            ("-.5e-3", Guess::FLOAT),
            ("NaN", Guess::FLOAT),
            ("-inf", Guess::FLOAT),
            ("007", Guess::TEXT),
            ("1,5", Guess::TEXT),
            ("2013-01-31", Guess::DATE),
            ("2013-13-31", Guess::TEXT),
            ("2013-01-31T12:00:00Z", Guess::MICROSECONDS),
            ("9999-12-31 23:59:59.999999", Guess::MICROSECONDS),
            ("2013-01-31 12:00:00.123456789", Guess::NANOSECONDS),
            ("tomorrow", Guess::TEXT),
            ("ünïcödé ünïcödé", Guess::TEXT),
        ];
        for (cell, expected) in cases {
            assert_eq!(guess(cell.as_bytes()), expected, "{cell:?}");
        }
        assert_eq!(guess(&[0xff]), Guess::TEXT);
    }
}

//! Everything that is printed: one JSON object or a table on standard output, words on standard error.

use std::io::Write as _;

use anyhow::Result;
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::Value;

/// Whoever reads our standard output has closed it.
#[derive(Debug)]
pub(crate) struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("standard output is closed")
    }
}

impl std::error::Error for Closed {}

/// Prints one JSON object on standard output.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    text(&serde_json::to_string_pretty(value)?)
}

/// Prints text on standard output.
pub(crate) fn text(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Closed.into()),
        written => Ok(written?),
    }
}

/// The outcome of printing where the exit code says something too, which counts also when nobody reads
/// the rest.
pub(crate) fn read_or_not(printed: Result<()>) -> Result<()> {
    match printed {
        Err(error) if error.is::<Closed>() => Ok(()),
        printed => printed,
    }
}

/// Says something to the person: on standard error, so that it never mixes with a result.
pub(crate) fn say(text: &str) {
    // Without a standard error there is nobody to tell.
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

/// A table with these columns.
pub(crate) fn table<const N: usize>(
    columns: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    table_of(&columns, rows)
}

/// A table with as many columns as there are.
pub(crate) fn table_of(
    columns: &[&str],
    rows: impl IntoIterator<Item = impl IntoIterator<Item = String>>,
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(columns);
    table.add_rows(rows.into_iter().map(|row| row.into_iter().collect::<Vec<_>>()));
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A number as JSON: null for NaN, strings for infinities.
pub(crate) fn number(value: f64) -> Value {
    match value {
        v if v.is_finite() => v.into(),
        f64::INFINITY => "inf".into(),
        f64::NEG_INFINITY => "-inf".into(),
        _ => Value::Null,
    }
}

/// A number as JSON, null when there is none.
pub(crate) fn maybe(value: Option<f64>) -> Value {
    value.map_or(Value::Null, number)
}

/// A number for people: four significant digits, `-` when there is none.
pub(crate) fn short(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(v) if v.abs() >= 1e5 || v.abs() < 1e-3 => format!("{v:.1e}"),
        Some(v) if v.abs() >= 100.0 => format!("{v:.0}"),
        Some(v) => format!("{v:.4}"),
    }
}

/// A span of seconds for people.
pub(crate) fn span(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(s) if s < 0.1 => format!("{:.0} ms", s * 1e3),
        Some(s) if s < 120.0 => format!("{s:.1} s"),
        Some(s) if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        Some(s) if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
        Some(s) => format!("{:.0} days", s / 86_400.0),
    }
}

/// The first characters of an id that tell it from others.
pub(crate) fn brief(id: &str) -> String {
    id.chars().take(15).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_numbers_are_null_and_infinities_are_strings() {
        assert_eq!(number(f64::NAN), Value::Null);
        assert_eq!(number(f64::NEG_INFINITY), "-inf");
        assert_eq!(number(0.5), 0.5);
    }

    #[test]
    fn spans_and_numbers_read_well() {
        assert_eq!(span(Some(0.05)), "50 ms");
        assert_eq!(span(Some(90_000.0)), "25.0 h");
        assert_eq!(short(Some(0.000_012)), "1.2e-5");
        assert_eq!(short(None), "-");
    }
}

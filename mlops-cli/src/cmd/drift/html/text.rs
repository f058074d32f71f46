//! Text, numbers and tables of the page.

use crate::output::short;

/// Text that can't become markup, in an element or in a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// The first so many characters of a text.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A cell of a number, which sorts by its value.
pub(super) fn number(value: Option<f64>) -> String {
    match value {
        Some(v) if !v.is_nan() => {
            let sort = match v {
                f64::INFINITY => "Infinity".to_owned(),
                f64::NEG_INFINITY => "-Infinity".to_owned(),
                v => v.to_string(),
            };
            format!("<td class=\"n\" data-v=\"{sort}\">{}</td>", short(Some(v)))
        }
        _ => "<td class=\"n\">-</td>".to_owned(),
    }
}

/// A cell of a count.
pub(super) fn count(value: u64) -> String {
    format!("<td class=\"n\" data-v=\"{value}\">{value}</td>")
}

/// A cell of text.
pub(super) fn cell(text: &str) -> String {
    format!("<td class=\"name\">{}</td>", escape(&cut(text, 200)))
}

/// A table with a heading; numbers stand below headings that end with `#`, which is not shown.
pub(super) fn table(class: &str, heads: &[&str], rows: &str) -> String {
    let head = |head: &&str| match head.strip_suffix('#') {
        Some(head) => format!("<th class=\"n\">{}</th>", escape(head)),
        None => format!("<th>{}</th>", escape(head)),
    };
    let heads: String = heads.iter().map(head).collect();
    format!(
        "<div class=\"scroll\"><table class=\"{class}\"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// A value of a column of this Arrow type: a number, or a time where the type is one.
pub(super) fn value(value: f64, data_type: &str) -> String {
    match nanoseconds(data_type).and_then(|unit| time(value * unit)) {
        Some(time) => time,
        None => {
            let plain = value.to_string();
            if plain.len() <= 10 { plain } else { format!("{value:.5e}") }
        }
    }
}

fn time(nanoseconds: f64) -> Option<String> {
    let time = jiff::Timestamp::from_nanosecond(nanoseconds as i128).ok()?;
    let text = time.to_string();
    Some(text.trim_end_matches('Z').trim_end_matches("T00:00:00").replace('T', " "))
}

/// The unit of a timestamp or date.
fn nanoseconds(data_type: &str) -> Option<f64> {
    let unit = match data_type {
        "Date32" => return Some(86_400e9),
        "Date64" => return Some(1e6),
        other => other.strip_prefix("Timestamp(")?,
    };
    match unit.split([',', ')']).next()? {
        "s" => Some(1e9),
        "ms" => Some(1e6),
        "µs" => Some(1e3),
        "ns" => Some(1.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mlops_drift::arrow::datatypes::{DataType, TimeUnit};

    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("<script>\"&'\u{1}"), "&lt;script&gt;&quot;&amp;&#39;\u{fffd}");
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(cell("<b>"), "<td class=\"name\">&lt;b&gt;</td>");
    }

    #[test]
    fn times_are_shown_as_times_and_long_numbers_are_cut() {
        let day = 19_723.0;
        for (data_type, unit) in [
            (DataType::Date32, 1.0),
            (DataType::Timestamp(TimeUnit::Second, None), 86_400.0),
            (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), 86_400e6),
        ] {
            assert_eq!(value(day * unit, &data_type.to_string()), "2024-01-01", "{data_type}");
        }
        assert_eq!(value(1.5, "Float64"), "1.5");
        assert_eq!(value(1.0 / 3.0, "Float64"), "3.33333e-1");
        assert_eq!(value(1e300, "Date32"), "1.00000e300");
        assert_eq!(number(None), "<td class=\"n\">-</td>");
    }
}

//! All that is known of one column.

use anyhow::Result;
use mlops_drift::report::{ColumnReport, Counts, Verdict};
use serde_json::Value;

use super::text::{cell, count, cut, escape, number, table, value};
use super::{Statistic, charts};
use crate::cmd::drift::statistics::keep;
use crate::cmd::drift::table::decided_by;
use crate::output::short;

/// A column to be opened, by its place in the report.
pub(super) fn section(
    at: usize,
    column: &ColumnReport,
    chosen: &[Statistic],
    open: bool,
) -> Result<String> {
    Ok(format!(
        "<details class=\"column {verdict}\" id=\"c{at}\" data-name=\"{name}\"{open}><summary>{summary}</summary>{body}</details>\n",
        verdict = verdict(column),
        name = escape(&column.column),
        open = if open { " open" } else { "" },
        summary = summary(&column.column, column),
        body = body(column, chosen)?,
    ))
}

/// The verdict as a word, which is also the class that colours it.
pub(super) const fn verdict(column: &ColumnReport) -> &'static str {
    match column.verdict {
        Verdict::Stable => "stable",
        Verdict::Drifted => "drifted",
        Verdict::Unchecked => "unchecked",
    }
}

/// What was decided, in a line.
pub(super) fn summary(name: &str, column: &ColumnReport) -> String {
    let decided = match column.verdict {
        Verdict::Unchecked => String::new(),
        _ => format!(
            "{}: effect {} (matters from {}), adjusted p {}",
            decided_by(column),
            short(column.effect),
            short(column.min_effect),
            short(column.adjusted_p_value),
        ),
    };
    format!(
        "<b>{}</b> <span class=\"word {verdict}\">{verdict}</span> <span class=\"faint\">{}</span>",
        escape(&cut(name, 200)),
        escape(&decided),
        verdict = verdict(column),
    )
}

/// Charts and tables.
pub(super) fn body(column: &ColumnReport, chosen: &[Statistic]) -> Result<String> {
    let mut body = String::new();
    if let Some(reason) = &column.reason {
        body.push_str(&format!("<p>Not checked: {}</p>", escape(&cut(reason, 500))));
    }
    if let Some(chart) = charts::distribution(column)? {
        body.push_str("<h3>Both sides, in the bins of PSI or by category</h3>");
        body.push_str(&chart);
    }
    if let Some(chart) = charts::moved(column)? {
        body.push_str("<h3>What moved: percentage points that came in, or went</h3>");
        body.push_str(&chart);
    }
    let tables = [tests(column), quantiles(column), rows(column), statistics(column, chosen)?];
    body.push_str(&format!(
        "<div class=\"tables\">{}</div>{}",
        tables.concat(),
        categories(column)
    ));
    Ok(body)
}

fn titled(title: &str, heads: &[&str], rows: String) -> String {
    if rows.is_empty() {
        return String::new();
    }
    format!("<div><h3>{title}</h3>{}</div>", table("", heads, &rows))
}

fn tests(column: &ColumnReport) -> String {
    let row = |test: &mlops_drift::report::Test| {
        format!(
            "<tr><td>{}</td>{}{}{}{}</tr>",
            format!("{:?}", test.kind).to_lowercase(),
            number(test.p_value),
            number(test.adjusted_p_value),
            number(test.effect),
            number(test.min_effect),
        )
    };
    let rows = column.tests.iter().map(row).collect();
    titled("Tests", &["test", "p#", "adjusted p#", "effect#", "matters from#"], rows)
}

fn quantiles(column: &ColumnReport) -> String {
    let shown = |number: Option<f64>| match number {
        Some(number) => {
            format!("<td class=\"n\">{}</td>", escape(&value(number, &column.data_type)))
        }
        None => "<td class=\"n\">-</td>".to_owned(),
    };
    let row = |shift: &mlops_drift::report::QuantileShift| {
        let percent = (shift.q * 100.0).round();
        format!("<tr><td>{percent} %</td>{}{}</tr>", shown(shift.reference), shown(shift.current))
    };
    let rows = column.quantile_shifts.iter().map(row).collect();
    titled("Quantiles", &["", "reference#", "current#"], rows)
}

fn rows(column: &ColumnReport) -> String {
    type Kind = (&'static str, fn(&Counts) -> u64);
    let (old, new) = (&column.counts.reference, &column.counts.current);
    let kinds: [Kind; 5] = [
        ("rows", |side| side.rows),
        ("usable", |side| side.finite),
        ("null", |side| side.null),
        ("NaN", |side| side.nan),
        ("infinite", |side| side.infinite),
    ];
    let row =
        |(name, of): Kind| format!("<tr><td>{name}</td>{}{}</tr>", count(of(old)), count(of(new)));
    let mut rows: String = kinds.into_iter().map(row).collect();
    if let Some(clusters) = &column.clusters {
        let (old, new) = (count(clusters.reference), count(clusters.current));
        rows.push_str(&format!("<tr><td>clusters</td>{old}{new}</tr>"));
    }
    titled("Rows", &["", "reference#", "current#"], rows)
}

/// Every statistic as the JSON has it, but for the counts of the bins, which are drawn.
fn statistics(column: &ColumnReport, chosen: &[Statistic]) -> Result<String> {
    let mut column = column.clone();
    keep(&mut column, chosen);
    let Value::Object(found) = serde_json::to_value(&column.statistics)? else {
        return Ok(String::new());
    };
    let shown = |value: &Value| match value {
        Value::Number(number) => short(number.as_f64()),
        Value::String(text) => text.clone(),
        Value::Array(pair) => {
            let ends: Vec<String> = pair.iter().map(|end| short(end.as_f64())).collect();
            format!("[{}]", ends.join(", "))
        }
        _ => "-".to_owned(),
    };
    let hidden = ["value", "edges", "reference_counts", "current_counts"];
    let row = |(name, fields): (&String, &Value)| {
        let fields = fields.as_object();
        let rest = fields.into_iter().flatten();
        let rest = rest.filter(|(key, value)| !hidden.contains(&key.as_str()) && !value.is_null());
        let rest: Vec<String> = rest
            .map(|(key, value)| format!("{} {}", key.replace('_', " "), shown(value)))
            .collect();
        let value = fields.and_then(|fields| fields.get("value")).map_or("-".to_owned(), shown);
        format!(
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"faint\">{}</td></tr>",
            name.replace('_', " "),
            escape(&value),
            escape(&rest.join("; "))
        )
    };
    Ok(titled("Statistics", &["", "value#", ""], found.iter().map(row).collect()))
}

/// New and vanished categories.
fn categories(column: &ColumnReport) -> String {
    let list = |title: &str, names: &[String]| {
        let rows: String = names.iter().map(|name| format!("<tr>{}</tr>", cell(name))).collect();
        titled(title, &[""], rows)
    };
    let found = &column.categories;
    format!(
        "<div class=\"tables\">{}{}</div>",
        list("New categories", &found.new),
        list("Vanished categories", &found.vanished)
    )
}

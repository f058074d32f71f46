//! The page of a report in parts: segments, or windows of time.

use std::cmp::Ordering;

use anyhow::Result;
use mlops_drift::report::{ColumnReport, Verdict};
use mlops_drift::split::{Part, Span, SplitReport};
use plotly::layout::AxisType;

use super::overview::{FILTER, bar, headline, link, tiles};
use super::text::{cell, count, escape, number, table};
use super::{Statistic, charts, column};
use crate::cmd::drift::table::{decided_by, most_changed, order, over_floor};
use crate::output::short;

/// How many columns the map shows, and how many parts of a column can be opened.
const MAPPED: usize = 30;
const OPENED: usize = 4;
/// What a p-value of 0 is drawn as on a logarithmic axis.
const LEAST: f64 = 1e-300;

/// One column in all parts, in their order.
struct Through<'a> {
    name: &'a str,
    found: Vec<Option<&'a ColumnReport>>,
}

impl<'a> Through<'a> {
    /// The parts that know the column, the most changed first.
    fn ranked(&self) -> Vec<(usize, &'a ColumnReport)> {
        let found = self.found.iter().enumerate();
        let mut ranked: Vec<_> = found.filter_map(|(at, found)| Some((at, (*found)?))).collect();
        ranked.sort_by(|a, b| order(a.1).partial_cmp(&order(b.1)).unwrap_or(Ordering::Equal));
        ranked
    }

    fn drifted(&self) -> usize {
        let found = self.found.iter().flatten();
        found.filter(|column| column.verdict == Verdict::Drifted).count()
    }
}

/// All columns in all parts, those that changed most first.
fn columns(report: &SplitReport) -> Vec<Through<'_>> {
    let Some(first) = report.parts.first() else { return Vec::new() };
    // All parts have the columns of one reference's schema, in its order.
    let names = first.report.columns.iter().map(|column| column.column.as_str()).enumerate();
    let found = |at: usize| report.parts.iter().map(|part| part.report.columns.get(at)).collect();
    let mut columns: Vec<Through<'_>> =
        names.map(|(at, name)| Through { name, found: found(at) }).collect();
    columns.sort_by(|a, b| {
        let key = |through: &Through<'_>| through.ranked().first().map(|(_, column)| order(column));
        key(a).partial_cmp(&key(b)).unwrap_or(Ordering::Equal)
    });
    columns
}

/// The name of a part, with both ends of a window.
fn name(part: &Part) -> String {
    match &part.span {
        Span::Window { to, .. } => {
            format!("{} – {}", part.span, to.trim_end_matches("T00:00:00Z"))
        }
        span => span.to_string(),
    }
}

pub(super) fn body(report: &SplitReport, chosen: &[Statistic]) -> Result<String> {
    let names: Vec<String> = report.parts.iter().map(name).collect();
    let columns = columns(report);
    let mut body = overview(report, &names, &columns)?;
    for (at, through) in columns.iter().enumerate() {
        body.push_str(&section(at, through, report, &names, chosen)?);
    }
    Ok(body)
}

fn overview(report: &SplitReport, names: &[String], columns: &[Through<'_>]) -> Result<String> {
    let dataset = &report.dataset;
    let tiles = tiles(&[
        ("reference rows", report.rows.reference.to_string()),
        ("current rows", report.rows.current.to_string()),
        ("rows without a time, left out", report.without_time.to_string()),
        ("parts", dataset.parts.to_string()),
        ("drifted", dataset.drifted_parts.to_string()),
        ("unchecked", dataset.unchecked_parts.to_string()),
        ("tests in all parts", report.tests.to_string()),
    ]);
    let headline = headline(dataset.drifted, &dataset.rule, report.alpha, report.correction);
    let mapped = &columns[..columns.len().min(MAPPED)];
    let map = format!(
        "<section><h2>Effect over its floor, the {} most changed columns by part</h2><p class=\"faint\">From 1 on a change \
         matters; filled cells have drifted, pale ones have not.</p>{}</section>\n",
        mapped.len(),
        map(names, mapped)?
    );
    Ok(format!(
        "<section>{headline}<p class=\"faint\">By {}. The correction runs over the tests of all parts.</p>{tiles}</section>\n\
         {map}<section><h2>Parts</h2>{}</section>\n<section><h2>Columns</h2>{FILTER}{}</section>\n",
        escape(report.by.column()),
        parts_table(report, names),
        columns_table(names, columns),
    ))
}

fn map(names: &[String], columns: &[Through<'_>]) -> Result<String> {
    let effect = |found: &Option<&ColumnReport>| {
        let column = found.as_ref()?;
        let over = over_floor(column)?;
        // Below 1 stays pale whatever the effect; an alarm is at least 1 by its floor.
        let drifted = column.verdict == Verdict::Drifted;
        Some(if drifted { over.clamp(1.0, 10.0) } else { over.min(0.99) })
    };
    let hover = |column: &str, part: &str, found: &Option<&ColumnReport>| {
        let figures = found.map_or(String::new(), |found| {
            let (effect, p) = (short(found.effect), short(found.adjusted_p_value));
            format!(
                "{} {}: effect {effect}, adjusted p {p}",
                column::verdict(found),
                decided_by(found)
            )
        });
        (format!("{column} in {part}"), figures)
    };
    // The first one at the top.
    let rows = || columns.iter().rev();
    let labels: Vec<String> = rows().map(|through| through.name.to_owned()).collect();
    let effects = rows().map(|through| through.found.iter().map(effect).collect()).collect();
    let hovers = rows().map(|through| {
        let found = names.iter().zip(&through.found);
        found.map(|(part, found)| hover(through.name, part, found)).collect()
    });
    charts::heat(names, &labels, effects, hovers.collect())
}

fn parts_table(report: &SplitReport, names: &[String]) -> String {
    let row = |(part, name): (&Part, &String)| {
        let (rows, dataset) = (part.report.rows, &part.report.dataset);
        let class = match (dataset.drifted, dataset.unchecked_columns == dataset.columns) {
            (true, _) => "drifted",
            (_, true) => "unchecked",
            _ => "stable",
        };
        let most = most_changed(&part.report);
        let effect = most.and_then(|column| column.effect);
        format!(
            "<tr class=\"{class}\">{}{}{}<td class=\"word\">{class}</td>{}{}{}<td>{}</td>{}</tr>",
            cell(name),
            count(rows.reference),
            count(rows.current),
            count(dataset.drifted_columns as u64),
            cell(most.map_or("", |column| column.column.as_str())),
            number(effect),
            most.map(bar).unwrap_or_default(),
            number(most.and_then(|column| column.adjusted_p_value)),
        )
    };
    let heads = [
        "part",
        "reference rows#",
        "current rows#",
        "verdict",
        "drifted columns#",
        "most changed",
        "effect#",
        "",
        "adjusted p#",
    ];
    table("sortable", &heads, &report.parts.iter().zip(names).map(row).collect::<String>())
}

fn columns_table(names: &[String], columns: &[Through<'_>]) -> String {
    let row = |(at, through): (usize, &Through<'_>)| {
        let Some((part, most)) = through.ranked().into_iter().next() else { return String::new() };
        format!(
            "<tr class=\"{}\" data-name=\"{}\">{}{}{}{}{}{}<td>{}</td>{}</tr>",
            column::verdict(most),
            escape(through.name),
            link(at, through.name),
            count(through.drifted() as u64),
            cell(names.get(part).map_or("", String::as_str)),
            cell(&decided_by(most)),
            number(most.effect),
            number(most.min_effect),
            bar(most),
            number(most.adjusted_p_value),
        )
    };
    let heads =
        ["column", "drifted in#", "most in", "by", "effect#", "matters from#", "", "adjusted p#"];
    table("sortable", &heads, &columns.iter().enumerate().map(row).collect::<String>())
}

/// One column: how it went through the parts, and the parts in which it changed most.
fn section(
    at: usize,
    through: &Through<'_>,
    report: &SplitReport,
    names: &[String],
    chosen: &[Statistic],
) -> Result<String> {
    let ranked = through.ranked();
    let Some((_, most)) = ranked.first() else { return Ok(String::new()) };
    let drifted: Vec<bool> = through
        .found
        .iter()
        .map(|found| found.is_some_and(|column| column.verdict == Verdict::Drifted))
        .collect();
    let figure = |of: fn(&ColumnReport) -> Option<f64>| -> Vec<Option<f64>> {
        through.found.iter().map(|found| found.and_then(of)).collect()
    };
    let effects = charts::over_parts(
        names,
        figure(over_floor),
        &drifted,
        ("matters from here", 1.0),
        ("effect / floor", AxisType::Linear),
    )?;
    let p_values = charts::over_parts(
        names,
        figure(|column| column.adjusted_p_value.map(|p| p.max(LEAST))),
        &drifted,
        ("alpha", report.alpha),
        ("adjusted p", AxisType::Log),
    )?;
    let mut opened = String::new();
    for (part, column) in ranked.iter().take(through.drifted().clamp(1, OPENED)) {
        let name = names.get(*part).map_or("", String::as_str);
        opened.push_str(&format!(
            "<details class=\"part {}\"><summary>{}</summary>{}</details>",
            column::verdict(column),
            column::summary(name, column),
            column::body(column, chosen)?,
        ));
    }
    let parts = report.dataset.parts;
    Ok(format!(
        "<details class=\"column {verdict}\" id=\"c{at}\" data-name=\"{name}\"{open}><summary><b>{shown}</b> \
         <span class=\"word {verdict}\">drifted in {drifted} of {parts} parts</span></summary>\
         <h3>Effect over its floor, part by part</h3>{effects}<h3>Adjusted p, part by part</h3>{p_values}\
         <h3>Where it changed most (at most {OPENED} parts; the JSON has all of them)</h3>{opened}</details>\n",
        verdict = column::verdict(most),
        name = escape(through.name),
        shown = escape(&super::text::cut(through.name, 200)),
        open = if at == 0 { " open" } else { "" },
        drifted = through.drifted(),
    ))
}

//! The first section: the verdict on all, and a table of all columns.

use mlops_drift::Correction;
use mlops_drift::report::{ColumnReport, Report};

use super::Statistic;
use super::column::verdict;
use super::text::{cell, cut, escape, number, table};
use crate::cmd::drift::table::{decided_by, kind, over_floor};

/// The figures of a report, each in its tile.
pub(super) fn tiles(tiles: &[(&str, String)]) -> String {
    let tile = |(name, value): &(&str, String)| {
        format!("<div class=\"tile\"><b>{}</b>{}</div>", escape(value), escape(name))
    };
    format!("<div class=\"tiles\">{}</div>", tiles.iter().map(tile).collect::<String>())
}

/// The verdict, and how it was reached.
pub(super) fn headline(drifted: bool, rule: &str, alpha: f64, correction: Correction) -> String {
    let (class, word) = if drifted { ("drifted", "DRIFTED") } else { ("stable", "No drift") };
    let kept = match correction {
        Correction::None => "of each test by itself",
        Correction::Bonferroni => "of any false alarm in the report",
        _ => "of false ones among the alarms",
    };
    format!(
        "<h2 class=\"word {class}\">{word}</h2><p class=\"faint\">Rule: {}. A change counts where it is both \
         significant (alpha {alpha}, the rate {kept}; correction: {}) and large enough to matter (effect at \
         or above its floor).</p>",
        escape(rule),
        correction.word(),
    )
}

/// What finds a column among many.
pub(super) const FILTER: &str =
    "<p><input id=\"filter\" placeholder=\"find a column\" aria-label=\"find a column\"></p>";

/// A bar of the effect beside its floor, full at four floors.
pub(super) fn bar(column: &ColumnReport) -> String {
    let filled = over_floor(column).filter(|over| over.is_finite());
    let width = (25.0 * filled.unwrap_or(0.0)).clamp(0.0, 100.0);
    format!("<span class=\"bar\"><i style=\"width:{width:.0}%\"></i></span>")
}

/// A cell that links to a column's section.
pub(super) fn link(at: usize, name: &str) -> String {
    let (name, full) = (escape(&cut(name, 200)), escape(name));
    format!("<td class=\"name\" data-v=\"{full}\"><a href=\"#c{at}\">{name}</a></td>")
}

/// The overview of a report on all columns, which are in the order of their sections.
pub(super) fn whole(report: &Report, columns: &[&ColumnReport], chosen: &[Statistic]) -> String {
    let shown: &[Statistic] =
        if chosen.is_empty() { &[Statistic::Psi, Statistic::Ks] } else { chosen };
    let dataset = &report.dataset;
    let tiles = tiles(&[
        ("reference rows", report.rows.reference.to_string()),
        ("current rows", report.rows.current.to_string()),
        ("columns", dataset.columns.to_string()),
        ("drifted", dataset.drifted_columns.to_string()),
        ("unchecked", dataset.unchecked_columns.to_string()),
    ]);
    let heads =
        ["column", "kind", "verdict", "decided by", "effect#", "matters from#", "", "adjusted p#"];
    let named: Vec<String> = shown.iter().map(|name| format!("{}#", name.head())).collect();
    let heads: Vec<&str> = heads.into_iter().chain(named.iter().map(String::as_str)).collect();
    let row = |(at, column): (usize, &&ColumnReport)| {
        let values = shown.iter().map(|name| number(name.value(&column.statistics)));
        format!(
            "<tr class=\"{verdict}\" data-name=\"{name}\">{link}{kind}<td class=\"word\">{verdict}</td>{by}{effect}{floor}\
             <td>{bar}</td>{p}{values}</tr>",
            verdict = verdict(column),
            name = escape(&column.column),
            link = link(at, &column.column),
            kind = cell(&kind(column)),
            by = cell(&decided_by(column)),
            effect = number(column.effect),
            floor = number(column.min_effect),
            bar = bar(column),
            p = number(column.adjusted_p_value),
            values = values.collect::<String>(),
        )
    };
    let rows: String = columns.iter().enumerate().map(row).collect();
    format!(
        "<section>{}{tiles}{FILTER}{}</section>\n",
        headline(dataset.drifted, &dataset.rule, report.alpha, report.correction),
        table("sortable", &heads, &rows),
    )
}

//! Reports for people at a terminal.

use mlops_drift::report::{ColumnReport, Report, Verdict};
use mlops_drift::split::{Part, SplitReport};

use super::Statistic;
use crate::output;

/// A report on all columns, with these statistics.
pub(super) fn whole(report: &Report, shown: &[Statistic]) -> String {
    let mut header: Vec<&str> = vec!["COLUMN", "KIND", "VERDICT", "BY", "EFFECT", "P (ADJ)"];
    header.extend(shown.iter().map(|name| name.head()));
    header.extend(["REFERENCE", "CURRENT", ""]);
    let row = |column: &ColumnReport| {
        let mut cells = vec![plain(&column.column), kind(column)];
        cells.extend(judged(column));
        cells.extend(values(column, shown));
        let psi = column.statistics.psi.as_ref();
        cells.push(psi.map_or(String::new(), |psi| histogram(&psi.reference_counts)));
        cells.push(psi.map_or(String::new(), |psi| histogram(&psi.current_counts)));
        cells.push(plain(column.reason.as_deref().unwrap_or_default()));
        cells
    };
    let columns = output::table_of(&header, report.columns.iter().map(row));
    format!("{columns}\n\n{}", verdict(report))
}

/// The verdict on all columns, in a line.
pub(super) fn verdict(report: &Report) -> String {
    let dataset = &report.dataset;
    format!(
        "{}: {} of {} columns drifted, {} unchecked  (rows {} -> {}, alpha {}, {})",
        word(dataset.drifted),
        dataset.drifted_columns,
        dataset.columns,
        dataset.unchecked_columns,
        report.rows.reference,
        report.rows.current,
        report.alpha,
        dataset.rule,
    )
}

/// A line a part, with the column that has changed most, and these statistics of that.
pub(super) fn split(report: &SplitReport, shown: &[Statistic]) -> String {
    let mut header: Vec<&str> =
        vec!["PART", "ROWS", "DRIFTED", "MOST CHANGED", "VERDICT", "BY", "EFFECT", "P (ADJ)"];
    header.extend(shown.iter().map(|name| name.head()));
    header.push("");
    let row = |part: &Part| {
        let (rows, dataset) = (part.report.rows, &part.report.dataset);
        let mut cells = vec![
            plain(&part.span.to_string()),
            format!("{} -> {}", rows.reference, rows.current),
            format!("{} of {}", dataset.drifted_columns, dataset.columns),
        ];
        let Some(column) = most_changed(&part.report) else { return cells };
        cells.push(plain(&column.column));
        cells.extend(judged(column));
        cells.extend(values(column, shown));
        cells.push(plain(column.reason.as_deref().unwrap_or_default()));
        cells
    };
    let parts = output::table_of(&header, report.parts.iter().map(row));
    format!("{parts}\n\n{}", split_verdict(report))
}

/// The verdict on all parts, in a line.
pub(super) fn split_verdict(report: &SplitReport) -> String {
    let dataset = &report.dataset;
    let out = match report.without_time {
        0 => String::new(),
        rows => format!(", {rows} without a time left out"),
    };
    format!(
        "{}: {} of {} parts drifted, {} unchecked  (rows {} -> {}{out}, alpha {} over {} tests, {})",
        word(dataset.drifted),
        dataset.drifted_parts,
        dataset.parts,
        dataset.unchecked_parts,
        report.rows.reference,
        report.rows.current,
        report.alpha,
        report.tests,
        dataset.rule,
    )
}

/// The column that speaks for a part: a drifted one if there is any, that of the smallest adjusted p-value.
pub(super) fn most_changed(report: &Report) -> Option<&ColumnReport> {
    report.columns.iter().min_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(EQUAL))
}

const EQUAL: std::cmp::Ordering = std::cmp::Ordering::Equal;

/// Drifted columns first, then by p-value and effect over its floor, unchecked ones last.
pub(super) fn order(column: &ColumnReport) -> (u8, f64, f64) {
    let rank = match column.verdict {
        Verdict::Drifted => 0,
        Verdict::Stable => 1,
        Verdict::Unchecked => 2,
    };
    (rank, column.adjusted_p_value.unwrap_or(1.0), -over_floor(column).unwrap_or(0.0))
}

/// How large the change is in units of what matters; the effect itself where there is no floor.
pub(super) fn over_floor(column: &ColumnReport) -> Option<f64> {
    let floor = column.min_effect.filter(|floor| *floor > 0.0).unwrap_or(1.0);
    Some(column.effect? / floor)
}

/// What decided, in one word.
pub(super) fn decided_by(column: &ColumnReport) -> String {
    column.decided_by.map_or(String::new(), |change| format!("{change:?}").to_lowercase())
}

/// The kind in one word.
pub(super) fn kind(column: &ColumnReport) -> String {
    column.kind.map_or("-".to_owned(), |kind| format!("{kind:?}").to_lowercase())
}

fn judged(column: &ColumnReport) -> [String; 4] {
    let verdict = match column.verdict {
        Verdict::Stable => "stable".to_owned(),
        Verdict::Drifted => "DRIFTED".to_owned(),
        Verdict::Unchecked => "unchecked".to_owned(),
    };
    let (effect, p) = (output::short(column.effect), output::short(column.adjusted_p_value));
    [verdict, decided_by(column), effect, p]
}

fn values(column: &ColumnReport, shown: &[Statistic]) -> Vec<String> {
    shown.iter().map(|name| output::short(name.value(&column.statistics))).collect()
}

const fn word(drifted: bool) -> &'static str {
    if drifted { "DRIFTED" } else { "no drift" }
}

/// Names in data may hold anything; what steers a terminal is not printed.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The shares of at most twenty bins as bars of eight heights.
fn histogram(counts: &[u64]) -> String {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| BARS[(count * 8).div_ceil(most).min(8) as usize];
    counts.iter().take(20).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_have_a_bar_for_everything_that_is_there() {
        assert_eq!(histogram(&[0, 1, 1_000_000]), " ▁█");
        assert_eq!(histogram(&[]), "");
    }

    #[test]
    fn names_do_not_steer_the_terminal() {
        assert_eq!(plain("\u{1b}[31mred\n"), "\u{fffd}[31mred\u{fffd}");
    }
}

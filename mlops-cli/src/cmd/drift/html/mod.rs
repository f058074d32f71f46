//! A report as one page with charts, in one file that asks for nothing from outside.
//!
//! Names and categories are the data's and may hold anything: text is escaped on its way into the page
//! (`text`), again on its way into a chart (`charts`), and the page's policy lets no script run but its
//! own two.

mod charts;
mod column;
mod overview;
mod parts;
mod text;

use anyhow::Result;
use mlops_drift::report::{ColumnReport, Report};
use mlops_drift::split::SplitReport;
use plotly::Plot;

use super::Statistic;
use super::table::order;
use text::escape;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page of a report on all columns, with these statistics (all of them where none is named).
pub(super) fn whole(report: &Report, title: &str, chosen: &[Statistic]) -> Result<String> {
    let mut columns: Vec<&ColumnReport> = report.columns.iter().collect();
    columns.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal));
    let mut body = overview::whole(report, &columns, chosen);
    for (at, column) in columns.into_iter().enumerate() {
        // One that is open shows what the others hold.
        body.push_str(&column::section(at, column, chosen, at == 0)?);
    }
    Ok(page(title, &body))
}

/// The page of a report in parts.
pub(super) fn split(report: &SplitReport, title: &str, chosen: &[Statistic]) -> Result<String> {
    Ok(page(title, &parts::body(report, chosen)?))
}

fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    // What is in the page can't know this word beforehand.
    let nonce = blake3::hash(body.as_bytes()).to_hex();
    let plotly = plotly_script();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'nonce-{nonce}'; img-src data: blob:\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Drift: {title}</title><style>{STYLE}</style></head><body>\n<h1>Drift: {title}</h1>\n{body}\
         <script nonce=\"{nonce}\">{plotly}</script>\n<script nonce=\"{nonce}\">{SCRIPT}</script>\n</body></html>"
    )
}

/// The chart library's own script, of the scripts that the crate brings along: the others set formulas,
/// which no label of ours is.
fn plotly_script() -> String {
    let mut scripts = Plot::offline_js_sources();
    if let Some(end) = scripts.find("</script>") {
        scripts.truncate(end);
    }
    match scripts.find('>') {
        Some(begin) => scripts.split_off(begin + 1),
        None => scripts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_the_chart_library_alone() {
        let script = plotly_script();
        assert!(script.contains("plotly.js v") && script.len() > 1_000_000);
        assert!(!script.contains("<script type") && !script.contains("</script"));
        assert!(script.len() + 100_000 < Plot::offline_js_sources().len(), "others are left out");
    }

    #[test]
    fn no_other_script_may_run_and_nothing_may_be_fetched() {
        let page = page("<b>&", "<p>");
        let nonce = blake3::hash(b"<p>").to_hex().to_string();
        assert_eq!(page.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
        assert_eq!(page.matches("default-src 'none'").count(), 1);
        assert!(page.contains("<h1>Drift: &lt;b&gt;&amp;</h1>"));
    }
}

//! `mlops drift REF CUR --compat PEER`

use std::process::ExitCode;

use anyhow::Result;
use mlops_drift::arrow::array::RecordBatch;
use mlops_drift::arrow::datatypes::Schema;
use mlops_drift::compat::{self, ColumnReport, Compared, Finding, Peer, Report, Verdict};
use mlops_drift::{Error, ErrorKind};

use super::{choose, deliver, read};
use crate::args::{DriftArgs, DriftFormat};
use crate::output;

pub(crate) fn run(args: &DriftArgs, peer: Peer) -> Result<ExitCode> {
    let mut chosen = choose::columns(args);
    let (mut reference, current) = read::read(args, &mut chosen)?;
    if let Some(first) = reference.first() {
        // What was left out on reading needs no more excluding.
        let wanted = wanted(&first.schema(), &args.columns, &chosen.exclude)?;
        reference = project(&reference, &wanted)?;
    }
    let progress = crate::demo::progress::spinner("comparing");
    let report = compat::compare(&reference, &current, peer)?;
    progress.finish_and_clear();
    let text = match args.printed() {
        DriftFormat::Json => serde_json::to_string_pretty(&report)?,
        DriftFormat::Table | DriftFormat::Html => table(&report),
    };
    deliver(args, &text, &verdict(&report), report.dataset.drifted)
}

/// The positions of the columns to check: all of them, or the named ones, without the excluded ones.
fn wanted(schema: &Schema, columns: &[String], exclude: &[String]) -> Result<Vec<usize>> {
    for name in columns.iter().chain(exclude) {
        if schema.field_with_name(name).is_err() {
            let message = format!("no such column: column={name}");
            return Err(Error::new(ErrorKind::UnknownColumn, message).into());
        }
    }
    let is_wanted =
        |name: &String| (columns.is_empty() || columns.contains(name)) && !exclude.contains(name);
    let fields = schema.fields().iter().enumerate();
    Ok(fields.filter(|(_, field)| is_wanted(field.name())).map(|(at, _)| at).collect())
}

fn project(batches: &[RecordBatch], wanted: &[usize]) -> Result<Vec<RecordBatch>> {
    Ok(batches.iter().map(|batch| batch.project(wanted)).collect::<Result<_, _>>()?)
}

fn table(report: &Report) -> String {
    let header = ["COLUMN", "VERDICT", "METHOD", "STATISTIC", "P", "THRESHOLD", "CHUNKS", ""];
    let columns = output::table(header, report.columns.iter().map(row));
    format!("{columns}\n\n{}", verdict(report))
}

/// The verdict on all columns, in a line.
fn verdict(report: &Report) -> String {
    let dataset = &report.dataset;
    let verdict = if dataset.drifted { "DRIFTED" } else { "no drift" };
    let version = report.version.as_ref().map_or(String::new(), |version| format!(" {version}"));
    format!(
        "{verdict}: {} of {} columns drifted, {} unchecked  (rows {} -> {}, {}{version}: {})",
        dataset.drifted_columns,
        dataset.columns,
        dataset.unchecked_columns,
        report.rows.reference,
        report.rows.current,
        report.peer,
        dataset.rule,
    )
}

/// A column by its first finding, which decides.
fn row(column: &ColumnReport) -> [String; 8] {
    let verdict = match column.verdict {
        Verdict::Drifted => "DRIFTED".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    let finding = column.findings.first();
    let number = |of: fn(&Finding) -> Option<f64>| output::short(finding.and_then(of));
    let threshold = finding.and_then(|finding| finding.threshold).map(|threshold| {
        let law = finding.is_some_and(|finding| finding.compared == Compared::PValue);
        format!("{}{}", if law { "p " } else { "" }, output::short(Some(threshold)))
    });
    let chunks = finding.filter(|finding| !finding.chunks.is_empty()).map(|finding| {
        let alerts = finding.chunks.iter().filter(|chunk| chunk.drifted).count();
        format!("{alerts} of {}", finding.chunks.len())
    });
    [
        column.column.clone(),
        verdict,
        finding.map_or("-".to_owned(), method),
        number(|finding| finding.statistic),
        number(|finding| finding.p_value),
        threshold.unwrap_or_else(|| "-".to_owned()),
        chunks.unwrap_or_default(),
        column.reason.clone().unwrap_or_default(),
    ]
}

/// The method's word, as JSON has it.
fn method(finding: &Finding) -> String {
    let word = serde_json::to_value(finding.method).ok();
    word.as_ref().and_then(|word| word.as_str()).unwrap_or("-").to_owned()
}

//! `mlops drift REF CUR`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use mlops_core::Error;
use mlops_drift::arrow::array::RecordBatch;
use mlops_drift::files::{Table, TableOptions};
use mlops_drift::report::{ColumnReport, Kind, Report, Verdict};
use mlops_drift::{ClusterBy, Correction, FitOptions, MonitorOptions};
use serde::Serialize;

use crate::args::{CorrectionArg, DriftArgs, FailOn, Format};
use crate::{exit, output};

pub(crate) fn run(args: &DriftArgs) -> Result<ExitCode> {
    if let Some(peer) = args.compat {
        return super::drift_compat::run(args, peer);
    }
    let mut fit = chosen(args).with_categorical(args.categorical.clone());
    if let Some(text) = &args.cluster {
        fit = fit.with_cluster(cluster(text)?);
    }
    let options = MonitorOptions::default()
        .with_alpha(args.alpha)
        .with_correction(correction(args.correction))
        .with_min_effect(args.min_effect);
    let (reference, current) = read(args, &mut fit)?;
    let progress = crate::demo::progress::spinner("comparing");
    let report = mlops_drift::compare(&reference, &current, &fit, &options)?;
    progress.finish_and_clear();
    show(args, &report, &table(&report), report.dataset.drifted)
}

/// The columns that were asked for.
pub(super) fn chosen(args: &DriftArgs) -> FitOptions {
    let fit = FitOptions::default().with_exclude(args.exclude.clone());
    if args.columns.is_empty() { fit } else { fit.with_columns(args.columns.clone()) }
}

/// Prints a report in the format that was asked for, and ends as was asked for.
pub(super) fn show(
    args: &DriftArgs,
    report: &impl Serialize,
    table: &str,
    drifted: bool,
) -> Result<ExitCode> {
    output::read_or_not(if args.json || args.format == Format::Json {
        output::json(report)
    } else {
        output::text(table)
    })?;
    let failed = args.fail_on == Some(FailOn::Drift) && drifted;
    Ok(if failed { ExitCode::from(exit::DRIFT) } else { ExitCode::SUCCESS })
}

/// Both sides, as far as they are compared.
pub(super) fn read(
    args: &DriftArgs,
    fit: &mut FitOptions,
) -> Result<(Vec<RecordBatch>, Vec<RecordBatch>)> {
    let progress = crate::demo::progress::bytes("reading");
    let bar = progress.clone();
    let options = TableOptions::default().with_progress(move |done| bar.inc(done.bytes));
    let (reference, current) = Table::open_both(&[&args.reference], &[&args.current], &options)?;
    let wanted = wanted(&reference, fit);
    if let Some(names) = &wanted {
        fit.exclude.retain(|name| names.contains(name));
    }
    let wanted: Option<Vec<&str>> =
        wanted.as_ref().map(|names| names.iter().map(String::as_str).collect());
    // What is missing on the other side is for the comparison to say.
    let schema = current.schema();
    let found = wanted.as_ref().map(|names| {
        let there = names.iter().filter(|name| schema.field_with_name(name).is_ok());
        there.copied().collect::<Vec<&str>>()
    });
    let found = found.filter(|names| !names.is_empty());
    progress.set_length(reference.bytes() + current.bytes());
    let sides = (reference.read(wanted.as_deref())?, current.read(found.as_deref())?);
    progress.finish_and_clear();
    Ok(sides)
}

/// The columns that a comparison needs; `None` for all, and where a name is wrong, which the
/// comparison says.
fn wanted(table: &Table, fit: &FitOptions) -> Option<Vec<String>> {
    let schema = table.schema();
    let is_there = |name: &&str| schema.field_with_name(name).is_ok();
    let options = fit.columns.iter().flatten().chain(&fit.exclude).chain(&fit.categorical);
    if !options.map(String::as_str).chain(fit.cluster.column()).all(|name| is_there(&name)) {
        return None;
    }
    let is_checked = |name: &String| {
        fit.columns.as_ref().is_none_or(|columns| columns.contains(name))
            && !fit.exclude.contains(name)
    };
    let is_needed = |name: &String| {
        is_checked(name)
            || fit.categorical.contains(name)
            || fit.cluster.column().is_some_and(|column| column == name)
    };
    let names = schema.fields().iter().map(|field| field.name().clone());
    let wanted: Vec<String> = names.filter(is_needed).collect();
    (wanted.iter().any(is_checked)).then_some(wanted)
}

const fn correction(arg: CorrectionArg) -> Correction {
    match arg {
        CorrectionArg::None => Correction::None,
        CorrectionArg::BenjaminiHochberg => Correction::BenjaminiHochberg,
        CorrectionArg::BenjaminiYekutieli => Correction::BenjaminiYekutieli,
        CorrectionArg::Bonferroni => Correction::Bonferroni,
    }
}

/// `COLUMN`, or `<number><s|m|h|d|w>:TIMECOLUMN`.
fn cluster(text: &str) -> Result<ClusterBy> {
    let Some((width, column)) = text.split_once(':') else {
        return Ok(ClusterBy::Column(text.to_owned()));
    };
    let bad = || {
        Error::invalid(format!("not a block of time, write it like 1d:TIMECOLUMN: value={text:?}"))
    };
    let unit = width.chars().last().ok_or_else(bad)?;
    let number: u64 = width[..width.len() - unit.len_utf8()].parse().map_err(|_| bad())?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(bad().into()),
    };
    let width = number.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(bad)?;
    Ok(ClusterBy::TimeBlock { column: column.to_owned(), width: Duration::from_secs(width) })
}

fn table(report: &Report) -> String {
    let row = |column: &ColumnReport| {
        let verdict = match column.verdict {
            Verdict::Stable => "stable".to_owned(),
            Verdict::Drifted => "DRIFTED".to_owned(),
            Verdict::Unchecked => "unchecked".to_owned(),
        };
        let by =
            column.decided_by.map_or(String::new(), |change| format!("{change:?}").to_lowercase());
        let kind =
            column.kind.map_or("-".to_owned(), |kind: Kind| format!("{kind:?}").to_lowercase());
        let statistics = &column.statistics;
        let psi = statistics.psi.as_ref();
        [
            column.column.clone(),
            kind,
            verdict,
            by,
            output::short(column.effect),
            output::short(column.adjusted_p_value),
            output::short(psi.and_then(|psi| psi.value)),
            output::short(statistics.ks.as_ref().and_then(|ks| ks.value)),
            psi.map_or(String::new(), |psi| histogram(&psi.reference_counts)),
            psi.map_or(String::new(), |psi| histogram(&psi.current_counts)),
            column.reason.clone().unwrap_or_default(),
        ]
    };
    let header = [
        "COLUMN",
        "KIND",
        "VERDICT",
        "BY",
        "EFFECT",
        "P (ADJ)",
        "PSI",
        "KS",
        "REFERENCE",
        "CURRENT",
        "",
    ];
    let columns = output::table(header, report.columns.iter().map(row));
    let dataset = &report.dataset;
    let verdict = if dataset.drifted { "DRIFTED" } else { "no drift" };
    format!(
        "{columns}\n\n{verdict}: {} of {} columns drifted, {} unchecked  (rows {} -> {}, alpha {}, {})",
        dataset.drifted_columns,
        dataset.columns,
        dataset.unchecked_columns,
        report.rows.reference,
        report.rows.current,
        report.alpha,
        dataset.rule,
    )
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
    fn clusters_are_columns_or_blocks_of_time() {
        let day =
            ClusterBy::TimeBlock { column: "time_hour".into(), width: Duration::from_secs(86_400) };
        assert_eq!(cluster("1d:time_hour").unwrap(), day);
        assert_eq!(cluster("user").unwrap(), ClusterBy::Column("user".into()));
        for bad in ["d:x", "1y:x", ":x", "0d:x", "99999999999999999999w:x", "1é:x"] {
            assert!(cluster(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn histograms_have_a_bar_for_everything_that_is_there() {
        assert_eq!(histogram(&[0, 1, 1_000_000]), " ▁█");
        assert_eq!(histogram(&[]), "");
    }
}

//! `mlops drift REF CUR`

mod choose;
mod compat;
mod html;
mod read;
mod statistics;
mod table;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use mlops_core::Error;
use mlops_drift::split::compare_split;

use crate::args::{DriftArgs, DriftFormat, FailOn};
use crate::{exit, output};
pub(crate) use statistics::Statistic;
use statistics::{keep, shown};

pub(crate) fn run(args: &DriftArgs) -> Result<ExitCode> {
    if let Some(wrong) = choose::usage(args) {
        output::say(&format!("error: {wrong}"));
        return Ok(ExitCode::from(exit::USAGE));
    }
    if let Some(peer) = args.compat {
        return compat::run(args, peer);
    }
    let (mut fit, options) = (choose::fit(args)?, choose::options(args));
    let (reference, current) = read::read(args, &mut fit)?;
    let progress = crate::demo::progress::spinner("comparing");
    match choose::split(args) {
        None => {
            let mut report = mlops_drift::compare(&reference, &current, &fit, &options)?;
            progress.finish_and_clear();
            let drifted = report.dataset.drifted;
            let text = match args.printed() {
                DriftFormat::Json => {
                    report.columns.iter_mut().for_each(|column| keep(column, &args.statistics));
                    serde_json::to_string_pretty(&report)?
                }
                DriftFormat::Table => table::whole(&report, &shown(args)),
                DriftFormat::Html => html::whole(&report, &title(args), &args.statistics)?,
            };
            deliver(args, &text, &table::verdict(&report), drifted)
        }
        Some(by) => {
            let mut report = compare_split(&reference, &current, &by, &fit, &options)?;
            progress.finish_and_clear();
            let drifted = report.dataset.drifted;
            let text = match args.printed() {
                DriftFormat::Json => {
                    let columns = report.parts.iter_mut().flat_map(|part| &mut part.report.columns);
                    columns.for_each(|column| keep(column, &args.statistics));
                    serde_json::to_string_pretty(&report)?
                }
                DriftFormat::Table => table::split(&report, &shown(args)),
                DriftFormat::Html => html::split(&report, &title(args), &args.statistics)?,
            };
            deliver(args, &text, &table::split_verdict(&report), drifted)
        }
    }
}

/// What is compared with what.
fn title(args: &DriftArgs) -> String {
    format!("{} → {}", args.reference.display(), args.current.display())
}

/// Prints or writes what was asked for, and ends as was asked for. Whoever has it written into a file is told
/// the verdict beside.
fn deliver(args: &DriftArgs, text: &str, verdict: &str, drifted: bool) -> Result<ExitCode> {
    match &args.output {
        None => output::read_or_not(output::text(text))?,
        Some(path) => {
            write(path, text)?;
            output::say(&format!("{}: {verdict}", path.display()));
        }
    }
    let failed = args.fail_on == Some(FailOn::Drift) && drifted;
    Ok(if failed { ExitCode::from(exit::DRIFT) } else { ExitCode::SUCCESS })
}

/// Writes all of a file or nothing: what is there stays until the new one is whole.
fn write(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_added_extension("partial");
    let written = std::fs::write(&partial, format!("{text}\n"))
        .and_then(|()| std::fs::rename(&partial, path));
    Ok(written.map_err(|source| Error::io("write the report", path, source))?)
}

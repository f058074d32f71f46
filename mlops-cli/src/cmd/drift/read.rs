//! Both tables from their files, as far as they are compared.

use anyhow::Result;
use mlops_drift::FitOptions;
use mlops_drift::arrow::array::RecordBatch;
use mlops_drift::files::{Table, TableOptions};

use crate::args::DriftArgs;

/// Both sides, as far as they are compared.
pub(super) fn read(
    args: &DriftArgs,
    fit: &mut FitOptions,
) -> Result<(Vec<RecordBatch>, Vec<RecordBatch>)> {
    let progress = crate::demo::progress::bytes("reading");
    let bar = progress.clone();
    let options = TableOptions::default().with_progress(move |done| bar.inc(done.bytes));
    let (reference, current) = Table::open_both(&[&args.reference], &[&args.current], &options)?;
    let wanted = wanted(&reference, fit, args.segment_by.as_deref());
    if let Some(names) = &wanted {
        fit.exclude.retain(|name| names.contains(name));
    }
    let wanted: Option<Vec<&str>> =
        wanted.as_ref().map(|names| names.iter().map(String::as_str).collect());
    // What is missing on the other side is for the comparison to say. Only the current side is cut by time.
    let schema = current.schema();
    let time = args.time.as_deref();
    let found = wanted.as_ref().map(|names| {
        let time = time.filter(|time| !names.contains(time));
        let names = names.iter().copied().chain(time);
        names.filter(|name| schema.field_with_name(name).is_ok()).collect::<Vec<&str>>()
    });
    let found = found.filter(|names| !names.is_empty());
    progress.set_length(reference.bytes() + current.bytes());
    let sides = (reference.read(wanted.as_deref())?, current.read(found.as_deref())?);
    progress.finish_and_clear();
    Ok(sides)
}

/// The columns that a comparison needs; `None` for all, and where a name is wrong, which the
/// comparison says.
fn wanted(table: &Table, fit: &FitOptions, segment: Option<&str>) -> Option<Vec<String>> {
    let schema = table.schema();
    let is_there = |name: &&str| schema.field_with_name(name).is_ok();
    let options = fit.columns.iter().flatten().chain(&fit.exclude).chain(&fit.categorical);
    let options = options.map(String::as_str).chain(fit.cluster.column()).chain(segment);
    if !options.into_iter().all(|name| is_there(&name)) {
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
            || segment.is_some_and(|column| column == name)
    };
    let names = schema.fields().iter().map(|field| field.name().clone());
    let wanted: Vec<String> = names.filter(is_needed).collect();
    (wanted.iter().any(is_checked)).then_some(wanted)
}

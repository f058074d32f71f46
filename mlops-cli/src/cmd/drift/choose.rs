//! From arguments to what is compared, and how it is decided.

use anyhow::Result;
use mlops_core::Error;
use mlops_drift::split::Split;
use mlops_drift::{ClusterBy, Correction, FitOptions, MonitorOptions};

use crate::args::{CorrectionArg, DriftArgs, DriftFormat, Width};

/// What is wrong with the arguments as a whole.
pub(super) fn usage(args: &DriftArgs) -> Option<&'static str> {
    let html = args.format == DriftFormat::Html;
    match () {
        () if html && args.json => Some("--json and --format html are two formats: choose one"),
        () if html && args.compat.is_some() => {
            Some("--compat prints a table or JSON: leave --format html out")
        }
        () => None,
    }
}

/// The columns that were asked for.
pub(super) fn columns(args: &DriftArgs) -> FitOptions {
    let fit = FitOptions::default().with_exclude(args.exclude.clone());
    if args.columns.is_empty() { fit } else { fit.with_columns(args.columns.clone()) }
}

/// The columns, how they are read, and which rows belong together.
pub(super) fn fit(args: &DriftArgs) -> Result<FitOptions> {
    let fit = columns(args).with_categorical(args.categorical.clone());
    Ok(match &args.cluster {
        Some(text) => fit.with_cluster(cluster(text)?),
        None => fit,
    })
}

pub(super) fn options(args: &DriftArgs) -> MonitorOptions {
    MonitorOptions::default()
        .with_alpha(args.alpha)
        .with_correction(correction(args.correction))
        .with_min_effect(args.min_effect)
}

/// What makes parts, if anything.
pub(super) fn split(args: &DriftArgs) -> Option<Split> {
    if let (Some(Width(width)), Some(time)) = (args.window, &args.time) {
        return Some(Split::windows(time, width));
    }
    let column = args.segment_by.as_ref()?;
    Some(Split::segments(column).with_most(args.most_segments))
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
    let bad = |_| {
        Error::invalid(format!("not a block of time, write it like 1d:TIMECOLUMN: value={text:?}"))
    };
    let Width(width) = width.parse().map_err(bad)?;
    Ok(ClusterBy::TimeBlock { column: column.to_owned(), width })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
}

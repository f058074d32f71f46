//! The arguments of `mlops drift`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Parser, ValueEnum};
use mlops_drift::compat::Peer;

use crate::cmd::drift::Statistic;

const EXAMPLES: &str = "Examples:
  mlops drift january.parquet july.parquet
  mlops drift reference/ 'logs/2026-07-*/*.csv'
  mlops drift ref.parquet cur.parquet --format html --output drift.html
  mlops drift ref.parquet cur.parquet --cluster 1d:time_hour --json
  mlops drift ref.parquet cur.parquet --segment-by carrier --exclude tail_number
  mlops drift ref.parquet year.parquet --window 7d --time time_hour --format html --output year.html
  mlops drift ref.parquet cur.parquet --statistics psi,wasserstein,jensen_shannon
  mlops drift ref.parquet cur.parquet --fail-on drift --min-effect 0.1
  mlops drift ref.parquet cur.parquet --compat scipy --json

With --segment-by and --window the correction runs over the tests of all parts together: one rate of
false alarms for the whole report. See docs/drift.md.";

/// How `mlops drift` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DriftFormat {
    /// For people: a table.
    Table,
    /// For programs: one JSON object.
    Json,
    /// For people: one page with charts, which needs no network.
    Html,
}

/// What makes `mlops drift` exit with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// A drifted data set.
    Drift,
}

/// How p-values are corrected for the number of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CorrectionArg {
    /// Not at all.
    None,
    /// Controls the share of false alarms among alarms.
    BenjaminiHochberg,
    /// The same under any dependence.
    BenjaminiYekutieli,
    /// Controls the chance of any false alarm.
    Bonferroni,
}

/// A span of time: `<number><s|m|h|d|w>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Width(pub(crate) Duration);

impl FromStr for Width {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad =
            || format!("not a span of time, write it like 1d (s, m, h, d, w): value={text:?}");
        let unit = text.chars().last().ok_or_else(bad)?;
        let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| bad())?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(bad()),
        };
        let width = number.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(bad)?;
        Ok(Self(Duration::from_secs(width)))
    }
}

#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DriftArgs {
    /// The data to compare with: a file, a folder or a quoted pattern; Parquet, Arrow IPC or CSV.
    pub(crate) reference: PathBuf,
    /// The data to check, likewise.
    pub(crate) current: PathBuf,
    /// Check only these columns.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub(crate) columns: Vec<String>,
    /// Leave these columns out.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub(crate) exclude: Vec<String>,
    /// Treat this column's values as names (repeatable).
    #[arg(long, value_name = "COLUMN")]
    pub(crate) categorical: Vec<String>,
    /// Rows that belong together: a column, or 1d:TIMECOLUMN for blocks of time (s, m, h, d, w).
    #[arg(long, value_name = "COLUMN|1d:TIMECOLUMN")]
    pub(crate) cluster: Option<String>,
    /// Compare within each value of this column; the largest segments have a part of their own.
    #[arg(long, value_name = "COLUMN", conflicts_with = "window")]
    pub(crate) segment_by: Option<String>,
    /// How many segments have a part of their own; the rest are one.
    #[arg(long, value_name = "N", default_value_t = 30, requires = "segment_by")]
    pub(crate) most_segments: usize,
    /// Cut the current data into windows of this length by --time, each compared with the whole
    /// reference: 1d, 12h, 1w (s, m, h, d, w).
    #[arg(long, value_name = "1d", requires = "time")]
    pub(crate) window: Option<Width>,
    /// The column of timestamps or dates that --window goes by.
    #[arg(long, value_name = "COLUMN", requires = "window")]
    pub(crate) time: Option<String>,
    /// Judge by another tool's definitions instead, its known faults left out (docs/compat.md).
    #[arg(
        long,
        value_name = "PEER",
        value_parser = PossibleValuesParser::new(Peer::ALL.map(Peer::word)).try_map(|word| word.parse::<Peer>()),
        conflicts_with_all = [
            "categorical", "cluster", "exact", "alpha", "correction", "min_effect",
            "segment_by", "window", "statistics",
        ]
    )]
    pub(crate) compat: Option<Peer>,
    /// Read the rows again for exact KS and Wasserstein: what two files always get.
    #[arg(long)]
    pub(crate) exact: bool,
    /// The rate of false alarms.
    #[arg(long, default_value_t = 0.05)]
    pub(crate) alpha: f64,
    /// How p-values are corrected for the number of tests.
    #[arg(long, value_enum, default_value = "benjamini-hochberg")]
    pub(crate) correction: CorrectionArg,
    /// The smallest change of location (KS) that matters; the other floors follow. 0 turns them off.
    #[arg(long, default_value_t = 0.04, value_name = "X")]
    pub(crate) min_effect: f64,
    /// Exit with 1 when the data has drifted.
    #[arg(long, value_enum)]
    pub(crate) fail_on: Option<FailOn>,
    /// Show these statistics only, by their names in the JSON; the verdict does not change.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIST")]
    pub(crate) statistics: Vec<Statistic>,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: DriftFormat,
    /// The same as --format json.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write into this file instead of standard output; one that is there is replaced.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

impl DriftArgs {
    /// How to print, by both flags that say so.
    pub(crate) const fn printed(&self) -> DriftFormat {
        if self.json { DriftFormat::Json } else { self.format }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_have_a_unit() {
        let width = |text: &str| text.parse::<Width>().map(|width| width.0.as_secs());
        assert_eq!(width("1d"), Ok(86_400));
        assert_eq!(width("12h"), Ok(43_200));
        for bad in ["", "d", "1y", "0d", "99999999999999999999w", "1é", "-1d", "1"] {
            assert!(width(bad).is_err(), "{bad}");
        }
    }
}

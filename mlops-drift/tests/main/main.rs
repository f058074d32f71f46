//! The surface as a host uses it: Arrow in, report out.

mod arrow_types;
mod artefact;
mod calibration;
mod compat;
mod errors;
mod ever;
#[cfg(all(feature = "csv", feature = "ipc", feature = "parquet"))]
mod files;
mod monitor;
#[cfg(feature = "parquet")]
mod parquet;
mod verdicts;
mod windows;

use std::sync::Arc;

use mlops_drift::arrow::array::{ArrayRef, Float64Array, RecordBatch};
use mlops_drift::report::ColumnReport;
use mlops_drift::{FitOptions, MonitorOptions, Report, compare};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

type Random = Xoshiro256PlusPlus;

fn random(seed: u64) -> Random {
    Random::seed_from_u64(seed)
}

/// Nearly normal: twelve uniforms less six.
fn normal(random: &mut Random) -> f64 {
    (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
        .expect("columns of one length")
}

fn floats(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

/// A report on one column `x`.
fn one(reference: ArrayRef, current: ArrayRef) -> ColumnReport {
    report(reference, current, &MonitorOptions::default()).columns.remove(0)
}

fn report(reference: ArrayRef, current: ArrayRef, options: &MonitorOptions) -> Report {
    let sides = [batch(vec![("x", reference)]), batch(vec![("x", current)])];
    compare(&sides[..1], &sides[1..], &FitOptions::default(), options).expect("a report")
}

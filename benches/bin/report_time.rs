//! What a report costs: the time of `DriftMonitor::report` for one column, by kind of column and of change.
//!
//! `report_time [REPORTS] [SEED]` (20 reports). 10,000 rows of the reference against 2,000 current ones; clustered columns have
//! 100 rows a cluster. Prints the median in microseconds, without change and with a change that is found. Figures of
//! one run only are comparable.

#![allow(clippy::print_stdout, reason = "a program talks to its terminal")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use mlops_benches::{BoxError, median};
use mlops_drift::arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use mlops_drift::{ClusterBy, DriftMonitor, FitOptions, MonitorOptions, Reference};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

const ROWS: [usize; 2] = [10_000, 2_000];
const CLUSTER: usize = 100;

type Random = Xoshiro256PlusPlus;

/// How a value of a column becomes an array, from normal values.
type Make = fn(&[f64]) -> ArrayRef;

const COLUMNS: [(&str, Make); 4] = [
    ("continuous", |values| Arc::new(Float64Array::from(values.to_vec()))),
    ("half zeros", |values| {
        Arc::new(Float64Array::from_iter_values(values.iter().map(|value| value.max(0.0))))
    }),
    ("16 integers", |values| {
        Arc::new(Int32Array::from_iter_values(values.iter().map(|value| (value * 2.0) as i32)))
    }),
    ("categories", |values| {
        Arc::new(StringArray::from_iter_values(values.iter().map(|value| format!("{value:.0}"))))
    }),
];

fn main() -> ExitCode {
    mlops_benches::end(run().map(|()| true))
}

fn run() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let reports = arguments.next().map_or(Ok(20), |text| text.parse::<usize>())?;
    let seed = arguments.next().map_or(Ok(1), |text| text.parse::<u64>())?;
    println!(
        "{:<12} {:<9} {:>12} {:>12} {:>12}",
        "column", "exchange", "same", "shift 0.1", "shift 1"
    );
    for (name, make) in COLUMNS {
        for (exchange, clustered) in [("rows", false), ("clusters", true)] {
            let cost = |shift| cost(make, clustered, shift, reports, seed);
            let (same, little, much) = (cost(0.0)?, cost(0.1)?, cost(1.0)?);
            println!("{name:<12} {exchange:<9} {same:>9.0} us {little:>9.0} us {much:>9.0} us");
        }
    }
    Ok(())
}

/// The median of that many reports, in microseconds.
fn cost(
    make: Make,
    clustered: bool,
    shift: f64,
    reports: usize,
    seed: u64,
) -> Result<f64, BoxError> {
    let mut random = Random::seed_from_u64(seed);
    let mut side = |rows: usize, shift: f64| -> Result<RecordBatch, BoxError> {
        let values: Vec<f64> = (0..rows).map(|_| normal(&mut random) + shift).collect();
        let clusters = (0..rows).map(|row| (row / CLUSTER) as i32 + i32::from(shift > 0.0) * 1_000);
        let clusters: ArrayRef = Arc::new(Int32Array::from_iter_values(clusters));
        let mut columns = vec![("x", make(&values))];
        columns.extend(clustered.then_some(("cluster", clusters)));
        Ok(RecordBatch::try_from_iter(columns)?)
    };
    let (reference, current) = (side(ROWS[0], 0.0)?, side(ROWS[1], shift)?);
    let fit = match clustered {
        true => FitOptions::default().with_cluster(ClusterBy::Column("cluster".to_owned())),
        false => FitOptions::default(),
    };
    let reference = Arc::new(Reference::fit(&[reference], &fit)?);
    let mut times = Vec::with_capacity(reports);
    for report in 0..reports {
        let options = MonitorOptions::default().with_seed(report as u64);
        let monitor = DriftMonitor::new(Arc::clone(&reference), options)?;
        let mut handle = monitor.handle();
        handle.observe(&current)?;
        handle.publish();
        let start = Instant::now();
        let report = monitor.report();
        times.push(start.elapsed().as_secs_f64() * 1e6);
        let column = report.column("x").ok_or("no column x")?;
        if column.p_value.is_none() {
            return Err(format!("not tested: {:?}", column.reason).into());
        }
    }
    Ok(median(&times))
}

fn normal(random: &mut Random) -> f64 {
    // Box & Muller's transform, one half of it.
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

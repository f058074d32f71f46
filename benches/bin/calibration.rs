//! How often the tests alarm on data in which nothing has changed: floors off, nothing corrected.
//!
//! `calibration [--fast] [SEED]`. Draws both sides of one column from one distribution, again and again, at many sizes:
//! continuous, tied (small integers; half zeros), categorical, and rows that share clusters. Each test must alarm at
//! most 1.2 alpha of the time, on continuous columns at least alpha / 2, within a 99.9 % binomial band of that many draws.
//! Then reports of 20 and of 200 columns, one in ten of which has drifted, are made of the p-values drawn: of
//! those that Benjamini and Hochberg's correction lets alarm, on average at most 1.2 alpha may be false.

#![allow(clippy::print_stdout, reason = "a program talks to its terminal")]

use std::process::ExitCode;
use std::slice::from_ref;
use std::sync::Arc;
use std::time::Instant;

use mlops_benches::{BoxError, binomial_quantile};
use mlops_drift::arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use mlops_drift::report::TestKind;
use mlops_drift::{ClusterBy, Correction, FitOptions, MonitorOptions, compare};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

const ALPHAS: [f64; 2] = [0.05, 0.01];
const SIZES: [usize; 4] = [50, 200, 1_000, 10_000];
const LARGE: usize = 100_000;
const CLUSTERS: [(usize, usize); 3] = [(10, 10), (7, 30), (52, 7)];
/// Of the drifted columns of a report: how many standard deviations they have moved.
const SHIFT: f64 = 0.5;

type Random = Xoshiro256PlusPlus;

/// How much is drawn.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// A case of independent rows: rows in all, and the most draws.
    rows: usize,
    draws: usize,
    /// A case of clusters.
    clustered: usize,
    /// Reports of each size.
    reports: usize,
}

const FULL: Effort = Effort { rows: 8_000_000, draws: 10_000, clustered: 4_000, reports: 4_000 };
const FAST: Effort = Effort { rows: 600_000, draws: 2_000, clustered: 1_000, reports: 2_000 };

fn main() -> ExitCode {
    mlops_benches::end(run())
}

fn run() -> Result<bool, BoxError> {
    let (mut effort, mut seed) = (FULL, 1);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--fast" => effort = FAST,
            text => seed = text.parse()?,
        }
    }
    let start = Instant::now();
    let mut within = true;
    println!("{:>14} {:<12} {:>6}  alarms at alpha (bounds)", "rows", "column", "tests");
    for (n, m) in sizes() {
        let draws = (effort.rows / (n + m)).clamp(200, effort.draws);
        let found = independent(n, m, 0.0, draws, seed)?;
        for (column, p_values) in COLUMNS.into_iter().zip(found) {
            within &= print_rates(&format!("{n}/{m}"), column, &p_values, column == "continuous");
        }
    }
    for (n, m) in CLUSTERS {
        let found = clustered(n, m, effort.clustered, seed)?;
        within &= print_rates(&format!("{n}/{m} cl."), "AR(1) 0.95", &found, false);
    }
    within &= discoveries(effort, seed)?;
    println!("{}", if within { "all within their bounds" } else { "BOUNDS EXCEEDED" });
    println!("{:.0} s", start.elapsed().as_secs_f64());
    Ok(within)
}

fn sizes() -> Vec<(usize, usize)> {
    let squares = SIZES.into_iter().flat_map(|n| SIZES.map(|m| (n, m)));
    let small = SIZES.into_iter().filter(|size| *size <= 1_000);
    squares.chain(small.flat_map(|size| [(LARGE, size), (size, LARGE)])).collect()
}

/// One row of the table; whether every rate is within its bounds.
fn print_rates(rows: &str, column: &str, p_values: &[f64], continuous: bool) -> bool {
    let tests = p_values.len() as u64;
    let mut within = true;
    let mut line = format!("{rows:>14} {column:<12} {tests:>6}");
    for alpha in ALPHAS {
        let alarms = p_values.iter().filter(|&&p| p <= alpha).count() as u64;
        let most = binomial_quantile(tests, 1.2 * alpha, 0.9995);
        let least = if continuous { binomial_quantile(tests, 0.5 * alpha, 0.0005) } else { 0 };
        let ok = (least..=most).contains(&alarms);
        within &= ok;
        let percent = |count: u64| 100.0 * count as f64 / tests as f64;
        line += &format!(
            "  {:.2} % at {:.0} % ({:.2}..{:.2}){}",
            percent(alarms),
            100.0 * alpha,
            percent(least),
            percent(most),
            if ok { "" } else { " EXCEEDED" }
        );
    }
    println!("{line}");
    within
}

const COLUMNS: [&str; 5] = ["continuous", "heavy tails", "counts", "half zeros", "categories"];

/// The p-values of the value tests of each column, the current continuous ones moved by `shift`.
fn independent(
    n: usize,
    m: usize,
    shift: f64,
    draws: usize,
    seed: u64,
) -> Result<Vec<Vec<f64>>, BoxError> {
    in_parallel(draws, |draw| {
        let mut random = Random::seed_from_u64(seed.wrapping_mul(1_000_003) ^ draw as u64);
        let sides = [(n, 0.0), (m, shift)].map(|(rows, shift)| side(rows, shift, &mut random));
        let [reference, current] = sides;
        value_tests(&reference?, &current?, &FitOptions::default(), draw)
    })
}

fn side(rows: usize, shift: f64, random: &mut Random) -> Result<RecordBatch, BoxError> {
    let mut floats = |value: &mut dyn FnMut(&mut Random) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values((0..rows).map(|_| value(random))))
    };
    let continuous = floats(&mut |random| normal(random) + shift);
    let heavy = floats(&mut |random| {
        // Cauchy's law by its quantiles.
        (std::f64::consts::PI * (random.random::<f64>() - 0.5)).tan()
    });
    let zeros = floats(&mut |random| {
        if random.random::<bool>() { 0.0 } else { normal(random).exp() }
    });
    let counts = Int32Array::from_iter_values((0..rows).map(|_| poisson(3.0, random)));
    let names = (0..rows).map(|_| format!("c{}", zipf(20, random)));
    let columns: [ArrayRef; 5] = [
        continuous,
        heavy,
        Arc::new(counts),
        zeros,
        Arc::new(StringArray::from_iter_values(names)),
    ];
    Ok(RecordBatch::try_from_iter(COLUMNS.into_iter().zip(columns))?)
}

/// The p-values of clusters of 100 rows, each a stationary AR(1) series of its own.
fn clustered(n: usize, m: usize, draws: usize, seed: u64) -> Result<Vec<f64>, BoxError> {
    let fit = FitOptions::default().with_cluster(ClusterBy::Column("cluster".to_owned()));
    let found = in_parallel(draws, |draw| {
        let mut random = Random::seed_from_u64(seed.wrapping_mul(1_000_033) ^ draw as u64);
        let mut side = |clusters: std::ops::Range<usize>| -> Result<RecordBatch, BoxError> {
            let (mut values, mut of) = (Vec::new(), Vec::new());
            for cluster in clusters {
                let mut value = normal(&mut random);
                for _ in 0..100 {
                    values.push(value);
                    of.push(cluster as i32);
                    value = 0.95 * value + (1.0_f64 - 0.95 * 0.95).sqrt() * normal(&mut random);
                }
            }
            let values: ArrayRef = Arc::new(Float64Array::from(values));
            let of: ArrayRef = Arc::new(Int32Array::from(of));
            Ok(RecordBatch::try_from_iter([("x", values), ("cluster", of)])?)
        };
        let (reference, current) = (side(0..n)?, side(n..n + m)?);
        value_tests(&reference, &current, &fit, draw)
    })?;
    found.into_iter().next().ok_or_else(|| "no column was tested".into())
}

/// The p-value of the value test of each column.
fn value_tests(
    reference: &RecordBatch,
    current: &RecordBatch,
    fit: &FitOptions,
    draw: usize,
) -> Result<Vec<f64>, BoxError> {
    let options = MonitorOptions::default()
        .with_correction(Correction::None)
        .with_min_effect(0.0)
        .with_seed(draw as u64);
    let report = compare(from_ref(reference), from_ref(current), fit, &options)?;
    let value = |column: &mlops_drift::report::ColumnReport| {
        let test = column.tests.iter().find(|test| test.kind == TestKind::Values)?;
        test.p_value
    };
    let missing = || format!("a column was not tested: {:?}", report.columns);
    report.columns.iter().map(|column| value(column).ok_or_else(|| missing().into())).collect()
}

/// By column, what `one` gives for each draw.
fn in_parallel(
    draws: usize,
    one: impl Fn(usize) -> Result<Vec<f64>, BoxError> + Sync,
) -> Result<Vec<Vec<f64>>, BoxError> {
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get());
    let one = &one;
    let parts = std::thread::scope(|scope| {
        let spawned: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    (worker..draws).step_by(workers).map(one).collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, Result<Vec<Vec<f64>>, BoxError>>| {
            worker.join().map_err(|_| BoxError::from("a worker panicked"))?
        };
        spawned.into_iter().map(join).collect::<Result<Vec<_>, _>>()
    })?;
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for row in parts.into_iter().flatten() {
        columns.resize_with(row.len(), Vec::new);
        columns.iter_mut().zip(row).for_each(|(column, p)| column.push(p));
    }
    Ok(columns)
}

/// The share of false ones among the columns that alarm, over whole reports.
fn discoveries(effort: Effort, seed: u64) -> Result<bool, BoxError> {
    let null = independent(200, 200, 0.0, effort.draws, seed + 1)?;
    let moved = independent(200, 200, SHIFT, effort.draws / 4, seed + 2)?;
    let (null, moved) = (&null[0], &moved[0]);
    let mut random = Random::seed_from_u64(seed + 3);
    let mut within = true;
    println!(
        "\n{:>8} {:>8}  false among the alarms, found among the drifted",
        "columns", "reports"
    );
    for columns in [20, 200] {
        let (mut sum, mut square, mut found) = (0.0, 0.0, 0.0);
        for _ in 0..effort.reports {
            let mut pick = |pool: &[f64]| pool[random.random_range(0..pool.len())];
            let drifted = columns / 10;
            let family: Vec<f64> =
                (0..columns).map(|at| pick(if at < drifted { moved } else { null })).collect();
            let adjusted = Correction::BenjaminiHochberg.adjust(&family);
            let alarms = |part: &[f64]| part.iter().filter(|&&p| p <= ALPHAS[0]).count() as f64;
            let (right, wrong) = (alarms(&adjusted[..drifted]), alarms(&adjusted[drifted..]));
            let share = wrong / (right + wrong).max(1.0);
            sum += share;
            square += share * share;
            found += right / drifted as f64;
        }
        let reports = effort.reports as f64;
        let mean = sum / reports;
        let error = ((square / reports - mean * mean) / reports).sqrt();
        let ok = mean <= 1.2 * ALPHAS[0] + 3.29 * error;
        within &= ok;
        let (share, found) = (100.0 * mean, 100.0 * found / reports);
        println!("{columns:>8} {reports:>8}  {share:.2} % (at most 6), {found:.1} %");
    }
    Ok(within)
}

fn normal(random: &mut Random) -> f64 {
    // Box & Muller's transform, one half of it.
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

fn poisson(mean: f64, random: &mut Random) -> i32 {
    let (mut left, mut term, mut count) = (random.random::<f64>(), (-mean).exp(), 0);
    while left > term && count < 100 {
        left -= term;
        count += 1;
        term *= mean / f64::from(count);
    }
    count
}

/// One of `levels` names, the k-th with a weight of 1 / k.
fn zipf(levels: u32, random: &mut Random) -> u32 {
    let all: f64 = (1..=levels).map(|k| 1.0 / f64::from(k)).sum();
    let mut left = random.random::<f64>() * all;
    for k in 1..levels {
        left -= 1.0 / f64::from(k);
        if left <= 0.0 {
            return k;
        }
    }
    levels
}

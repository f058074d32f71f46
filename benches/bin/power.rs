//! How small a change is still found: the value test of a numeric column beside each single test.
//!
//! `power [PAIRS] [SEED]` (5,000 pairs). Draws pairs of 400 against 400 rows and gives the second side of each a change of
//! location, of scale, a heavy tail in a share of its rows, or a narrow new mode in a share of them. For each test the size of
//! change is sought, on the very same pairs, that it finds in half of them at 5 %. Prints that size as a multiple of
//! the best single test's, and fails where the value test of mlops-drift (floor 0) needs more than 1.15 of it.

#![allow(clippy::print_stdout, reason = "a program talks to its terminal")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use mlops_benches::BoxError;
use mlops_drift::arrow::array::{ArrayRef, Float64Array, RecordBatch};
use mlops_drift::statistic::{
    RankStatistic, Sample, anderson_darling, ks, ks_p_value, mann_whitney, mood,
};
use mlops_drift::{Correction, FitOptions, MonitorOptions, compare};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

const ROWS: usize = 400;
const ALPHA: f64 = 0.05;
/// |z| of a normal statistic at alpha.
const CRITICAL: f64 = 1.959_963_984_540_054;
/// Sizes of change are sought between these.
const BETWEEN: (f64, f64) = (0.02, 1.28);
/// Halvings of that range: to half a percent.
const STEPS: u32 = 10;
const MOST: f64 = 1.15;

type Random = Xoshiro256PlusPlus;

#[derive(Debug, Clone, Copy)]
enum Change {
    Location,
    Scale,
    Tail,
    /// Around so many standard deviations.
    Mode(f64),
}

/// Whether the bound is promised: a mode at one deviation is what Kolmogorov-Smirnov's test sees best, so it is shown.
const CHANGES: [(Change, &str, bool); 5] = [
    (Change::Location, "location", true),
    (Change::Scale, "scale", true),
    (Change::Tail, "heavy tail", true),
    (Change::Mode(2.0), "narrow mode at 2 deviations", true),
    (Change::Mode(1.0), "narrow mode at 1 deviation, not promised", false),
];

/// A test as a name and whether it alarms.
type Alarms = fn(&[f64], &[f64]) -> Result<bool, BoxError>;

const TESTS: [(&str, Alarms); 5] = [
    ("Mann-Whitney", |old, new| normal_test(mann_whitney(&sample(old), &sample(new)))),
    ("Mood", |old, new| normal_test(mood(&sample(old), &sample(new)))),
    ("Kolmogorov-Smirnov", |old, new| {
        let (old, new) = (sample(old), sample(new));
        let p = ks(&old, &new).and_then(|ks| ks_p_value(&ks, &old, &new));
        Ok(p.ok_or("an empty side")?.p <= ALPHA)
    }),
    ("Anderson-Darling", |old, new| {
        let found = anderson_darling(&sample(old), &sample(new)).ok_or("an empty side")?;
        Ok(found.log_p.exp() <= ALPHA)
    }),
    ("value test", value_test),
];

fn main() -> ExitCode {
    mlops_benches::end(run())
}

fn run() -> Result<bool, BoxError> {
    let mut arguments = std::env::args().skip(1);
    let pairs = arguments.next().map_or(Ok(5_000), |text| text.parse())?;
    let seed = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let start = Instant::now();
    println!(
        "{ROWS}/{ROWS} rows, {pairs} pairs; the change found in half of them, over the best single test's"
    );
    let mut within = true;
    for (change, name, promised) in CHANGES {
        let found: Vec<f64> = TESTS
            .iter()
            .map(|(_, alarms)| detectable(change, *alarms, pairs, seed))
            .collect::<Result<_, _>>()?;
        let best = found[..TESTS.len() - 1].iter().copied().fold(f64::INFINITY, f64::min);
        println!("{name} (best {best:.4})");
        for ((test, _), size) in TESTS.iter().zip(&found) {
            let bound = if *size >= BETWEEN.1 * 0.99 { " or more" } else { "" };
            println!("  {test:<20} {:.3}{bound}", size / best);
        }
        within &= !promised || found[TESTS.len() - 1] <= MOST * best;
    }
    println!("{}", if within { "within 1.15 of the best" } else { "MORE THAN 1.15 OF THE BEST" });
    println!("{:.0} s", start.elapsed().as_secs_f64());
    Ok(within)
}

/// The size of change that the test finds in half of the pairs.
fn detectable(change: Change, alarms: Alarms, pairs: u64, seed: u64) -> Result<f64, BoxError> {
    let (mut low, mut high) = BETWEEN;
    for _ in 0..STEPS {
        let middle = (low * high).sqrt();
        if found(change, middle, alarms, pairs, seed)? * 2 < pairs {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok((low * high).sqrt())
}

/// In how many pairs a change of this size is found.
fn found(
    change: Change,
    size: f64,
    alarms: Alarms,
    pairs: u64,
    seed: u64,
) -> Result<u64, BoxError> {
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    std::thread::scope(|scope| {
        let count = move |worker: u64| -> Result<u64, BoxError> {
            let mut count = 0;
            for pair in (worker..pairs).step_by(workers as usize) {
                let mut random = Random::seed_from_u64(seed.wrapping_mul(1_000_003) ^ pair);
                let old: Vec<f64> = (0..ROWS).map(|_| normal(&mut random)).collect();
                let new: Vec<f64> = (0..ROWS).map(|_| changed(change, size, &mut random)).collect();
                count += u64::from(alarms(&old, &new)?);
            }
            Ok(count)
        };
        let spawned: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || count(worker))).collect();
        let mut sum = 0;
        for worker in spawned {
            sum += worker.join().map_err(|_| "a worker panicked")??;
        }
        Ok(sum)
    })
}

/// A row of the second side. It takes the same draws whatever the size of the change.
fn changed(change: Change, size: f64, random: &mut Random) -> f64 {
    let (value, other, chance) = (normal(random), normal(random), random.random::<f64>());
    match change {
        Change::Location => value + size,
        Change::Scale => value * (1.0 + size),
        Change::Tail if chance < size => 5.0 * other,
        Change::Mode(center) if chance < size => center + 0.1 * other,
        Change::Tail | Change::Mode(_) => value,
    }
}

fn sample(values: &[f64]) -> Sample<f64> {
    Sample::new(values.iter().copied())
}

fn normal_test(found: Option<RankStatistic>) -> Result<bool, BoxError> {
    let z = found.and_then(|found| found.z).ok_or("nothing varies")?;
    Ok(z.abs() >= CRITICAL)
}

fn value_test(old: &[f64], new: &[f64]) -> Result<bool, BoxError> {
    let batch = |values: &[f64]| {
        let column: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        RecordBatch::try_from_iter([("x", column)])
    };
    let options = MonitorOptions::default().with_correction(Correction::None).with_min_effect(0.0);
    let report = compare(&[batch(old)?], &[batch(new)?], &FitOptions::default(), &options)?;
    let test = report.columns.first().and_then(|column| column.tests.first());
    Ok(test.and_then(|test| test.p_value).ok_or("not tested")? <= ALPHA)
}

fn normal(random: &mut Random) -> f64 {
    // Box & Muller's transform, one half of it.
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

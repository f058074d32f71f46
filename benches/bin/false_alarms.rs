//! How often each column's tests alarm when nothing has changed, on real data.
//!
//! The 59 days of January and February (local time of New York, UTC-5 throughout) are put in random
//! order: seven of them stand for the current data, the other 52 for the reference. Days in random
//! order are exchangeable, so every alarm is a false one. The day is the cluster, floors are off and
//! nothing is corrected, so each test must keep its alpha by itself.
//!
//! ```text
//! false_alarms [FLIGHTS.parquet] [DRAWS]
//! ```
//!
//! Prints the rate of alarms a column and test, and fails where one exceeds 1.2 alpha by more than
//! its 99.9 % binomial band, or was not made.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its terminal")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use mlops_benches::binomial_quantile;
use mlops_drift::arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch};
use mlops_drift::arrow::compute::{concat_batches, filter_record_batch};
use mlops_drift::arrow::datatypes::TimestampMicrosecondType;
use mlops_drift::{ClusterBy, Correction, FitOptions, MonitorOptions, compare, parquet};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

const DEFAULT_FILE: &str = "mlops-cli/data/nyc-flights-2013.parquet";
/// Columns of the file, without the time.
const COLUMNS: usize = 14;
const DAYS: usize = 59;
const CURRENT_DAYS: usize = 7;
const DRAWS: u64 = 2_000;
const ALPHAS: [f64; 2] = [0.05, 0.01];
/// 2013-01-01T00:00:00-05:00.
const START_MICROS: i64 = 1_357_016_400_000_000;
const DAY_MICROS: i64 = 86_400_000_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Alarms at each alpha, and tests made.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    alarms: [u64; ALPHAS.len()],
    tests: u64,
}

type Rates = BTreeMap<(String, String), Rate>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::from(3)
        }
    }
}

fn run() -> Result<bool, Failure> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap_or_else(|| DEFAULT_FILE.to_owned());
    let draws = arguments.next().map_or(Ok(DRAWS), |text| text.parse())?;
    let days = days(&parquet::read(&file)?)?;
    let rows: usize = days.iter().map(RecordBatch::num_rows).sum();
    println!(
        "{DAYS} local days, {rows} rows; {CURRENT_DAYS} against {} days, {draws} draws",
        DAYS - CURRENT_DAYS
    );
    let start = Instant::now();
    let rates = measure(&days, draws)?;
    let within = print(&rates);
    if !is_whole(&rates, draws) {
        return Err("a column was not tested in every draw, or a test never alarmed".into());
    }
    println!("{:.1} s", start.elapsed().as_secs_f64());
    Ok(within)
}

/// One batch a day, with the number of the day as a column.
fn days(batches: &[RecordBatch]) -> Result<Vec<RecordBatch>, Failure> {
    let first = batches.first().ok_or("an empty file")?;
    let all = concat_batches(&first.schema(), batches)?;
    let time = all.column_by_name("time_hour").ok_or("no column time_hour")?;
    let time = time.as_primitive::<TimestampMicrosecondType>();
    let day: Vec<i32> = time
        .values()
        .iter()
        .map(|micros| (micros - START_MICROS).div_euclid(DAY_MICROS) as i32)
        .collect();
    let mut columns: Vec<(String, ArrayRef, bool)> = Vec::new();
    for (field, column) in all.schema().fields().iter().zip(all.columns()) {
        if field.name() != "time_hour" {
            columns.push((field.name().clone(), Arc::clone(column), true));
        }
    }
    columns.push(("day".to_owned(), Arc::new(Int32Array::from(day.clone())), false));
    let all = RecordBatch::try_from_iter_with_nullable(columns)?;
    let of_day = |number: usize| {
        let mask = day.iter().map(|&day| Some(day == number as i32)).collect();
        filter_record_batch(&all, &mask)
    };
    Ok((0..DAYS).map(of_day).collect::<Result<_, _>>()?)
}

fn measure(days: &[RecordBatch], draws: u64) -> Result<Rates, Failure> {
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    std::thread::scope(|scope| {
        let spawned: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let mut rates = Rates::new();
                    for draw in (worker..draws).step_by(workers as usize) {
                        add_draw(&mut rates, days, draw)?;
                    }
                    Ok::<_, Failure>(rates)
                })
            })
            .collect();
        let mut sum = Rates::new();
        for worker in spawned {
            let rates = worker.join().map_err(|_| "a worker panicked")??;
            for (key, rate) in rates {
                let own = sum.entry(key).or_default();
                own.tests += rate.tests;
                own.alarms.iter_mut().zip(rate.alarms).for_each(|(own, more)| *own += more);
            }
        }
        Ok(sum)
    })
}

fn add_draw(rates: &mut Rates, days: &[RecordBatch], draw: u64) -> Result<(), Failure> {
    let mut order: Vec<RecordBatch> = days.to_vec();
    order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(draw));
    let (current, reference) = order.split_at(CURRENT_DAYS);
    let fit = FitOptions::default().with_cluster(ClusterBy::Column("day".to_owned()));
    let options = MonitorOptions::default()
        .with_correction(Correction::None)
        .with_min_effect(0.0)
        .with_seed(draw);
    for column in compare(reference, current, &fit, &options)?.columns {
        for test in &column.tests {
            let Some(p) = test.p_value else { continue };
            let kind = format!("{:?}", test.kind).to_lowercase();
            let rate = rates.entry((column.column.clone(), kind)).or_default();
            rate.tests += 1;
            for (alarms, alpha) in rate.alarms.iter_mut().zip(ALPHAS) {
                *alarms += u64::from(p <= alpha);
            }
        }
    }
    Ok(())
}

/// Whether every column was tested in every draw, and no test is dead: one that never alarms is no
/// more calibrated than one that always does.
fn is_whole(rates: &Rates, draws: u64) -> bool {
    let values: Vec<_> = rates.iter().filter(|((_, kind), _)| kind == "values").collect();
    values.len() == COLUMNS
        && values.iter().all(|(_, rate)| rate.tests == draws)
        && rates.values().all(|rate| rate.alarms[0] > 0)
}

/// Prints the table; whether every rate is within its band.
fn print(rates: &Rates) -> bool {
    println!("{:<12} {:<7} {:>6}  alarms at alpha (bound)", "column", "test", "tests");
    let mut all_within = true;
    for ((column, kind), rate) in rates {
        print!("{column:<12} {kind:<7} {:>6}", rate.tests);
        for (alarms, alpha) in rate.alarms.into_iter().zip(ALPHAS) {
            let bound = binomial_quantile(rate.tests, 1.2 * alpha, 0.999);
            let within = alarms <= bound;
            all_within &= within;
            let share = |count: u64| 100.0 * count as f64 / rate.tests as f64;
            let verdict = if within { "" } else { " EXCEEDED" };
            print!(
                "  {:.2} % at {:.0} % ({:.2} %){verdict}",
                share(alarms),
                100.0 * alpha,
                share(bound)
            );
        }
        println!();
    }
    println!("{}", if all_within { "all within their bounds" } else { "BOUNDS EXCEEDED" });
    all_within
}

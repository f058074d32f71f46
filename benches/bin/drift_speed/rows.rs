//! The rows of the table.

use std::time::Instant;

use datasketches::kll::{KllFloat, KllSketch};
use mlops_benches::{BoxError, median};
use mlops_drift::arrow::array::{ArrayRef, RecordBatch};
use mlops_drift::statistic::{EdgeCells, Ks, Sample, SlidingKs, ks_p_value};
use mlops_drift::{Baseline, Detail, FitOptions, Handle, MonitorOptions, Reference};

use crate::data::{batch, cauchy, dictionary, floats, handle, narrow, normal, with_nulls};
use crate::turns::{Aim, Table};

fn bins() -> FitOptions {
    FitOptions::default().with_detail(Detail::Bins)
}

/// Counts a whole column; how many rows it had.
fn observe(handle: &mut Handle, batch: &RecordBatch) -> f64 {
    match handle.observe(batch) {
        Ok(()) => batch.num_rows() as f64,
        Err(_) => f64::NAN,
    }
}

/// The plain sum, in four parts that do not wait for each other.
fn sum(values: &[f64]) -> f64 {
    let (chunks, rest) = values.as_chunks::<16>();
    let mut lanes = [0.0; 16];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += value);
    }
    lanes.iter().sum::<f64>() + rest.iter().sum::<f64>()
}

/// PSI of ten bins.
pub(crate) fn psi(table: &mut Table, count: usize) -> Result<(), BoxError> {
    let values = normal(count, 1, 0.1);
    let past = normal(100_000, 2, 0.0);
    let plain = batch(vec![("x", floats(&values))])?;
    let reference = batch(vec![("x", floats(&past))])?;
    let mut whole = handle(&reference, &bins())?;
    let name = format!("PSI, {count} f64 / their sum");
    table.row(&name, count, Aim::AtMost(2.0), &mut || observe(&mut whole, &plain), &mut || {
        sum(&values)
    });

    let holes = batch(vec![("x", with_nulls(&values, 3))])?;
    let mut other = handle(&reference, &bins())?;
    let mut both = |table: &mut Table, name: &str, aim, batch: &RecordBatch, other: &mut Handle| {
        table.row(name, count, aim, &mut || observe(other, batch), &mut || {
            observe(&mut whole, &plain)
        });
    };
    both(table, "PSI, a tenth null / no nulls", Aim::AtMost(1.1), &holes, &mut other);
    let thin = batch(vec![("x", narrow(&values))])?;
    let mut other = handle(&batch(vec![("x", narrow(&past))])?, &bins())?;
    both(table, "PSI, f32 / f64", Aim::AtMost(0.6), &thin, &mut other);
    let names = batch(vec![("x", dictionary(count, 4)?)])?;
    let mut other = handle(&batch(vec![("x", dictionary(100_000, 5)?)])?, &bins())?;
    both(table, "PSI, dictionary / f64", Aim::AtMost(1.0), &names, &mut other);
    Ok(())
}

/// Exact Kolmogorov-Smirnov and Wasserstein distances, both sides' rows at hand.
pub(crate) fn exact(table: &mut Table, count: usize) -> Result<(), BoxError> {
    let past = normal(count, 1, 0.0);
    let baseline = Baseline::fit(&[batch(vec![("x", floats(&past))])?], &FitOptions::default())?;
    let options = MonitorOptions::default();
    for (kind, shift, aim) in [("shifted", 0.5, 4.0), ("not shifted", 0.0, 2.0)] {
        let values = normal(count, 2, shift);
        let current = [batch(vec![("x", floats(&values))])?];
        let name = format!("sort both and merge / exact report, {count}, {kind}");
        let mut ours = || {
            let report = baseline.compare(&current, &options).ok();
            let column = report.and_then(|report| report.columns.into_iter().next());
            column.and_then(|column| column.statistics.ks?.value).unwrap_or(f64::NAN)
        };
        table.row(&name, count, Aim::AtLeast(aim), &mut ours, &mut || merge(&past, &values));
    }
    Ok(())
}

/// Both distances by sorting both sides and merging them once.
fn merge(past: &[f64], values: &[f64]) -> f64 {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (old, new) = (sorted(past), sorted(values));
    let (n, m) = (old.len() as f64, new.len() as f64);
    let (mut i, mut j, mut ks, mut area) = (0, 0, 0.0_f64, 0.0);
    let mut previous = old[0].min(new[0]);
    while i < old.len() || j < new.len() {
        let next = match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) => a.min(*b),
            (Some(a), None) => *a,
            (None, b) => b.copied().unwrap_or(previous),
        };
        area += (next - previous) * (i as f64 / n - j as f64 / m).abs();
        i += old[i..].iter().take_while(|value| **value == next).count();
        j += new[j..].iter().take_while(|value| **value == next).count();
        ks = ks.max((i as f64 / n - j as f64 / m).abs());
        previous = next;
    }
    ks + area
}

/// What certifies both distances: counting in 4,096 cells.
pub(crate) fn certified(table: &mut Table, count: usize) -> Result<(), BoxError> {
    let fit = FitOptions::default().with_edges(4_096);
    for (kind, past, values) in [
        ("normal", normal(1_000_000, 1, 0.0), normal(count, 2, 0.1)),
        ("Cauchy", cauchy(1_000_000, 1), cauchy(count, 2)),
    ] {
        let mut cells = handle(&batch(vec![("x", floats(&past))])?, &fit)?;
        let current = batch(vec![("x", floats(&values))])?;
        let name = format!("4096 cells, {count} f64, {kind} / their sum");
        let ours: &mut dyn FnMut() -> f64 = &mut || observe(&mut cells, &current);
        table.row(&name, count, Aim::AtMost(20.0), ours, &mut || sum(&values));
    }
    Ok(())
}

/// One value at a time.
pub(crate) fn inline(table: &mut Table) -> Result<(), BoxError> {
    const VALUES: usize = 1_000_000;
    let past = batch(vec![("x", floats(&normal(1_000_000, 1, 0.0)))])?;
    let values = normal(VALUES, 2, 0.1);
    let cells = FitOptions::default().with_edges(4_096);
    for (name, fit, aim) in [("4096 cells", cells, 3.0), ("PSI's bins", bins(), 6.0)] {
        let reference = Reference::fit([&past], &fit)?;
        let column = reference.float_column("x")?;
        let mut handle = handle(&past, &fit)?;
        let mut sketch = KllSketch::<KllFloat<f64>>::new(1_024)?;
        let mut ours = || {
            values
                .iter()
                .for_each(|&value| handle.observe_value(column, std::hint::black_box(value)));
            0.0
        };
        let mut floor = || {
            let finite = values.iter().filter_map(|&value| KllFloat::<f64>::new(value).ok());
            finite.for_each(|value| sketch.update(std::hint::black_box(value)));
            0.0
        };
        let name = format!("a KLL sketch's update (k 1024) / one value, {name}");
        table.row(&name, VALUES, Aim::AtLeast(aim), &mut ours, &mut floor);
    }
    Ok(())
}

/// Kolmogorov-Smirnov of a sliding window.
pub(crate) fn sliding(table: &mut Table) -> Result<(), BoxError> {
    const VALUES: usize = 200_000;
    const ROWS: usize = 1_000;
    let past = normal(100_000, 1, 0.0);
    let values = normal(VALUES, 2, 0.1);
    let sample = Sample::new(past.iter().copied());
    let edges: Vec<f64> = (0..512).filter_map(|k| sample.quantile(k, 511)).collect();
    let cells = EdgeCells::new(&edges)?;
    let mut window = SlidingKs::new(&cells.counts(&sample), ROWS)?;
    let past = batch(vec![("x", floats(&past))])?;
    let fit = FitOptions::default().with_edges(1_024);
    let column = Reference::fit([&past], &fit)?.float_column("x")?;
    let mut handle = handle(&past, &fit)?;
    let mut ours = || {
        let cell = |&value: &f64| cells.cell(std::hint::black_box(value));
        let distances = values.iter().filter_map(cell).filter_map(|cell| window.push(cell));
        distances.map(|ks| ks.value).sum()
    };
    let mut floor = || {
        values.iter().for_each(|&value| handle.observe_value(column, std::hint::black_box(value)));
        0.0
    };
    let name = "sliding KS (1000 rows, 1024 cells) / one value in cells";
    table.row(name, VALUES, Aim::AtMost(10.0), &mut ours, &mut floor);
    Ok(())
}

/// Fitting a column.
pub(crate) fn fit(table: &mut Table, count: usize) -> Result<(), BoxError> {
    let values = normal(count, 1, 0.0);
    let keys: Vec<u64> = values
        .iter()
        .map(|value| value.to_bits())
        .map(|bits| bits ^ (((bits as i64 >> 63) as u64) | 1 << 63))
        .collect();
    let past = batch(vec![("x", floats(&values))])?;
    let mut ours = || {
        let reference = Reference::fit([&past], &FitOptions::default());
        reference.map_or(f64::NAN, |reference| reference.rows() as f64)
    };
    let mut floor = || {
        let mut keys = keys.clone();
        keys.sort_unstable();
        keys[keys.len() / 2] as f64
    };
    let name = format!("fit, {count} f64 / sort_unstable of u64");
    table.row(&name, count, Aim::AtMost(1.5), &mut ours, &mut floor);
    Ok(())
}

/// The p-value of a distance by the series.
pub(crate) fn law(table: &mut Table) {
    if !table.wants("KS p-value") {
        return;
    }
    const CALLS: u32 = 20_000;
    let samples = [Sample::new(normal(2_000, 1, 0.0)), Sample::new(normal(1_500, 2, 0.0))];
    let denominator = 2_000 * 1_500;
    let start = Instant::now();
    let sum: f64 = (0..CALLS)
        .map(|k| {
            let numerator = 100_000 + u128::from(k);
            let ks = Ks { value: numerator as f64 / denominator as f64, numerator, denominator };
            ks_p_value(&ks, &samples[0], &samples[1]).map_or(f64::NAN, |p| p.p)
        })
        .sum();
    let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS);
    table.say(
        "KS p-value by the series, microseconds",
        micros,
        Aim::AtMost(2.0),
        &format!("{sum:.0}"),
    );
}

/// Two threads of the host's pool on columns of their own.
pub(crate) fn threads(table: &mut Table, count: usize) -> Result<(), BoxError> {
    let name = "one thread / two threads, four columns";
    if !table.wants(name) {
        return Ok(());
    }
    let column = |seed| -> ArrayRef { floats(&normal(count, seed, 0.0)) };
    let names = ["a", "b", "c", "d"];
    let columns = names.iter().zip(1..).map(|(name, seed)| (*name, column(seed))).collect();
    let table_of = batch(columns)?;
    let mut handle = handle(&table_of, &FitOptions::default())?;
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let (one, two) = (pool(1)?, pool(2)?);
    let mut ratios = Vec::new();
    for _ in 0..7 {
        let mut time = |pool: &rayon::ThreadPool| {
            let start = Instant::now();
            std::hint::black_box(pool.install(|| observe(&mut handle, &table_of)));
            start.elapsed().as_secs_f64()
        };
        let single = time(&one);
        ratios.push(single / time(&two));
    }
    table.say(name, median(&ratios), Aim::AtLeast(1.8), "wall time");
    Ok(())
}

//! False alarms under no drift: floors off, no correction, judged by a binomial band.
//!
//! Each case must alarm at most 1.2 alpha of the time, and on continuous data at least alpha / 2,
//! within the 99.9 % band of that many draws.

use std::sync::Arc;

use mlops_drift::arrow::array::{ArrayRef, Int32Array, StringArray};
use mlops_drift::report::TestKind;
use mlops_drift::{ClusterBy, Correction, FitOptions, MonitorOptions, compare};
use rand::RngExt;

use super::{Random, batch, floats, normal, random};

const DRAWS: u64 = 800;
const ALPHA: f64 = 0.05;

/// How often the test of this kind alarms on columns `x` that `make` gives for both sides.
fn alarms(
    seed: u64,
    kind: TestKind,
    sizes: (usize, usize),
    make: impl Fn(&mut Random, usize) -> ArrayRef,
) -> u64 {
    let mut random = random(seed);
    let options = options();
    let mut alarm = |draw: u64| {
        let sides = [sizes.0, sizes.1].map(|size| batch(vec![("x", make(&mut random, size))]));
        let options = options.clone().with_seed(draw);
        let report = compare(&sides[..1], &sides[1..], &FitOptions::default(), &options);
        let report = report.expect("a report");
        let test = report.columns[0].tests.iter().find(|test| test.kind == kind);
        test.and_then(|test| test.p_value).is_some_and(|p| p <= ALPHA)
    };
    (0..DRAWS).map(|draw| u64::from(alarm(draw))).sum()
}

fn options() -> MonitorOptions {
    let options = MonitorOptions::default().with_correction(Correction::None);
    options.with_min_effect(0.0).with_max_draws(999)
}

/// Four standard errors around the rate of `share` alphas, a band of more than 99.9 %.
fn within(count: u64, at_least: f64, at_most: f64) -> bool {
    let draws = DRAWS as f64;
    let error = |p: f64| 4.0 * (draws * p * (1.0 - p)).sqrt();
    let (low, high) = (at_least * ALPHA, at_most * ALPHA);
    let count = count as f64;
    count >= draws * low - error(low) && count <= draws * high + error(high)
}

#[test]
fn independent_rows() {
    let continuous = |random: &mut Random, size| floats((0..size).map(|_| normal(random)));
    for (seed, sizes) in [(1, (60, 60)), (2, (300, 40)), (3, (40, 300))] {
        let count = alarms(seed, TestKind::Values, sizes, continuous);
        assert!(within(count, 0.5, 1.2), "{sizes:?}: {count} of {DRAWS}");
        let count = alarms(seed, TestKind::Range, sizes, continuous);
        assert!(within(count, 0.0, 1.2), "{sizes:?} range: {count} of {DRAWS}");
    }
    let tied = |random: &mut Random, size| -> ArrayRef {
        let value = |random: &mut Random| (normal(random).abs() * 1.5) as i32;
        Arc::new(Int32Array::from_iter_values((0..size).map(|_| value(random))))
    };
    let count = alarms(4, TestKind::Values, (200, 50), tied);
    assert!(within(count, 0.5, 1.2), "ties: {count} of {DRAWS}");
}

#[test]
fn categories_and_nulls_of_independent_rows() {
    let names = |random: &mut Random, size| -> ArrayRef {
        // Zipf by hand: small counts at the end.
        let name = |random: &mut Random| {
            format!("c{}", (12.0 / (0.9 * random.random::<f64>() + 0.1)) as u32)
        };
        Arc::new(StringArray::from_iter_values((0..size).map(|_| name(random))))
    };
    let count = alarms(5, TestKind::Values, (300, 50), names);
    assert!(within(count, 0.5, 1.2), "categories: {count} of {DRAWS}");
    let holes = |random: &mut Random, size| -> ArrayRef {
        let value = |random: &mut Random| (random.random::<f64>() > 0.2).then_some(1);
        Arc::new((0..size).map(|_| value(random)).collect::<Int32Array>())
    };
    let count = alarms(6, TestKind::Nulls, (300, 100), holes);
    assert!(within(count, 0.0, 1.2), "nulls: {count} of {DRAWS}");
}

/// More categories than are told apart, most of them seen once or twice: which ones share a cell must
/// not depend on the side that holds them.
#[test]
fn many_rare_categories() {
    let names = |random: &mut Random, size| -> ArrayRef {
        let name =
            |random: &mut Random| format!("c{}", (3_000.0 * random.random::<f64>().powi(2)) as u32);
        Arc::new(StringArray::from_iter_values((0..size).map(|_| name(random))))
    };
    for (seed, sizes) in [(8, (400, 400)), (9, (700, 150))] {
        let count = alarms(seed, TestKind::Values, sizes, names);
        assert!(within(count, 0.5, 1.2), "{sizes:?}: {count} of {DRAWS}");
    }
}

/// Rows share 0.9 of their variance with their cluster.
#[test]
fn clustered_rows() {
    let mut random = random(7);
    let fit = FitOptions::default().with_cluster(ClusterBy::Column("day".to_owned()));
    let mut counts = [0; 2];
    for draw in 0..DRAWS {
        let mut side = |days: std::ops::Range<i32>| {
            let (mut day_of, mut values, mut names) = (Vec::new(), Vec::new(), Vec::new());
            for day in days {
                let shared = normal(&mut random) * 0.95;
                for _ in 0..random.random_range(10..30) {
                    day_of.push(day);
                    let value = shared + normal(&mut random) * 0.31;
                    names.push(format!("c{}", (value + 8.0) as i32));
                    values.push(value);
                }
            }
            let day_of: ArrayRef = Arc::new(Int32Array::from(day_of));
            let names: ArrayRef = Arc::new(StringArray::from(names));
            batch(vec![("day", day_of), ("x", floats(values)), ("name", names)])
        };
        let sides = [side(0..30), side(30..37)];
        let options = options().with_seed(draw);
        let report = compare(&sides[..1], &sides[1..], &fit, &options).expect("a report");
        for (count, column) in counts.iter_mut().zip(&report.columns) {
            *count += u64::from(column.tests[0].p_value.is_some_and(|p| p <= ALPHA));
        }
    }
    assert!(within(counts[0], 0.5, 1.2), "numbers: {} of {DRAWS}", counts[0]);
    assert!(within(counts[1], 0.5, 1.2), "categories: {} of {DRAWS}", counts[1]);
}

//! Many workers, one report: the split and the order of the rows leave no trace.

use std::sync::Arc;
use std::time::Duration;

use mlops_drift::arrow::array::{ArrayRef, Float64Array, StringArray, TimestampSecondArray};
use mlops_drift::arrow::array::{Int32Array, RecordBatch};
use mlops_drift::report::ColumnReport;
use mlops_drift::{
    ClusterBy, DriftMonitor, FitOptions, MonitorOptions, Reference, Report, Value, Verdict,
};
use proptest::prelude::*;
use rand::RngExt;
use rand::seq::SliceRandom;

use super::{Random, batch, floats, normal, random};

const DAY: i64 = 86_400;

fn rows(random: &mut Random, days: std::ops::Range<i64>, a_day: usize) -> RecordBatch {
    let count = days.clone().count() * a_day;
    let times = days.flat_map(|day| (0..a_day as i64).map(move |hour| day * DAY + hour * 60));
    let number = |random: &mut Random| match random.random_range(0..20) {
        0 => None,
        1 => Some(f64::NAN),
        2 => Some(f64::NEG_INFINITY),
        3 => Some(-0.0),
        _ => Some(normal(random)),
    };
    let values: Float64Array = (0..count).map(|_| number(random)).collect();
    let names = (0..count).map(|_| ["a", "b", "c", "d"][random.random_range(0..4)]);
    let names: StringArray = names.map(Some).collect();
    let counts: Int32Array = (0..count).map(|_| Some(random.random_range(0..5))).collect();
    batch(vec![
        ("time", Arc::new(TimestampSecondArray::from_iter_values(times)) as ArrayRef),
        ("value", Arc::new(values)),
        ("name", Arc::new(names)),
        ("count", Arc::new(counts)),
    ])
}

fn by_day() -> FitOptions {
    let width = Duration::from_secs(86_400);
    FitOptions::default().with_cluster(ClusterBy::TimeBlock { column: "time".to_owned(), width })
}

fn monitor(reference: &Arc<Reference>) -> DriftMonitor {
    let options = MonitorOptions::default().with_max_draws(499);
    DriftMonitor::new(Arc::clone(reference), options).expect("a monitor")
}

fn text(report: &Report) -> String {
    serde_json::to_string(report).expect("a report is JSON")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_split_and_any_order_give_the_same_report(seed in any::<u64>(), clustered in any::<bool>()) {
        let mut random = random(seed);
        let past = rows(&mut random, 0..12, 20);
        let window = rows(&mut random, 12..19, 20);
        let options = if clustered { by_day() } else { FitOptions::default() };
        let reference = Arc::new(Reference::fit([&past], &options).expect("a reference"));
        let whole = monitor(&reference);
        whole.observe(&window).expect("one batch");

        let mut cuts: Vec<usize> = (0..6).map(|_| random.random_range(0..=140)).collect();
        cuts.extend([0, 140]);
        cuts.sort_unstable();
        let mut parts: Vec<RecordBatch> =
            cuts.windows(2).map(|pair| window.slice(pair[0], pair[1] - pair[0])).collect();
        parts.shuffle(&mut random);
        let hosts = [monitor(&reference), monitor(&reference)];
        let mut handles: Vec<_> = hosts.iter().flat_map(|host| [host.handle(), host.handle()]).collect();
        for part in &parts {
            let worker = random.random_range(0..handles.len());
            handles[worker].observe(part).expect("a part");
            if random.random() {
                handles[worker].publish();
            }
        }
        handles.shuffle(&mut random);
        drop(handles);
        hosts[1].merge(&hosts[0]).expect("one reference");
        let (expected, found) = (whole.report(), hosts[1].report());
        prop_assert_eq!(text(&found), text(&expected));
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn rows_and_slices_give_what_batches_give() {
    let mut random = random(5);
    let (past, window) = (rows(&mut random, 0..12, 20), rows(&mut random, 12..19, 20));
    let column = |name: &str| Arc::clone(window.column_by_name(name).expect("it is there"));
    let times = column("time");
    let times: &TimestampSecondArray = times.as_any().downcast_ref().expect("its type");
    let values = column("value");
    let values: &Float64Array = values.as_any().downcast_ref().expect("its type");
    let names = column("name");
    let names: &StringArray = names.as_any().downcast_ref().expect("its type");
    let counts = column("count");
    let counts: &Int32Array = counts.as_any().downcast_ref().expect("its type");

    let reference = Arc::new(Reference::fit([&past], &by_day()).expect("a reference"));
    assert_eq!(reference.row_columns().collect::<Vec<_>>(), ["value", "name", "count", "time"]);
    let (batches, single) = (monitor(&reference), monitor(&reference));
    batches.observe(&window).expect("one batch");
    let mut handle = single.handle();
    for (row, value) in values.iter().enumerate() {
        let value = value.map_or(Value::Null, Value::Float);
        let count = Value::Int(i64::from(counts.value(row)));
        let rest = [Value::Str(names.value(row)), count, Value::Int(times.value(row))];
        handle.observe_row(&[value, rest[0], rest[1], rest[2]]).expect("a row");
    }
    assert!(handle.observe_values("value", &[1.0]).is_err(), "values do not name their day");
    handle.publish();
    assert_eq!(single.report(), batches.report());

    let only = FitOptions::default().with_columns(["value"]);
    let reference = Arc::new(Reference::fit([&past], &only).expect("a reference"));
    let (batches, slices) = (monitor(&reference), monitor(&reference));
    let plain: Vec<f64> = values.iter().flatten().collect();
    batches.observe(&batch(vec![("value", floats(plain.clone()))])).expect("one batch");
    slices.handle().observe_values("value", &plain).expect("a slice");
    assert_eq!(slices.report(), batches.report());
}

#[test]
fn a_handle_publishes_when_asked_and_when_dropped() {
    let past = batch(vec![("x", floats([1.0, 2.0]))]);
    let reference = Arc::new(Reference::fit([&past], &FitOptions::default()).expect("a reference"));
    let monitor = monitor(&reference);
    let seen = || monitor.report().rows.current;
    let mut handle = monitor.handle();
    handle.observe_values("x", &[3.0]).expect("a slice");
    assert_eq!(seen(), 0);
    handle.publish();
    handle.publish();
    assert_eq!(seen(), 1);
    handle.observe_values("x", &[4.0]).expect("a slice");
    drop(handle);
    assert_eq!(seen(), 2);
    monitor.reset();
    assert_eq!(seen(), 0);
}

#[test]
fn handles_work_in_their_own_threads() {
    let past = batch(vec![("x", floats((0..100).map(f64::from)))]);
    let reference = Arc::new(Reference::fit([&past], &FitOptions::default()).expect("a reference"));
    let monitor = monitor(&reference);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let mut handle = monitor.handle();
            scope.spawn(move || {
                for row in 0..250 {
                    handle
                        .observe_row(&[Value::Float(f64::from(row * 4 + worker))])
                        .expect("a row");
                }
            });
        }
    });
    let alone = self::monitor(&reference);
    alone.observe(&batch(vec![("x", floats((0..1000).map(f64::from)))])).expect("a batch");
    assert_eq!(monitor.report(), alone.report());
    let whole = super::one(floats((0..100).map(f64::from)), floats((0..1000).map(f64::from)));
    let column = monitor.report().columns.remove(0);
    assert_eq!(column.counts.current.rows, 1000);
    let ks = |column: &ColumnReport| column.statistics.ks.as_ref().and_then(|ks| ks.value);
    assert_eq!(ks(&column), ks(&whole), "here the distance is largest at an edge");
    assert_eq!(column.verdict, Verdict::Drifted);
}

#[test]
fn monitors_of_different_references_do_not_merge() {
    let fit = |values: [f64; 3]| {
        let past = batch(vec![("x", floats(values))]);
        Arc::new(Reference::fit([&past], &FitOptions::default()).expect("a reference"))
    };
    let (a, b) = (monitor(&fit([1.0, 2.0, 3.0])), monitor(&fit([1.0, 2.0, 4.0])));
    let error = a.merge(&b).expect_err("other cells");
    assert!(error.to_string().contains("different references"), "{error}");
    let twin = monitor(&fit([1.0, 2.0, 3.0]));
    twin.handle().observe_values("x", &[2.0]).expect("a slice");
    a.merge(&twin).expect("fitted apart, but alike");
    assert_eq!(a.report().rows.current, 1);
}

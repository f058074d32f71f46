//! References and counts that are written down and read elsewhere.

mod golden;
mod refused;

use std::sync::Arc;
use std::time::Duration;

use mlops_drift::arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
    Int64Array, ListArray, RecordBatch, StringArray, TimestampSecondArray, UInt64Array,
};
use mlops_drift::arrow::datatypes::{Float64Type, Int8Type};
use mlops_drift::{
    ClusterBy, Detail, DriftMonitor, FitOptions, MonitorOptions, Reference, Report, Value, Verdict,
};
use proptest::prelude::*;
use rand::RngExt;
use rand::seq::SliceRandom;

use super::{Random, batch, floats, random};

const DAY: i64 = 86_400;

/// A number with everything that a column of floats may hold.
fn number(random: &mut Random) -> Option<f64> {
    Some(match random.random_range(0..24) {
        0 => return None,
        1 => f64::NAN,
        2 => f64::NEG_INFINITY,
        3 => -0.0,
        4 => 1e16 + random.random_range(0..9) as f64,
        5 => random.random::<f64>() * 1.7e308,
        6 => -5e-324,
        _ => super::normal(random),
    })
}

/// Every lane and the types that are not read, with nulls.
fn rows(random: &mut Random, days: std::ops::Range<i64>, a_day: usize) -> RecordBatch {
    let times: Vec<Option<i64>> = days
        .flat_map(|day| (0..a_day as i64).map(move |minute| day * DAY + minute * 60))
        .map(|time| (time % 7 != 3).then_some(time))
        .collect();
    let count = times.len();
    let few = |random: &mut Random| {
        (random.random_range(0..9) > 0).then(|| random.random_range(0..6_i64))
    };
    let wide: Float64Array = (0..count).map(|_| number(random)).collect();
    let narrow: Float32Array = (0..count).map(|_| number(random).map(|v| v as f32)).collect();
    let ends: Int64Array = (0..count)
        .map(|_| few(random).map(|k| [i64::MIN, -3, 0, 8, i64::MAX - 1, i64::MAX][k as usize]))
        .collect();
    let large: UInt64Array =
        (0..count).map(|_| Some(u64::MAX - random.random_range(0..1_u64 << 40))).collect();
    let decimals: Decimal128Array =
        (0..count).map(|_| few(random).map(|k| (i128::from(k) - 3) * 10_i128.pow(37))).collect();
    let names: StringArray = (0..count)
        .map(|_| few(random).map(|k| ["", "ä", "b", "c", "d", "\u{1f600}"][k as usize]))
        .collect();
    let codes: DictionaryArray<Int8Type> =
        (0..count).map(|_| few(random).map(|k| ["x", "y", "z"][k as usize % 3])).collect();
    let flags: BooleanArray = (0..count).map(|_| few(random).map(|k| k % 2 == 0)).collect();
    let lists = (0..count).map(|_| Some([Some(random.random::<f64>())]));
    let lists = ListArray::from_iter_primitive::<Float64Type, _, _>(lists);
    let station: StringArray =
        (0..count).map(|_| few(random).map(|k| ["JFK", "LGA"][k as usize % 2])).collect();
    batch(vec![
        ("time", Arc::new(TimestampSecondArray::from(times).with_timezone("UTC")) as ArrayRef),
        ("wide", Arc::new(wide)),
        ("narrow", Arc::new(narrow)),
        ("ends", Arc::new(ends)),
        ("large", Arc::new(large)),
        ("decimals", Arc::new(decimals.with_precision_and_scale(38, 4).expect("a scale"))),
        ("names", Arc::new(names)),
        ("codes", Arc::new(codes)),
        ("flags", Arc::new(flags)),
        ("lists", Arc::new(lists)),
        ("station", Arc::new(station)),
    ])
}

/// Rows, days, stations, few cells, bins: by number.
fn options(kind: u32) -> FitOptions {
    let width = Duration::from_secs(86_400);
    let days = ClusterBy::TimeBlock { column: "time".to_owned(), width };
    match kind % 5 {
        0 => FitOptions::default(),
        1 => FitOptions::default().with_cluster(days).with_edges(40),
        2 => FitOptions::default().with_cluster(ClusterBy::Column("station".to_owned())),
        3 => FitOptions::default().with_edges(40).with_categorical(["ends", "narrow"]),
        _ => FitOptions::default().with_detail(Detail::Bins).with_cluster(days),
    }
}

fn monitor(reference: Reference) -> DriftMonitor {
    let options = MonitorOptions::default().with_max_draws(199);
    DriftMonitor::new(Arc::new(reference), options).expect("a monitor")
}

fn text(report: &Report) -> String {
    serde_json::to_string(report).expect("a report is JSON")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn a_reference_that_was_written_and_read_reports_the_same(seed in any::<u64>(), kind in 0_u32..5) {
        let mut random = random(seed);
        let (past, window) = (rows(&mut random, 0..9, 20), rows(&mut random, 9..14, 20));
        let reference = Reference::fit([&past], &options(kind)).expect("a reference");
        let bytes = reference.to_bytes().expect("bytes");
        let again = Reference::from_bytes(&bytes).expect("a reference");
        prop_assert_eq!(&again.to_bytes().expect("bytes"), &bytes);
        prop_assert_eq!(again.fingerprint().expect("one"), reference.fingerprint().expect("one"));
        prop_assert_eq!(again.rows(), 180);
        prop_assert!(again.row_columns().eq(reference.row_columns()));

        // The same rows in other batches are an equal reference.
        let halves = [past.slice(0, 77), past.slice(77, 103)];
        let apart = Reference::fit(&halves, &options(kind)).expect("a reference");
        prop_assert_eq!(apart.to_bytes().expect("bytes"), bytes);

        let (before, after) = (monitor(reference), monitor(again));
        before.observe(&window).expect("a window");
        after.observe(&window).expect("a window");
        prop_assert_eq!(text(&after.report()), text(&before.report()));
        prop_assert_eq!(after.report(), before.report());
        after.merge(&before).expect("one reference");
        prop_assert_eq!(after.report().rows.current, 200);
    }

    #[test]
    fn three_machines_in_any_order_report_what_one_does(seed in any::<u64>(), kind in 0_u32..5) {
        let mut random = random(seed);
        let (past, window) = (rows(&mut random, 0..9, 20), rows(&mut random, 9..14, 20));
        let bytes = Reference::fit([&past], &options(kind)).expect("a reference").to_bytes().expect("bytes");
        let machine = || monitor(Reference::from_bytes(&bytes).expect("a reference"));
        let whole = machine();
        whole.observe(&window).expect("a window");

        let mut cuts: Vec<usize> = (0..6).map(|_| random.random_range(0..=100)).collect();
        cuts.extend([0, 100]);
        cuts.sort_unstable();
        let mut parts: Vec<RecordBatch> =
            cuts.windows(2).map(|pair| window.slice(pair[0], pair[1] - pair[0])).collect();
        parts.shuffle(&mut random);
        let machines = [machine(), machine(), machine()];
        for part in &parts {
            machines[random.random_range(0..3)].observe(part).expect("a part");
        }
        let mut counted: Vec<Vec<u8>> =
            machines.iter().map(|machine| machine.state_bytes().expect("counts")).collect();
        counted.shuffle(&mut random);
        let gathered = machine();
        for bytes in &counted {
            gathered.merge_bytes(bytes).expect("one reference");
        }
        prop_assert_eq!(text(&gathered.report()), text(&whole.report()));
        prop_assert_eq!(gathered.report(), whole.report());
        prop_assert_eq!(gathered.state_bytes().expect("counts"), whole.state_bytes().expect("counts"));
    }
}

#[test]
fn an_empty_reference_and_a_monitor_without_rows_are_written_too() {
    let past = rows(&mut random(3), 0..1, 20).slice(0, 0);
    let window = rows(&mut random(4), 0..2, 20);
    for kind in 0..5 {
        let reference = Reference::fit([&past], &options(kind)).expect("a reference");
        let again =
            Reference::from_bytes(&reference.to_bytes().expect("bytes")).expect("a reference");
        assert_eq!(again.rows(), 0);
        let (here, there) = (monitor(reference), monitor(again));
        here.merge_bytes(&there.state_bytes().expect("counts")).expect("nothing");
        assert_eq!(here.report().rows.current, 0);
        there.observe(&window).expect("a window");
        here.merge_bytes(&there.state_bytes().expect("counts")).expect("all");
        assert_eq!(here.report(), there.report());
        assert!(here.report().columns.iter().all(|column| column.verdict == Verdict::Unchecked));
    }
}

#[test]
fn a_column_takes_about_20_bytes_an_edge() {
    let mut random = random(11);
    let values: Vec<f64> = (0..100_000).map(|_| super::normal(&mut random)).collect();
    let past = batch(vec![("x", floats(values))]);
    for edges in [1_000, 4_000] {
        let options = FitOptions::default().with_edges(edges);
        let reference = Reference::fit([&past], &options).expect("a reference");
        let bytes = reference.to_bytes().expect("bytes").len();
        assert!((18 * edges..22 * edges).contains(&bytes), "{bytes} bytes of {edges} edges");
    }
}

#[test]
fn rows_are_counted_into_the_same_bytes_as_their_batch() {
    let window = rows(&mut random(6), 0..3, 20);
    let past = batch(vec![
        ("x", floats([1.0, 2.0])),
        ("list", window.column_by_name("lists").expect("it is there").slice(0, 2)),
        ("station", window.column_by_name("station").expect("it is there").slice(0, 2)),
    ]);
    let options = FitOptions::default().with_cluster(ClusterBy::Column("station".to_owned()));
    let reference = Reference::fit([&past], &options).expect("a reference");
    let (batches, singles) = (monitor(reference.clone()), monitor(reference));
    batches.observe(&past).expect("a batch");
    let station = past.column_by_name("station").expect("it is there");
    let station: &StringArray = station.as_any().downcast_ref().expect("its type");
    let mut handle = singles.handle();
    for (row, x) in [1.0, 2.0].into_iter().enumerate() {
        let station =
            if station.is_null(row) { Value::Null } else { Value::Str(station.value(row)) };
        // A row that can't be counted leaves nothing behind, not even its cluster.
        handle.observe_row(&[Value::Str("no"), Value::Null, Value::Str("SFO")]).expect_err("text");
        handle.observe_row(&[Value::Float(x), Value::Null, station]).expect("a row");
    }
    handle.publish();
    assert_eq!(singles.state_bytes().expect("counts"), batches.state_bytes().expect("counts"));
}

//! Parts are found, compared as they would be alone, and decided together.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, Date32Array, Float64Array, Int32Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow::compute::{concat_batches, filter_record_batch};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::decision::Correction;
use crate::error::ErrorKind;
use crate::report::Verdict;
use crate::{compare, report};

type Random = Xoshiro256PlusPlus;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
        .expect("columns of one length")
}

fn normal(random: &mut Random) -> f64 {
    (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
}

/// `rows` rows of each of so many segments in turn; those of `moved` are moved by `shift`.
fn segmented(
    random: &mut Random,
    segments: usize,
    rows: usize,
    moved: usize,
    shift: f64,
) -> RecordBatch {
    let names = (0..segments * rows).map(|row| format!("s{:02}", row % segments));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
    let value = |row: usize| normal(random) + if row % segments == moved { shift } else { 0.0 };
    let values = Float64Array::from_iter_values((0..segments * rows).map(value));
    batch(vec![("segment", names), ("x", Arc::new(values))])
}

fn split(sides: &[RecordBatch; 2], by: &Split, options: &MonitorOptions) -> SplitReport {
    let (reference, current) = (&sides[..1], &sides[1..]);
    compare_split(reference, current, by, &FitOptions::default(), options).expect("a report")
}

/// Everything of a column but what the decision says, which depends on the other parts.
fn alone(mut column: report::ColumnReport) -> report::ColumnReport {
    column.verdict = Verdict::Unchecked;
    column.decided_by = None;
    (column.p_value, column.adjusted_p_value) = (None, None);
    (column.effect, column.min_effect) = (None, None);
    column.tests.iter_mut().for_each(|test| test.adjusted_p_value = None);
    column
}

#[test]
fn a_part_is_what_a_comparison_of_its_rows_alone_is() {
    let mut random = Random::seed_from_u64(1);
    let sides = [0.0, 0.8].map(|shift| segmented(&mut random, 5, 70, 2, shift));
    let options = MonitorOptions::default();
    let report = split(&sides, &Split::segments("segment"), &options);
    assert_eq!(report.parts.len(), 5);
    let mut p_values = Vec::new();
    for part in &report.parts {
        let Span::Value { name } = &part.span else { panic!("{:?}", part.span) };
        let rows = sides.each_ref().map(|side| {
            let names = side.column(0).as_any().downcast_ref::<StringArray>().expect("texts");
            let of = names.iter().map(|value| value.map(|value| value == name)).collect();
            filter_record_batch(side, &of).expect("rows").project(&[1]).expect("a column")
        });
        let (reference, current) = (&rows[..1], &rows[1..]);
        let expected = compare(reference, current, &FitOptions::default(), &options);
        let expected = expected.expect("a report").columns.remove(0);
        assert_eq!(alone(part.report.columns[0].clone()), alone(expected), "{name}");
        p_values.extend(part.report.columns[0].tests.iter().filter_map(|test| test.p_value));
    }
    // The correction is that of all tests, by its own definition.
    let adjusted = Correction::BenjaminiHochberg.adjust(&p_values);
    let tests = report.parts.iter().flat_map(|part| &part.report.columns[0].tests);
    let found: Vec<f64> = tests.filter_map(|test| test.adjusted_p_value).collect();
    assert_eq!((found, report.tests), (adjusted, p_values.len()));
}

#[test]
fn thirty_segments_without_drift_are_one_chance_of_a_false_alarm() {
    let options = MonitorOptions::default().with_min_effect(0.0);
    let by = Split::segments("segment");
    let mut random = Random::seed_from_u64(2);
    let (mut together, mut one_by_one) = (0, 0);
    for draw in 0..200 {
        let sides = [(); 2].map(|()| segmented(&mut random, 30, 40, 0, 0.0));
        let options = options.clone().with_seed(draw);
        together += u32::from(split(&sides, &by, &options).dataset.drifted);
        let single = options.with_correction(Correction::None);
        one_by_one += u32::from(split(&sides, &by, &single).dataset.drifted);
    }
    // 5 % of 200, and 3.3 standard errors.
    assert!(together <= 20, "{together} of 200");
    assert!(one_by_one > 100, "{one_by_one} of 200");
}

#[test]
fn one_drifted_segment_of_thirty_is_found_and_named() {
    let mut random = Random::seed_from_u64(3);
    let sides = [0.0, 1.5].map(|shift| segmented(&mut random, 30, 60, 17, shift));
    // Few enough false alarms that one seed is as good as another.
    let options = MonitorOptions::default().with_alpha(0.001);
    let report = split(&sides, &Split::segments("segment"), &options);
    let drifted: Vec<String> = report.drifted().map(|part| part.span.to_string()).collect();
    assert_eq!(drifted, ["s17"]);
    assert_eq!((report.dataset.parts, report.dataset.drifted_parts), (30, 1));
    assert!(report.dataset.drifted);
    // All thirty together hide it.
    let (reference, current) = (&sides[..1], &sides[1..]);
    let fit = FitOptions::default().with_exclude(["segment"]);
    let whole = compare(reference, current, &fit, &options).expect("a report");
    assert!(!whole.dataset.drifted);
}

#[test]
fn the_largest_segments_come_first_and_the_rest_is_one() {
    let side = |counts: &[(Option<&str>, usize)]| {
        let names = counts.iter().flat_map(|(name, count)| std::iter::repeat_n(*name, *count));
        let names: StringArray = names.collect();
        let values = Float64Array::from_iter_values((0..names.len()).map(|row| row as f64));
        batch(vec![("segment", Arc::new(names) as _), ("x", Arc::new(values))])
    };
    let (a, b, c, d) = (Some("a"), Some("b"), Some("c"), Some("d"));
    let sides = [
        side(&[(a, 10), (b, 30), (None, 25), (c, 3), (d, 1)]),
        side(&[(a, 10), (b, 10), (None, 5), (d, 1), (Some("e"), 2)]),
    ];
    let by = Split::segments("segment").with_most(3);
    let report = split(&sides, &by, &MonitorOptions::default());
    let spans: Vec<&Span> = report.parts.iter().map(|part| &part.span).collect();
    let value = |name: &str| Span::Value { name: name.to_owned() };
    assert_eq!(spans, [&value("b"), &Span::Missing, &value("a"), &Span::Rest { values: 3 }]);
    let rows = |part: &Part| (part.report.rows.reference, part.report.rows.current);
    let rows: Vec<(u64, u64)> = report.parts.iter().map(rows).collect();
    assert_eq!(rows, [(30, 10), (25, 5), (10, 10), (4, 3)]);
    // Without a bound to the point, a segment on one side alone is unchecked, and said to be.
    let report = split(&sides, &Split::segments("segment"), &MonitorOptions::default());
    let new = report.parts.iter().find(|part| part.span == value("e")).expect("a part");
    assert_eq!(new.report.columns[0].verdict, Verdict::Unchecked);
    let reason = new.report.columns[0].reason.as_deref().expect("a reason");
    assert!(reason.contains("reference data"), "{reason}");
}

/// A day's rows from 1 January 2024 on, hourly, in an order of no use; `None` has no time.
fn hourly(times: &[Option<i64>], value: impl Fn(i64) -> f64) -> RecordBatch {
    let values = times.iter().map(|time| value(time.unwrap_or(0)));
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(values));
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(times.to_vec()));
    batch(vec![("at", times), ("x", values)])
}

const DAY: i64 = 86_400_000;
const BEGIN: i64 = 19_723 * DAY;

#[test]
fn windows_are_cut_by_time_whatever_the_order_and_compared_with_the_whole_reference() {
    let mut random = Random::seed_from_u64(4);
    let noise: Vec<f64> = (0..4_000).map(|_| normal(&mut random)).collect();
    let reference = batch(vec![("x", Arc::new(Float64Array::from(noise[..2_000].to_vec())) as _)]);
    // Ten days of 96 rows; the seventh is another. One row is the first of the eleventh.
    let mut times: Vec<Option<i64>> =
        (0..960).map(|row| Some(BEGIN + (row * 577 % 960) * 900_000)).collect();
    times.extend([None, Some(i64::MAX), Some(BEGIN + 10 * DAY)]);
    let value = |time: i64| {
        let row = ((time - BEGIN) / 900_000).rem_euclid(2_000) as usize;
        noise[2_000 + row] + if (time - BEGIN).div_euclid(DAY) == 6 { 2.0 } else { 0.0 }
    };
    let current = hourly(&times, value);
    let by = Split::windows("at", Duration::from_secs(86_400));
    let options = MonitorOptions::default();
    let pieces = [current.slice(0, 500), current.slice(500, 463)];
    let fit = FitOptions::default();
    let report = compare_split(std::slice::from_ref(&reference), &pieces, &by, &fit, &options);
    let report = report.expect("a report");
    assert_eq!((report.parts.len(), report.without_time), (11, 2));
    let drifted: Vec<&Span> = report.drifted().map(|part| &part.span).collect();
    let seventh = Span::Window {
        from: "2024-01-07T00:00:00Z".to_owned(),
        to: "2024-01-08T00:00:00Z".to_owned(),
    };
    assert_eq!(drifted, [&seventh]);
    let rows: Vec<u64> = report.parts.iter().map(|part| part.report.rows.current).collect();
    assert_eq!(rows, [&[96; 10][..], &[1]].concat());
    assert!(report.parts.iter().all(|part| part.report.rows.reference == 2_000));
    // The time is not checked itself, whole or in pieces.
    assert!(report.parts.iter().all(|part| part.report.columns.len() == 1));
    let whole = concat_batches(&current.schema(), &pieces).expect("one batch");
    let again = compare_split(&[reference], &[whole], &by, &fit, &options).expect("a report");
    assert_eq!(again, report);
    let text = serde_json::to_string(&report).expect("JSON");
    assert_eq!(serde_json::from_str::<SplitReport>(&text).expect("a report"), report);
}

#[test]
fn dates_before_1970_are_in_the_window_that_begins_before_them() {
    let days: ArrayRef = Arc::new(Date32Array::from(vec![-1, -7, -8, 0, 6, 7]));
    let current = batch(vec![("day", days), ("x", Arc::new(Int32Array::from(vec![1; 6])))]);
    let by = Split::windows("day", Duration::from_secs(7 * 86_400));
    let report = split(&[current.clone(), current], &by, &MonitorOptions::default());
    let from: Vec<String> = report.parts.iter().map(|part| part.span.to_string()).collect();
    assert_eq!(from, ["1969-12-18", "1969-12-25", "1970-01-01", "1970-01-08"]);
    let rows: Vec<u64> = report.parts.iter().map(|part| part.report.rows.current).collect();
    assert_eq!(rows, [1, 2, 2, 1]);
}

#[test]
fn what_can_make_no_parts_is_an_error_that_says_so() {
    let side = hourly(&[Some(BEGIN), Some(BEGIN + DAY)], |_| 1.0);
    let error = |by: &Split, fit: &FitOptions| {
        let side = std::slice::from_ref(&side);
        compare_split(side, side, by, fit, &MonitorOptions::default()).expect_err("an error")
    };
    let all = FitOptions::default();
    let day = Duration::from_secs(86_400);
    let only = FitOptions::default().with_columns(["at"]);
    for (by, fit, kind, words) in [
        (Split::segments("st"), &all, ErrorKind::UnknownColumn, "nearest=at"),
        (Split::windows("st", day), &all, ErrorKind::UnknownColumn, "nearest=at"),
        (Split::windows("x", day), &all, ErrorKind::InvalidInput, "column=x type=Float64"),
        (Split::windows("at", Duration::ZERO), &all, ErrorKind::InvalidInput, "above 0"),
        (Split::segments("x").with_most(0), &all, ErrorKind::InvalidInput, "most=0"),
        (Split::windows("at", day), &only, ErrorKind::InvalidInput, "no column is left"),
    ] {
        let error = error(&by, fit);
        assert_eq!(error.kind(), kind, "{by:?}: {error}");
        assert!(error.to_string().contains(words), "{by:?}: {error}");
    }
    let times: Vec<Option<i64>> = (0..1_001).map(|row| Some(BEGIN + row * 1_000)).collect();
    let many = [hourly(&times, |_| 1.0)];
    let by = Split::windows("at", Duration::from_secs(1));
    let error = compare_split(&many, &many, &by, &all, &MonitorOptions::default());
    assert!(error.expect_err("an error").to_string().contains("make them longer"));
}

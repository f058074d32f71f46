//! Windows of batches: what each holds is what a monitor of its rows alone reports.

use std::sync::Arc;

use mlops_drift::arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, TimestampMillisecondArray,
};
use mlops_drift::quality::{
    Group, Join, JoinOptions, Label, Metric, Prediction, QualityOptions, QualityState, Task,
};
use mlops_drift::window::{DriftWindows, QualityWindows, WindowReport, WindowSpec, Windows};
use mlops_drift::{DriftMonitor, ErrorKind, FitOptions, MonitorOptions, Reference};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::{batch, floats, normal, random};

const HOUR: i64 = 3_600_000_000;

fn reference() -> Arc<Reference> {
    let mut random = random(8);
    let past = batch(vec![("x", floats((0..400).map(|_| normal(&mut random))))]);
    Arc::new(Reference::fit([&past], &FitOptions::default()).expect("a reference"))
}

fn options() -> MonitorOptions {
    MonitorOptions::default().with_max_draws(199)
}

/// Rows of values and of times in milliseconds.
fn timed(rows: &[(f64, Option<i64>)]) -> RecordBatch {
    let times: TimestampMillisecondArray = rows.iter().map(|row| row.1).collect();
    batch(vec![("x", floats(rows.iter().map(|row| row.0))), ("at", Arc::new(times) as ArrayRef)])
}

#[track_caller]
fn is_report_of(window: &WindowReport, values: impl IntoIterator<Item = f64>) {
    let monitor = DriftMonitor::new(reference(), options()).expect("a monitor");
    monitor.observe(&batch(vec![("x", floats(values))])).expect("a batch");
    assert_eq!(window.report, monitor.report());
    assert_eq!(window.rows, window.report.rows.current);
}

#[test]
fn a_window_by_time_reports_its_own_rows_whatever_their_order() {
    let mut random = random(9);
    // Twelve hours, a row each three minutes, told up to an hour late.
    let mut rows: Vec<(f64, i64, i64)> = (0..240)
        .map(|row| {
            let at = row * HOUR / 20;
            (normal(&mut random), at, at + random.random_range(0..HOUR))
        })
        .collect();
    rows.sort_by_key(|row| row.2);
    let spec = WindowSpec::hopping(4 * HOUR, 2 * HOUR).with_lateness(HOUR);
    let mut windows = DriftWindows::by_time(reference(), options(), spec, "at").expect("windows");
    let mut ended = Vec::new();
    for chunk in rows.chunks(17) {
        let mut chunk: Vec<(f64, Option<i64>)> =
            chunk.iter().map(|row| (row.0, Some(row.1 / 1_000))).collect();
        chunk.push((0.5, None));
        chunk.shuffle(&mut random);
        ended.extend(windows.observe(&timed(&chunk)).expect("a batch"));
    }
    let counts = windows.counts();
    assert_eq!((counts.counted, counts.late, counts.partly_late), (240, 0, 0));
    assert_eq!((counts.rows, counts.without_time), (255, 15));
    let complete = ended.len();
    assert!(complete >= 4, "{complete}");
    ended.extend(windows.finish().expect("the rest"));
    let starts: Vec<i64> = ended.iter().map(|window| window.start / HOUR).collect();
    assert_eq!(starts, [-2, 0, 2, 4, 6, 8, 10]);
    for (index, window) in ended.iter().enumerate() {
        assert_eq!(window.complete, index < complete);
        let inside = rows.iter().filter(|row| (window.start..window.end).contains(&row.1));
        is_report_of(window, inside.map(|row| row.0));
    }
}

#[test]
fn a_window_by_rows_reports_as_soon_as_it_is_full() {
    let mut random = random(10);
    let values: Vec<f64> = (0..95).map(|_| normal(&mut random)).collect();
    let spec = WindowSpec::sliding(40, 4);
    let mut windows = DriftWindows::by_rows(reference(), options(), spec).expect("windows");
    let mut ended = Vec::new();
    for (index, chunk) in values.chunks(25).enumerate() {
        let batch = batch(vec![("x", floats(chunk.iter().copied()))]);
        ended.extend(windows.observe(&batch).expect("a batch"));
        let full: Vec<i64> = ended.iter().map(|window| window.end).collect();
        let seen = (25 * index + chunk.len()) as i64;
        assert_eq!(full, (10..=seen).step_by(10).collect::<Vec<_>>());
    }
    ended.extend(windows.finish().expect("the rest"));
    assert_eq!(ended.last().map(|window| (window.start, window.rows)), Some((90, 5)));
    for window in &ended {
        let range = window.start.max(0) as usize..(window.end as usize).min(95);
        is_report_of(window, values[range].iter().copied());
    }
}

#[test]
fn late_rows_are_in_no_window_and_a_wrong_time_takes_none_with_it() {
    let day = 24 * HOUR;
    let spec = WindowSpec::tumbling(day);
    let mut windows = DriftWindows::by_time(reference(), options(), spec, "at").expect("windows");
    windows.set_latest(30 * day);
    let row = |value: f64, at: i64| (value, Some(at / 1_000));
    let first = [row(1.0, 0), row(2.0, day - 1), row(9.0, 900 * day), row(3.0, day)];
    let ended = windows.observe(&timed(&first)).expect("a batch");
    assert_eq!(ended.len(), 1);
    is_report_of(&ended[0], [1.0, 2.0]);
    let late = [row(4.0, day / 2), row(5.0, day + 1)];
    assert!(windows.observe(&timed(&late)).expect("a batch").is_empty());
    let counts = windows.counts();
    assert_eq!((counts.rows, counts.counted, counts.ahead, counts.late), (6, 4, 1, 1));
    let ended = windows.advance(2 * day).expect("a watermark");
    is_report_of(&ended[0], [3.0, 5.0]);
    assert!(windows.finish().expect("nothing is left").is_empty());
}

#[test]
fn dates_and_integers_are_times_and_other_columns_are_refused_whole() {
    let days = Date32Array::from(vec![Some(0), Some(1), None, Some(1)]);
    let of = |times: ArrayRef| batch(vec![("x", floats([1.0, 2.0, 3.0, 4.0])), ("at", times)]);
    let spec = WindowSpec::tumbling(24 * HOUR);
    let open = |spec| DriftWindows::by_time(reference(), options(), spec, "at").expect("windows");
    let mut windows = open(spec);
    let ended = windows.observe(&of(Arc::new(days))).expect("dates");
    is_report_of(&ended[0], [1.0]);
    is_report_of(&windows.finish().expect("the rest")[0], [2.0, 4.0]);

    let mut windows = open(WindowSpec::tumbling(10));
    let times = Int64Array::from(vec![5, 25, -1, i64::MAX]);
    let ended = windows.observe(&of(Arc::new(times))).expect("integers");
    assert_eq!(ended.iter().map(|window| window.start).collect::<Vec<_>>(), [-10, 0]);
    assert_eq!(windows.counts().without_time, 1, "its window fits no number");

    let before = windows.counts();
    let text = of(Arc::new(Float64Array::from(vec![1.0; 4])));
    let error = windows.observe(&text).expect_err("no time");
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    let error = windows.observe(&batch(vec![("x", floats([1.0]))])).expect_err("no column");
    assert_eq!(error.kind(), ErrorKind::UnknownColumn);
    let error = windows.observe(&batch(vec![("y", floats([1.0]))])).expect_err("no column");
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    assert_eq!(windows.counts(), before);
}

#[test]
fn quality_has_windows_by_the_time_of_the_prediction() {
    let mut join = Join::new(Task::Number, JoinOptions::default()).expect("a join");
    let empty = QualityState::new(QualityOptions::new(Task::Number)).expect("a state");
    let mut windows =
        Windows::new(WindowSpec::tumbling(10).with_lateness(20), empty).expect("windows");
    for time in 0..60_i64 {
        let group = Group::default();
        join.predict(time as u64, time, &group, Prediction::Number(time as f64));
        // Labels come fifteen later; the error is 1 before 30, 2 behind.
        let Some(known) = time.checked_sub(15).filter(|known| *known >= 0) else { continue };
        let truth = known as f64 - if known < 30 { 1.0 } else { 2.0 };
        if let Some(outcome) = join.label(known as u64, time, Label::Number(truth))
            && let Some(pane) = windows.pane(outcome.time(), 1).expect("a pane")
        {
            outcome.record(pane);
        }
    }
    let ended = windows.finish().expect("all windows");
    let found: Vec<_> = ended
        .iter()
        .map(|window| (window.start, window.rows, window.pane.report().total.value(Metric::Mae)))
        .collect();
    let expected = [(0, 1.0, 10), (10, 1.0, 10), (20, 1.0, 10), (30, 2.0, 10), (40, 2.0, 5)];
    assert_eq!(found, expected.map(|(start, error, rows)| (start, rows, Some(error))));
}

#[test]
fn labels_count_for_the_window_of_their_prediction_or_as_late() {
    let mut random = random(11);
    let options = QualityOptions::new(Task::Number);
    let spec = WindowSpec::hopping(20, 10).with_lateness(30);
    let mut windows =
        QualityWindows::new(spec, options.clone(), JoinOptions::default()).expect("windows");
    // A prediction each step; labels take up to 60, those of every seventh never come.
    let mut events: Vec<(i64, u64, bool)> = Vec::new();
    for id in 0..200_u64 {
        events.push((id as i64, id, true));
        if id % 7 != 0 {
            events.push((id as i64 + random.random_range(0..60), id, false));
        }
    }
    events.sort_unstable();
    let mut ended = Vec::new();
    // What each window should hold, by the rule: its labels that came before it ended, at the first
    // prediction of a time 30 behind its end.
    let mut expected = std::collections::BTreeMap::new();
    let mut late = 0;
    let mut latest = 0;
    for &(time, id, is_prediction) in &events {
        if is_prediction {
            latest = time;
            let prediction = Prediction::Number(id as f64);
            windows.predict(id, time, &Group::default(), prediction).expect("a pane");
            windows.predict(id, time, &Group::default(), prediction).expect("a repeated one");
        } else {
            windows.label(id, time, Label::Number(0.0)).expect("a pane");
            let first = id as i64 / 10 * 10 - 10;
            let open = [first, first + 10].map(|start| start + 20 > latest - 30);
            for (start, open) in [first, first + 10].into_iter().zip(open) {
                let (sum, count) = expected.entry(start).or_insert((0.0, 0_u64));
                *sum += if open { id as f64 } else { 0.0 };
                *count += u64::from(open);
            }
            late += u64::from(open == [false; 2]);
        }
        ended.extend(windows.ended());
    }
    assert!(late > 0);
    assert_eq!(windows.late_labels(), late);
    assert_eq!(windows.counts().counted, 200);
    assert_eq!(windows.join_counts().duplicate_predictions, 200);
    assert_eq!(windows.join_counts().open_predictions, 29);
    ended.extend(windows.finish().expect("the rest"));
    assert_eq!(ended.len(), 21);
    for window in &ended {
        let total = &window.report.total;
        let (sum, count) = expected[&window.start];
        assert_eq!(total.labelled, count);
        let mean = (count > 0).then(|| sum / count as f64);
        let found = total.value(Metric::Mae);
        assert!(found.zip(mean).is_none_or(|(found, mean)| (found - mean).abs() < 1e-9));
        assert_eq!((found.is_some(), total.predictions), (mean.is_some(), window.rows));
    }
}

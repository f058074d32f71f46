//! Wrong names, changed schemas and impossible options are errors that say what to mend.

use std::sync::Arc;
use std::time::Duration;

use mlops_drift::arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use mlops_drift::{
    ClusterBy, DriftMonitor, ErrorKind, FitOptions, MonitorOptions, Reference, Value,
};

use super::{batch, floats};

fn weather() -> RecordBatch {
    let stations: ArrayRef = Arc::new(StringArray::from(vec!["JFK", "LGA", "EWR"]));
    batch(vec![
        ("temp", floats([1.0, 2.0, 3.0])),
        ("wind_speed", floats([4.0, 5.0, 6.0])),
        ("station", stations),
    ])
}

fn monitor(options: &FitOptions) -> DriftMonitor {
    let reference = Reference::fit([&weather()], options).expect("a reference");
    DriftMonitor::new(Arc::new(reference), MonitorOptions::default()).expect("a monitor")
}

#[test]
fn a_misspelt_column_is_answered_with_the_nearest_names() {
    let options = [
        FitOptions::default().with_columns(["tmep"]),
        FitOptions::default().with_exclude(["tmep"]),
        FitOptions::default().with_categorical(["tmep"]),
        FitOptions::default().with_cluster(ClusterBy::Column("tmep".to_owned())),
    ];
    for options in options {
        let error = Reference::fit([&weather()], &options).expect_err("no such column");
        assert_eq!(error.kind(), ErrorKind::UnknownColumn, "{options:?}");
        assert!(error.to_string().contains("column=tmep nearest=temp,"), "{error}");
    }
    let error = monitor(&FitOptions::default()).handle().observe_values("wind", &[1.0]);
    assert_eq!(error.expect_err("no such column").kind(), ErrorKind::UnknownColumn);
}

#[test]
fn a_changed_schema_names_the_column_and_both_types_and_keeps_nothing() {
    let monitor = monitor(&FitOptions::default());
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let mut columns = vec![("temp", floats([1.0; 3])), ("wind_speed", narrow)];
    columns.push(("station", Arc::new(StringArray::from(vec!["a"; 3]))));
    let error = monitor.observe(&batch(columns.clone())).expect_err("another type");
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    let text = error.to_string();
    assert!(text.contains("column=wind_speed expected=Float64 found=Int32"), "{text}");
    columns.remove(1);
    let error = monitor.observe(&batch(columns)).expect_err("a column is missing");
    assert!(error.to_string().contains("column=wind_speed expected=Float64 found=none"), "{error}");
    assert_eq!(monitor.report().rows.current, 0);
}

#[test]
fn the_batches_of_a_fit_share_one_schema() {
    let other = batch(vec![("temp", floats([1.0]))]);
    let error = Reference::fit([&weather(), &other], &FitOptions::default());
    assert_eq!(error.expect_err("columns are missing").kind(), ErrorKind::SchemaChanged);
    let error = Reference::fit([], &FitOptions::default()).expect_err("no schema at all");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let twice = batch(vec![("x", floats([1.0])), ("x", floats([2.0]))]);
    let error = Reference::fit([&twice], &FitOptions::default()).expect_err("one name twice");
    assert!(error.to_string().contains("column=x"), "{error}");
}

#[test]
fn extra_columns_and_another_order_do_not_matter() {
    let monitor = monitor(&FitOptions::default().with_columns(["temp", "station"]));
    let stations: ArrayRef = Arc::new(StringArray::from(vec!["JFK"]));
    let more = vec![("new", floats([0.0])), ("station", stations), ("temp", floats([2.0]))];
    monitor.observe(&batch(more)).expect("all that is needed is there");
    let report = monitor.report();
    let names: Vec<&str> = report.columns.iter().map(|column| column.column.as_str()).collect();
    assert_eq!((names, report.rows.current), (vec!["temp", "station"], 1));
}

#[test]
fn clusters_need_a_column_that_can_name_them() {
    let fit = |cluster| {
        Reference::fit([&weather()], &FitOptions::default().with_cluster(cluster)).map(|_| ())
    };
    let day = Duration::from_secs(86_400);
    let refused = [
        ClusterBy::Column("temp".to_owned()),
        ClusterBy::TimeBlock { column: "station".to_owned(), width: day },
    ];
    for cluster in refused {
        let error = fit(cluster.clone()).expect_err("it can't name clusters");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{cluster:?}");
        assert!(error.to_string().contains("type="), "{error}");
    }
    fit(ClusterBy::Column("station".to_owned())).expect("strings can");
}

#[test]
fn options_out_of_range_are_refused() {
    let reference = Reference::fit([&weather()], &FitOptions::default()).expect("a reference");
    let reference = Arc::new(reference);
    let options = MonitorOptions::default;
    let wrong = [
        options().with_alpha(0.0),
        options().with_alpha(1.0),
        options().with_alpha(f64::NAN),
        options().with_min_effect(-0.1),
        options().with_min_effect(f64::NAN),
        options().with_max_draws(0),
    ];
    for options in wrong {
        let error = DriftMonitor::new(Arc::clone(&reference), options.clone());
        assert_eq!(error.expect_err("out of range").kind(), ErrorKind::InvalidInput, "{options:?}");
    }
}

#[test]
fn a_row_that_does_not_fit_leaves_nothing_behind() {
    let monitor = monitor(&FitOptions::default());
    let mut handle = monitor.handle();
    let error = handle.observe_row(&[Value::Float(1.0)]).expect_err("two values are missing");
    assert!(error.to_string().contains("expected=3 found=1"), "{error}");
    let row = [Value::Float(1.0), Value::Float(2.0), Value::Null];
    handle.observe_row(&row).expect("it fits");
    let wrong = [Value::Float(1.0), Value::Str("secret"), Value::Null];
    let error = handle.observe_row(&wrong).expect_err("a string is no speed");
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    let text = error.to_string();
    assert!(text.contains("column=wind_speed expected=Float64 found=str"), "{text}");
    assert!(!text.contains("secret"));
    assert!(handle.observe_values("station", &[1.0]).is_err(), "it is not a number");
    drop(handle);
    let report = monitor.report();
    let rows: Vec<u64> = report.columns.iter().map(|c| c.counts.current.rows).collect();
    assert_eq!((report.rows.current, rows), (1, vec![1, 1, 1]));
}

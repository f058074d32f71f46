//! Files of version 1, which are read for ever.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mlops_drift::arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, TimestampSecondArray,
    UInt64Array,
};
use mlops_drift::arrow::datatypes::Float64Type;
use mlops_drift::{ClusterBy, FitOptions, Reference, Verdict};

use super::{DAY, monitor};
use crate::batch;

/// What the files of version 1 were made from.
fn golden() -> (RecordBatch, RecordBatch, FitOptions) {
    let side = |days: std::ops::Range<i64>, shift: f64| {
        let rows: Vec<i64> =
            days.flat_map(|day| (0..24).map(move |hour| day * DAY + hour * 3_600)).collect();
        let at = |time: i64| time / 3_600 * 7_919 % 1_009;
        let load = rows.iter().map(|&time| {
            let load = (at(time) as f64 / 1_009.0).powi(2) * 30.0 + shift;
            (at(time) % 50 != 7).then_some(if at(time) % 97 == 5 { f64::NAN } else { load })
        });
        let count = rows.iter().map(|&time| Some(u64::MAX - (at(time) % 40) as u64));
        let cents = rows.iter().map(|&time| Some(at(time) * 25 - 9_000));
        let name = rows.iter().map(|&time| Some(["north", "south", "east"][at(time) as usize % 3]));
        let vectors = rows.iter().map(|&time| Some([Some(at(time) as f64)]));
        batch(vec![
            ("time", Arc::new(TimestampSecondArray::from(rows.clone())) as ArrayRef),
            ("load", Arc::new(load.collect::<Float64Array>())),
            ("count", Arc::new(count.collect::<UInt64Array>())),
            ("cents", Arc::new(cents.collect::<Int64Array>())),
            ("name", Arc::new(name.collect::<StringArray>())),
            ("vectors", Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(vectors))),
        ])
    };
    let width = Duration::from_secs(86_400);
    let days = ClusterBy::TimeBlock { column: "time".to_owned(), width };
    (side(0..20, 0.0), side(20..32, 12.0), FitOptions::default().with_cluster(days).with_edges(60))
}

fn golden_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join("golden").join(name)
}

/// Files that the first version has written: they open for ever, and say what they said.
#[test]
fn files_of_version_1_still_open() {
    let (past, window, options) = golden();
    let reference = Reference::open(golden_path("reference-v1.ref")).expect("version 1");
    let counts = std::fs::read(golden_path("counts-v1.bin")).expect("a file");
    let (read, fresh) =
        (monitor(reference), monitor(Reference::fit([&past], &options).expect("a reference")));
    read.merge_bytes(&counts).expect("counts of version 1");
    fresh.observe(&window).expect("a window");
    let (read, fresh) = (read.report(), fresh.report());
    assert_eq!((read.rows.reference, read.rows.current), (480, 288));
    let verdicts: Vec<_> =
        read.columns.iter().map(|column| (column.column.as_str(), column.verdict)).collect();
    assert_eq!(
        verdicts,
        [
            ("load", Verdict::Drifted),
            ("count", Verdict::Stable),
            ("cents", Verdict::Stable),
            ("name", Verdict::Stable),
            ("vectors", Verdict::Unchecked),
        ]
    );
    // Wherever edges are laid today: what was counted of whole columns is the same.
    for (read, fresh) in read.columns.iter().zip(&fresh.columns) {
        assert_eq!((read.data_type.as_str(), read.kind), (fresh.data_type.as_str(), fresh.kind));
        assert_eq!(read.counts, fresh.counts);
        assert_eq!((&read.reason, &read.clusters), (&fresh.reason, &fresh.clusters));
        assert_eq!(read.categories, fresh.categories);
        assert_eq!(read.statistics.psi, fresh.statistics.psi);
        let moments = |report: &mlops_drift::report::ColumnReport| {
            let shifts = [&report.statistics.mean_shift, &report.statistics.std_shift];
            shifts.map(|shift| shift.as_ref().and_then(|shift| shift.current).unwrap_or(0.0))
        };
        for (read, fresh) in moments(read).into_iter().zip(moments(fresh)) {
            assert!((read - fresh).abs() <= 1e-12 * fresh.abs(), "{read} {fresh}");
        }
    }
}

/// Writes the files that are not there; those that are there stay as they are.
#[test]
#[ignore = "writes the golden files of a new version"]
fn golden_files_are_written() {
    let (past, window, options) = golden();
    let monitor = monitor(Reference::fit([&past], &options).expect("a reference"));
    monitor.observe(&window).expect("a window");
    let reference = Reference::fit([&past], &options).expect("a reference");
    let files = [
        ("reference-v1.ref", reference.to_bytes().expect("bytes")),
        ("counts-v1.bin", monitor.state_bytes().expect("counts")),
    ];
    for (name, bytes) in files {
        if !golden_path(name).exists() {
            std::fs::write(golden_path(name), bytes).expect("a file");
        }
        assert!(golden_path(name).exists());
    }
}

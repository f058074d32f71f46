//! Content that is made to mislead: whole frames with right checksums, and wrong numbers inside.

mod altered;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int32Array, ListArray, RecordBatch,
    StringArray, TimestampSecondArray,
};
use arrow::datatypes::Float64Type;

use super::*;
use crate::artefact::container::{Content, seal};
use crate::artefact::{VERSION, encode};
use crate::cells::Number as _;
use crate::{ClusterBy, Detail, DriftMonitor, Error, ErrorKind, FitOptions, MonitorOptions};

const DAY: i64 = 86_400;

/// Every kind of column, over a few days.
fn rows(days: std::ops::Range<i64>, shift: f64) -> RecordBatch {
    let rows: Vec<i64> = days.flat_map(|day| (0..12).map(move |hour| day * DAY + hour)).collect();
    let at = |k: i64| (k * 7_919 + 13) % 101;
    let floats: Float64Array =
        rows.iter().map(|&k| (at(k) != 5).then(|| (at(k) as f64).powi(3) * 1e-3 + shift)).collect();
    let integers: Int32Array = rows.iter().map(|&k| Some((at(k) % 40) as i32)).collect();
    let decimals: Decimal128Array = rows.iter().map(|&k| Some(i128::from(at(k)) << 80)).collect();
    let names: StringArray =
        rows.iter().map(|&k| Some(["a", "b", "c"][at(k) as usize % 3])).collect();
    let flags: BooleanArray = rows.iter().map(|&k| Some(at(k) % 2 == 0)).collect();
    let lists = rows.iter().map(|&k| Some([Some(at(k) as f64)]));
    let lists = ListArray::from_iter_primitive::<Float64Type, _, _>(lists);
    let columns: [(&str, ArrayRef); 7] = [
        ("time", Arc::new(TimestampSecondArray::from(rows.clone()))),
        ("float", Arc::new(floats)),
        ("integer", Arc::new(integers)),
        ("decimal", Arc::new(decimals)),
        ("name", Arc::new(names)),
        ("flag", Arc::new(flags)),
        ("list", Arc::new(lists)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
        .expect("columns of one length")
}

fn fitted(clustered: bool, detail: Detail) -> crate::Reference {
    let cluster = match clustered {
        true => {
            let width = Duration::from_secs(86_400);
            ClusterBy::TimeBlock { column: "time".to_owned(), width }
        }
        false => ClusterBy::Rows,
    };
    let options = FitOptions::default().with_edges(12).with_detail(detail).with_cluster(cluster);
    crate::Reference::fit([&rows(0..5, 0.0)], &options).expect("a reference")
}

const KINDS: [(bool, Detail); 4] =
    [(false, Detail::Cells), (true, Detail::Cells), (false, Detail::Bins), (true, Detail::Bins)];

fn monitor(reference: crate::Reference) -> DriftMonitor {
    let options = MonitorOptions::default().with_max_draws(19);
    DriftMonitor::new(Arc::new(reference), options).expect("a monitor")
}

fn written(clustered: bool) -> Reference {
    Reference::of(&fitted(clustered, Detail::default())).expect("it can be written")
}

fn read(reference: &Reference) -> Result<crate::Reference, Error> {
    reread(&encode(reference).expect("it can be encoded"))
}

fn reread(body: &[u8]) -> Result<crate::Reference, Error> {
    crate::Reference::from_bytes(&seal(Content::Reference, VERSION, body).expect("it is small"))
}

#[track_caller]
fn refused(result: Result<impl Sized, Error>, why: &str) {
    let error = result.err().expect("it was read");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

fn floats(reference: &mut Reference) -> (&mut Grid<f64>, &mut Numbers) {
    match (&mut reference.columns[if reference.cluster.is_some() { 0 } else { 1 }], 0) {
        (Column { cells: Cells::Floats(grid), counted, .. }, _) => match &mut counted.values {
            Values::Numbers(numbers) => (grid, numbers),
            other => panic!("{other:?}"),
        },
        (other, _) => panic!("{other:?}"),
    }
}

#[test]
fn each_wrong_number_is_refused_with_its_reason() {
    type Wrong = (fn(&mut Reference), &'static str);
    let wrong: [Wrong; 22] = [
        (|r| r.rows = 1 << 47, "more rows than there can be"),
        (|r| r.rows += 1, "not as many rows"),
        (|r| r.columns[1].name = "float".to_owned(), "two columns have one name: column=float"),
        (|r| r.columns[1].name = "time".to_owned(), "two columns have one name: column=time"),
        (|r| r.clusters.swap(0, 1), "not in order"),
        (|r| r.clusters[4] = Key::Text("x".to_owned()), "does not fit the cluster column"),
        (|r| drop(r.clusters.pop()), "not as many clusters"),
        (|r| r.cluster = None, "does not fit the cluster column"),
        (|r| r.columns[0].counted.clusters[0].rows += 1, "do not add up"),
        (|r| r.columns[0].counted.clusters[0].rows = 0, "more values than rows"),
        (|r| r.columns[0].counted.clusters[0].cells = vec![(32, 1)], "no such coarse cell"),
        (|r| r.columns[0].counted.clusters[0].cells.swap(0, 1), "not in order"),
        (|r| r.columns[0].counted.null = u64::MAX, "more rows are unusable"),
        (|r| r.columns[0].counted.nan += 1, "do not add up"),
        (|r| r.columns[0].counted.values = Values::Unsupported, "do not fit its cells"),
        (|r| r.columns[0].cells = Cells::Categories(Vec::new()), "do not fit"),
        (|r| floats(r).0.edges.swap(0, 1), "edges are not in order: column=float"),
        (|r| floats(r).0.edges[0] = f64::NAN, "an edge is not finite"),
        (|r| floats(r).0.coarse = vec![0, 1], "no unions"),
        (|r| floats(r).0.coarse.truncate(2), "do not add up"),
        (|r| floats(r).1.near = u128::MAX, "too large"),
        (|r| (floats(r).1.at[0], floats(r).1.below.count) = (0, 1), "can't be theirs"),
    ];
    assert!(read(&written(true)).is_ok());
    for (change, why) in wrong {
        let mut reference = written(true);
        change(&mut reference);
        refused(read(&reference), why);
    }
    let category = |r: &mut Reference, change: fn(&mut Vec<(String, u64)>)| match &mut r.columns[4]
        .counted
        .values
    {
        Values::Categories(counts) => change(counts),
        other => panic!("{other:?}"),
    };
    type Miscounted = (fn(&mut Vec<(String, u64)>), &'static str);
    let wrong: [Miscounted; 4] = [
        (|counts| counts[0].1 += 1, "do not add up"),
        (|counts| counts[0].1 = u64::MAX, "do not add up"),
        (|counts| counts.push(("z".to_owned(), 0)), "do not add up"),
        (|counts| counts.swap(0, 1), "not in order"),
    ];
    for (change, why) in wrong {
        let mut reference = written(false);
        category(&mut reference, change);
        refused(read(&reference), why);
    }
}

#[test]
fn too_many_clusters_are_refused_before_there_is_room_for_them() {
    let mut reference = written(true);
    reference.clusters = (0..1_000_000).map(Key::Number).collect();
    let error = read(&reference).expect_err("too many");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().ends_with("clusters=1000000 columns=6"), "{error}");
}

/// The unit of the offsets as the front page of this version states it.
#[test]
fn the_units_of_offsets_are_those_of_this_version() {
    let ends = [
        (0.0, 1.0),
        (0.0, 0.999),
        (1e16, 1e16 + 6.0),
        (-3.0, 0.1),
        (0.0, f64::MAX),
        (5e-310, 7e-310),
        (2.0, 2.0 + f64::EPSILON * 2.0),
    ];
    for (low, high) in ends {
        let width: f64 = high - low;
        let exponent = (-1_022..1_024).rev().find(|&e| 2_f64.powi(e) <= width).unwrap_or(-1_023);
        let half = (51 - exponent).div_euclid(2);
        assert_eq!(
            f64::unit_size(f64::unit(low, high)),
            0.5_f64.powi(half) * 0.5_f64.powi(half),
            "{low} {high}"
        );
    }
    assert_eq!(i64::unit_size(()), 1.0);
    assert_eq!(i128::unit_size(i128::unit(5, 7)), 1.0);
    assert_eq!(i128::unit_size(i128::unit(0, 1 << 64)), 2.0);
    assert_eq!(i128::unit_size(i128::unit(i128::MIN, i128::MAX)), 2_f64.powi(64));
}

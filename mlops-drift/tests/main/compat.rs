//! Other tools' rules as a host asks for them: every column answered, their faults not copied.

use std::sync::Arc;

use mlops_drift::ErrorKind;
use mlops_drift::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int64Array, NullArray, StringArray, UInt64Array,
};
use mlops_drift::arrow::datatypes::Int32Type;
use mlops_drift::compat::{Column, Method, Peer, Report, SCHEMA, Verdict, compare};

use super::{batch, floats, normal, random};

fn normals(seed: u64, rows: usize, shift: f64) -> Vec<f64> {
    let mut random = random(seed);
    (0..rows).map(|_| normal(&mut random) + shift).collect()
}

#[test]
fn every_column_of_every_type_ends_checked_or_with_a_reason() {
    let dictionary: DictionaryArray<Int32Type> = ["a", "b"].into_iter().cycle().take(60).collect();
    let decimals = Decimal128Array::from(vec![1; 60]).with_precision_and_scale(9, 2);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("float", floats((0..60).map(f64::from))),
        ("unsigned", Arc::new(UInt64Array::from_iter_values(u64::MAX - 59..=u64::MAX))),
        ("nulls", Arc::new(Int64Array::from_iter((0..60).map(|row| (row % 7 > 0).then_some(row))))),
        ("bool", Arc::new(BooleanArray::from_iter((0..60).map(|row| Some(row % 3 == 0))))),
        ("string", Arc::new(StringArray::from_iter_values((0..60).map(|r| format!("{}", r % 3))))),
        ("dictionary", Arc::new(dictionary)),
        ("text", Arc::new(StringArray::from_iter_values((0..60).map(|r| format!("no {r}"))))),
        ("date", Arc::new(Date32Array::from_iter_values(0..60))),
        ("decimal", Arc::new(decimals.expect("precision and scale"))),
        ("null", Arc::new(NullArray::new(60))),
        ("missing", floats(std::iter::repeat_n(f64::NAN, 60))),
    ];
    let batch = [batch(columns)];
    for peer in Peer::ALL {
        let report = compare(&batch, &batch, peer).expect("a report");
        assert_eq!(report.columns.len(), 11);
        for column in &report.columns {
            let unchecked = match column.column.as_str() {
                "date" | "decimal" | "null" | "missing" => true,
                "text" => peer == Peer::Evidently,
                _ => false,
            };
            let what = format!("{peer} {column:?}");
            assert_eq!(column.verdict == Verdict::Unchecked, unchecked, "{what}");
            assert_eq!(column.reason.is_some(), unchecked, "{what}");
            assert_eq!(column.findings.is_empty(), unchecked, "{what}");
            if !unchecked {
                assert_eq!(column.verdict, Verdict::Stable, "{what}");
            }
        }
        assert!(!report.dataset.drifted);
        assert_eq!(report.schema, SCHEMA);
        let text = serde_json::to_string(&report).expect("JSON");
        assert_eq!(serde_json::from_str::<Report>(&text).expect("a report"), report);
    }
}

#[test]
fn a_data_set_drifts_by_the_rule_of_the_peer() {
    let side = |shifted: usize, shift: f64| {
        let column =
            |at: usize| floats(normals(at as u64, 400, if at < shifted { shift } else { 0.0 }));
        batch(vec![("a", column(0)), ("b", column(1)), ("c", column(2)), ("d", column(3))])
    };
    for (shifted, evidently) in [(0, false), (1, false), (2, true), (3, true)] {
        let sides = [side(4, 0.0), side(shifted, 3.0)];
        for peer in Peer::ALL {
            let report = compare(&sides[..1], &sides[1..], peer).expect("a report");
            assert_eq!(report.dataset.drifted_columns, shifted, "{peer}");
            let expected = if peer == Peer::Evidently { evidently } else { shifted > 0 };
            assert_eq!(report.dataset.drifted, expected, "{peer} {shifted}");
        }
    }
}

#[test]
fn a_changed_schema_is_an_error_and_a_further_column_is_not() {
    let reference = [batch(vec![("x", floats([1.0, 2.0]))])];
    let other = |columns| compare(&reference, &[batch(columns)], Peer::Scipy);
    let missing = other(vec![("y", floats([1.0]))]).expect_err("x is missing");
    assert_eq!(missing.kind(), ErrorKind::SchemaChanged);
    let integers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let changed = other(vec![("x", integers)]).expect_err("x is of another type");
    assert!(changed.to_string().contains("expected=Float64 found=Int64"), "{changed}");
    let report = other(vec![("x", floats([1.0])), ("y", floats([1.0]))]).expect("a report");
    assert_eq!(report.columns.len(), 1);
    let none = compare(&reference, &[], Peer::Scipy).expect_err("nothing to compare");
    assert_eq!(none.kind(), ErrorKind::InvalidInput);
    assert_eq!("scorer".parse::<Peer>().expect_err("unknown").kind(), ErrorKind::InvalidInput);
}

#[test]
fn nothing_to_judge_has_a_reason() {
    let some = Column::floats(&normals(1, 30, 0.0));
    let names = Column::labels(&[Some("a"), None]);
    for peer in Peer::ALL {
        for (reference, current, reason) in [
            (&some, &Column::floats(&[]), "there is no row on the current side"),
            (&Column::floats(&[f64::NAN]), &some, "there is no usable value on the reference side"),
            (&some, &names, "one side holds numbers, the other categories"),
        ] {
            let found = peer.check(reference, current);
            assert_eq!(found.verdict, Verdict::Unchecked, "{peer}");
            assert_eq!(found.reason.as_deref(), Some(reason), "{peer}");
        }
    }
    let nine = Column::floats(&normals(2, 9, 0.0));
    assert_eq!(Peer::Nannyml.check(&some, &nine).verdict, Verdict::Unchecked);
    assert_eq!(Peer::Scouter.check(&nine, &some).verdict, Verdict::Unchecked);
}

/// Known faults of the peers, each on data where the peer's own answer is far off.
#[test]
fn the_known_faults_are_not_copied() {
    // NannyML bins 10,000 values between the extremes: one outlier, and all others share a bin.
    let mut reference = normals(3, 10_000, 0.0);
    reference[17] = 1e9;
    let current = Column::floats(&normals(4, 1_000, 2.0));
    let found = Peer::Nannyml.check(&Column::floats(&reference), &current);
    let ks = found.findings.iter().find(|f| f.method == Method::KolmogorovSmirnov);
    let ks = ks.expect("it is on request");
    assert!(ks.statistic > Some(0.6) && ks.drifted == Some(true), "{:?}", ks.statistic);

    // scouter divides by all current rows, missing or not, and forgets unseen categories.
    let whole = Column::floats(&normals(5, 500, 0.0));
    let rows = normals(6, 500, 0.1);
    let gaps: Vec<f64> = rows.iter().flat_map(|&row| [row, f64::NAN, f64::INFINITY]).collect();
    let (whole, gaps) = (&whole, Column::floats(&gaps));
    assert_eq!(
        Peer::Scouter.check(whole, &gaps),
        Peer::Scouter.check(whole, &Column::floats(&rows))
    );
    let seen = Column::strings(&[Some("a"), Some("b")].repeat(50));
    let unseen = Column::strings(&[Some("a"), Some("b"), Some("c"), Some("c")].repeat(25));
    let psi = Peer::Scouter.check(&seen, &unseen).findings[0].statistic;
    // Two shares of 1/2 become 1/4, one of 1e-10 becomes 1/2.
    let expected = 2.0 * 0.25 * 2_f64.ln() + 0.5 * (0.5 / 1e-10_f64).ln();
    assert!(psi.is_some_and(|psi| (psi / expected - 1.0).abs() < 1e-8), "{psi:?} {expected}");

    // Evidently and SciPy take integers through f64, where these two are one.
    let sides = [[1_i64 << 53; 20], [(1 << 53) + 1; 20]].map(|rows| Column::integers(&rows));
    for peer in [Peer::Evidently, Peer::Scipy] {
        let found = peer.check(&sides[0], &sides[1]);
        assert_eq!(found.verdict, Verdict::Drifted, "{peer}");
    }

    // Evidently's deviation overflows, its distance becomes NaN, and that is no drift.
    let huge = |rows: Vec<f64>| Column::floats(&rows.iter().map(|v| v * 2e307).collect::<Vec<_>>());
    let (n, m) = (normals(7, 1_500, 0.0), normals(8, 1_500, 1.0));
    let found = Peer::Evidently.check(&huge(n.clone()), &huge(m.clone())).findings.remove(0);
    let plain = Peer::Evidently.check(&Column::floats(&n), &Column::floats(&m)).findings.remove(0);
    let ratio = found.statistic.zip(plain.statistic).map(|(found, plain)| found / plain);
    assert!(ratio.is_some_and(|ratio| (ratio - 1.0).abs() < 1e-9), "{ratio:?}");
}

/// What the page says of the rule of thumb: with few rows it mostly alarms when nothing changed.
#[test]
fn the_rule_of_thumb_depends_on_the_number_of_rows() {
    let reference = Column::floats(&normals(9, 5_000, 0.0));
    let alarms = |rows: usize| {
        let judge =
            |seed| Peer::RuleOfThumb.check(&reference, &Column::floats(&normals(seed, rows, 0.0)));
        (100..200).filter(|&seed| judge(seed).verdict != Verdict::Stable).count()
    };
    assert!(alarms(50) > 50);
    assert_eq!(alarms(2_000), 0);
    let verdict = |shift| {
        Peer::RuleOfThumb.check(&reference, &Column::floats(&normals(10, 5_000, shift))).verdict
    };
    assert_eq!(
        [0.0, 0.4, 0.8].map(verdict),
        [Verdict::Stable, Verdict::Moderate, Verdict::Drifted]
    );
}

#[test]
fn chunks_tile_the_current_rows() {
    let column = Column::floats(&normals(11, 57, 0.0));
    let current = Float64Array::from(normals(12, 43, 0.0));
    let found = Peer::Nannyml.check(&column, &Column::floats(current.values()));
    for finding in &found.findings {
        let rows: Vec<(u64, u64)> = finding.chunks.iter().map(|c| (c.from, c.rows)).collect();
        let mut expected: Vec<(u64, u64)> = (0..10).map(|chunk| (4 * chunk, 4)).collect();
        expected.push((40, 3));
        assert_eq!(rows, expected);
    }
}

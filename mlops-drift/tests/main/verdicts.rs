//! What is called drift, what is not, and what can't be said.

use std::sync::Arc;

use mlops_drift::arrow::array::{ArrayRef, Float64Array, Int32Array, StringArray};
use mlops_drift::report::{Change, SCHEMA, TestKind};
use mlops_drift::{ClusterBy, Correction, FitOptions, MonitorOptions, Report, Verdict, compare};

use super::{batch, floats, normal, one, random, report};

fn normals(seed: u64, count: usize, shift: f64, scale: f64) -> ArrayRef {
    let mut random = random(seed);
    floats((0..count).map(|_| normal(&mut random) * scale + shift))
}

#[test]
fn shifts_and_spreads_are_told_apart() {
    let shifted = one(normals(1, 1000, 0.0, 1.0), normals(2, 400, 0.4, 1.0));
    assert_eq!((shifted.verdict, shifted.decided_by), (Verdict::Drifted, Some(Change::Location)));
    let spread = one(normals(3, 1000, 0.0, 1.0), normals(4, 400, 0.0, 1.7));
    assert_eq!((spread.verdict, spread.decided_by), (Verdict::Drifted, Some(Change::Scale)));
    assert_eq!(spread.min_effect, Some(0.1));
    assert!(spread.effect.is_some_and(|effect| effect > 0.25), "{:?}", spread.effect);
    let same = one(normals(5, 1000, 0.0, 1.0), normals(6, 400, 0.0, 1.0));
    assert_eq!(same.verdict, Verdict::Stable);
}

/// A scale of 1.1 has an effect of 0.106 on normal data: 12 arcsin(s / (1 + s)) / 2 pi - 1, s = 1.21.
#[test]
fn the_effect_of_a_scale_of_a_tenth() {
    let quantiles = |scale: f64| {
        let mut sorted: Vec<f64> = {
            let mut random = random(9);
            (0..200_000).map(|_| normal(&mut random) * scale).collect()
        };
        sorted.sort_by(f64::total_cmp);
        floats(sorted)
    };
    let column = one(quantiles(1.0), quantiles(1.1));
    assert_eq!(column.decided_by, Some(Change::Scale));
    assert!(column.effect.is_some_and(|e| (0.10..0.115).contains(&e)), "{:?}", column.effect);
}

/// Half of the rows at the two points whose squared centred rank is 1/12: the same mean, the same spread
/// of ranks, another shape.
#[test]
fn a_narrow_mode_is_a_change_of_shape() {
    let mut random = random(13);
    let mode = (0..800).map(|row| {
        let value = normal(&mut random);
        if row % 2 == 0 { value * 0.02 + 0.797 * f64::from(row / 2 % 2 * 2 - 1) } else { value }
    });
    let column = one(normals(12, 1_000, 0.0, 1.0), floats(mode.collect::<Vec<f64>>()));
    assert_eq!((column.verdict, column.decided_by), (Verdict::Drifted, Some(Change::Shape)));
    let shape = column.statistics.anderson_darling.expect("it is tested");
    assert_eq!((shape.p_value, shape.effect), (column.p_value, column.effect));
    assert_eq!(column.min_effect, Some(0.04));
}

#[test]
fn a_shift_too_small_to_matter_is_stable_unless_floors_are_off() {
    let sides = || (normals(7, 60_000, 0.0, 1.0), normals(8, 60_000, 0.05, 1.0));
    let (old, new) = sides();
    let column = one(old, new);
    assert_eq!(column.verdict, Verdict::Stable);
    assert!(column.adjusted_p_value.is_some_and(|p| p < 1e-6));
    let (old, new) = sides();
    let column =
        report(old, new, &MonitorOptions::default().with_min_effect(0.0)).columns.remove(0);
    assert_eq!((column.verdict, column.min_effect), (Verdict::Drifted, Some(0.0)));
}

#[test]
fn a_constant_column_is_checked_like_any_other() {
    let same = one(floats([5.0; 50]), floats([5.0; 30]));
    assert_eq!((same.verdict, same.p_value, same.effect), (Verdict::Stable, Some(1.0), Some(0.0)));
    assert_eq!(same.statistics.wasserstein.as_ref().and_then(|w| w.value), Some(0.0));
    assert_eq!(same.statistics.wasserstein.and_then(|w| w.over_iqr), None);
    let moved = one(floats([5.0; 50]), floats([6.0; 30]));
    assert_eq!((moved.verdict, moved.effect), (Verdict::Drifted, Some(1.0)));
}

#[test]
fn values_out_of_range_are_a_test_of_their_own() {
    let old: Vec<f64> = (0..2_000).map(f64::from).collect();
    let mut new: Vec<f64> = (0..1_000).map(|row| f64::from(row) * 2.0).collect();
    new[480..520].fill(1e9);
    let column = one(floats(old), floats(new));
    assert_eq!((column.verdict, column.decided_by), (Verdict::Drifted, Some(Change::Range)));
    assert_eq!((column.effect, column.min_effect), (Some(0.04), Some(0.02)));
    let range = column.tests.iter().find(|test| test.kind == TestKind::Range);
    assert!(range.and_then(|test| test.p_value).is_some_and(|p| p < 1e-12));
}

#[test]
fn an_empty_side_is_unchecked_and_every_value_undefined() {
    let nulls: ArrayRef = Arc::new(Float64Array::from(vec![None; 20]));
    for (old, new, side) in [
        (floats([1.0; 20]), nulls.clone(), "current"),
        (nulls, floats([1.0; 20]), "reference"),
        (floats([1.0; 20]), floats([]), "current"),
        (floats([]), floats([1.0; 20]), "reference"),
        (floats([f64::NAN; 20]), floats([1.0; 20]), "reference"),
    ] {
        let column = one(old, new);
        assert_eq!(column.verdict, Verdict::Unchecked);
        let reason = column.reason.expect("a reason");
        assert!(reason.contains(&format!("no usable value in the {side} data: rows=")), "{reason}");
        assert_eq!((column.p_value, column.effect, column.decided_by), (None, None, None));
        let ks = column.statistics.ks.expect("named, if undefined");
        assert_eq!((ks.value, ks.numerator), (None, None));
        assert_eq!(column.statistics.wasserstein.and_then(|w| w.value), None);
        assert_eq!(column.statistics.psi.and_then(|psi| psi.value), None);
        assert_eq!(column.statistics.mean_shift.and_then(|shift| shift.value), None);
    }
}

#[test]
fn too_few_rows_or_clusters_are_unchecked_with_the_smallest_p_value() {
    let few = one(floats([1.0, 2.0, 3.0]), floats([9.0, 8.0]));
    assert_eq!(few.verdict, Verdict::Unchecked);
    let reason = few.reason.expect("a reason");
    assert!(reason.contains("3 against 2 can reach is 1.00e-1"), "{reason}");
    assert_eq!(few.statistics.ks.and_then(|ks| ks.value), Some(1.0), "described all the same");
    let single = one(floats([1.0]), floats([2.0]));
    assert_eq!(single.verdict, Verdict::Unchecked);

    let column = clustered(3, 2, 9.0).columns.remove(0);
    assert_eq!(column.verdict, Verdict::Unchecked);
    assert!(column.reason.is_some_and(|reason| reason.starts_with("too few clusters")));
    assert_eq!(column.clusters.map(|c| (c.reference, c.current)), Some((3, 2)));
}

/// A report on clusters of forty equal rows each.
fn clustered(reference: u32, current: u32, shift: f64) -> Report {
    let side = |clusters: std::ops::Range<u32>, shift: f64| {
        let days = clusters.clone().flat_map(|day| vec![day as i32; 40]);
        let values = clusters.flat_map(|day| vec![f64::from(day * 37 % 11) + shift; 40]);
        let days: ArrayRef = Arc::new(Int32Array::from_iter_values(days));
        batch(vec![("day", days), ("x", floats(values))])
    };
    let sides = [side(0..reference, 0.0), side(reference..reference + current, shift)];
    let fit = FitOptions::default().with_cluster(ClusterBy::Column("day".to_owned()));
    compare(&sides[..1], &sides[1..], &fit, &MonitorOptions::default()).expect("a report")
}

#[test]
fn rows_of_one_cluster_count_once() {
    let report = clustered(33, 7, 2.0);
    assert_eq!(report.columns.len(), 1, "the column of the cluster is not checked");
    let column = &report.columns[0];
    assert_eq!(column.verdict, Verdict::Stable, "{:?}", column.p_value);
    assert_eq!(column.clusters.map(|c| (c.reference, c.current)), Some((33, 7)));
    let range = column.tests.iter().find(|test| test.kind == TestKind::Range);
    assert!(range.is_some_and(|test| test.p_value.is_none() && test.effect.is_some()));
    let ks = column.statistics.ks.as_ref().expect("described all the same");
    assert!(ks.value > Some(0.1) && ks.p_value.is_none(), "the law of rows does not hold here");
    let far = clustered(33, 7, 20.0).columns.remove(0);
    assert_eq!((far.verdict, far.decided_by), (Verdict::Drifted, Some(Change::Location)));
}

#[test]
fn thousands_of_clusters_are_joined_with_their_neighbours() {
    let side = |clusters: std::ops::Range<i32>| {
        let values = clusters.clone().map(|day| f64::from(day * 37 % 101));
        let days: ArrayRef = Arc::new(Int32Array::from_iter_values(clusters.clone()));
        batch(vec![("day", days), ("x", floats(values))])
    };
    let sides = [side(0..9_000), side(9_000..10_000)];
    let fit = FitOptions::default().with_cluster(ClusterBy::Column("day".to_owned()));
    let report = compare(&sides[..1], &sides[1..], &fit, &MonitorOptions::default());
    let column = report.expect("a report").columns.remove(0);
    assert_eq!(column.clusters.map(|c| (c.reference, c.current)), Some((3_000, 334)));
    assert_eq!(column.verdict, Verdict::Stable, "{:?}", column.p_value);
}

#[test]
fn a_share_of_nulls_is_tested_by_cluster_too() {
    let side = |days: std::ops::Range<i32>, every: i32| {
        let rows: Vec<i32> = days.flat_map(|day| vec![day; 50]).collect();
        let value =
            |(row, _): (usize, &i32)| (row as i32 % every != 0).then_some((row % 10) as f64);
        let values: Float64Array = rows.iter().enumerate().map(value).collect();
        let days: ArrayRef = Arc::new(Int32Array::from(rows));
        batch(vec![("day", days), ("x", Arc::new(values))])
    };
    let sides = [side(0..30, 25), side(30..37, 3)];
    let fit = FitOptions::default().with_cluster(ClusterBy::Column("day".to_owned()));
    let report = compare(&sides[..1], &sides[1..], &fit, &MonitorOptions::default());
    let column = report.expect("a report").columns.remove(0);
    assert_eq!((column.verdict, column.decided_by), (Verdict::Drifted, Some(Change::Nulls)));
    let nulls = column.tests.iter().find(|test| test.kind == TestKind::Nulls);
    assert_eq!(nulls.and_then(|test| test.p_value), Some(1.0 / 10_000.0));
}

#[test]
fn a_lone_drifted_column_is_found_among_two_hundred() {
    let side = |shift: f64| {
        let names: Vec<String> = (0..200).map(|column| format!("c{column:03}")).collect();
        let columns = names.iter().enumerate().map(|(column, name)| {
            let seed = 100 + column as u64 + if shift > 0.0 { 1_000 } else { 0 };
            let own = if column == 77 { shift } else { 0.0 };
            (name.as_str(), normals(seed, 150, own, 1.0))
        });
        batch(columns.collect())
    };
    let sides = [side(0.0), side(0.8)];
    let fit = FitOptions::default();
    let report = compare(&sides[..1], &sides[1..], &fit, &MonitorOptions::default()).expect("ok");
    let drifted = report.columns.iter().filter(|column| column.verdict == Verdict::Drifted);
    assert_eq!(drifted.map(|column| column.column.as_str()).collect::<Vec<_>>(), ["c077"]);
    assert!(report.dataset.drifted && report.dataset.drifted_columns == 1);
}

#[test]
fn the_report_has_the_shape_that_was_promised() {
    let names = |n: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..n).map(|row| ["a", "b"][row % 2])))
    };
    let sides = [
        batch(vec![("x", floats((0..90).map(f64::from))), ("name", names(90))]),
        batch(vec![("x", floats((0..80).map(|x| f64::from(x) + 9.0))), ("name", names(80))]),
    ];
    let options = MonitorOptions::default().with_correction(Correction::BenjaminiYekutieli);
    let fit = FitOptions::default();
    let report = compare(&sides[..1], &sides[1..], &fit, &options).expect("a report");
    let text = serde_json::to_string(&report).expect("a report is JSON");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("and back"), report);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["schema"], SCHEMA);
    assert_eq!(json["correction"], "benjamini-yekutieli");
    assert_eq!(json["rows"]["current"], 80);
    let x = &json["columns"][0];
    assert_eq!(
        (&x["column"], &x["type"], &x["kind"]),
        (&"x".into(), &"Float64".into(), &"numeric".into())
    );
    let ks = &x["statistics"]["ks"];
    assert_eq!((&ks["numerator"], &ks["denominator"]), (&"720".into(), &"7200".into()));
    assert_eq!((&ks["value"], &ks["law"]), (&0.1.into(), &"exact".into()));
    assert!(ks["interval"].is_null() && x["clusters"].is_null() && x["reason"].is_null());
    assert_eq!(x["statistics"]["psi"]["empty_bins"], "half-count");
    for tested in ["mann_whitney", "mood", "anderson_darling"] {
        assert!(x["statistics"][tested]["p_value"].is_number(), "{tested}");
    }
    let described = ["g", "chi_square", "l_infinity", "jensen_shannon", "kullback_leibler"];
    for described in described.iter().chain(&["hellinger", "energy", "cramer_von_mises"]) {
        assert!(x["statistics"][described]["value"].is_number(), "{described}");
    }
    assert_eq!(x["tests"][0]["kind"], "values");
    let outer = x["moved"].as_array().expect("a list").iter().any(|bin| bin["from"] == "-inf");
    assert!(outer, "the lowest bin is unbounded");
    let name = &json["columns"][1];
    assert_eq!((&name["kind"], &name["verdict"]), (&"categorical".into(), &"stable".into()));
    assert_eq!(name["statistics"]["total_variation"]["value"], 0.0);
    assert!(name["statistics"].get("energy").is_none(), "what was not computed is left out");
}

#[test]
fn a_report_depends_on_the_seed_only_through_its_draws() {
    let steps = |seed, count, shift: f64| {
        let mut random = random(seed);
        floats((0..count).map(|_| (normal(&mut random) * 2.0 + shift).round()))
    };
    let at = |seed| {
        let options = MonitorOptions::default().with_seed(seed);
        report(steps(21, 80, 0.0), steps(22, 60, 0.2), &options)
    };
    assert_eq!(at(1), at(1));
    let p = |report: &Report| report.columns[0].tests[0].p_value.unwrap_or(f64::NAN);
    assert_ne!(p(&at(1)), p(&at(2)));
    assert!((p(&at(1)) - p(&at(2))).abs() < 0.3);
    // Without ties nothing is drawn.
    let untied = |seed| {
        let options = MonitorOptions::default().with_seed(seed);
        report(normals(21, 80, 0.0, 1.0), normals(22, 60, 0.1, 1.0), &options)
    };
    assert_eq!(untied(1), untied(2));
}

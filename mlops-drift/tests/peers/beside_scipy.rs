//! The statistics and the power of the value test beside SciPy's; `scripts/peers scipy` installs it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use mlops_drift::arrow::array::{ArrayRef, Float64Array, RecordBatch};
use mlops_drift::statistic::{
    EmptyBins, Sample, bin_counts, chi_square, cramer_von_mises, decile_edges, energy_distance, g,
    jensen_shannon, kullback_leibler, wasserstein,
};
use mlops_drift::{Correction, FitOptions, MonitorOptions, compare};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

type Random = Xoshiro256PlusPlus;
type Pair = (Vec<f64>, Vec<f64>);
type Said = BTreeMap<String, f64>;

const ROWS: usize = 400;
const PAIRS: u64 = 1_000;
const ALPHA: f64 = 0.05;

/// What SciPy says of each pair.
fn scipy(wanted: &str, pairs: &[Pair]) -> Vec<Said> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = root.join(".peers/scipy/bin/python");
    assert!(python.exists(), "{} is missing: run scripts/peers scipy", python.display());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pairs.json");
    std::fs::write(&file, json!({ "wanted": wanted, "pairs": pairs }).to_string()).unwrap();
    let script = root.join("mlops-drift/tests/peers/beside_scipy.py");
    let output = Command::new(python).arg(script).arg(&file).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    let said: Vec<Said> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said.len(), pairs.len());
    said
}

fn normal(random: &mut Random) -> f64 {
    // Box & Muller's transform, one half of it.
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Location,
    Scale,
    Tail,
    Mode,
}

/// One pair, the second side changed; the draws are the same whatever the size of the change.
fn pair(change: Change, size: f64, seed: u64) -> Pair {
    let mut random = Random::seed_from_u64(seed);
    let old = (0..ROWS).map(|_| normal(&mut random)).collect();
    let changed = |random: &mut Random| {
        let (value, other, chance) = (normal(random), normal(random), random.random::<f64>());
        match change {
            Change::Location => value + size,
            Change::Scale => value * (1.0 + size),
            Change::Tail if chance < size => 5.0 * other,
            Change::Mode if chance < size => 2.0 + 0.1 * other,
            Change::Tail | Change::Mode => value,
        }
    };
    (old, (0..ROWS).map(|_| changed(&mut random)).collect())
}

/// Whether the value test alarms, with its floor off.
fn alarms((old, new): &Pair) -> bool {
    let batch = |values: &[f64]| {
        let column: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        RecordBatch::try_from_iter([("x", column)]).unwrap()
    };
    let options = MonitorOptions::default().with_correction(Correction::None).with_min_effect(0.0);
    let report = compare(&[batch(old)], &[batch(new)], &FitOptions::default(), &options).unwrap();
    report.columns[0].tests[0].p_value.unwrap() <= ALPHA
}

/// Where a rising share passes a half, linear between the sizes; beyond the last one, at the last.
fn half(sizes: &[f64], found: &[u64]) -> f64 {
    let share = |index: usize| found[index] as f64 / PAIRS as f64;
    assert!(share(0) < 0.5, "the least size is found too often: {found:?}");
    for index in 1..sizes.len() {
        if share(index) >= 0.5 {
            let part = (0.5 - share(index - 1)) / (share(index) - share(index - 1));
            return sizes[index - 1] + part * (sizes[index] - sizes[index - 1]);
        }
    }
    sizes[sizes.len() - 1]
}

/// The change that is found in half of the pairs at 5 %, beside the best of SciPy's tests on the same pairs.
#[test]
#[ignore = "needs scipy: scripts/peers scipy"]
fn the_value_test_finds_what_the_best_of_scipys_tests_finds() {
    let cases = [
        (Change::Location, [0.10, 0.13, 0.15, 0.18, 0.25]),
        (Change::Scale, [0.08, 0.11, 0.14, 0.17, 0.25]),
        (Change::Tail, [0.04, 0.07, 0.10, 0.13, 0.20]),
        (Change::Mode, [0.04, 0.055, 0.065, 0.08, 0.12]),
    ];
    for (change, sizes) in cases {
        let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for size in sizes {
            let pairs: Vec<Pair> = (0..PAIRS).map(|seed| pair(change, size, seed)).collect();
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for said in scipy("tests", &pairs) {
                for (test, p) in said {
                    *counts.entry(test).or_default() += u64::from(p <= ALPHA);
                }
            }
            let own = pairs.iter().filter(|pair| alarms(pair)).count() as u64;
            counts.insert("value test".to_owned(), own);
            for (test, count) in counts {
                found.entry(test).or_default().push(count);
            }
        }
        let halves: BTreeMap<&str, f64> =
            found.iter().map(|(test, found)| (test.as_str(), half(&sizes, found))).collect();
        let theirs = halves.iter().filter(|(test, _)| **test != "value test");
        let best = theirs.map(|(_, size)| *size).fold(f64::INFINITY, f64::min);
        println!(
            "{change:?}: {halves:.3?}, value test over the best {:.3}",
            halves["value test"] / best
        );
        assert!(
            best < sizes[sizes.len() - 1],
            "{change:?}: no test finds half of the largest size"
        );
        assert!(halves["value test"] <= 1.15 * best, "{change:?}: {halves:?}");
    }
}

/// Every distance that both have, on samples with and without ties.
#[test]
#[ignore = "needs scipy: scripts/peers scipy"]
fn distances_agree_with_scipys() {
    let mut pairs: Vec<Pair> = (0..20).map(|seed| pair(Change::Scale, 0.3, seed)).collect();
    // Ties in eighths; an odd size, for which no decile is a value.
    let round = |side: &[f64]| side[..397].iter().map(|x| (x * 8.0).round() / 8.0).collect();
    let rounded: Vec<Pair> = pairs.iter().map(|(old, new)| (round(old), round(new))).collect();
    pairs.extend(rounded);
    for ((old, new), said) in pairs.iter().zip(scipy("distances", &pairs)) {
        let (old, new) = (Sample::new(old.iter().copied()), Sample::new(new.iter().copied()));
        let edges = decile_edges(&old);
        let (r, c) = (bin_counts(&old, &edges), bin_counts(&new, &edges));
        let found = [
            ("cramer_von_mises", cramer_von_mises(&old, &new)),
            ("energy", energy_distance(&old, &new)),
            ("wasserstein", wasserstein(&old, &new)),
            ("jensen_shannon", jensen_shannon(&r, &c)),
            ("kullback_leibler", kullback_leibler(&r, &c, EmptyBins::Raw)),
            ("chi_square", chi_square(&r, &c)),
            ("g", g(&r, &c)),
        ];
        assert_eq!(found.len(), said.len());
        for (name, value) in found {
            let value = value.unwrap();
            assert!(
                (value - said[name]).abs() <= 1e-9 * said[name].abs(),
                "{name}: {value} {said:?}"
            );
        }
    }
}

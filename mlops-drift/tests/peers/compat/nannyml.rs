//! NannyML 0.13.1.

use mlops_drift::compat::{Method, Peer, Verdict};
use serde_json::Value;

use super::cases::{Case, Rows};
use super::{agree, asked, by};

/// From so many reference values on the peer estimates KS and Wasserstein on bins of equal width, which
/// is a known fault: they are compared below that size.
fn is_estimated(case: &Case, method: Method) -> bool {
    let values = match &case.reference {
        Rows::Floats(rows) => rows.iter().filter(|row| !row.is_nan()).count(),
        Rows::Integers(rows) => rows.len(),
        Rows::Strings(_) | Rows::Booleans(_) => 0,
    };
    values >= 10_000 && matches!(method, Method::KolmogorovSmirnov | Method::Wasserstein)
}

#[test]
#[ignore = "needs nannyml: scripts/peers nannyml"]
fn chunks_thresholds_and_alerts_are_those_of_nannyml() {
    let mut compared = 0;
    for (case, theirs) in asked("nannyml", |_| true) {
        let found = Peer::Nannyml.check(&case.reference.column(), &case.current.column());
        let from: Vec<u64> = found.findings[0].chunks.iter().map(|chunk| chunk.from).collect();
        let expected: Vec<u64> = serde_json::from_value(theirs["from"].clone()).expect("rows");
        assert_eq!(from, expected, "{}", case.name);
        for (word, result) in theirs["methods"].as_object().expect("methods") {
            let method = match word.as_str() {
                "jensen_shannon" => Method::JensenShannon,
                "kolmogorov_smirnov" => Method::KolmogorovSmirnov,
                "wasserstein" => Method::Wasserstein,
                "hellinger" => Method::Hellinger,
                "chi2" => Method::ChiSquare,
                "l_infinity" => Method::LInfinity,
                other => panic!("{other}"),
            };
            if is_estimated(&case, method) {
                continue;
            }
            let what = format!("{} {word}", case.name);
            let ours = by(&what, &found, method);
            if method != Method::ChiSquare {
                agree(&what, ours.threshold, &result["threshold"], 1e-9);
            }
            let values = result["values"].as_array().expect("values");
            assert_eq!(values.len(), ours.chunks.len(), "{what}");
            for (chunk, value) in ours.chunks.iter().zip(values) {
                if *value == Value::Null {
                    assert_eq!(chunk.statistic, None, "{what}");
                } else {
                    agree(&what, chunk.statistic, value, 1e-9);
                }
                compared += 1;
            }
            let alerts: Vec<bool> = ours.chunks.iter().map(|chunk| chunk.drifted).collect();
            assert_eq!(Value::from(alerts.clone()), result["alerts"], "{what}");
            if method == Method::JensenShannon {
                let drifted = alerts.contains(&true);
                assert_eq!(found.verdict == Verdict::Drifted, drifted, "{what}");
            }
        }
    }
    println!("{compared} values of chunks");
    assert!(compared > 3_000, "only {compared} values were compared");
}

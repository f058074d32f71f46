//! Evidently 0.7.23.

use mlops_drift::compat::{Compared, Finding, Method, Peer, Verdict};
use serde_json::Value;

use crate::{agree, asked, by};

/// The peer's score is a p-value where it tests.
#[track_caller]
fn same_score(what: &str, ours: &Finding, theirs: &Value) {
    match ours.compared {
        // Its Z takes p as one less a number near 1.
        Compared::PValue => match theirs.as_f64() {
            Some(p) if p < 1e-9 && ours.method == Method::Z => {
                assert!(ours.p_value < Some(2e-9), "{what}: {ours:?} {p}");
            }
            _ => agree(what, ours.p_value, theirs, 1e-6),
        },
        Compared::Statistic => agree(what, ours.statistic, theirs, 1e-9),
    }
}

#[test]
#[ignore = "needs evidently: scripts/peers evidently"]
fn choice_score_threshold_and_verdict_are_those_of_evidently() {
    let mut seen = Vec::new();
    for (case, theirs) in asked("evidently", |_| true) {
        let name = &case.name;
        let found = Peer::Evidently.check(&case.reference.column(), &case.current.column());
        let ours = &found.findings[0];
        let method = match theirs["method"].as_str().expect("a method") {
            "K-S p_value" => Method::KolmogorovSmirnov,
            "chi-square p_value" => Method::ChiSquare,
            "Z-test p_value" => Method::Z,
            "Wasserstein distance (normed)" => Method::WassersteinNormed,
            "Jensen-Shannon distance" => Method::JensenShannon,
            other => panic!("{name}: {other}"),
        };
        seen.push(method);
        assert_eq!(ours.method, method, "{name}");
        agree(name, ours.threshold, &theirs["threshold"], 0.0);
        same_score(name, ours, &theirs["score"]);
        let drifted = if theirs["drifted"] == true { Verdict::Drifted } else { Verdict::Stable };
        assert_eq!(found.verdict, drifted, "{name}: {theirs}");
        for (word, result) in theirs["named"].as_object().expect("tests by name") {
            let method = match word.as_str() {
                "psi" => Method::Psi,
                "jensenshannon" => Method::JensenShannon,
                "kl_div" => Method::KullbackLeibler,
                "hellinger" => Method::Hellinger,
                "ks" => Method::KolmogorovSmirnov,
                "ed" => Method::Energy,
                "mannw" => Method::MannWhitney,
                "t_test" => Method::T,
                "wasserstein" => Method::WassersteinNormed,
                other => panic!("{other}"),
            };
            let (what, ours) = (format!("{name} {word}"), by(name, &found, method));
            same_score(&what, ours, &result["score"]);
            agree(&what, ours.threshold, &result["threshold"], 0.0);
            assert_eq!(ours.drifted, result["drifted"].as_bool(), "{what}");
        }
    }
    for method in [
        Method::KolmogorovSmirnov,
        Method::ChiSquare,
        Method::Z,
        Method::WassersteinNormed,
        Method::JensenShannon,
    ] {
        assert!(seen.contains(&method), "no case was judged by {method:?}");
    }
}

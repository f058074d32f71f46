//! Evidently 0.7.23.

use mlops_drift::compat::{Compared, Finding, Method, Peer, Verdict};
use serde_json::Value;

use super::{agree, asked, by};

/// The peer's score is a p-value where it tests.
#[track_caller]
fn same_score(what: &str, ours: &Finding, theirs: &Value) {
    match ours.compared {
        // Its Z takes p as one less a number near 1.
        Compared::PValue => match theirs.as_f64() {
            Some(p) if p < 1e-9 && ours.method == Method::Z => {
                assert!(ours.p_value.is_some_and(|p| p < 2e-9), "{what}: {ours:?} {p}");
            }
            // Its series for Cramer-von Mises ends at terms of 1e-7: far out it has no digit left.
            Some(p) if ours.method == Method::CramerVonMises => {
                let apart = ours.p_value.map(|ours| (ours - p).abs());
                let bound = if p < 1e-4 { 1e-4 } else { 1e-6 };
                assert!(apart.is_some_and(|apart| apart < bound), "{what}: {ours:?} {p}");
            }
            _ => agree(what, ours.p_value, theirs, 1e-6),
        },
        Compared::Statistic => agree(what, ours.statistic, theirs, 1e-9),
    }
}

#[test]
#[ignore = "needs evidently: scripts/peers evidently"]
fn choice_score_threshold_and_verdict_are_those_of_evidently() {
    let (mut seen, mut by_name) = (Vec::new(), 0);
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
                "anderson" => Method::AndersonDarling,
                "cramer_von_mises" => Method::CramerVonMises,
                "es" => Method::EppsSingleton,
                "chisquare" => Method::ChiSquare,
                "g_test" => Method::G,
                "fisher_exact" => Method::Fisher,
                other => panic!("{other}"),
            };
            let (what, ours) = (format!("{name} {word}"), by(name, &found, method));
            // It takes the inverse of a matrix that has none.
            let few = method == Method::EppsSingleton && name.contains(" levels");
            if result.is_null() || (few && ours.drifted.is_none()) {
                assert_eq!(ours.drifted, None, "{what}");
                continue;
            }
            by_name += 1;
            same_score(&what, ours, &result["score"]);
            agree(&what, ours.threshold, &result["threshold"], 0.0);
            assert_eq!(ours.drifted, result["drifted"].as_bool(), "{what}");
        }
    }
    println!("{} columns, {by_name} results by name", seen.len());
    assert!(by_name > 1_200, "only {by_name} results by name were compared");
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

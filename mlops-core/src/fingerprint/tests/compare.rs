//! Differences, results and verdicts.

use std::collections::BTreeMap;

use super::*;

fn paths(difference: &Difference) -> Vec<&str> {
    let entries = difference.sections.iter().flat_map(|section| &section.entries);
    entries.map(|entry| entry.path.as_str()).collect()
}

#[test]
fn equal_runs_have_no_difference() {
    let difference = diff(&vector_run().build(), &vector_run().build());
    assert!(difference.is_empty());
    assert_eq!(difference.to_string(), "no difference\n");
}

#[test]
fn a_difference_names_section_and_entry() {
    let left = vector_run().build();
    let table: [(FingerprintBuilder, Section, &str); 7] = [
        (vector_run().param("lr", 0.01), Section::Params, "params.lr"),
        (vector_run().param("epochs", 10.0), Section::Params, "params.epochs"),
        (vector_run().param("odd key", 1), Section::Params, "params[\"odd key\"]"),
        (vector_run().data("test", "b3:5"), Section::Data, "data[test]"),
        (vector_run().seed("numpy", 3), Section::Seeds, "seeds.numpy"),
        (vector_run().env(vector_environment()), Section::Env, "env"),
        (vector_run().code(KeyDigest::from_bytes([1; 32])), Section::Code, "code.tree"),
    ];
    for (right, section, path) in table {
        let difference = diff(&left, &right.build());
        assert_eq!(difference.section_names(), [section], "{path}");
        assert_eq!(paths(&difference), [path]);
    }
}

#[test]
fn nested_maps_named_lists_and_plain_lists_have_paths() {
    let value = |json: &str| Value::from_json(serde_json::from_str(json).unwrap()).unwrap();
    let table = [
        (r#"{"a":{"b":[1,2]}}"#, r#"{"a":{"b":[1,3,4]}}"#, vec!["x.a.b[1]", "x.a.b[2]"]),
        (
            r#"[{"name":"p","k":1},{"name":"q","k":1}]"#,
            r#"[{"name":"o","k":1},{"name":"p","k":1},{"name":"q","k":2}]"#,
            vec!["x[o]", "x[q].k"],
        ),
        (r#"[{"name":"p"},{"name":"q"}]"#, r#"[{"name":"q"},{"name":"p"}]"#, vec!["x"]),
        (r#"[{"role":"t","id":1},{"role":"t","id":2}]"#, r#"[{"role":"t","id":1}]"#, vec!["x[1]"]),
        (r#"{"a":null}"#, r#"{}"#, vec!["x.a"]),
        (r#"{"a":[]}"#, r#"{"a":{}}"#, vec!["x.a"]),
    ];
    for (left, right, expected) in table {
        let entries = diff_values("x", Some(&value(left)), Some(&value(right)));
        let paths: Vec<String> = entries.into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, expected, "{left} {right}");
    }
}

#[test]
fn a_difference_is_a_table_for_a_terminal() {
    let parse = |text: &[u8]| {
        let path = std::path::Path::new("requirements.txt");
        Environment::default().with_lock(Lock::parse(LockKind::Requirements, path, text).unwrap())
    };
    let left = vector_run().env(parse(b"numpy==1.26.4"));
    let right = vector_run().param("lr", 0.01).param("depth", None::<i64>);
    let right = right.env(parse(b"numpy==2.1.0"));
    let difference = diff(&left.build(), &right.build());
    let text = difference.to_string();
    let expected = "params\n  params.depth  (absent) -> null\n  params.lr     0.001 -> 0.01\nenv\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.ends_with("packages\n  numpy  1.26.4 -> 2.1.0\n"), "{text}");
    let json = serde_json::to_string(&difference).unwrap();
    assert_eq!(serde_json::from_str::<Difference>(&json).unwrap(), difference);
}

fn outcome(lr: f64, output: &str, auc: f64) -> Outcome {
    Outcome {
        fingerprint: vector_run().param("lr", lr).build(),
        outputs: BTreeMap::from([("model".to_owned(), output.to_owned())]),
        metrics: BTreeMap::from([("auc".to_owned(), auc), ("seconds".to_owned(), auc * 9.0)]),
    }
}

fn within(absolute: f64) -> BTreeMap<String, Tolerance> {
    BTreeMap::from([("auc".to_owned(), Tolerance::new(absolute, 0.0).unwrap())])
}

#[test]
fn the_result_key_is_the_digest_of_its_documented_json() {
    let outcome = outcome(0.001, "b3:77", 0.5);
    let hex = outcome.fingerprint.declared_key().digest().to_hex();
    let canonical = format!(
        "{}{}{hex}\"}}",
        r#"{"metrics":["m",{"auc":["f","3fe0000000000000"],"seconds":["f","4012000000000000"]}],"#,
        r#""outputs":{"model":"b3:77"},"run_key":""#,
    );
    assert_eq!(outcome.result_key(), digest(Label::Result, canonical.as_bytes()));
}

#[test]
fn verdicts() {
    let differs = |sections: &[Section], outputs: &[&str], metrics: &[&str]| Verdict::Differs {
        sections: sections.to_vec(),
        outputs: outputs.iter().map(ToString::to_string).collect(),
        metrics: metrics.iter().map(ToString::to_string).collect(),
    };
    let statistical =
        |sections: &[Section]| Verdict::StatisticallyReproduced { sections: sections.to_vec() };
    let none = BTreeMap::new();
    let nan = f64::NAN;
    let params = [Section::Params];
    let first = outcome(0.001, "x", 0.9);
    let table = [
        (outcome(0.001, "x", 0.9), &none, Verdict::BitwiseReproduced),
        (outcome(0.001, "x", 0.1), &none, Verdict::BitwiseReproduced),
        (outcome(0.001, "y", 0.91), &within(0.02), statistical(&[])),
        (outcome(0.01, "x", 0.91), &within(0.02), statistical(&params)),
        (outcome(0.001, "y", 0.91), &none, differs(&[], &["model"], &[])),
        (outcome(0.001, "y", 0.8), &within(0.02), differs(&[], &["model"], &["auc"])),
        (outcome(0.01, "y", nan), &within(0.02), differs(&params, &["model"], &["auc"])),
    ];
    for (second, tolerances, expected) in table {
        assert_eq!(compare(&first, &second, tolerances), expected, "{expected}");
    }
    let mut empty = first.clone();
    empty.outputs.clear();
    assert_eq!(compare(&empty, &empty, &none), differs(&[], &[], &[]), "no evidence");
    let mut lacking = first.clone();
    lacking.metrics.clear();
    lacking.outputs.insert("extra".into(), "z".into());
    let expected = differs(&[], &["extra"], &["auc"]);
    assert_eq!(compare(&first, &lacking, &within(1.0)), expected);
    assert_eq!(expected.to_string(), "differs; outputs: extra; metrics: auc");
}

#[test]
fn tolerances_are_checked_and_never_hold_for_nan() {
    for (absolute, relative) in [(-1.0, 0.0), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
        assert!(Tolerance::new(absolute, relative).is_err());
    }
    assert!(serde_json::from_str::<Tolerance>(r#"{"absolute":-1}"#).is_err());
    let tolerance = Tolerance::new(0.0, 0.01).unwrap();
    assert!(tolerance.holds(100.0, 101.0) && !tolerance.holds(100.0, 102.0));
    assert!(tolerance.holds(f64::INFINITY, f64::INFINITY));
    assert!(!tolerance.holds(f64::INFINITY, 1.0) && !tolerance.holds(f64::NAN, f64::NAN));
}

#[test]
fn an_outcome_survives_the_wire_with_nan_and_infinity() {
    let mut outcome = outcome(0.001, "x", f64::INFINITY);
    outcome.metrics.insert("loss".into(), f64::NAN);
    let json = serde_json::to_string(&outcome).unwrap();
    let back: Outcome = serde_json::from_str(&json).unwrap();
    assert_eq!(back.result_key(), outcome.result_key());
    assert!(back.metrics["loss"].is_nan());
}

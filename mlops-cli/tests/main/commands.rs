//! What each command prints: help with examples, JSON that fits its schema, tables that name things.

use super::demo::demo;
use super::{code, json, mlops, stderr};

fn ok(args: &[&str]) -> serde_json::Value {
    let store = demo().store();
    let output = mlops(&[&["--store", store], args].concat());
    assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
    json(&output)
}

fn text(args: &[&str]) -> String {
    let store = demo().store();
    let output = mlops(&[&["--store", store], args].concat());
    assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The help of a command, and of all those below it; how many there are.
fn helped(command: &[&str]) -> usize {
    let output = mlops(&[command, &["--help"]].concat());
    let help = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(code(&output), 0, "{command:?}");
    let below = help.split("\nCommands:\n").nth(1).map(|rest| {
        let lines = rest.lines().take_while(|line| !line.is_empty());
        // A longer indent is the rest of the line before.
        let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next());
        names.filter(|name| *name != "help").collect::<Vec<_>>()
    });
    if !command.is_empty() {
        let example = format!("mlops {}", command.join(" "));
        assert!(help.contains("Examples:") && help.contains(&example), "{command:?}: {help}");
        assert!(help.contains("--json"), "{command:?}: {help}");
    }
    let below = below.unwrap_or_default();
    1 + below.iter().map(|name| helped(&[command, &[*name]].concat())).sum::<usize>()
}

#[test]
fn every_command_has_help_with_examples() {
    assert!(helped(&[]) > 25);
    let help = String::from_utf8(mlops(&["--help"]).stdout).unwrap();
    assert!(help.contains("Exit codes"), "{help}");
}

#[test]
fn wrong_usage_exits_with_2() {
    for args in [
        &["fly"][..],
        &["drift"],
        &["runs", "--limit", "many"],
        &["drift", "a", "b", "--correction", "hope"],
        &["deploy", "apply", "e", "--model", "m", "--", "sleep", "1"],
        &["deploy", "apply", "e", "--model", "m", "--wait-for", "1"],
    ] {
        assert_eq!(code(&mlops(args)), 2, "{args:?}");
    }
}

#[test]
fn runs_are_listed_ordered_shown_and_compared() {
    let runs = ok(&["runs", "--experiment", "flight-delay-demo-1", "--by", "auc", "--json"]);
    let aucs: Vec<f64> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["metrics"]["auc"]["value"].as_f64().unwrap())
        .collect();
    assert!(aucs.len() >= 6 && aucs.is_sorted_by(|a, b| a >= b));
    let id = runs["runs"][0]["id"].as_str().unwrap();
    let shown = ok(&["runs", "show", &id[..12], "--json"]);
    assert_eq!(shown["id"], id);
    let files: Vec<&str> = shown["artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["evaluation.json", "fingerprint.json", "history.json", "model.json"]);

    let diff = ok(&["runs", "diff", "boosting", "logistic", "--json"]);
    assert_eq!(
        diff["params"]["algorithm"],
        serde_json::json!({ "a": "boosting", "b": "logistic" })
    );
    let sections: Vec<&str> = diff["run_key"]["sections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|section| section["section"].as_str().unwrap())
        .collect();
    // A logistic regression draws nothing, so its run has no seed.
    assert_eq!(sections, ["params", "seeds", "graph"], "{diff}");
    let entries = diff["run_key"]["sections"][0]["entries"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["path"] == "params.algorithm"), "{diff}");
    let table = text(&["runs", "diff", "boosting", "boosting-deep"]);
    assert!(table.contains("depth") && table.contains("params.depth"), "{table}");
    assert!(text(&["runs"]).contains("retraining-1"));
    assert!(text(&["runs", "show", "first"]).contains("mlops.run_key.locked"));
}

#[test]
fn experiments_models_pipelines_and_kpis_are_shown() {
    let experiments = ok(&["experiments", "--json"]);
    assert_eq!(experiments["experiments"][0]["name"], "flight-delay-demo-1");
    assert_eq!(experiments["experiments"][0]["runs"], demo().first["runs"]);
    let models = ok(&["models", "--json"]);
    assert_eq!(models["models"][0]["name"], "flight-delay-demo-1");
    let line = &ok(&["models", "show", "flight-delay-demo-1", "--json"])["versions"][0]["lineage"];
    assert!(
        line["run"].is_string() && line["code"].is_string() && line["datasets"][0] == "nyc-flights",
        "{line}"
    );
    assert!(text(&["models", "show", "flight-delay-demo-1"]).contains("production"));
    let pipelines = ok(&["pipeline", "--json"]);
    assert!(pipelines["runs"].as_array().unwrap().iter().all(|run| run["state"] == "ok"));
    let again = ok(&["pipeline", "show", "flight-delay", "demo-1-first-again", "--json"]);
    assert_eq!((again["ran"].clone(), again["cached"].clone()), (0.into(), 4.into()));
    assert!(text(&["pipeline", "show", "flight-delay", "demo-1-first"]).contains("register"));
    assert_eq!(ok(&["kpi", "demo-1", "--json"])["kpis"], demo().first["kpis"]);
    let kept = demo().first["kpis"]["quality"]["within_3_percent"].as_bool().unwrap();
    let table = text(&["kpi", "demo-1"]);
    let line = table.lines().find(|line| line.contains("quality kept")).unwrap();
    assert_eq!(!line.contains("NOT MET"), kept, "{table}");
    assert!(table.contains("p95 latency of served requests (wall)"), "{table}");
}

#[test]
fn data_is_versioned_compared_and_checked_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (store, source, out) = (path("store"), path("source"), path("out"));
    std::fs::create_dir(&source).unwrap();
    std::fs::write(folder.path().join("source/a.csv"), "1").unwrap();
    let add = |message: &str| {
        json(&mlops(&["--store", &store, "data", "add", "d", &source, "-m", message, "--json"]))
    };
    let first = add("first")["versions"][0].clone();
    std::fs::write(folder.path().join("source/a.csv"), "2").unwrap();
    std::fs::write(folder.path().join("source/b.csv"), "").unwrap();
    let second = add("second")["versions"][0].clone();
    assert_eq!(second["parent"], first["id"]);
    let (a, b) = (first["id"].as_str().unwrap(), second["id"].as_str().unwrap());
    let diff = json(&mlops(&["--store", &store, "data", "diff", &a[..12], b, "--json"]));
    assert_eq!(
        (diff["added"][0]["path"].clone(), diff["changed"][0]["path"].clone()),
        ("b.csv".into(), "a.csv".into())
    );
    let done = json(&mlops(&["--store", &store, "data", "checkout", a, &out, "--json"]));
    assert_eq!(
        (done["files"].clone(), std::fs::read_to_string(folder.path().join("out/a.csv")).unwrap()),
        (1.into(), "1".to_owned())
    );
    let again = mlops(&["--store", &store, "data", "checkout", a, &out]);
    assert_eq!(code(&again), 4, "{}", stderr(&again));
    let listed = json(&mlops(&["--store", &store, "data", "list", "d", "--json"]));
    assert_eq!(listed["versions"].as_array().unwrap().len(), 2);
}

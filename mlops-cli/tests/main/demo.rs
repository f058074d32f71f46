//! The demo turned once, for all tests; what it leaves in its store, and what a second one adds.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use super::{code, json, mlops, processes_of, stderr, terminate, within};

pub(crate) struct Demo {
    folder: TempDir,
    copy: TempDir,
    pub(crate) first: Value,
}

impl Demo {
    pub(crate) fn store(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// A store of one's own: a copy of what it was before any other process opened it.
    pub(crate) fn copy(&self) -> TempDir {
        let own = tempfile::tempdir().unwrap();
        copy_folder(self.copy.path(), own.path());
        own
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) =
            (entry.as_ref().unwrap().path(), to.join(entry.as_ref().unwrap().file_name()));
        if path.is_dir() {
            copy_folder(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// A finished `demo --fast`, and its JSON.
pub(crate) fn demo() -> &'static Demo {
    static DEMO: OnceLock<Demo> = OnceLock::new();
    DEMO.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let output = mlops(&["demo", "--fast", "--json", "--dir", folder.path().to_str().unwrap()]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let copy = tempfile::tempdir().unwrap();
        copy_folder(folder.path(), copy.path());
        Demo { first: json(&output), folder, copy }
    })
}

fn dates(demo: &Value, verdict: &str) -> Vec<String> {
    let evaluations = demo["evaluations"].as_array().unwrap().iter();
    let wanted = evaluations.filter(|evaluation| evaluation["verdict"] == verdict);
    wanted.map(|evaluation| evaluation["at"].as_str().unwrap()[..10].to_owned()).collect()
}

#[test]
fn the_loop_closes_and_says_so_truthfully() {
    let first = &demo().first;
    assert_eq!((first["ok"].clone(), first["lifecycle"].clone()), (true.into(), "demo-1".into()));
    assert_eq!(first["requests"], serde_json::json!({ "sent": 16_359, "failed": 0 }));
    assert!(first["kpis"]["p95_seconds"].as_f64().unwrap() > 0.0);
    let rolled = first["rollouts"].as_array().unwrap();
    assert!(rolled.iter().all(|rollout| rollout["verdict"] == "promoted"), "{rolled:?}");
    assert_eq!(rolled.len(), dates(first, "promoted").len());
    let names: Vec<&str> = first["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|phase| phase["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["experiments", "pipeline", "watch", "reproduce", "report"]);
    let (promoted, kept) = (dates(first, "promoted"), dates(first, "kept"));
    // It finds by itself that summer needs another model and that autumn does not.
    assert!(
        promoted.iter().any(|date| ("2013-05".."2013-09").contains(&date.as_str())),
        "{promoted:?}"
    );
    assert!(
        kept.iter().filter(|date| ("2013-09".."2013-12").contains(&date.as_str())).count() >= 2,
        "{kept:?}"
    );
    assert_eq!(first["kpis"]["reproducible_share"], 1.0);
    assert_eq!(first["kpis"]["reproduced"], first["runs"]);
    assert_eq!(first["retrainings"].as_array().unwrap().len(), promoted.len() + kept.len());
}

#[test]
fn nobody_is_judged_on_labels_of_the_training() {
    let store = demo().store();
    let models =
        json(&mlops(&["--store", store, "models", "show", "flight-delay-demo-1", "--json"]));
    let trained_to = |version: &Value| {
        let found = models["versions"]
            .as_array()
            .unwrap()
            .iter()
            .find(|found| found["number"] == *version)
            .unwrap();
        let training: Value =
            serde_json::from_str(found["tags"]["training"].as_str().unwrap()).unwrap();
        training["train"]["to"].as_i64().unwrap()
    };
    for evaluation in demo().first["evaluations"].as_array().unwrap() {
        let from: mlops_core::time::Timestamp =
            evaluation["labels_from"].as_str().unwrap().parse().unwrap();
        for side in ["champion", "challenger"] {
            assert!(trained_to(&evaluation[side]) * 1_000 <= from.as_millis(), "{evaluation}");
        }
    }
}

#[test]
fn exactly_one_version_is_in_production_and_is_the_champion() {
    let models = json(&mlops(&[
        "--store",
        demo().store(),
        "models",
        "show",
        "flight-delay-demo-1",
        "--json",
    ]));
    let versions = models["versions"].as_array().unwrap();
    let production: Vec<&Value> =
        versions.iter().filter(|version| version["stage"] == "production").collect();
    assert_eq!(production.len(), 1);
    assert_eq!(production[0]["aliases"], serde_json::json!(["champion"]));
    assert_eq!(models["aliases"]["champion"], production[0]["number"]);
    // Each change of the alias has its line in the trail.
    let moves = models["audit"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["event"] == "alias_changed")
        .count();
    assert_eq!(moves, 1 + dates(&demo().first, "promoted").len());
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let page = std::fs::read_to_string(Path::new(demo().store()).join("demo-1.html")).unwrap();
    assert!(
        page.contains("id=\"quality\"")
            && page.contains("id=\"drift\"")
            && page.contains("PROMOTED")
    );
    assert!(!page.contains("<script src") && !page.contains("<link"));
}

/// A demo that goes on by itself.
fn start(dir: &str) -> std::process::Child {
    let binary = assert_cmd::cargo::cargo_bin("mlops");
    std::process::Command::new(binary)
        .args(["demo", "--fast", "--dir", dir])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_second_demo_on_the_same_store_waits_its_turn_and_then_uses_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let mut running = start(dir);
    while !folder.path().join("mlops.db").exists() {
        std::thread::yield_now();
    }
    let second = mlops(&["demo", "--fast", "--dir", dir]);
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(code(&second), 4, "{}", stderr(&second));
    assert!(stderr(&second).contains("another demo runs on this store"), "{}", stderr(&second));
    // Killed at once and started again, it is the same lifecycle.
    let resumed = mlops(&["demo", "--fast", "--json", "--dir", dir]);
    assert_eq!(code(&resumed), 0, "{}", stderr(&resumed));
    let resumed = json(&resumed);
    assert_eq!(resumed["lifecycle"], "demo-1");
    let undisturbed = &demo().first;
    for field in ["alarms", "evaluations", "reviews"] {
        assert_eq!(resumed[field], undisturbed[field], "{field}");
    }
    let next = json(&mlops(&["demo", "--fast", "--json", "--dir", dir]));
    assert_eq!(next["lifecycle"], "demo-2");
    assert_eq!(next["evaluations"], undisturbed["evaluations"]);
    // Only registering is an effect of its own; all else comes from the cache.
    let retrainings = next["retrainings"].as_array().unwrap().len();
    assert_eq!(next["pipeline"]["ran"], retrainings + 1);
    assert_eq!(next["retrainings"][0]["model_version"], 2);
}

#[test]
fn a_demo_that_is_told_to_stop_leaves_no_process_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let mut running = start(dir);
    // Itself, and the first version that serves.
    within(300, "a version that serves", || (processes_of(dir) >= 2).then_some(()));
    terminate(&running);
    let status = within(120, "its end", || running.try_wait().unwrap());
    assert_eq!(status.code(), Some(5));
    assert_eq!(processes_of(dir), 0);
    let status =
        json(&mlops(&["--store", dir, "deploy", "status", "flight-delay-demo-1", "--json"]));
    assert!(!status["last"].is_null(), "{status}");
}

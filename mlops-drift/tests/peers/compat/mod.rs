//! The peers themselves against `mlops_drift::compat`, on the same rows; `scripts/peers` installs them.
//!
//! Each script reads the cases, runs the peer's own code and prints what it found; what is held against
//! it stands here. `DO_NOT_TRACK` and `NML_DISABLE_USAGE_LOGGING` keep the peers from calling home.

#![allow(clippy::print_stdout)]

mod cases;
mod evidently;
mod nannyml;
mod scipy;
mod scouter;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mlops_drift::compat::{Finding, Found, Method};
use serde_json::Value;

use cases::{Case, cases};

/// Longer than any peer takes on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// What a peer says of each of these cases, in their order.
fn ask(peer: &str, cases: &[Case]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.parent().expect("the workspace").join(".peers").join(peer).join("bin/python");
    assert!(python.exists(), "{} is missing: run scripts/peers {peer}", python.display());
    let folder = tempfile::tempdir().expect("a folder");
    let (asked, answered) = (folder.path().join("cases.json"), folder.path().join("found.json"));
    let text = serde_json::to_vec(&cases.iter().map(Case::json).collect::<Vec<_>>());
    std::fs::write(&asked, text.expect("JSON")).expect("a file");
    let mut command = Command::new(python);
    command
        .arg(root.join("tests/peers/compat").join(format!("ask_{peer}.py")))
        .args([&asked, &answered])
        .stdin(Stdio::null())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("DO_NOT_TRACK", "1")
        .env("NML_DISABLE_USAGE_LOGGING", "1");
    run(&mut command, &answered)
}

fn run(command: &mut Command, answered: &PathBuf) -> Vec<Value> {
    let mut child = command.spawn().expect("a child");
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().expect("a status") {
            Some(status) => break status,
            None if Instant::now() > until => {
                child.kill().expect("the child is ours");
                panic!("no end of {command:?}");
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    assert!(status.success(), "{command:?}: {status}");
    let text = std::fs::read(answered).expect("an answer");
    serde_json::from_slice(&text).expect("JSON")
}

/// Each case beside what the peer said of it; as many as there are cases.
fn asked(peer: &str, wanted: fn(&Case) -> bool) -> Vec<(Case, Value)> {
    let cases: Vec<Case> = cases().into_iter().filter(wanted).collect();
    let answers = ask(peer, &cases);
    assert_eq!(answers.len(), cases.len());
    assert!(cases.len() >= 8, "{} cases are too few", cases.len());
    cases.into_iter().zip(answers).collect()
}

/// Numbers that agree to this relative difference, or are both as good as 0.
#[track_caller]
fn agree(what: &str, ours: Option<f64>, theirs: &Value, tolerance: f64) {
    let theirs = match theirs.as_str() {
        Some("inf") => f64::INFINITY,
        _ => theirs.as_f64().unwrap_or_else(|| panic!("{what}: no number: {theirs}")),
    };
    let ours = ours.unwrap_or_else(|| panic!("{what}: we have none, they have {theirs}"));
    let close = ours == theirs || (ours - theirs).abs() <= tolerance * theirs.abs().max(1e-300);
    assert!(close, "{what}: {ours} against {theirs}");
}

/// The finding by this method, which is there.
#[track_caller]
fn by<'a>(what: &str, found: &'a Found, method: Method) -> &'a Finding {
    let mut all = found.findings.iter().filter(|finding| finding.method == method);
    let finding = all.next().unwrap_or_else(|| panic!("{what}: no {method:?} in {found:?}"));
    assert!(all.next().is_none(), "{what}: {method:?} twice");
    finding
}

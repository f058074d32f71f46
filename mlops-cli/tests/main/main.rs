//! The binary as a stranger meets it, and the shape of the whole project.

#![allow(clippy::unwrap_used)]

mod architecture;
mod bad_input;
mod commands;
mod compat;
mod damage;
mod demo;
mod deploy;
mod drift_report;
mod pipeline;
mod register;
mod serving;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;

/// The project's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Runs the binary with these arguments.
fn mlops(args: &[&str]) -> Output {
    let mut command = Command::cargo_bin("mlops").unwrap();
    command.env_remove("MLOPS_STORE").env_remove("MLOPS_LOG").args(args).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The one JSON object on standard output, checked against its schema.
#[track_caller]
fn json(output: &Output) -> Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let value: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text} {}", stderr(output)));
    validated(value)
}

/// The object, which fits the schema that it names.
#[track_caller]
fn validated(value: Value) -> Value {
    let name = value["schema"].as_str().unwrap().replace('/', ".");
    let path = root().join(format!("docs/schemas/{name}.json"));
    let schema: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}");
    value
}

/// What `look` finds in the end; it may take so many seconds.
#[track_caller]
fn within<T>(seconds: u64, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Tells a child to stop.
fn terminate(child: &Child) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

/// How many processes have this text in their command line.
fn processes_of(text: &str) -> usize {
    let lines = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        // A process may end meanwhile.
        std::fs::read(entry.ok()?.path().join("cmdline")).ok()
    });
    lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
}

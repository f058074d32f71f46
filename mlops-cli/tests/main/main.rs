//! The binary as a stranger meets it, and the shape of the whole project.

#![allow(clippy::unwrap_used)]

mod architecture;
mod bad_input;
mod commands;
mod damage;
mod demo;
mod pipeline;
mod register;
mod serving;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::Output;

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

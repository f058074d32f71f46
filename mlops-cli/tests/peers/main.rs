//! Real clients and a real Prometheus against `mlops serve`, which serves an ONNX file from a store.
//!
//! What each client asserts stands in its script; `scripts/peers` installs them.

#![cfg(feature = "onnx")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../../mlops-deploy/tests/peers/ask.rs"]
mod ask;
#[path = "../../../mlops-deploy/tests/peers/monitor.rs"]
mod monitor;
#[allow(dead_code)]
#[path = "../../../mlops-deploy/tests/peers/tools.rs"]
mod tools;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use ask::{ask, get};
use monitor::Monitor;
use tools::script;

const COLUMNS: [&str; 4] = ["sepal_length", "sepal_width", "petal_length", "petal_width"];

fn mlops(store: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("mlops"));
    command.env_remove("MLOPS_STORE").arg("--store").arg(store).args(args).arg("--json");
    command
}

/// `mlops serve`, of version 3 of `iris`.
struct Served {
    child: Child,
    address: String,
    _store: tempfile::TempDir,
}

impl Served {
    fn start(args: &[&str]) -> Self {
        let store = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let file = root.join("mlops-deploy/tests/onnx/iris.onnx");
        for version in 1..=3 {
            let register =
                ["models", "register", "iris", file.to_str().unwrap(), "--flavour", "onnx"];
            let said = mlops(store.path(), &register).output().unwrap();
            let said: Value = serde_json::from_slice(&said.stdout).unwrap();
            assert_eq!(said["version"], version, "{said}");
        }
        let mut serve = mlops(store.path(), &["serve", "iris/3", "--port", "0"]);
        let mut child = serve.args(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut text = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        while !text.ends_with("\n}\n") {
            assert_ne!(out.read_line(&mut text).unwrap(), 0, "it ended without a word: {text}");
        }
        let said: Value = serde_json::from_str(&text).unwrap();
        let address = said["address"].as_str().unwrap().trim_start_matches("http://").to_owned();
        Self { child, address, _store: store }
    }

    /// Ends it as an operator would.
    fn stop(mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Only a failed test has left it running.
        self.child.kill().ok();
    }
}

/// Runs a script, without the checks that ask for byte strings, which no ONNX model here answers.
async fn passes(name: &str, without: &[&str]) {
    let served = Served::start(&[]);
    script(name, &served.address, without).await;
    served.stop();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs serving: scripts/peers serving"]
async fn tritonclient_over_http_asks_an_onnx_model() {
    let without = ["byte_strings_in_json_and_in_binary", "repository_index"];
    passes("triton_http.py", &without).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs serving: scripts/peers serving"]
async fn tritonclient_over_grpc_asks_an_onnx_model() {
    passes("triton_grpc.py", &["byte_strings"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs serving: scripts/peers serving"]
async fn kserve_over_rest_asks_an_onnx_model() {
    passes("kserve_rest.py", &["byte_strings"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs serving: scripts/peers serving"]
async fn kserve_over_grpc_asks_an_onnx_model() {
    passes("kserve_grpc.py", &["byte_strings_typed_and_raw"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs serving: scripts/peers serving"]
async fn mlflows_scoring_client_asks_an_onnx_model() {
    passes("mlflow_scoring.py", &[]).await;
}

/// So many flowers around those that the model knows, their petals longer by `shift`.
fn flowers(count: u16, shift: f32) -> [Vec<f32>; 4] {
    let column = |middle: f32, width: f32| -> Vec<f32> {
        // Multiples of the golden ratio are spread evenly over a circle.
        let even = |row: u16| (f32::from(row) * 0.618_034).fract() - 0.5;
        (0..count).map(|row| middle + width * even(row)).collect()
    };
    [column(5.8, 3.0), column(3.0, 2.0), column(3.8 + shift, 5.0), column(1.2, 2.0)]
}

fn reference(folder: &Path) -> PathBuf {
    let columns = COLUMNS.into_iter().zip(flowers(600, 0.0));
    let columns =
        columns.map(|(name, values)| (name, Arc::new(Float32Array::from(values)) as ArrayRef));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let path = folder.join("reference.parquet");
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

fn predict(server: &str, flowers: &[Vec<f32>; 4]) {
    let tensor = |(name, values): (&str, &Vec<f32>)| json!({ "name": name, "datatype": "FP32", "shape": [values.len()], "data": values });
    let tensors: Vec<Value> = COLUMNS.into_iter().zip(flowers).map(tensor).collect();
    let body = json!({ "inputs": tensors }).to_string();
    let (status, answer) = ask(server, "POST", "/v2/models/iris/infer", &body);
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs prometheus: scripts/peers prometheus"]
async fn prometheus_is_told_that_an_onnx_models_input_drifts() {
    let folder = tempfile::tempdir().unwrap();
    let path = reference(folder.path());
    let served = Served::start(&["--reference", path.to_str().unwrap()]);
    let monitor = Monitor::start(&served.address).await;
    predict(&served.address, &flowers(400, 0.0));
    let petal = "mlops_drift_detected{feature=\"petal_length\"}";
    let is = |wanted: &'static str| {
        let monitor = &monitor;
        move || monitor.value(petal).filter(|value| value == wanted)
    };
    monitor.until("a verdict without drift", is("0")).await;
    assert_eq!(monitor.firing(), Some(vec![]), "{}", get(&served.address, "/metrics"));
    predict(&served.address, &flowers(400, 2.0));
    monitor.until("a verdict of drift", is("1")).await;
    let fires = || monitor.firing().filter(|alerts| !alerts.is_empty());
    let alerts = monitor.until("an alert", fires).await;
    assert_eq!(alerts, [("MlopsDriftDetected".to_owned(), "petal_length".to_owned())]);
    monitor.end().await;
    served.stop();
}

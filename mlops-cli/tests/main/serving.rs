//! `serve`, `gateway` and `deploy` as processes: what they answer, what they refuse, how they end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use mlops_core::id::{Alias, ModelName, VersionNumber};
use mlops_core::registry::{AliasChange, ModelRegistry as _};
use mlops_store::LocalStore;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use super::demo::demo;
use super::{code, mlops, root, stderr, terminate, validated, within};

pub(crate) const MODEL: &str = "flight-delay-demo-1";

/// A running command, and the JSON object with which it said that it answers.
pub(crate) struct Running {
    child: Mutex<Child>,
    pub(crate) said: Value,
}

impl Running {
    pub(crate) fn start(store: &str, args: &[&str]) -> Self {
        let program = assert_cmd::cargo::cargo_bin("mlops");
        let mut command = Command::new(program);
        command.args(["--store", store]).args(args).arg("--json");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self { child: Mutex::new(child), said: Value::Null };
        let mut text = String::new();
        while !text.ends_with("\n}\n") {
            assert_ne!(out.read_line(&mut text).unwrap(), 0, "it ended without a word: {text}");
        }
        running.said = validated(serde_json::from_str(&text).unwrap());
        running
    }

    /// The text of an answer; nothing when nobody listens.
    fn text(&self, method: &str, path: &str, body: &str) -> Option<String> {
        let address = self.said["address"].as_str().unwrap().trim_start_matches("http://");
        let mut stream = match TcpStream::connect(address) {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => return None,
            connected => connected.unwrap(),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        Some(answer)
    }

    /// A request, its status and its JSON; nothing when nobody listens.
    fn try_ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let answer = self.text(method, path, body)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.try_ask(method, path, body).unwrap()
    }

    pub(crate) fn infer(&self, model: &str, body: &Value) -> (u16, Value) {
        self.try_infer(model, body).unwrap()
    }

    pub(crate) fn try_infer(&self, model: &str, body: &Value) -> Option<(u16, Value)> {
        self.try_ask("POST", &format!("/v2/models/{model}/infer"), &body.to_string())
    }

    /// Tells it to stop.
    pub(crate) fn terminate(&self) {
        terminate(&self.child.lock().unwrap());
    }

    /// Waits until it has ended, as it should.
    pub(crate) fn ended(&self) {
        let status = within(60, "its end", || self.child.lock().unwrap().try_wait().unwrap());
        assert!(status.success(), "{status}");
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(self) {
        self.terminate();
        self.ended();
    }
}

impl Drop for Running {
    /// A test that failed leaves nothing running: what a gateway has started ends with a gateway that is asked
    /// to stop, and only with such a one.
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        terminate(child);
        for _ in 0..200 {
            if child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        child.kill().ok();
        child.wait().ok();
    }
}

/// One flight, with `change` in place of one of its tensors.
pub(crate) fn flight(change: Option<Value>) -> Value {
    let text = |name: &str, value: &str| json!({ "name": name, "datatype": "BYTES", "shape": [1], "data": [value] });
    let number = |name: &str, datatype: &str, value: f64| {
        let value = if datatype == "FP32" { json!(value) } else { json!(value as i64) };
        json!({ "name": name, "datatype": datatype, "shape": [1], "data": [value] })
    };
    let mut inputs = vec![
        number("time_hour", "INT64", 1_362_114_000_000_000.0),
        text("origin", "JFK"),
        text("dest", "LAX"),
        text("carrier", "AA"),
        number("hour", "INT32", 6.0),
        number("minute", "INT32", 30.0),
        number("distance", "INT32", 2_475.0),
    ];
    let weather = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"];
    inputs.extend(weather.map(|name| number(name, "FP32", 10.0)));
    if let Some(change) = change {
        inputs.retain(|tensor| tensor["name"] != change["name"]);
        inputs.push(change);
    }
    json!({ "inputs": inputs })
}

#[test]
fn a_model_is_served_and_wrong_requests_are_named() {
    let server = Running::start(demo().store(), &["serve", &format!("{MODEL}/1"), "--port", "0"]);
    assert_eq!(server.said["models"][0]["version"], 1);
    let (status, answer) = server.infer(MODEL, &flight(None));
    assert_eq!(status, 200, "{answer}");
    let late = answer["outputs"][0]["data"][0].as_f64().unwrap();
    assert!((0.0..1.0).contains(&late));
    let hour = |hour: i64, datatype: &str, shape: &[u64]| {
        Some(json!({ "name": "hour", "datatype": datatype, "shape": shape, "data": [hour] }))
    };
    let cases = [
        (flight(hour(6, "FP99", &[1])), "FP99"),
        (flight(hour(6, "INT32", &[2])), "hour"),
        (flight(hour(6, "BYTES", &[1])), "hour"),
        (flight(hour(24, "INT32", &[1])), "hour"),
        (json!({ "inputs": [] }), "no inputs"),
    ];
    for (body, named) in cases {
        let (status, answer) = server.infer(MODEL, &body);
        assert_eq!(status, 400, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(named), "{named}: {answer}");
    }
    assert_eq!(server.infer("nobody", &flight(None)).0, 404);
    assert_eq!(server.ask("GET", "/v2/health/ready", ""), (200, json!({ "ready": true })));
    server.stop();
}

#[test]
fn what_cannot_be_served_is_refused_before_anything_is_started() {
    let store = demo().store();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    let one = format!("{MODEL}/1");
    let folder = tempfile::tempdir().unwrap();
    let words = folder.path().join("words.parquet");
    write_words(&words);
    let words = words.to_str().unwrap();
    let cases: [(&[&str], i32, &str); 10] = [
        (&["serve", "nobody"], 4, "mlops models"),
        (&["serve", &format!("{MODEL}@nobody")], 4, "nobody"),
        (&["serve", &format!("{MODEL}/99")], 4, "99"),
        (&["serve", &one, "--port", &taken], 4, &taken),
        (&["gateway", "taken", "--port", "0", "--admin-port", &taken], 4, &taken),
        (&["serve", &one, "--token-file", "/nowhere/token"], 4, "/nowhere/token"),
        (&["serve", &one, &one, "--port", "0"], 3, "twice"),
        (&["serve", &one, "--reference", words, "--port", "0"], 3, "temp"),
        (&["serve", &one, "--host", "0.0.0.0"], 3, "--token-file"),
        (&["deploy", "status", "nobody"], 4, "nobody"),
    ];
    for (args, expected, named) in cases {
        let output = mlops(&[&["--store", store], args].concat());
        let message = stderr(&output);
        assert_eq!(code(&output), expected, "{args:?}: {message}");
        assert!(message.contains(named), "{args:?}: {message}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

/// A file whose temperatures are words.
fn write_words(path: &std::path::Path) {
    let words: ArrayRef = Arc::new(StringArray::from(vec!["mild"; 10]));
    let batch = RecordBatch::try_from_iter([("temp", words)]).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn what_is_asked_is_watched_against_a_reference() {
    let reference = root().join("mlops-cli/data/nyc-flights-2013.parquet");
    let target = format!("{MODEL}/1");
    let reference = reference.to_str().unwrap();
    let serve = ["serve", &target, "--port", "0", "--reference", reference];
    let server = Running::start(demo().store(), &serve);
    let metric = |name: &str| {
        let text = server.text("GET", "/metrics", "").unwrap();
        text.lines().find(|line| line.starts_with(name)).map(ToOwned::to_owned)
    };
    assert_eq!(metric("mlops_drift_report_timestamp_seconds{"), None);
    for _ in 0..150 {
        assert_eq!(server.infer(MODEL, &flight(None)).0, 200);
    }
    // Every flight is the same: that is not how flights are.
    let found = within(30, "a report", || {
        let reported = metric("mlops_drift_report_timestamp_seconds{")?;
        Some((reported, metric("mlops_drift_detected{")?, metric("mlops_drift_score{")?))
    });
    let at: f64 = found.0.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(at > 1.7e9, "{found:?}");
    server.stop();
}

/// Moves an alias of the demo's model.
fn point(store: &LocalStore, expected: Option<u32>, next: u32) {
    let change = AliasChange {
        model: ModelName::new(MODEL).unwrap(),
        alias: Alias::new("trial").unwrap(),
        expected: expected.map(VersionNumber),
        next: Some(VersionNumber(next)),
        by: "test".to_owned(),
        reason: String::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(store.meta().set_alias(change)).unwrap();
}

#[test]
fn an_alias_that_moves_takes_no_version_from_another_argument() {
    let folder = demo().copy();
    let store = LocalStore::open(folder.path()).unwrap();
    point(&store, None, 1);
    let (alias, pinned) = (format!("{MODEL}@trial"), format!("{MODEL}/1"));
    let path = folder.path().to_str().unwrap();
    let server = Running::start(path, &["serve", &alias, &pinned, "--follow", "--port", "0"]);
    let answers = |version: &str| {
        let path = format!("/v2/models/{MODEL}{version}/infer");
        let (status, answer) = server.ask("POST", &path, &flight(None).to_string());
        (status == 200).then(|| answer["model_version"].as_str().unwrap().to_owned())
    };
    assert_eq!(answers("").unwrap(), "1");
    point(&store, Some(1), 2);
    within(30, "the second version", || answers("").filter(|version| version == "2"));
    assert_eq!(answers("/versions/1").unwrap(), "1");
    point(&store, Some(2), 1);
    within(30, "the first version again", || answers("").filter(|version| version == "1"));
    assert_eq!(answers("/versions/2"), None);
    server.stop();
}

//! `serve`, `gateway` and `deploy` as processes: what they answer, what they refuse, how they end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::demo::demo;
use super::{code, json, mlops, stderr};

const MODEL: &str = "flight-delay-demo-1";

/// A running command, and the JSON object with which it said that it answers.
struct Running {
    child: Child,
    said: Value,
}

impl Running {
    fn start(args: &[&str]) -> Self {
        let program = assert_cmd::cargo::cargo_bin("mlops");
        let mut command = Command::new(program);
        command.args(["--store", demo().store()]).args(args).arg("--json");
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut running = Self { child, said: Value::Null };
        let mut text = String::new();
        let mut out = BufReader::new(running.child.stdout.take().unwrap());
        while !text.ends_with("\n}\n") {
            assert_ne!(out.read_line(&mut text).unwrap(), 0, "it ended without a word: {text}");
        }
        running.said = serde_json::from_str(&text).unwrap();
        running
    }

    /// A request, its status and its JSON.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let address = self.said["address"].as_str().unwrap().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn infer(&self, model: &str, body: &Value) -> (u16, Value) {
        self.ask("POST", &format!("/v2/models/{model}/infer"), &body.to_string())
    }

    /// Tells it to stop, and waits until it has.
    fn stop(mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended, after a test that went well.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One flight, with `change` in place of one of its tensors.
fn flight(change: Option<Value>) -> Value {
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
    let server = Running::start(&["serve", &format!("{MODEL}/1"), "--port", "0"]);
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
    let cases: [(&[&str], i32, &str); 6] = [
        (&["serve", "nobody"], 4, "mlops models"),
        (&["serve", &format!("{MODEL}@nobody")], 4, "nobody"),
        (&["serve", &format!("{MODEL}/99")], 4, "99"),
        (&["serve", &one, "--port", &taken], 3, &taken),
        (&["serve", &one, "--host", "0.0.0.0"], 3, "--token-file"),
        (&["deploy", "status", "nobody"], 4, "nobody"),
    ];
    for (args, expected, named) in cases {
        let output = mlops(&[&["--store", store], args].concat());
        let message = stderr(&output);
        assert_eq!(code(&output), expected, "{args:?}: {message}");
        assert!(message.contains(named), "{args:?}: {message}");
    }
}

#[test]
fn an_endpoint_is_deployed_asked_changed_and_taken_back() {
    let store = demo().store();
    let deploy = |args: &[&str]| mlops(&[&["--store", store, "deploy"], args].concat());
    let early = deploy(&["apply", "flights", "--model", &format!("{MODEL}/1"), "--json"]);
    assert_eq!((code(&early), &json(&early)["answered"]), (0, &false.into()), "{}", stderr(&early));
    let gateway = Running::start(&["gateway", "flights", "--port", "0"]);
    let second = mlops(&["--store", store, "gateway", "flights", "--port", "0"]);
    assert_eq!(code(&second), 4, "{}", stderr(&second));
    let status = loop {
        let status = json(&deploy(&["status", "flights", "--json"]));
        if status["last"]["phase"] == "done" {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let stable = status["stable"].as_str().unwrap().to_owned();
    assert_eq!(status["serving"]["shares"], json!({ stable.as_str(): 100 }));
    assert_eq!(gateway.infer(MODEL, &flight(None)).0, 200);
    let same = deploy(&["apply", "flights", "--model", &format!("{MODEL}/1")]);
    assert_eq!(code(&same), 4, "{}", stderr(&same));
    // A command that never answers: it is taken back by hand, and the stable one never stops answering.
    let stuck = ["apply", "flights", "--name", "stuck", "--json", "--", "sleep", "1000"];
    assert_eq!(json(&deploy(&stuck))["event"]["kind"], "started");
    assert_eq!(gateway.infer(MODEL, &flight(None)).0, 200);
    let abort = deploy(&["abort", "flights", "--why", "it sleeps", "--json"]);
    assert_eq!(json(&abort)["event"]["kind"], "aborted", "{}", stderr(&abort));
    let refused = loop {
        let refused = deploy(&["abort", "flights"]);
        if code(&refused) != 0 {
            break refused;
        }
    };
    assert_eq!(code(&refused), 4, "{}", stderr(&refused));
    let after = json(&deploy(&["status", "flights", "--json"]));
    assert_eq!(after["stable"], stable.as_str());
    let logs = json(&deploy(&["logs", "flights", &stable, "--json"]));
    assert!(logs["lines"][0]["text"].as_str().unwrap().contains("version 1"), "{logs}");
    assert_eq!(gateway.infer(MODEL, &flight(None)).0, 200);
    gateway.stop();
}

//! Prometheus scrapes the model server, keeps its drift, and fires the alerts of `docs/prometheus`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mlops_http::server::ServerHandle;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::ask::{ask, get};
use super::models::{address, serve_iris};
use super::tools::{PATIENCE, program, run};

fn docs(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("docs/prometheus").join(file)
}

fn promtool() -> Command {
    Command::new(program("prometheus", "promtool"))
}

#[tokio::test]
#[ignore = "needs prometheus: scripts/peers prometheus"]
async fn the_shipped_rules_hold_before_promtool() {
    let said =
        run(promtool().args(["check", "rules", "--lint-fatal"]).arg(docs("rules.yml"))).await;
    assert!(said.contains("SUCCESS: 4 rules found"), "{said}");
    let said = run(promtool().args(["test", "rules"]).arg(docs("rules_test.yml"))).await;
    assert!(said.contains("SUCCESS"), "{said}");
}

/// Asks for so many predictions in one request, of flowers whose petals are of this length.
fn predict(server: &str, petal_length: f64, rows: usize) {
    let row = [5.8, 3.0, petal_length, 1.2];
    let data: Vec<f64> = row.into_iter().cycle().take(4 * rows).collect();
    let tensor = json!({ "name": "x", "datatype": "FP32", "shape": [rows, 4], "data": data });
    let body = json!({ "inputs": [tensor] }).to_string();
    let (status, answer) = ask(server, "POST", "/v2/models/iris/infer", &body);
    assert_eq!(status, 200, "{answer}");
}

/// A Prometheus of its own, with the shipped rules, that reads `target` each second.
struct Monitor {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
}

impl Monitor {
    async fn start(target: &ServerHandle) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [docs("rules.yml")],
            "scrape_configs": [{
                "job_name": "mlops",
                "static_configs": [{ "targets": [address(target)] }],
            }],
        });
        // JSON is YAML.
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config.to_string()).unwrap();
        run(promtool().args(["check", "config"]).arg(&file)).await;
        // Free when it is asked for; Prometheus does not say which one it found for port 0.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program("prometheus", "prometheus"))
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(std::process::Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn();
        Self { child: child.unwrap(), address, folder }
    }

    fn ask(&self, path: &str) -> Option<Value> {
        std::net::TcpStream::connect(&self.address).ok()?;
        let (status, body) = ask(&self.address, "GET", path, "");
        (status == 200).then(|| serde_json::from_str(&body).unwrap())
    }

    /// The one value of a metric.
    fn value(&self, metric: &str) -> Option<String> {
        let found = self.ask(&format!("/api/v1/query?query={metric}"))?;
        let value = found["data"]["result"].as_array()?.first()?["value"][1].as_str()?;
        Some(value.to_owned())
    }

    /// The alerts that fire, by name and feature.
    fn firing(&self) -> Option<Vec<(String, String)>> {
        let found = self.ask("/api/v1/alerts")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let alerts = found["data"]["alerts"].as_array()?.iter();
        let firing = alerts.filter(|alert| alert["state"] == "firing");
        let names = firing.map(|alert| &alert["labels"]);
        Some(names.map(|labels| (text(&labels["alertname"]), text(&labels["feature"]))).collect())
    }

    /// Waits until this answers; panics with what Prometheus has written when it never does.
    async fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(found) = look() {
                println!("  {what} after {:.1} s", begun.elapsed().as_secs_f64());
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never {what}: {}", std::fs::read_to_string(self.folder.path().join("log")).unwrap())
    }

    /// Ends it as an operator would.
    async fn end(mut self) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        assert!(ended.success(), "{ended}");
    }
}

/// Names, units and helps as `promtool check metrics` wants them.
async fn lint(target: &str, folder: &Path) {
    // It reads the older text form alone, which names a counter with its `_total`.
    let text = get(target, "/metrics").replace("mlops_predictions ", "mlops_predictions_total ");
    let file = folder.join("metrics.txt");
    std::fs::write(&file, text).unwrap();
    let mut check = promtool();
    check.args(["check", "metrics"]).stdin(std::fs::File::open(file).unwrap());
    run(&mut check).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs prometheus: scripts/peers prometheus"]
async fn drift_is_scraped_and_its_alert_fires() {
    let server = serve_iris();
    let monitor = Monitor::start(&server).await;
    let target = address(&server);
    predict(&target, 3.758, 60);
    let is = |wanted: &'static str| {
        let monitor = &monitor;
        move || monitor.value("mlops_drift_detected").filter(|value| value == wanted)
    };
    monitor.until("a verdict without drift", is("0")).await;
    assert_eq!(monitor.value("mlops_predictions_total").as_deref(), Some("1"));
    assert_eq!(monitor.firing(), Some(vec![]));
    // 60 rows at 3.758 and 60 at 6.0 have moved the mean by 0.635 standard deviations.
    predict(&target, 6.0, 60);
    monitor.until("a verdict of drift", is("1")).await;
    let fires = || monitor.firing().filter(|alerts| !alerts.is_empty());
    let alerts = monitor.until("an alert", fires).await;
    assert_eq!(alerts, [("MlopsDriftDetected".to_owned(), "petal_length".to_owned())]);
    let score: f64 = monitor.value("mlops_drift_score").unwrap().parse().unwrap();
    assert!((score - (6.0 - 3.758) / 2.0 / 1.765).abs() < 1e-6, "{score}");
    // Each rule was evaluated without an error.
    let rules = monitor.ask("/api/v1/rules").unwrap();
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap().clone();
    assert_eq!(rules.len(), 4);
    assert!(rules.iter().all(|rule| rule["health"] == "ok"), "{rules:?}");
    lint(&target, monitor.folder.path()).await;
    monitor.end().await;
    assert_eq!(server.drain().await.cut, 0);
}

//! A real Prometheus with the shipped rules, and what it says.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::ask::ask;
use super::tools::{PATIENCE, program, run};

/// A file of `docs/prometheus`.
pub(crate) fn docs(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("docs/prometheus").join(file)
}

pub(crate) fn promtool() -> Command {
    Command::new(program("prometheus", "promtool"))
}

/// A Prometheus of its own, with the shipped rules, that reads `target` each second.
pub(crate) struct Monitor {
    child: Child,
    address: String,
    pub(crate) folder: tempfile::TempDir,
}

impl Monitor {
    pub(crate) async fn start(target: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [docs("rules.yml")],
            "scrape_configs": [{
                "job_name": "mlops",
                "static_configs": [{ "targets": [target] }],
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

    pub(crate) fn ask(&self, path: &str) -> Option<Value> {
        std::net::TcpStream::connect(&self.address).ok()?;
        let (status, body) = ask(&self.address, "GET", path, "");
        (status == 200).then(|| serde_json::from_str(&body).unwrap())
    }

    /// The one value of a metric.
    pub(crate) fn value(&self, metric: &str) -> Option<String> {
        let found = self.ask(&format!("/api/v1/query?query={metric}"))?;
        let value = found["data"]["result"].as_array()?.first()?["value"][1].as_str()?;
        Some(value.to_owned())
    }

    /// The alerts that fire, by name and feature.
    pub(crate) fn firing(&self) -> Option<Vec<(String, String)>> {
        let found = self.ask("/api/v1/alerts")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let alerts = found["data"]["alerts"].as_array()?.iter();
        let firing = alerts.filter(|alert| alert["state"] == "firing");
        let names = firing.map(|alert| &alert["labels"]);
        Some(names.map(|labels| (text(&labels["alertname"]), text(&labels["feature"]))).collect())
    }

    /// Waits until this answers; panics with what Prometheus has written when it never does.
    pub(crate) async fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
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
    pub(crate) async fn end(mut self) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        assert!(ended.success(), "{ended}");
    }
}

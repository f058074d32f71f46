//! Prometheus scrapes the model server, keeps its drift, and fires the alerts of `docs/prometheus`.

use std::path::Path;

use serde_json::json;

use super::ask::{ask, get};
use super::models::{address, serve_iris};
use super::monitor::{Monitor, docs, promtool};
use super::tools::run;

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
    let target = address(&server);
    let monitor = Monitor::start(&target).await;
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

//! Reports have the shape that their schema says.

use serde_json::Value;

use super::*;

#[track_caller]
fn fits(report: &QualityReport) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schemas/mlops.drift.quality.1.json");
    let text = std::fs::read(path).expect("the schema");
    let schema: Value = serde_json::from_slice(&text).expect("JSON");
    let value = serde_json::to_value(report).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn reports_of_every_task_fit_their_schema() {
    let options = QualityOptions::new(Task::binary()).with_max_scores(3).with_min_probability(0.0);
    let mut state = state(options);
    for (p, truth) in calibrated(&mut random(6), 50) {
        let group = Group::default().with_segment("a").with_unit(1);
        state.add(&group, Prediction::Probability(p), Label::Positive(truth));
    }
    state.add(&Group::default(), Prediction::Probability(1.0), Label::Positive(false));
    let report = state.report();
    assert!(report.total.metric(Metric::Auc).is_some_and(|auc| auc.bounds.is_some()));
    assert_eq!(report.total.value(Metric::LogLoss), Some(f64::INFINITY));
    for entry in &report.total.metrics {
        assert_eq!(serde_json::to_value(entry.metric).expect("JSON"), entry.metric.name());
    }
    fits(&report);
    for task in [Task::binary(), Task::classes(["a", "b"]), Task::Number] {
        let monitor = QualityMonitor::new(QualityOptions::new(task), JoinOptions::default())
            .expect("a monitor");
        fits(&monitor.report());
    }
}

//! What is counted, timed and bounded, in the words of the exposition.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use mlops_core::time::Timestamp;

use super::*;
use crate::serving::model::{Repository, RepositoryOptions};
use crate::serving::observe::BatchObserver;
use crate::serving::predictor::Predictor;
use crate::serving::serve::InferRequest;
use crate::serving::signature::{Signature, TensorSpec};
use crate::serving::tensor::{Datatype, Tensor, TensorData};
use crate::serving::testing::{Echo, Sum, iris, loaded};

#[derive(Debug)]
struct Scores(usize);

impl BatchObserver for Scores {
    fn observe(&self, _batch: &RecordBatch) {}
    fn scores(&self) -> Vec<Score> {
        let score = |at: usize| {
            Score::new(format!("x{at}"), "psi", 0.5).with_threshold(0.2).with_verdict(at > 0)
        };
        (0..self.0).map(score).collect()
    }
    fn reported_at(&self) -> Option<Timestamp> {
        Some(Timestamp::from_millis(1_700_000_000_250))
    }
}

#[tokio::test]
async fn requests_are_counted_by_outcome_and_timed_with_the_aim_as_a_bound() {
    let metrics = Arc::new(ServingMetrics::default());
    let server = Metered::new(iris(), Arc::clone(&metrics));
    let request = |first: f64| {
        let data = TensorData::Fp64(vec![first, 0.0, 0.0, 0.0]);
        let inputs = vec![Tensor::new("x", vec![1, 4], data).unwrap()];
        InferRequest { inputs, ..InferRequest::default() }
    };
    for first in [1.0, 2.0, -1.0] {
        drop(server.infer("iris", None, request(first)).await);
    }
    for model in ["a", "b"] {
        assert!(server.infer(model, None, request(1.0)).await.is_err());
    }
    assert!(server.infer("iris", None, InferRequest::default()).await.is_err());
    let text = metrics.render(&server.loaded()).unwrap();
    let label = r#"model="iris",version="1""#;
    for line in [
        format!("mlops_predictions_total{{{label},outcome=\"ok\"}} 2"),
        format!("mlops_predictions_total{{{label},outcome=\"model_failed\"}} 1"),
        format!("mlops_predictions_total{{{label},outcome=\"invalid_input\"}} 1"),
        r#"mlops_predictions_total{model="_other",version="_other",outcome="unknown_model"} 2"#
            .to_owned(),
        format!("mlops_prediction_latency_seconds_count{{{label}}} 4"),
        format!("mlops_prediction_latency_seconds_bucket{{le=\"0.2\",{label}}} 4"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
}

/// Answers nobody until its sender is dropped.
#[derive(Debug)]
struct Hangs(Signature, Mutex<Receiver<()>>);

impl Predictor for Hangs {
    fn signature(&self) -> &Signature {
        &self.0
    }
    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.1.lock().unwrap().recv().unwrap_err();
        Ok(batch.clone())
    }
}

#[tokio::test]
async fn a_request_that_its_client_gives_up_is_counted_and_timed() {
    let (open, door) = channel();
    let x = vec![TensorSpec::new("x", Datatype::Fp64)];
    let model = Hangs(Signature::new(x.clone(), x).unwrap(), Mutex::new(door));
    let models = Repository::new(RepositoryOptions::default());
    models.load(loaded("m", 1, model));
    let metrics = Arc::new(ServingMetrics::default());
    let server = Metered::new(models, Arc::clone(&metrics));
    let x = Tensor::new("x", vec![1], TensorData::Fp64(vec![1.0])).unwrap();
    let request = InferRequest { inputs: vec![x], ..InferRequest::default() };
    let answer = server.infer("m", None, request);
    assert!(tokio::time::timeout(Duration::from_millis(5), answer).await.is_err());
    drop(open);
    let text = metrics.render(&[]).unwrap();
    let label = r#"model="m",version="1""#;
    for line in [
        format!("mlops_predictions_total{{{label},outcome=\"abandoned\"}} 1"),
        format!("mlops_prediction_latency_seconds_count{{{label}}} 1"),
        format!("mlops_prediction_latency_seconds_bucket{{le=\"0.0025\",{label}}} 0"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_the_signature_is_counted_as_the_models_failure() {
    let x = vec![TensorSpec::new("x", Datatype::Fp64)];
    let y = vec![TensorSpec::new("y", Datatype::Fp64)];
    let models = Repository::new(RepositoryOptions::default());
    models.load(loaded("m", 1, Echo(Signature::new(x, y).unwrap())));
    let metrics = Arc::new(ServingMetrics::default());
    let server = Metered::new(models, Arc::clone(&metrics));
    let x = Tensor::new("x", vec![1], TensorData::Fp64(vec![1.0])).unwrap();
    let request = InferRequest { inputs: vec![x], ..InferRequest::default() };
    let error = server.infer("m", None, request).await.unwrap_err();
    assert_eq!(error.kind().word(), "model_failed");
    assert!(error.to_string().contains("\"y\""), "{error}");
    let text = metrics.render(&[]).unwrap();
    assert!(text.contains("outcome=\"model_failed\"} 1") && !text.contains("\"ok\""), "{text}");
}

#[test]
fn drift_is_asked_of_observers_and_labels_are_bounded() {
    let options = MetricsOptions::default().with_features(2).with_versions(1);
    let metrics = ServingMetrics::new(options);
    let model = loaded("m", 1, Sum::new()).with_observer(Arc::new(Scores(4))).with_run_key("k");
    let text = metrics.render(&[Arc::new(model)]).unwrap();
    let label = r#"model="m",version="1""#;
    for line in [
        format!("mlops_model_info{{{label},run_key=\"k\"}} 1"),
        format!("mlops_drift_score{{{label},feature=\"x1\",method=\"psi\"}} 0.5"),
        format!("mlops_drift_threshold{{{label},feature=\"x0\",method=\"psi\"}} 0.2"),
        format!("mlops_drift_detected{{{label},feature=\"x0\"}} 0"),
        format!("mlops_drift_detected{{{label},feature=\"_other\"}} 1"),
        format!("mlops_drift_report_timestamp_seconds{{{label}}} 1700000000.25"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("x2"), "{text}");
    metrics.record("m", "1", "ok", Duration::ZERO);
    metrics.record("m", "2", "ok", Duration::ZERO);
    metrics.record("m", "1", "ok", Duration::ZERO);
    let text = metrics.render(&[]).unwrap();
    assert!(text.contains(&format!("mlops_predictions_total{{{label},outcome=\"ok\"}} 2")));
    assert!(!text.contains("version=\"2\"") && text.contains("_other"), "{text}");
}

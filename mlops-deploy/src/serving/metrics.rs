//! What Prometheus reads: predictions, their duration, drift; by model and version.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::error::{Result, ServeError};
use super::model::LoadedModel;
use super::observe::Score;
use super::serve::{Bind, IndexEntry, ModelMetadata, Serve, ServerMetadata};

/// For `Content-Type` of what [`ServingMetrics::render`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What stands for names beyond a bound, and for models that nobody knows.
pub const OTHER: &str = "_other";

/// Upper bounds of the buckets of durations, in seconds; 0.2 is the aim for the 95th percentile.
const BOUNDS: [f64; 13] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];

/// How many names become labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricsOptions {
    /// Features a model version; 200 by default.
    pub features: usize,
    /// Pairs of model and version; 500 by default.
    pub versions: usize,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self { features: 200, versions: 500 }
    }
}

impl MetricsOptions {
    /// Sets how many features a model version become labels.
    #[must_use]
    pub fn with_features(mut self, features: usize) -> Self {
        self.features = features;
        self
    }

    /// Sets how many pairs of model and version become labels.
    #[must_use]
    pub fn with_versions(mut self, versions: usize) -> Self {
        self.versions = versions;
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByVersion {
    model: String,
    version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    model: String,
    version: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFeature {
    model: String,
    version: String,
    feature: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByMethod {
    model: String,
    version: String,
    feature: String,
    method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRun {
    model: String,
    version: String,
    run_key: String,
}

type FloatGauge = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, Copy)]
struct Durations;

impl MetricConstructor<Histogram> for Durations {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BOUNDS)
    }
}

/// The metrics of a server.
///
/// | name | type | labels |
/// |---|---|---|
/// | `mlops_predictions_total` | counter | model, version, outcome: `ok` or an error's word |
/// | `mlops_prediction_latency_seconds` | histogram | model, version; of every outcome |
/// | `mlops_drift_score`, `mlops_drift_threshold` | gauge | model, version, feature, method |
/// | `mlops_drift_detected` | gauge, 0 or 1 | model, version, feature; absent without a verdict |
/// | `mlops_drift_report_timestamp_seconds` | gauge | model, version; absent when the observer does not say |
/// | `mlops_model_info` | gauge, 1 | model, version, run_key |
///
/// Names beyond the bounds of [`MetricsOptions`] are counted as [`OTHER`]; so are requests for models that nobody
/// knows, since their names are the client's.
#[derive(Debug)]
pub struct ServingMetrics {
    options: MetricsOptions,
    registry: Registry,
    predictions: Family<ByOutcome, Counter>,
    latency: Family<ByVersion, Histogram, Durations>,
    /// Pairs of model and version that were new when they came.
    seen: AtomicUsize,
}

impl Default for ServingMetrics {
    fn default() -> Self {
        Self::new(MetricsOptions::default())
    }
}

impl ServingMetrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(options: MetricsOptions) -> Self {
        let mut registry = Registry::default();
        let predictions = Family::<ByOutcome, Counter>::default();
        let latency = Family::<ByVersion, Histogram, Durations>::new_with_constructor(Durations);
        let (name, help) = ("mlops_predictions", "Requests for predictions by outcome");
        registry.register(name, help, predictions.clone());
        let (name, help) = ("mlops_prediction_latency_seconds", "Duration of predictions");
        registry.register(name, help, latency.clone());
        Self { options, registry, predictions, latency, seen: AtomicUsize::new(0) }
    }

    /// Counts a request. `outcome` is `ok` or an error's word.
    pub fn record(&self, model: &str, version: &str, outcome: &'static str, took: Duration) {
        let mut by = ByVersion { model: model.to_owned(), version: version.to_owned() };
        let known = self.latency.get(&by).is_some();
        if !known && self.seen.fetch_add(1, Ordering::Relaxed) >= self.options.versions {
            by = ByVersion { model: OTHER.to_owned(), version: OTHER.to_owned() };
        }
        self.latency.get_or_create(&by).observe(took.as_secs_f64());
        let ByVersion { model, version } = by;
        self.predictions.get_or_create(&ByOutcome { model, version, outcome }).inc();
    }

    fn unknown(&self, outcome: &'static str) {
        let (model, version) = (OTHER.to_owned(), OTHER.to_owned());
        self.predictions.get_or_create(&ByOutcome { model, version, outcome }).inc();
    }

    /// Everything in the text form of OpenMetrics; drift is asked of the observers of `models`.
    ///
    /// # Errors
    /// `Internal`; in practice none, as text is always written.
    pub fn render(&self, models: &[Arc<LoadedModel>]) -> Result<String> {
        let drift = self.drift(models);
        let mut text = String::new();
        let write = |text: &mut String| -> Result<(), fmt::Error> {
            encode_registry(text, &self.registry)?;
            encode_registry(text, &drift)?;
            encode_eof(text)
        };
        write(&mut text)
            .map_err(|error| ServeError::internal("cannot write metrics").with_source(error))?;
        Ok(text)
    }

    /// A registry for this reading alone: what is no longer loaded leaves no gauge behind.
    fn drift(&self, models: &[Arc<LoadedModel>]) -> Registry {
        let info = Family::<ByRun, Gauge>::default();
        let score = Family::<ByMethod, FloatGauge>::default();
        let threshold = Family::<ByMethod, FloatGauge>::default();
        let detected = Family::<ByFeature, Gauge>::default();
        let reported = Family::<ByVersion, FloatGauge>::default();
        for loaded in models.iter().take(self.options.versions) {
            let (model, version) = (loaded.name().as_str(), loaded.version_text());
            if let Some(run_key) = loaded.run_key() {
                let (model, version) = (model.to_owned(), version.to_owned());
                info.get_or_create(&ByRun { model, version, run_key: run_key.to_owned() }).set(1);
            }
            if let Some(at) = loaded.reported_at() {
                let by = ByVersion { model: model.to_owned(), version: version.to_owned() };
                reported.get_or_create(&by).set(at.as_millis() as f64 / 1e3);
            }
            for (feature, score_of) in self.bounded(loaded.scores()) {
                let by_feature = ByFeature {
                    model: model.to_owned(),
                    version: version.to_owned(),
                    feature: feature.clone(),
                };
                if let Some(drifted) = score_of.drifted {
                    let gauge = detected.get_or_create(&by_feature);
                    gauge.set(gauge.get().max(i64::from(drifted)));
                }
                if feature == OTHER {
                    continue;
                }
                let ByFeature { model, version, feature } = by_feature;
                let by = ByMethod { model, version, feature, method: score_of.statistic };
                score.get_or_create(&by).set(score_of.value);
                if let Some(value) = score_of.threshold {
                    threshold.get_or_create(&by).set(value);
                }
            }
        }
        let mut registry = Registry::default();
        registry.register("mlops_model_info", "Loaded model versions", info);
        registry.register("mlops_drift_score", "Drift by feature; greater is more", score);
        let help = "Drift from which on it matters";
        registry.register("mlops_drift_threshold", help, threshold);
        registry.register("mlops_drift_detected", "Whether a feature has drifted", detected);
        let (name, help) = ("mlops_drift_report_timestamp_seconds", "When drift was last reported");
        registry.register(name, help, reported);
        registry
    }

    /// Scores with the names of their features, as many as are allowed; the others as [`OTHER`].
    fn bounded(&self, scores: Vec<Score>) -> Vec<(String, Score)> {
        let mut known = BTreeSet::new();
        let name = |score: Score| {
            if !known.contains(&score.feature) && known.len() >= self.options.features {
                return (OTHER.to_owned(), score);
            }
            known.insert(score.feature.clone());
            (score.feature.clone(), score)
        };
        scores.into_iter().map(name).collect()
    }
}

/// Counts and times what goes through a server.
///
/// A request is timed from when its model is known until its answer is there: making the batch, waiting in the
/// pool, predicting.
#[derive(Debug)]
pub struct Metered<S> {
    inner: Arc<S>,
    metrics: Arc<ServingMetrics>,
}

impl<S> Metered<S> {
    /// Counts in `metrics`.
    pub fn new(inner: impl Into<Arc<S>>, metrics: Arc<ServingMetrics>) -> Self {
        Self { inner: inner.into(), metrics }
    }
}

#[async_trait]
impl<S: Serve> Serve for Metered<S> {
    fn resolve(&self, model: &str, version: Option<&str>) -> Result<Arc<LoadedModel>> {
        let found = self.inner.resolve(model, version);
        if let Err(error) = &found {
            self.metrics.unknown(error.kind().word());
        }
        found
    }

    async fn run(&self, model: &Arc<LoadedModel>, bind: Bind<'_>) -> Result<RecordBatch> {
        let begun = Instant::now();
        let answer = self.inner.run(model, bind).await;
        let outcome = answer.as_ref().map_or_else(|error| error.kind().word(), |_| "ok");
        let (name, version) = (model.name().as_str(), model.version_text());
        self.metrics.record(name, version, outcome, begun.elapsed());
        answer
    }

    fn ready(&self) -> bool {
        self.inner.ready()
    }

    fn server(&self) -> ServerMetadata {
        self.inner.server()
    }

    fn index(&self) -> Vec<IndexEntry> {
        self.inner.index()
    }

    fn loaded(&self) -> Vec<Arc<LoadedModel>> {
        self.inner.loaded()
    }

    fn model_ready(&self, model: &str, version: Option<&str>) -> Result<bool> {
        self.inner.model_ready(model, version)
    }

    fn metadata(&self, model: &str, version: Option<&str>) -> Result<ModelMetadata> {
        self.inner.metadata(model, version)
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::time::Timestamp;

    use super::super::observe::BatchObserver;
    use super::super::serve::InferRequest;
    use super::super::tensor::{Tensor, TensorData};
    use super::super::testing::{Sum, iris, loaded};
    use super::*;

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
}

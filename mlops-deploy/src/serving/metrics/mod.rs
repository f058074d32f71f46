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

use crate::serving::error::{Result, ServeError};
use crate::serving::model::LoadedModel;
use crate::serving::observe::Score;
use crate::serving::serve::{Bind, Capacity, IndexEntry, ModelMetadata, Serve, ServerMetadata};

/// For `Content-Type` of what [`ServingMetrics::render`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What stands for names beyond a bound, and for models that nobody knows.
pub const OTHER: &str = "_other";

/// The outcome of a request whose client has gone away before its answer was there.
pub const ABANDONED: &str = "abandoned";

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
/// | `mlops_predictions_total` | counter | model, version, outcome: `ok`, `abandoned` or an error's word |
/// | `mlops_prediction_latency_seconds` | histogram | model, version; of every request that could be read |
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

    /// Counts a request. `outcome` is `ok`, [`ABANDONED`] or an error's word.
    pub fn record(&self, model: &str, version: &str, outcome: &'static str, took: Duration) {
        let by = self.bounded_pair(model, version);
        self.latency.get_or_create(&by).observe(took.as_secs_f64());
        self.count(by, outcome);
    }

    /// Counts a request that was refused before there was anything to time.
    fn refused(&self, model: &str, version: &str, outcome: &'static str) {
        let by = self.bounded_pair(model, version);
        // So that the pair is known from now on.
        drop(self.latency.get_or_create(&by));
        self.count(by, outcome);
    }

    fn count(&self, by: ByVersion, outcome: &'static str) {
        let ByVersion { model, version } = by;
        self.predictions.get_or_create(&ByOutcome { model, version, outcome }).inc();
    }

    /// The labels of a pair of model and version, or of all those beyond the bound.
    fn bounded_pair(&self, model: &str, version: &str) -> ByVersion {
        let by = ByVersion { model: model.to_owned(), version: version.to_owned() };
        let known = self.latency.get(&by).is_some();
        if known || self.seen.fetch_add(1, Ordering::Relaxed) < self.options.versions {
            return by;
        }
        ByVersion { model: OTHER.to_owned(), version: OTHER.to_owned() }
    }

    pub(super) fn unknown(&self, outcome: &'static str) {
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
/// pool, predicting. One that its client gives up is counted when it is dropped.
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

/// One request, counted when it is over, however that comes about.
struct Counted<'a> {
    metrics: &'a ServingMetrics,
    model: &'a LoadedModel,
    begun: Instant,
    outcome: &'static str,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let (name, version) = (self.model.name().as_str(), self.model.version_text());
        self.metrics.record(name, version, self.outcome, self.begun.elapsed());
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
        let (metrics, begun) = (&*self.metrics, Instant::now());
        let mut counted = Counted { metrics, model, begun, outcome: ABANDONED };
        let answer = self.inner.run(model, bind).await;
        counted.outcome = answer.as_ref().map_or_else(|error| error.kind().word(), |_| "ok");
        answer
    }

    fn capacity(&self) -> Capacity {
        self.inner.capacity()
    }

    fn refused(&self, model: &str, version: Option<&str>, error: &ServeError) {
        let outcome = error.kind().word();
        match self.inner.resolve(model, version) {
            Ok(found) => {
                self.metrics.refused(found.name().as_str(), found.version_text(), outcome);
            }
            Err(_) => self.metrics.unknown(outcome),
        }
        self.inner.refused(model, version, error);
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
mod tests;

//! A model server of your own: a predictor, drift checks inline, metrics for Prometheus.
//!
//! `cargo run -p mlops-examples --example serve_with_drift -- --serve` keeps serving on port 8000;
//! without the flag the program is its own client: it sends requests like the reference, then others.

#![allow(clippy::print_stdout)]

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use mlops_core::id::{ModelName, VersionNumber};
use mlops_deploy::arrow::array::{ArrayRef, AsArray as _, Float64Array, RecordBatch};
use mlops_deploy::arrow::datatypes::Float64Type;
use mlops_deploy::serving::metrics::ServingMetrics;
use mlops_deploy::serving::model::RepositoryOptions;
use mlops_deploy::serving::observe::{BatchObserver, Score};
use mlops_deploy::serving::predictor::Cost;
use mlops_deploy::serving::rest::{MAX_BODY_BYTES, ServingState, routes};
use mlops_deploy::serving::tensor::Datatype;
use mlops_deploy::serving::{
    LoadedModel, Predictor, Repository, ServeError, Signature, TensorSpec,
};
use mlops_drift::{DriftMonitor, FitOptions, Handle, MonitorOptions, Reference, Verdict};
use mlops_http::auth::Anyone;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::server::{ServerOptions, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The model: how long a trip takes.
#[derive(Debug)]
struct Trips(Signature);

impl Predictor for Trips {
    fn signature(&self) -> &Signature {
        &self.0
    }

    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, ServeError> {
        let distance = batch.column(0).as_primitive::<Float64Type>();
        let minutes = distance.values().iter().map(|km| 4.0 + 1.5 * km);
        let minutes: ArrayRef = Arc::new(Float64Array::from_iter_values(minutes));
        RecordBatch::try_from_iter([("minutes", minutes)])
            .map_err(|error| ServeError::internal("no answer").with_source(error))
    }

    fn cost(&self, _rows: usize) -> Cost {
        Cost::Inline
    }
}

/// Drift checks on the request path: the server knows this trait, not the statistics.
#[derive(Debug)]
struct Inline {
    monitor: DriftMonitor,
    handle: Mutex<Handle>,
}

impl BatchObserver for Inline {
    fn observe(&self, batch: &RecordBatch) {
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = handle.observe(batch) {
            println!("not observed: {error}");
        }
    }

    fn scores(&self) -> Vec<Score> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner).publish();
        let report = self.monitor.report();
        let scores = report.columns.iter().filter_map(|column| {
            let score = Score::new(&column.column, "ks", column.effect?);
            Some(score.with_verdict(column.verdict == Verdict::Drifted))
        });
        scores.collect()
    }
}

fn distances(from: f64) -> impl Iterator<Item = f64> {
    (0..400).map(move |trip| from + f64::from(trip * 37 % 100) / 10.0)
}

fn model() -> Result<LoadedModel> {
    let past: ArrayRef = Arc::new(Float64Array::from_iter_values(distances(1.0)));
    let past = RecordBatch::try_from_iter([("distance", past)])?;
    let reference = Arc::new(Reference::fit([&past], &FitOptions::default())?);
    let monitor = DriftMonitor::new(reference, MonitorOptions::default())?;
    let handle = Mutex::new(monitor.handle());
    let tensor = |name: &str| vec![TensorSpec::new(name, Datatype::Fp64)];
    let trips = Trips(Signature::new(tensor("distance"), tensor("minutes"))?);
    let loaded = LoadedModel::new(ModelName::new("trips")?, VersionNumber(1), Arc::new(trips));
    Ok(loaded.with_observer(Arc::new(Inline { monitor, handle })))
}

#[tokio::main]
async fn main() -> Result<()> {
    let keep = std::env::args().any(|argument| argument == "--serve");
    let repository = Arc::new(Repository::new(RepositoryOptions::default()));
    repository.load(model()?);
    let state = ServingState::new(repository, ServingMetrics::default());
    let service = routes(&state, MAX_BODY_BYTES).into_service(state, Arc::new(Anyone));
    let listener = bind(DEFAULT_HOST, if keep { 8000 } else { 0 }, &Anyone)?;
    let server = serve(listener, service, ServerOptions::default())?;
    let address = server.local_addr().to_string();
    println!("http://{address}/v2/models/trips");
    if keep {
        tokio::signal::ctrl_c().await?;
        server.drain().await;
        return Ok(());
    }
    for distance in distances(1.0) {
        predict(&address, distance).await?;
    }
    ensure!(!drifted(&address).await?, "drift where there is none");
    println!("400 trips like those before: no drift");
    for distance in distances(6.0) {
        predict(&address, distance).await?;
    }
    ensure!(drifted(&address).await?, "no drift where there is some");
    println!("400 longer trips: drift");
    server.drain().await;
    Ok(())
}

async fn predict(address: &str, distance: f64) -> Result<()> {
    let body = format!(
        r#"{{"inputs":[{{"name":"distance","datatype":"FP64","shape":[1],"data":[{distance}]}}]}}"#
    );
    let answer = ask(address, "POST", "/v2/models/trips/infer", &body).await?;
    ensure!(answer.contains(r#""name":"minutes""#), "{answer}");
    Ok(())
}

async fn drifted(address: &str) -> Result<bool> {
    let metrics = ask(address, "GET", "/metrics", "").await?;
    let gauge = metrics.lines().find(|line| line.starts_with("mlops_drift_detected{"));
    Ok(gauge.context("no verdict")?.ends_with(" 1"))
}

async fn ask(address: &str, method: &str, path: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(answer)
}

//! The model server under 1, 2 and 10 times the load that it can bear.
//!
//! `overload [SECONDS] [RUNNING] [WAITING]`. A model of 5 ms of processor time behind a bounded pool; requests arrive at
//! moments that are fixed in advance, whether or not earlier ones are answered, and latency counts from that
//! moment. Ends with 1 unless every request is answered, those that are not accepted with 503 and `Retry-After`, some are
//! refused at 2 and 10 times, the model has run as often as clients have got predictions, and memory stays bounded.
//! The latency of the accepted is printed beside that of an unloaded server and judged by no exit code.

#![allow(clippy::print_stdout)]

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use mlops_benches::child::{Server, attend, burn};
use mlops_benches::client::{Client, Connections};
use mlops_benches::{BoxError, quantile};
use mlops_core::id::{ModelName, VersionNumber};
use mlops_deploy::arrow::array::RecordBatch;
use mlops_deploy::serving::metrics::ServingMetrics;
use mlops_deploy::serving::model::{PoolOptions, RepositoryOptions};
use mlops_deploy::serving::rest::{MAX_BODY_BYTES, ServingState, routes};
use mlops_deploy::serving::tensor::Datatype;
use mlops_deploy::serving::{
    LoadedModel, Predictor, Repository, ServeError, Signature, TensorSpec,
};
use mlops_http::auth::Anyone;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::server::{ServerOptions, serve};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::Instant;

const COST: Duration = Duration::from_millis(5);
const PATH: &str = "/v2/models/busy/infer";
const BODY: &[u8] = br#"{"inputs":[{"name":"x","datatype":"FP64","shape":[1],"data":[0.5]}]}"#;
const LOADS: [f64; 3] = [1.0, 2.0, 10.0];
/// The memory that a server may grow by, in bytes.
const GROWTH: u64 = 64 << 20;
/// What the 99th percentile of the accepted may be, in those of the unloaded server.
const SLOWER: f64 = 2.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["serve", running, waiting] => pool(running, waiting).and_then(serve_until_told),
        _ => {
            let argument = |at: usize, default| arguments.get(at).copied().unwrap_or(default);
            argument(0, "3")
                .parse()
                .map_err(BoxError::from)
                .and_then(|seconds| overload(seconds, argument(1, "1"), argument(2, "0")))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn pool(running: &str, waiting: &str) -> Result<PoolOptions, BoxError> {
    let running: NonZeroUsize = running.parse()?;
    Ok(PoolOptions::default().with_running(running).with_waiting(waiting.parse()?))
}

/// A model that costs the same each time.
#[derive(Debug)]
struct Busy {
    signature: Signature,
    runs: Arc<AtomicU64>,
}

impl Predictor for Busy {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, ServeError> {
        burn(COST);
        self.runs.fetch_add(1, Ordering::Relaxed);
        Ok(batch.clone())
    }
}

#[tokio::main(worker_threads = 2)]
async fn serve_until_told(pool: PoolOptions) -> Result<(), BoxError> {
    let runs = Arc::new(AtomicU64::new(0));
    let x = vec![TensorSpec::new("x", Datatype::Fp64)];
    let busy = Busy { signature: Signature::new(x.clone(), x)?, runs: Arc::clone(&runs) };
    let models = Arc::new(Repository::new(RepositoryOptions::default().with_pool(pool)));
    models.load(LoadedModel::new(ModelName::new("busy")?, VersionNumber(1), Arc::new(busy)));
    let state = ServingState::new(models, ServingMetrics::default());
    let service = routes(&state, MAX_BODY_BYTES).into_service(state, Arc::new(Anyone));
    let server = serve(bind(DEFAULT_HOST, 0, &Anyone)?, service, ServerOptions::default())?;
    attend(&server, move |_| runs.load(Ordering::Relaxed).to_string());
    std::future::pending().await
}

/// What became of the requests of one load.
#[derive(Debug, Default)]
struct Report {
    /// Latencies of those that were predicted, in milliseconds.
    accepted: Vec<f64>,
    shed: usize,
    failures: Vec<String>,
}

impl Report {
    fn note(&mut self, outcome: Result<Option<f64>, String>) {
        match outcome {
            Ok(Some(latency)) => self.accepted.push(latency),
            Ok(None) => self.shed += 1,
            Err(why) => self.failures.push(why),
        }
    }
}

/// One request: its latency since `due`, or none when it was refused in the right way.
async fn one(client: &mut Client, due: Instant) -> Result<Option<f64>, String> {
    let answer = client.post(PATH, Bytes::from_static(BODY)).await;
    let answer = answer.map_err(|failure| failure.to_string())?;
    match answer.status {
        StatusCode::OK => Ok(Some(due.elapsed().as_secs_f64() * 1e3)),
        StatusCode::SERVICE_UNAVAILABLE if answer.headers.contains_key("retry-after") => Ok(None),
        status => Err(format!("answered {status}")),
    }
}

/// One request after the other, from so many clients, for a while.
async fn closed_loop(address: &str, clients: usize, time: Duration) -> Report {
    let mut all = JoinSet::new();
    for _ in 0..clients {
        let mut client = Client::new(address, Connections::Kept);
        all.spawn(async move {
            let (mut report, begun) = (Report::default(), Instant::now());
            while begun.elapsed() < time {
                report.note(one(&mut client, Instant::now()).await);
            }
            report
        });
    }
    let mut total = Report::default();
    for report in all.join_all().await {
        total.accepted.extend(report.accepted);
        total.shed += report.shed;
        total.failures.extend(report.failures);
    }
    total
}

/// Requests at random moments that are fixed in advance, `rate` a second.
async fn open_loop(address: &str, rate: f64, time: Duration, seed: u64) -> Report {
    let mut random = SmallRng::seed_from_u64(seed);
    let (mut at, mut moments) = (0.0, Vec::new());
    while at < time.as_secs_f64() {
        moments.push(Duration::from_secs_f64(at));
        let uniform: f64 = random.random();
        at -= (1.0 - uniform).ln() / rate;
    }
    // A client that is idle is taken again; there are as many as are needed at once.
    let idle: Arc<Mutex<Vec<Client>>> = Arc::default();
    let (mut all, begun) = (JoinSet::new(), Instant::now());
    let mut report = Report::default();
    for moment in moments {
        let due = begun + moment;
        tokio::time::sleep_until(due).await;
        let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut client = taken.unwrap_or_else(|| Client::new(address, Connections::Kept));
        let idle = Arc::clone(&idle);
        all.spawn(async move {
            let outcome = one(&mut client, due).await;
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
            outcome
        });
    }
    for outcome in all.join_all().await {
        report.note(outcome);
    }
    report
}

#[tokio::main(worker_threads = 2)]
async fn overload(seconds: f64, running: &str, waiting: &str) -> Result<(), BoxError> {
    let time = Duration::from_secs_f64(seconds);
    let mut server = Server::start(&["serve", running, waiting])?;
    let address = server.address.clone();
    let places: usize = running.parse()?;
    let mut violations = Vec::new();
    let mut predicted = 0;

    let calm = closed_loop(&address, 1, time).await;
    let unloaded = quantile(&calm.accepted, 0.99);
    let full = closed_loop(&address, places, time).await;
    let capacity = full.accepted.len() as f64 / time.as_secs_f64();
    let before = server.resident()?;
    for report in [&calm, &full] {
        predicted += report.accepted.len() as u64;
        violations.extend(report.failures.first().cloned());
    }
    println!(
        "a model of {COST:?} CPU, {running} running, {waiting} waiting; {seconds} s each; capacity {capacity:.0} a second"
    );
    println!("| load | sent | accepted | shed | failed | p50 ms | p99 ms | of the unloaded p99 |");
    println!("|---|---|---|---|---|---|---|---|");
    let p50 = quantile(&calm.accepted, 0.5);
    let row = |load: String, report: &Report| {
        let (accepted, shed, failed) = (report.accepted.len(), report.shed, report.failures.len());
        let (p50, p99) = (quantile(&report.accepted, 0.5), quantile(&report.accepted, 0.99));
        let (sent, slower) = (accepted + shed + failed, p99 / unloaded);
        println!(
            "| {load} | {sent} | {accepted} | {shed} | {failed} | {p50:.1} | {p99:.1} | {slower:.2} |"
        );
        slower
    };
    row("one at a time".to_owned(), &calm);
    let mut aims = Vec::new();
    for (seed, load) in (1..).zip(LOADS) {
        let report = open_loop(&address, capacity * load, time, seed).await;
        aims.push((load, row(format!("{load} x"), &report)));
        predicted += report.accepted.len() as u64;
        violations.extend(report.failures.first().map(|why| format!("at {load} x: {why}")));
        if load > 1.0 && report.shed == 0 {
            violations.push(format!("at {load} x nothing was refused"));
        }
    }
    let after = server.resident()?;
    println!(
        "resident memory: {:.1} MB before, {:.1} MB after",
        before as f64 / 1e6,
        after as f64 / 1e6
    );
    if after > before + GROWTH {
        violations.push("memory has grown by more than 64 MiB".to_owned());
    }
    let runs: u64 = server.ask("runs")?.parse()?;
    println!(
        "the model ran {runs} times, clients got {predicted} predictions; p50 unloaded {p50:.1} ms"
    );
    if runs != predicted {
        violations.push("accepted is not answered".to_owned());
    }
    for (load, slower) in aims {
        let met = if slower < SLOWER { "met" } else { "NOT MET" };
        println!(
            "{met}: at {load} x the p99 of the accepted is under {SLOWER} times the unloaded one"
        );
    }
    match violations.is_empty() {
        true => Ok(()),
        false => Err(violations.join("; ").into()),
    }
}

//! A prediction service that checks drift inline: every request is observed, `/drift` reports.
//!
//! `cargo run -p mlops-examples --example drift_in_service -- --serve` keeps serving; without the flag
//! the program is its own client: it sends requests like those of the reference, then shifted ones.

#![allow(clippy::print_stdout)]

use std::cell::RefCell;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use mlops_drift::arrow::array::{Float64Array, RecordBatch};
use mlops_drift::{DriftMonitor, FitOptions, Handle, MonitorOptions, Reference, Report, Value};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Serialize, Deserialize)]
struct Features {
    temperature: f64,
    distance: f64,
}

thread_local! {
    /// Each worker observes into a handle of its own: no lock on the request path.
    static HANDLE: RefCell<Option<(Handle, u32)>> = const { RefCell::new(None) };
}

/// Requests after which a worker adds what it has seen to the monitor.
const PUBLISH_EVERY: u32 = 50;

async fn predict(
    State(monitor): State<Arc<DriftMonitor>>,
    Json(features): Json<Features>,
) -> Json<f64> {
    HANDLE.with_borrow_mut(|slot| {
        let (handle, seen) = slot.get_or_insert_with(|| (monitor.handle(), 0));
        let row = [Value::Float(features.temperature), Value::Float(features.distance)];
        if let Err(error) = handle.observe_row(&row) {
            // A prediction is never refused because it could not be watched.
            println!("not observed: {error}");
        }
        *seen += 1;
        if seen.is_multiple_of(PUBLISH_EVERY) {
            handle.publish();
        }
    });
    Json(0.1 + 0.001 * features.temperature)
}

async fn drift(State(monitor): State<Arc<DriftMonitor>>) -> Json<Report> {
    Json(monitor.report())
}

fn draw(random: &mut SmallRng, shift: f64) -> Features {
    let bell: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    Features {
        temperature: 60.0 + 10.0 * (bell + shift),
        distance: random.random_range(100.0..2_500.0),
    }
}

fn reference() -> Result<Reference> {
    let mut random = SmallRng::seed_from_u64(1);
    let rows: Vec<Features> = (0..5_000).map(|_| draw(&mut random, 0.0)).collect();
    let column = |of: fn(&Features) -> f64| {
        Arc::new(Float64Array::from_iter_values(rows.iter().map(of))) as _
    };
    let columns =
        [("temperature", column(|row| row.temperature)), ("distance", column(|row| row.distance))];
    Ok(Reference::fit([&RecordBatch::try_from_iter(columns)?], &FitOptions::default())?)
}

// One worker, so that what is published at each report is the same in every run of this example.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let monitor = Arc::new(DriftMonitor::new(Arc::new(reference()?), MonitorOptions::default())?);
    let app = Router::new()
        .route("/predict", post(predict))
        .route("/drift", get(drift))
        .with_state(Arc::clone(&monitor));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}: POST /predict, GET /drift");
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    if std::env::args().any(|arg| arg == "--serve") {
        tokio::signal::ctrl_c().await?;
        return Ok(());
    }
    let mut client = BufReader::new(TcpStream::connect(address).await?);
    let mut random = SmallRng::seed_from_u64(2);
    for (shift, expected) in [(0.0, false), (0.8, true)] {
        monitor.reset();
        for _ in 0..1_000 {
            let body = serde_json::to_string(&draw(&mut random, shift))?;
            call(&mut client, "POST", "/predict", &body).await?;
        }
        let report: Report = serde_json::from_str(&call(&mut client, "GET", "/drift", "").await?)?;
        let temperature =
            report.column("temperature").context("the column is not in the report")?;
        println!(
            "shift {shift}: {} rows, temperature {:?}, effect {:?}",
            report.rows.current, temperature.verdict, temperature.effect
        );
        ensure!(report.dataset.drifted == expected, "expected drift: {expected}");
    }
    server.abort();
    Ok(())
}

/// One request over a connection that is kept.
async fn call(
    client: &mut BufReader<TcpStream>,
    method: &str,
    path: &str,
    body: &str,
) -> Result<String> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write_all(request.as_bytes()).await?;
    let (mut line, mut length) = (String::new(), 0);
    client.read_line(&mut line).await?;
    ensure!(line.contains("200"), "{line}");
    loop {
        line.clear();
        client.read_line(&mut line).await?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut answer = vec![0; length];
    client.read_exact(&mut answer).await?;
    Ok(String::from_utf8(answer)?)
}

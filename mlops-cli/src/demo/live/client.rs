//! The demo's clients: each hour every airport asks for its flights, over HTTP, once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mlops_core::id::{ModelName, RevisionName};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::demo::model::flights::{Flights, WEATHER};

/// Requests with the same key go to the same revision.
pub(super) const KEY: &str = "x-request-key";
/// How often a failed request is sent again, so that its flights get a score; it has failed all the same.
const AGAIN: usize = 3;
const MICROS: i64 = 1_000_000;

/// The flights of one airport and hour.
pub(super) struct Question {
    key: String,
    /// Which rows of the hour they are.
    pub(super) rows: Vec<usize>,
    pub(super) hour: i64,
    body: Bytes,
}

/// What came back.
pub(super) struct Reply {
    pub(super) scores: Vec<f64>,
    pub(super) revision: RevisionName,
    pub(super) took: Duration,
    /// Requests that were sent, and of those the ones that failed.
    pub(super) sent: u64,
    pub(super) failed: u64,
}

impl Question {
    pub(super) fn of_each_airport(flights: &Flights, hour: i64) -> Vec<Self> {
        let mut airports: Vec<&str> =
            (0..flights.len()).map(|row| flights.origin.name(row)).collect();
        airports.sort_unstable();
        airports.dedup();
        let of = |airport: &&str| {
            let here = |row: &usize| flights.origin.name(*row) == *airport;
            let rows: Vec<usize> = (0..flights.len()).filter(here).collect();
            let body = Bytes::from(body(flights, &rows).to_string());
            Self { key: format!("{hour}/{airport}"), rows, hour, body }
        };
        airports.iter().map(of).collect()
    }
}

/// The flights as tensors of the Open Inference Protocol, one a column.
fn body(flights: &Flights, rows: &[usize]) -> Value {
    let tensor = |name: &str, datatype: &str, value: &dyn Fn(usize) -> Value| {
        let data: Vec<Value> = rows.iter().map(|row| value(*row)).collect();
        json!({ "name": name, "datatype": datatype, "shape": [rows.len()], "data": data })
    };
    let mut inputs = vec![
        tensor("time_hour", "INT64", &|row| (flights.time[row] * MICROS).into()),
        tensor("origin", "BYTES", &|row| flights.origin.name(row).into()),
        tensor("dest", "BYTES", &|row| flights.dest.name(row).into()),
        tensor("carrier", "BYTES", &|row| flights.carrier.name(row).into()),
        tensor("hour", "INT32", &|row| flights.hour[row].into()),
        tensor("minute", "INT32", &|row| flights.minute[row].into()),
        tensor("distance", "INT32", &|row| flights.distance[row].into()),
    ];
    for (name, column) in WEATHER.into_iter().zip(&flights.weather) {
        // JSON has no number for a reading that was missed.
        let value = |row: usize| match column[row] {
            reading if reading.is_nan() => Value::from("NaN"),
            reading => Value::from(reading),
        };
        inputs.push(tensor(name, "FP32", &value));
    }
    json!({ "inputs": inputs })
}

#[derive(Deserialize)]
struct Answer {
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Output {
    data: Vec<f64>,
}

/// Sends requests to the gateway.
pub(super) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    uri: String,
}

impl Client {
    pub(super) fn new(gateway: SocketAddr, model: &ModelName) -> Self {
        let pool = Pool::builder(TokioExecutor::new()).build_http();
        Self { pool, uri: format!("http://{gateway}/v2/models/{model}/infer") }
    }

    /// Asks until there is an answer; each failure is counted.
    pub(super) async fn ask(&self, question: &Question) -> Result<Reply> {
        let mut failed = 0;
        loop {
            let began = Instant::now();
            match self.send(question).await {
                Ok((scores, revision)) => {
                    let (took, sent) = (began.elapsed(), failed + 1);
                    return Ok(Reply { scores, revision, took, sent, failed });
                }
                Err(error) if failed as usize >= AGAIN => {
                    return Err(error.context(format!("no answer for {}", question.key)));
                }
                Err(error) => {
                    tracing::warn!(
                        key = question.key,
                        error = format!("{error:#}"),
                        "a request failed"
                    );
                    failed += 1;
                }
            }
        }
    }

    async fn send(&self, question: &Question) -> Result<(Vec<f64>, RevisionName)> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.uri)
            .header(KEY, &question.key)
            .body(Full::new(question.body.clone()))?;
        let response = self.pool.request(request).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let said = || String::from_utf8_lossy(&body).into_owned();
        ensure!(parts.status.is_success(), "{}: {}", parts.status, said());
        let revision = parts.headers.get("mlops-revision").context("nobody says who answered")?;
        let answer: Answer = serde_json::from_slice(&body).with_context(said)?;
        let scores = answer.outputs.into_iter().next().context("no output")?.data;
        ensure!(scores.len() == question.rows.len(), "another number of scores");
        Ok((scores, RevisionName::new(revision.to_str()?)?))
    }
}

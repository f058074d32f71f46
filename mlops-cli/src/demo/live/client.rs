//! The demo's clients: each hour every airport asks for its flights, over HTTP, once.

use std::collections::BTreeMap;
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
use mlops_core::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::demo::model::flights::{Flights, WEATHER};

/// Requests with the same key go to the same revision.
pub(super) const KEY: &str = "x-request-key";
/// How often a request is sent with its key, and so to the same revision; each failure counts against it.
const KEYED: u32 = 4;
/// How often it is then sent without, so that its flights get a score from whoever else is there: with a canary
/// that fails always and has a quarter of the traffic, one request in 256 stays without an answer.
const FREE: u32 = 4;
/// The first wait between two tries; the next ones are twice as long each, up to the longest.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(500);
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
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) scores: Vec<f64>,
    pub(super) revision: RevisionName,
    pub(super) took: Duration,
    /// Requests that failed before it, by the revision that they failed at.
    pub(super) failed: BTreeMap<RevisionName, u64>,
    /// Those of which nobody says where.
    pub(super) lost: u64,
}

/// A request that failed.
struct Failure {
    error: anyhow::Error,
    /// Where, if the answer says so.
    revision: Option<RevisionName>,
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { error, revision: None }
    }
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
    ///
    /// # Errors
    /// `Unavailable` when nobody answers: the rollout that is open stays so, and the next try goes on with it.
    pub(super) async fn ask(&self, question: &Question) -> mlops_core::Result<Reply> {
        let (mut failed, mut lost) = (BTreeMap::new(), 0);
        let mut pause = PAUSE;
        let mut tries = 0;
        loop {
            let key = (tries < KEYED).then_some(question.key.as_str());
            let began = Instant::now();
            let failure = match self.send(question, key).await {
                Ok((scores, revision)) => {
                    let took = began.elapsed();
                    return Ok(Reply { scores, revision, took, failed, lost });
                }
                Err(failure) => failure,
            };
            tries += 1;
            if tries == KEYED + FREE {
                let message = format!("no answer: request={} tries={tries}", question.key);
                let error = Error::new(ErrorKind::Unavailable, message);
                return Err(error.with_source(failure.error));
            }
            let error = format!("{:#}", failure.error);
            tracing::warn!(key = question.key, error, "a request failed");
            match failure.revision {
                Some(revision) => *failed.entry(revision).or_default() += 1,
                None => lost += 1,
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LONGEST);
        }
    }

    async fn send(
        &self,
        question: &Question,
        key: Option<&str>,
    ) -> Result<(Vec<f64>, RevisionName), Failure> {
        let mut request = Request::builder().method(Method::POST).uri(&self.uri);
        if let Some(key) = key {
            request = request.header(KEY, key);
        }
        let request = request.body(Full::new(question.body.clone()));
        let request = request.context("not a request")?;
        let response = self.pool.request(request).await.context("cannot ask")?;
        let (parts, body) = response.into_parts();
        let revision = parts.headers.get("mlops-revision").and_then(|name| name.to_str().ok());
        let revision = revision.and_then(|name| RevisionName::new(name).ok());
        let read = async {
            let body = body.collect().await?.to_bytes();
            let said = || String::from_utf8_lossy(&body).into_owned();
            ensure!(parts.status.is_success(), "{}: {}", parts.status, said());
            let answer: Answer = serde_json::from_slice(&body).with_context(said)?;
            let scores = answer.outputs.into_iter().next().context("no output")?.data;
            ensure!(scores.len() == question.rows.len(), "another number of scores");
            Ok(scores)
        };
        match (read.await, revision) {
            (Ok(scores), Some(revision)) => Ok((scores, revision)),
            (Ok(_), None) => Err(anyhow::anyhow!("nobody says who answered").into()),
            (Err(error), revision) => Err(Failure { error, revision }),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use mlops_http::auth::{Anyone, Scope};
    use mlops_http::listen::{DEFAULT_HOST, bind};
    use mlops_http::route::Routes;
    use mlops_http::server::{ServerHandle, ServerOptions, serve};

    use super::*;

    const SCORE: &str = r#"{"outputs":[{"data":[0.5]}]}"#;

    /// A revision `v2` that fails all with a key, and `v1` that answers the others well, or not.
    fn gateway(others: StatusCode) -> ServerHandle {
        let answer = move |headers: HeaderMap| async move {
            match headers.contains_key(KEY) {
                true => (StatusCode::INTERNAL_SERVER_ERROR, [("mlops-revision", "v2")], "broken"),
                false => (others, [("mlops-revision", "v1")], SCORE),
            }
        };
        let routes =
            Routes::<()>::new().route(Method::POST, "/v2/models/m/infer", Scope::Public, answer);
        let service = routes.into_service((), std::sync::Arc::new(Anyone));
        let listener = bind(DEFAULT_HOST, 0, &Anyone).unwrap();
        serve(listener, service, ServerOptions::default()).unwrap()
    }

    async fn ask(gateway: &ServerHandle) -> mlops_core::Result<Reply> {
        let client = Client::new(gateway.local_addr(), &ModelName::new("m").unwrap());
        let question =
            Question { key: "0/JFK".to_owned(), rows: vec![0], hour: 0, body: Bytes::new() };
        client.ask(&question).await
    }

    #[tokio::test]
    async fn failures_count_against_who_failed_and_another_gives_the_score() {
        let reply = ask(&gateway(StatusCode::OK)).await.unwrap();
        assert_eq!((reply.scores, reply.revision.as_str()), (vec![0.5], "v1"));
        let failed = BTreeMap::from([(RevisionName::new("v2").unwrap(), u64::from(KEYED))]);
        assert_eq!((reply.failed, reply.lost), (failed, 0));
    }

    #[tokio::test]
    async fn an_endpoint_that_never_answers_is_unavailable() {
        let error = ask(&gateway(StatusCode::BAD_GATEWAY)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.chain().contains("502"), "{}", error.chain());
    }
}

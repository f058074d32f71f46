//! A model server over a socket: the shape of its errors, and what it counts of what it can't read.

use std::sync::Arc;

use mlops_core::id::{ModelName, VersionNumber};
use mlops_deploy::arrow::array::RecordBatch;
use mlops_deploy::serving::metrics::ServingMetrics;
use mlops_deploy::serving::model::RepositoryOptions;
use mlops_deploy::serving::rest::{MAX_BODY_BYTES, ServingState, routes};
use mlops_deploy::serving::tensor::Datatype;
use mlops_deploy::serving::{
    LoadedModel, Predictor, Repository, ServeError, Signature, TensorSpec,
};
use mlops_http::auth::Anyone;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::server::{ServerHandle, ServerOptions, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::backend::address;

/// Answers its input.
#[derive(Debug)]
struct Echo(Signature);

impl Predictor for Echo {
    fn signature(&self) -> &Signature {
        &self.0
    }
    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, ServeError> {
        Ok(batch.clone())
    }
}

/// A server of `echo`, version 1, with the input and output `x`.
fn start() -> ServerHandle {
    let x = vec![TensorSpec::new("x", Datatype::Fp64)];
    let echo = Arc::new(Echo(Signature::new(x.clone(), x).unwrap()));
    let models = Repository::new(RepositoryOptions::default());
    models.load(LoadedModel::new(ModelName::new("echo").unwrap(), VersionNumber(1), echo));
    let state = ServingState::new(Arc::new(models), ServingMetrics::default());
    let service = routes(&state, MAX_BODY_BYTES).into_service(state, Arc::new(Anyone));
    let listener = bind(DEFAULT_HOST, 0, &Anyone).unwrap();
    serve(listener, service, ServerOptions::default()).unwrap()
}

/// The answer to a request: its status, its content type and its body.
async fn ask(server: &ServerHandle, line: &str, kind: &str, body: &str) -> (u16, String, String) {
    let (address, length) = (address(server), body.len());
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: {kind}\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: "));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, kind.unwrap_or_default().to_owned(), body.to_owned())
}

#[tokio::test]
async fn a_path_that_cannot_be_read_is_an_error_of_the_protocol() {
    let server = start();
    for (line, want) in [
        ("GET /v2/models/%FF", 400),
        ("GET /v2/models/%FF/ready", 400),
        ("POST /v2/models/echo/versions/%FF/infer", 400),
        ("GET /v2/models/rose", 404),
    ] {
        let (status, kind, body) = ask(&server, line, "application/json", "").await;
        assert_eq!((status, kind.as_str()), (want, "application/json"), "{line}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(body["error"].is_string(), "{line}: {body}");
    }
}

#[tokio::test]
async fn the_extensions_that_are_announced_are_there() {
    let server = start();
    let (_, _, body) = ask(&server, "GET /v2", "application/json", "").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["extensions"], serde_json::json!(["binary_tensor_data"]));
    let (status, ..) = ask(&server, "POST /v2/repository/index", "application/json", "{}").await;
    assert_eq!(status, 200, "the index alone is there all the same");
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_counted_for_its_model() {
    let server = start();
    let json = "application/json";
    for (line, kind, body, want) in [
        ("POST /v2/models/echo/infer", json, "{", 400),
        ("POST /v2/models/echo/versions/1/infer", json, "[]", 400),
        ("POST /v2/models/rose/infer", json, "{", 400),
        ("POST /invocations", json, "{", 400),
        ("POST /invocations", "text/html", "x", 400),
        ("POST /invocations", json, r#"{"instances": [[0.5]]}"#, 200),
    ] {
        let (status, _, answer) = ask(&server, line, kind, body).await;
        assert_eq!(status, want, "{line}: {answer}");
    }
    let (_, _, text) = ask(&server, "GET /metrics", json, "").await;
    let echo = r#"model="echo",version="1""#;
    for line in [
        format!("mlops_predictions_total{{{echo},outcome=\"invalid_input\"}} 4"),
        format!("mlops_predictions_total{{{echo},outcome=\"ok\"}} 1"),
        r#"mlops_predictions_total{model="_other",version="_other",outcome="invalid_input"} 1"#
            .to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

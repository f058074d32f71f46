//! The routes of a model server: the Open Inference Protocol over REST and gRPC, invocations, metrics.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v2`, `/v2/health/live`, `/v2/health/ready` | what the server is; whether it lives and answers |
//! | `GET /v2/models/{model}[/versions/{version}][/ready]` | what a model takes and gives; whether it answers |
//! | `POST /v2/models/{model}[/versions/{version}]/infer` | predictions |
//! | `POST /v2/repository/index` | every version that is known |
//! | `POST /inference.GRPCInferenceService/{call}` | the same over gRPC |
//! | `POST /invocations`, `GET /ping`, `/health`, `/version` | the scoring protocol of [`mlflow`](super::mlflow) |
//! | `GET /metrics` | for Prometheus |

mod infer;
mod place;
mod state;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use mlops_http::auth::Scope;
use mlops_http::body::BodyLimits;
use mlops_http::error::HttpError;
use mlops_http::route::{Path, Routes, Rule};

pub(super) use infer::uncompressed;
pub(super) use place::Place;
pub use state::ServingState;

use super::error::ServeError;
use super::v2;

/// The largest body that is taken by default, in bytes.
pub const MAX_BODY_BYTES: u64 = 16 << 20;

/// The routes of a model server whose requests have at most `max_bytes`.
///
/// Requests for predictions far beyond what the pool takes are refused with 503 and `Retry-After` before their
/// bodies are read.
#[must_use]
pub fn routes(state: &ServingState, max_bytes: u64) -> Routes<ServingState> {
    let limits = BodyLimits::default().with_max_bytes(max_bytes);
    let predict = || Rule::new(Scope::Read).with_body(limits);
    let model = "/v2/models/{model}";
    let version = "/v2/models/{model}/versions/{version}";
    let routes = Routes::new()
        .route(Method::GET, "/v2", Scope::Public, server)
        .route(Method::GET, "/v2/health/live", Scope::Public, live)
        .route(Method::GET, "/v2/health/ready", Scope::Public, ready)
        .route(Method::GET, model, Scope::Read, metadata)
        .route(Method::GET, version, Scope::Read, metadata)
        .route(Method::GET, &format!("{model}/ready"), Scope::Read, model_ready)
        .route(Method::GET, &format!("{version}/ready"), Scope::Read, model_ready)
        .route(Method::POST, &format!("{model}/infer"), predict(), infer::infer)
        .route(Method::POST, &format!("{version}/infer"), predict(), infer::infer)
        .route(Method::POST, "/v2/repository/index", Scope::Read, index)
        .route(Method::GET, "/metrics", Scope::Read, metrics)
        .merge(super::mlflow::routes(predict()));
    with_grpc(routes, state, predict(), max_bytes)
}

#[cfg(feature = "grpc")]
fn with_grpc(
    routes: Routes<ServingState>,
    state: &ServingState,
    rule: Rule,
    max_bytes: u64,
) -> Routes<ServingState> {
    let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    let service = super::grpc::InferenceService::new(state.serve());
    let service = super::grpc::Gated::new(service.into_server(max_bytes), state.clone());
    routes.service("/inference.GRPCInferenceService/{call}", rule, service)
}

#[cfg(not(feature = "grpc"))]
fn with_grpc(
    routes: Routes<ServingState>,
    _: &ServingState,
    _: Rule,
    _: u64,
) -> Routes<ServingState> {
    routes
}

impl From<ServeError> for HttpError {
    fn from(error: ServeError) -> Self {
        let kind = error.kind();
        let status = StatusCode::from_u16(kind.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let answer = Self::new(status, kind.word(), error.to_string());
        match error.retry_after_seconds() {
            Some(seconds) => answer.with_retry_after(std::time::Duration::from_secs(seconds)),
            None => answer,
        }
    }
}

/// What a path names: a model and perhaps a version.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Target {
    pub(super) model: String,
    pub(super) version: Option<String>,
}

pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    (status, [(CONTENT_TYPE, kind)], body).into_response()
}

fn status_of(ready: bool) -> StatusCode {
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn server(State(state): State<ServingState>) -> Result<Response, HttpError> {
    Ok(json(StatusCode::OK, v2::server_body(&state.serve().server())?))
}

async fn live() -> Response {
    json(StatusCode::OK, v2::live_body(true))
}

async fn ready(State(state): State<ServingState>) -> Response {
    let ready = state.serve().ready();
    json(status_of(ready), v2::ready_body(ready))
}

async fn metadata(
    State(state): State<ServingState>,
    Path(Target { model, version }): Path<Target>,
) -> Result<Response, HttpError> {
    let found = state.serve().metadata(&model, version.as_deref())?;
    Ok(json(StatusCode::OK, v2::model_body(&found)?))
}

async fn model_ready(
    State(state): State<ServingState>,
    Path(Target { model, version }): Path<Target>,
) -> Result<Response, HttpError> {
    let ready = state.serve().model_ready(&model, version.as_deref())?;
    Ok(json(status_of(ready), v2::model_ready_body(&model, ready)))
}

async fn index(State(state): State<ServingState>) -> Result<Response, HttpError> {
    Ok(json(StatusCode::OK, v2::index_body(&state.serve().index())?))
}

async fn metrics(State(state): State<ServingState>) -> Result<Response, HttpError> {
    // Observers may take their time over their scores.
    let render = move || state.metrics().render(&state.serve().loaded());
    let text = tokio::task::spawn_blocking(render)
        .await
        .map_err(|source| ServeError::internal("metrics were lost").with_source(source))??;
    let kind = HeaderValue::from_static(super::metrics::CONTENT_TYPE);
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}

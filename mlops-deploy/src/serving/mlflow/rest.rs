//! The routes of MLflow's scoring server: for its clients, who name no model.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{Method, StatusCode};
use mlops_http::auth::Scope;
use mlops_http::error::HttpError;
use mlops_http::route::{Routes, Rule};

use super::{Format, decode, encode};
use crate::serving::error::Result;
use crate::serving::rest::{Place, ServingState, json, uncompressed};

/// `/invocations` by this rule, and what tells whether the server is there.
pub(in crate::serving) fn routes(predict: Rule) -> Routes<ServingState> {
    Routes::new()
        .route(Method::POST, "/invocations", predict, invocations)
        .route(Method::GET, "/ping", Scope::Public, ping)
        .route(Method::GET, "/health", Scope::Public, ping)
        .route(Method::GET, "/version", Scope::Public, version)
}

async fn invocations(
    State(state): State<ServingState>,
    _place: Place,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, HttpError> {
    let (serve, model) = (state.serve(), state.only()?);
    let refused =
        |error: &_| serve.refused(model.name().as_str(), Some(model.version_text()), error);
    let format = format(&headers).inspect_err(refused)?;
    let bind = |binding: &_| decode(format, &body, binding);
    let answer = serve.run(&model, Box::new(bind)).await?;
    Ok(json(StatusCode::OK, encode(&answer, model.binding().signature())?))
}

fn format(headers: &HeaderMap) -> Result<Format> {
    uncompressed(headers)?;
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    Format::from_content_type(kind)
}

async fn ping(State(state): State<ServingState>) -> Response {
    let status =
        if state.serve().ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, "\n").into_response()
}

async fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

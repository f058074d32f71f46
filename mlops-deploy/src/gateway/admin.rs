//! What a gateway tells a controller in another process, and takes from it.
//!
//! | request | answer |
//! |---|---|
//! | `PUT /endpoints/{name}/traffic` with a `TrafficSpec` | 204; 409 for a stale or reused generation |
//! | `GET /endpoints/{name}/traffic` | `ObservedTraffic` |
//! | `GET /endpoints/{name}/counts` | `RevisionCounts` by revision |
//! | `DELETE /endpoints/{name}/traffic/{generation}` | 204 |

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use mlops_core::deploy::{
    Generation, ObservedTraffic, RevisionCounts, ServiceMetrics as _, Traffic as _, TrafficSpec,
};
use mlops_core::id::{EndpointName, RevisionName};
use mlops_core::{Error, ErrorKind};
use mlops_http::auth::Scope;
use mlops_http::error::HttpError;
use mlops_http::route::{Path, Routes};

use super::Gateway;

/// The routes of a gateway's control.
#[must_use]
pub fn routes() -> Routes<Gateway> {
    Routes::new()
        .route(Method::PUT, "/endpoints/{name}/traffic", Scope::Write, set)
        .route(Method::GET, "/endpoints/{name}/traffic", Scope::Read, observed)
        .route(Method::GET, "/endpoints/{name}/counts", Scope::Read, counts)
        .route(Method::DELETE, "/endpoints/{name}/traffic/{generation}", Scope::Write, remove)
}

async fn set(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    body: bytes::Bytes,
) -> Result<StatusCode, HttpError> {
    let spec: TrafficSpec = serde_json::from_slice(&body)
        .map_err(|error| HttpError::bad_request(format!("not a traffic spec: {error}")))?;
    if spec.endpoint.as_str() != name {
        let given = &spec.endpoint;
        let message = format!("the spec is for another endpoint: path={name} spec={given}");
        return Err(HttpError::bad_request(message));
    }
    let spec = spec.checked().map_err(refusal)?;
    gateway.set(spec).await.map_err(refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn observed(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
) -> Result<Json<ObservedTraffic>, HttpError> {
    Ok(Json(gateway.observed(&endpoint(&name)?).await.map_err(refusal)?))
}

async fn counts(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
) -> Result<Json<std::collections::BTreeMap<RevisionName, RevisionCounts>>, HttpError> {
    Ok(Json(gateway.counts(&endpoint(&name)?).await.map_err(refusal)?))
}

async fn remove(
    State(gateway): State<Gateway>,
    Path((name, generation)): Path<(String, u64)>,
) -> Result<StatusCode, HttpError> {
    gateway.remove(&endpoint(&name)?, Generation(generation)).await.map_err(refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

fn endpoint(name: &str) -> Result<EndpointName, HttpError> {
    EndpointName::new(name).map_err(refusal)
}

/// The kind of an error travels as its machine word, which [`super::RemoteGateway`] reads.
fn refusal(error: Error) -> HttpError {
    let status = match error.kind() {
        ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict | ErrorKind::Fenced | ErrorKind::AlreadyExists => StatusCode::CONFLICT,
        ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    HttpError::new(status, error.kind().word(), error.to_string())
}

/// The shape of this interface's errors: the machine word beside the message.
#[must_use]
pub fn error_shape(_: StatusCode, code: &'static str, message: &str) -> serde_json::Value {
    serde_json::json!({ "error": message, "kind": code })
}

//! An inference request over REST.

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use mlops_http::error::HttpError;
use mlops_http::route::Path;

use super::{Place, ServingState, Target};
use crate::serving::error::{Result, ServeError};
use crate::serving::serve::InferRequest;
use crate::serving::v2::{self, AnswerForm};

/// Where the JSON of a body ends and its binary tensors begin.
const HEADER_LENGTH: HeaderName = HeaderName::from_static(v2::HEADER_LENGTH);
/// Larger bodies are read on a thread of their own, so that they hold up nobody.
const INLINE_BYTES: usize = 64 << 10;

pub(super) async fn infer(
    State(state): State<ServingState>,
    Path(Target { model, version }): Path<Target>,
    _place: Place,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, HttpError> {
    let (serve, version) = (state.serve(), version.as_deref());
    let read = read(&headers, body).await;
    let (request, form) = read.inspect_err(|error| serve.refused(&model, version, error))?;
    let answer = serve.infer(&model, version, request).await?;
    let encoded = v2::encode(&answer, &form)?;
    let kind = HeaderValue::from_static(encoded.content_type());
    let mut response = Response::new(encoded.body.into());
    response.headers_mut().insert(CONTENT_TYPE, kind);
    if let Some(length) = encoded.header_length {
        response.headers_mut().insert(HEADER_LENGTH, HeaderValue::from(length));
    }
    Ok(response)
}

async fn read(headers: &HeaderMap, body: Bytes) -> Result<(InferRequest, AnswerForm)> {
    uncompressed(headers)?;
    let length = header_length(headers)?;
    if body.len() <= INLINE_BYTES {
        return v2::decode(&body, length);
    }
    let read = tokio::task::spawn_blocking(move || v2::decode(&body, length)).await;
    read.map_err(|source| ServeError::internal("a body was lost").with_source(source))?
}

fn header_length(headers: &HeaderMap) -> Result<Option<usize>> {
    let Some(value) = headers.get(HEADER_LENGTH) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    let wrong = || ServeError::invalid("Inference-Header-Content-Length is not a number of bytes");
    number.map(Some).ok_or_else(wrong)
}

/// Refuses a compressed body rather than taking it for JSON.
pub(in crate::serving) fn uncompressed(headers: &HeaderMap) -> Result<()> {
    match headers.get(CONTENT_ENCODING) {
        Some(coding) if coding != "identity" => {
            Err(ServeError::invalid("compressed bodies are not taken, send it as it is"))
        }
        _ => Ok(()),
    }
}

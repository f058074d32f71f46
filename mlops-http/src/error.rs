//! The one error that a server here answers with, and the JSON that it becomes.

use std::fmt;
use std::time::Duration;

use axum::response::IntoResponse;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

/// Makes the JSON body of an error: protocols differ in what they call its parts.
///
/// The arguments are the status, the machine word and the message.
pub type ErrorShape = fn(StatusCode, &'static str, &str) -> Value;

/// The shape `{"error": "<message>"}`.
#[must_use]
pub fn error_only(_status: StatusCode, _code: &'static str, message: &str) -> Value {
    json!({ "error": message })
}

/// An error on its way to a client: a status, a machine word, a message, sometimes a header.
///
/// Messages are lower case, without a full stop, with values last as `key=value`. Whatever a handler
/// returns as an `HttpError` gets its body from the server's [`ErrorShape`].
#[derive(Clone)]
pub struct HttpError {
    status: StatusCode,
    code: &'static str,
    message: String,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl HttpError {
    /// An error with this status, machine word and message.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), header: None }
    }

    /// 400: the request itself is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 403: the client may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 408: the client's bytes did not come in time.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
    }

    /// 413: the body is larger than `limit` bytes.
    #[must_use]
    pub fn too_large(limit: u64) -> Self {
        let message = format!("the body is too large: limit={limit}");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// 500: a defect of the server. What went wrong belongs into the log, not into the message.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// 503 with `Retry-After`, in whole seconds and at least one.
    pub fn overloaded(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message)
            .with_retry_after(retry_after)
    }

    /// Sets `Retry-After`, rounded up to whole seconds and at least one.
    #[must_use]
    pub fn with_retry_after(self, after: Duration) -> Self {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Sets the header that goes with the answer; there is room for one.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The machine word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The answer, its body made by `shape`.
    #[must_use]
    pub fn render(&self, shape: ErrorShape) -> Response<Bytes> {
        let body = shape(self.status, self.code, &self.message).to_string();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        if let Some((name, value)) = self.header.as_deref() {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}, {}]", self.message, self.code, self.status.as_u16())
    }
}

impl std::error::Error for HttpError {}

impl IntoResponse for HttpError {
    /// The answer in the default shape. The error itself travels along as an extension, so that the
    /// server can give it the shape that it was told to use.
    fn into_response(self) -> axum::response::Response {
        let mut response = self.render(error_only).map(axum::body::Body::from);
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_json_in_the_shape_that_was_asked_for() {
        let error = HttpError::not_found("no such model: name=iris");
        let plain = error.render(error_only);
        assert_eq!(plain.headers()["content-type"], "application/json");
        assert_eq!(plain.body().as_ref(), br#"{"error":"no such model: name=iris"}"#);
        let other = error.render(|status, code, message| {
            json!({ "status": status.as_u16(), "code": code, "message": message })
        });
        let value: Value = serde_json::from_slice(other.body()).unwrap();
        assert_eq!(value["status"], 404);
        assert_eq!(value["code"], "not_found");
    }

    #[test]
    fn retry_after_is_rounded_up_and_never_zero() {
        for (millis, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (59_500, "60")] {
            let error = HttpError::overloaded("busy", Duration::from_millis(millis));
            assert_eq!(error.render(error_only).headers()["retry-after"], seconds, "{millis} ms");
        }
    }
}

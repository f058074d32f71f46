//! A place for a request, taken before its body is read.

use axum::extract::FromRequestParts;
use http::request::Parts;
use mlops_http::error::HttpError;
use mlops_http::limit::Permit;
use mlops_http::route::Path;

use super::{ServingState, Target};

/// A place among the requests for predictions. A handler that takes one before the body is called only if there is
/// one: the body of a refused request is not read.
pub(in crate::serving) struct Place {
    _permit: Permit,
}

impl FromRequestParts<ServingState> for Place {
    type Rejection = HttpError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &ServingState,
    ) -> Result<Self, HttpError> {
        let error = match state.enter().await {
            Ok(permit) => return Ok(Self { _permit: permit }),
            Err(error) => error,
        };
        match Path::<Target>::from_request_parts(parts, state).await {
            Ok(Path(it)) => state.serve().refused(&it.model, it.version.as_deref(), &error),
            Err(_) => state.count_unknown(&error),
        }
        Err(error.into())
    }
}

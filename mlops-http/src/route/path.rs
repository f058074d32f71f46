//! What a path names, refused in the shape of the server's errors.

use axum::extract::FromRequestParts;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use http::request::Parts;

use crate::error::HttpError;

/// The names in a path, as axum's extractor of the same name reads them.
///
/// One that can't be read (it is not UTF-8, or a number is none) is 400 as an [`HttpError`]; axum answers plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    axum::extract::Path<T>: FromRequestParts<S, Rejection = PathRejection>,
    S: Send + Sync,
{
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(names)) => Ok(Self(names)),
            Err(rejection) => Err(refusal(rejection)),
        }
    }
}

fn refusal(rejection: PathRejection) -> HttpError {
    let why = match rejection {
        PathRejection::FailedToDeserializePathParams(failed) => match failed.into_kind() {
            // A route that has fewer names than its handler asks for is the program's defect.
            wrong @ (ErrorKind::WrongNumberOfParameters { .. }
            | ErrorKind::UnsupportedType { .. }) => {
                tracing::error!(%wrong, "a route does not fit its handler");
                return HttpError::internal("the server failed to answer");
            }
            ErrorKind::InvalidUtf8InPathParam { key } => {
                format!("a part of the path is not UTF-8: part={key}")
            }
            other => format!("the path can't be read: {other}"),
        },
        rejection => {
            tracing::error!(%rejection, "a route does not fit its handler");
            return HttpError::internal("the server failed to answer");
        }
    };
    HttpError::bad_request(why)
}

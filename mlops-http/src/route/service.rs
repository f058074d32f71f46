//! Routes as a service.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::routing::future::RouteFuture;
use bytes::Bytes;
use http::{Method, Request};
use tower::Service;

use super::guard;
use crate::error::HttpError;
use crate::server::BoxError;

/// [`Routes`](super::Routes) as a service over any body. Clones are cheap.
#[derive(Debug, Clone)]
pub struct RouteService(Router);

impl RouteService {
    pub(super) fn new(router: Router) -> Self {
        Self(router)
    }
}

impl<B> Service<Request<B>> for RouteService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = axum::response::Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.call(request.map(Body::new))
    }
}

pub(super) async fn unknown_path() -> HttpError {
    guard::unknown_path()
}

pub(super) async fn unknown_method(method: Method) -> HttpError {
    guard::unknown_method(&method)
}

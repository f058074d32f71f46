//! The service behind the gate that REST has too: a call too many is refused before its message is read.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use crate::serving::rest::ServingState;

/// Lets calls for predictions in through the gate of `state`, and every other call as it comes: a server that is
/// busy still says that it lives.
#[derive(Debug, Clone)]
pub(in crate::serving) struct Gated<V> {
    inner: V,
    state: ServingState,
}

impl<V> Gated<V> {
    pub(in crate::serving) fn new(inner: V, state: ServingState) -> Self {
        Self { inner, state }
    }
}

impl<V, B> Service<Request<B>> for Gated<V>
where
    V: Service<Request<B>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    V::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was made ready is called; its clone waits for the next request.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let state = self.state.clone();
        Box::pin(async move {
            if !request.uri().path().ends_with("/ModelInfer") {
                return inner.call(request).await;
            }
            let place = match state.enter().await {
                Ok(place) => place,
                Err(error) => {
                    state.count_unknown(&error);
                    return Ok(Status::from(error).into_http());
                }
            };
            let answer = inner.call(request).await;
            drop(place);
            answer
        })
    }
}

//! What happens around every request: its host, its peer, its limits, a handler's panic, errors in the
//! server's shape, and a farewell while the server drains.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use http::{HeaderValue, Request, Response, Version, header};
use http_body::Body;
use hyper::body::Incoming;
use tower::{Service, ServiceExt as _};

use super::answer::{Answer, UnderWay};
use super::phase::Phase;
use super::{BoxError, Peer, Shared};
use crate::body::{BodyControl, RequestBody};
use crate::error::{ErrorShape, HttpError};

/// The service of one connection.
pub(super) struct PerConnection<S> {
    pub(super) inner: S,
    pub(super) shared: Arc<Shared>,
    pub(super) phase: Arc<Phase>,
    pub(super) peer: SocketAddr,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for PerConnection<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Answer<B>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let under_way = UnderWay::new(Arc::clone(&self.shared), Arc::clone(&self.phase));
        let (shared, version) = (Arc::clone(&self.shared), request.version());
        let control = BodyControl::new(shared.options.body);
        let answer = match shared.hosts.check(version, request.uri(), request.headers()) {
            Ok(()) => Ok(guarded(self.inner.clone(), self.prepare(request, control.clone()))),
            Err(error) => {
                drop(self.prepare(request, control.clone()));
                Err(error)
            }
        };
        Box::pin(async move {
            let outcome = match answer {
                Ok(answer) => answer.await,
                Err(error) => Err(error),
            };
            let shape = shared.options.error_shape;
            let mut response = finish(outcome, &control, shape, under_way);
            if version <= Version::HTTP_11 && shared.says_farewell() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(response)
        })
    }
}

impl<S> PerConnection<S> {
    fn prepare(&self, request: Request<Incoming>, control: BodyControl) -> Request<RequestBody> {
        let phase = Arc::clone(&self.phase);
        let mut request = request
            .map(|body| RequestBody::new(body, control.clone(), move || phase.leave_unread()));
        request.extensions_mut().insert(Peer(self.peer));
        request.extensions_mut().insert(control);
        request
    }
}

/// Calls the service; an error or a panic of it becomes a 500 that says nothing of its inside.
async fn guarded<S, B>(service: S, request: Request<RequestBody>) -> Result<Response<B>, HttpError>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // The service is a clone that nobody uses after a panic.
    match AssertUnwindSafe(service.oneshot(request)).catch_unwind().await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => {
            let error: BoxError = error.into();
            tracing::error!(%method, path, %error, "a service failed");
            Err(HttpError::internal("the server failed to answer"))
        }
        Err(panic) => {
            let reason = panic_text(panic.as_ref());
            tracing::error!(%method, path, reason, "a handler panicked");
            Err(HttpError::internal("the server failed to answer"))
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown")
}

/// The response as the service gave it, unless it is an error that the server words: its own, one that
/// a handler has returned as [`HttpError`], or a failure whose cause is that the request's body did not
/// keep to its limits.
fn finish<B>(
    outcome: Result<Response<B>, HttpError>,
    control: &BodyControl,
    shape: ErrorShape,
    under_way: UnderWay,
) -> Response<Answer<B>> {
    let mut response = match outcome {
        Ok(response) => response,
        Err(error) => return Answer::own(error.render(shape), under_way),
    };
    if let Some(error) = response.extensions_mut().remove::<HttpError>() {
        let mut own = error.render(shape);
        // What was added to the error on its way here stays, `Allow` for one.
        let mut headers = std::mem::take(response.headers_mut());
        headers.remove(header::CONTENT_LENGTH);
        for (name, value) in own.headers() {
            headers.insert(name.clone(), value.clone());
        }
        *own.headers_mut() = headers;
        return Answer::own(own, under_way);
    }
    let failed = response.status().is_client_error() || response.status().is_server_error();
    match control.fault() {
        Some(fault) if failed => {
            Answer::own(HttpError::from(fault.clone()).render(shape), under_way)
        }
        _ => Answer::of_handler(response, under_way),
    }
}

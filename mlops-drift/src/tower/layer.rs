//! The layer, its service and its future.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::observer::{Observer, Publish};
use crate::error::Result;

/// Wraps a service so that an [`Observer`] sees its requests and answers.
///
/// `request` takes what matters out of each request before the service has it; `response` gets that
/// together with the answer, or the service's error, and a handle. Both run where the service runs, so they
/// should be quick. Whatever they do, the request goes on: errors and panics are counted.
#[derive(Debug)]
pub struct ObserveLayer<H, A, B> {
    observer: Arc<Observer<H>>,
    request: A,
    response: B,
}

impl<H, A, B> ObserveLayer<H, A, B> {
    /// A layer of this observer and what it observes.
    pub fn new(observer: Arc<Observer<H>>, request: A, response: B) -> Self {
        Self { observer, request, response }
    }
}

impl<H, A: Clone, B: Clone> Clone for ObserveLayer<H, A, B> {
    fn clone(&self) -> Self {
        let (request, response) = (self.request.clone(), self.response.clone());
        Self { observer: Arc::clone(&self.observer), request, response }
    }
}

impl<S, H, A: Clone, B: Clone> Layer<S> for ObserveLayer<H, A, B> {
    type Service = Observed<S, H, A, B>;

    fn layer(&self, inner: S) -> Self::Service {
        Observed { inner, layer: self.clone() }
    }
}

/// A service whose requests and answers are observed.
#[derive(Debug)]
pub struct Observed<S, H, A, B> {
    inner: S,
    layer: ObserveLayer<H, A, B>,
}

impl<S: Clone, H, A: Clone, B: Clone> Clone for Observed<S, H, A, B> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, Request, H, A, B, Seen> Service<Request> for Observed<S, H, A, B>
where
    S: Service<Request>,
    H: Publish,
    A: Fn(&Request) -> Seen,
    B: Fn(&mut H, Seen, Result<&S::Response, &S::Error>) -> Result<()> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ObserveFuture<S::Future, H, Seen, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let ObserveLayer { observer, request: look, response } = &self.layer;
        let seen = catch_unwind(AssertUnwindSafe(|| look(&request))).ok();
        if seen.is_none() {
            observer.count_panic();
        }
        let ticket = Ticket { observer: Arc::clone(observer), seen };
        ObserveFuture { inner: self.inner.call(request), ticket, response: response.clone() }
    }
}

/// What was seen of a request whose answer has not come; dropped with it, it is counted.
#[derive(Debug)]
struct Ticket<H, Seen> {
    observer: Arc<Observer<H>>,
    seen: Option<Seen>,
}

impl<H, Seen> Drop for Ticket<H, Seen> {
    fn drop(&mut self) {
        if self.seen.is_some() {
            self.observer.count_abandoned();
        }
    }
}

pin_project! {
    /// The answer to an observed request.
    #[derive(Debug)]
    pub struct ObserveFuture<F, H, Seen, B> {
        #[pin]
        inner: F,
        ticket: Ticket<H, Seen>,
        response: B,
    }
}

impl<F, H, Seen, B, Response, Error> Future for ObserveFuture<F, H, Seen, B>
where
    F: Future<Output = Result<Response, Error>>,
    H: Publish,
    B: Fn(&mut H, Seen, Result<&Response, &Error>) -> Result<()>,
{
    type Output = Result<Response, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx));
        if let Some(seen) = this.ticket.seen.take() {
            let response = &*this.response;
            this.ticket.observer.observe(|handle| response(handle, seen, answer.as_ref()));
        }
        Poll::Ready(answer)
    }
}

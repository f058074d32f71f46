//! The body of an answer, with the request that it counts for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use tokio::time::Instant;

use super::Shared;
use super::phase::Phase;

/// A request that is under way, until it is dropped.
pub(super) struct UnderWay {
    shared: Arc<Shared>,
    phase: Arc<Phase>,
    /// A part of the answer was handed out, and the next has not been asked for.
    owes: bool,
}

impl UnderWay {
    pub(super) fn new(shared: Arc<Shared>, phase: Arc<Phase>) -> Self {
        shared.in_flight.fetch_add(1, Ordering::AcqRel);
        phase.begin();
        Self { shared, phase, owes: false }
    }

    fn owe(&mut self) {
        self.owes = true;
        self.phase.owe(Instant::now());
    }

    fn settle(&mut self) {
        if std::mem::take(&mut self.owes) {
            self.phase.settle();
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.settle();
        self.phase.end(Instant::now());
        self.shared.served.fetch_add(1, Ordering::AcqRel);
        if self.shared.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.quiet.notify_one();
        }
    }
}

/// A handler's body or one of the server's own. The request ends with it.
pub(super) struct Answer<B> {
    body: Pin<Box<Either<B, Full<Bytes>>>>,
    under_way: Option<UnderWay>,
}

impl<B> Answer<B> {
    pub(super) fn of_handler(response: Response<B>, under_way: UnderWay) -> Response<Self> {
        Self::wrap(response.map(Either::Left), under_way)
    }

    pub(super) fn own(response: Response<Bytes>, under_way: UnderWay) -> Response<Self> {
        Self::wrap(response.map(|bytes| Either::Right(Full::new(bytes))), under_way)
    }

    fn wrap(response: Response<Either<B, Full<Bytes>>>, under_way: UnderWay) -> Response<Self> {
        response.map(|body| Self { body: Box::pin(body), under_way: Some(under_way) })
    }
}

impl<B> Body for Answer<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(under_way) = &mut self.under_way {
            under_way.settle();
        }
        let frame = self.body.as_mut().poll_frame(cx);
        match (&frame, &mut self.under_way) {
            (Poll::Ready(None | Some(Err(_))), under_way) => *under_way = None,
            (Poll::Ready(Some(Ok(_))), Some(under_way)) => under_way.owe(),
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

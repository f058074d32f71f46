//! Bodies on their way through: one that can be sent again while nobody has read it, and one that
//! counts its request when it ends.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;

use super::counts::{InFlight, Outcome, Upload};

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A body of unknown origin.
pub type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

/// Boxes a body.
pub(super) fn boxed<B>(body: B) -> AnyBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

/// A client's body, which notes what it does.
struct Uploaded {
    body: AnyBody,
    upload: Arc<Upload>,
}

/// The body of a client, with a note in `upload` of whether it is waited for, and whether it breaks.
pub(super) fn uploaded(body: AnyBody, upload: &Arc<Upload>) -> AnyBody {
    Uploaded { body, upload: Arc::clone(upload) }.boxed_unsync()
}

impl Body for Uploaded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.upload.wait(frame.is_pending());
        if let Poll::Ready(Some(Err(_))) = &frame {
            self.upload.note_break();
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

/// Where a body waits until it is first read. A connection that could not be made has not read it.
#[derive(Clone)]
pub(super) struct Waiting {
    slot: Arc<Mutex<Option<AnyBody>>>,
    hint: SizeHint,
    is_end: bool,
}

impl Waiting {
    pub(super) fn new(body: AnyBody) -> Self {
        let (hint, is_end) = (body.size_hint(), body.is_end_stream());
        Self { slot: Arc::new(Mutex::new(Some(body))), hint, is_end }
    }

    /// Whether it can still be sent.
    pub(super) fn is_whole(&self) -> bool {
        self.lock().is_some()
    }

    pub(super) fn to_body(&self) -> AnyBody {
        boxed(Sending { waiting: self.clone(), body: None })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<AnyBody>> {
        // Nothing that can panic runs under the lock.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Sending {
    waiting: Waiting,
    body: Option<AnyBody>,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.body.is_none() {
            let taken = self.waiting.lock().take();
            self.body = taken;
        }
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(Some(Err("the body has been sent already".into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().map_or(self.waiting.is_end, Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| self.waiting.hint, Body::size_hint)
    }
}

/// An answer's body; its request is over when this is.
pub(super) struct Counted<B> {
    body: B,
    request: Option<InFlight>,
}

impl<B: Body> Counted<B> {
    /// `request` has been noted as good or failed by its status already, and stays in flight.
    pub(super) fn new(body: B, mut request: InFlight, outcome: Outcome) -> Self {
        if body.is_end_stream() || outcome == Outcome::Failed {
            request.note(outcome);
        }
        let request = (!body.is_end_stream()).then_some(request);
        Self { body, request }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let ended = match &frame {
            Poll::Ready(None) => Some(Outcome::Good),
            Poll::Ready(Some(Err(_))) => Some(Outcome::Failed),
            Poll::Ready(Some(Ok(_))) if self.body.is_end_stream() => Some(Outcome::Good),
            _ => None,
        };
        if let (Some(outcome), Some(mut request)) =
            (ended, self.request.take_if(|_| ended.is_some()))
        {
            request.note(outcome);
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

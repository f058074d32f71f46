//! Request bodies that end: by their size, by their pace, and by their time in all.

use std::error::Error as StdError;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::error::HttpError;

/// What a request body may cost. A route can set its own, see [`Rule`](crate::route::Rule).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyLimits {
    /// The size, in bytes.
    pub max_bytes: u64,
    /// How long the server waits for the next byte; `None` for streams that may pause.
    pub progress: Option<Duration>,
    /// How long the server waits for bytes in all. Time that the handler takes does not count.
    pub total: Option<Duration>,
}

impl Default for BodyLimits {
    /// 1 MiB, 10 s for the next byte, 5 min in all.
    fn default() -> Self {
        Self {
            max_bytes: 1 << 20,
            progress: Some(Duration::from_secs(10)),
            total: Some(Duration::from_secs(300)),
        }
    }
}

impl BodyLimits {
    /// Sets the size, in bytes.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how long the server waits for the next byte.
    #[must_use]
    pub fn with_progress(mut self, deadline: Option<Duration>) -> Self {
        self.progress = deadline;
        self
    }

    /// Sets how long the server waits for bytes in all.
    #[must_use]
    pub fn with_total(mut self, deadline: Option<Duration>) -> Self {
        self.total = deadline;
        self
    }
}

/// Why a request body ended before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyFault {
    /// It is larger than allowed.
    #[error("the body is too large: limit={limit}")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Its bytes came too slowly.
    #[error("the body did not come in time: waited_ms={}", waited.as_millis())]
    Stalled {
        /// How long the server has waited.
        waited: Duration,
    },
    /// The connection or the encoding of the body is broken.
    #[error("the body is broken: reason={reason}")]
    Broken {
        /// What the transport says.
        reason: String,
    },
}

impl From<BodyFault> for HttpError {
    fn from(fault: BodyFault) -> Self {
        match fault {
            BodyFault::TooLarge { limit } => Self::too_large(limit),
            BodyFault::Stalled { .. } => Self::timeout(fault.to_string()),
            BodyFault::Broken { .. } => Self::bad_request(fault.to_string()),
        }
    }
}

/// Sees and changes the limits of a request's body; stands in the request's extensions.
#[derive(Debug, Clone)]
pub struct BodyControl(Arc<Control>);

#[derive(Debug)]
struct Control {
    max_bytes: AtomicU64,
    progress: AtomicU64,
    total: AtomicU64,
    fault: OnceLock<BodyFault>,
}

const NEVER: u64 = u64::MAX;

fn millis(duration: Option<Duration>) -> u64 {
    duration.map_or(NEVER, |d| u64::try_from(d.as_millis()).unwrap_or(NEVER - 1))
}

impl BodyControl {
    pub(crate) fn new(limits: BodyLimits) -> Self {
        Self(Arc::new(Control {
            max_bytes: AtomicU64::new(limits.max_bytes),
            progress: AtomicU64::new(millis(limits.progress)),
            total: AtomicU64::new(millis(limits.total)),
            fault: OnceLock::new(),
        }))
    }

    /// Replaces the limits; they hold from the next frame on.
    pub fn set(&self, limits: BodyLimits) {
        self.0.max_bytes.store(limits.max_bytes, Ordering::Relaxed);
        self.0.progress.store(millis(limits.progress), Ordering::Relaxed);
        self.0.total.store(millis(limits.total), Ordering::Relaxed);
    }

    /// The size that the body may have, in bytes.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.0.max_bytes.load(Ordering::Relaxed)
    }

    /// Why the body ended early, if it did.
    #[must_use]
    pub fn fault(&self) -> Option<&BodyFault> {
        self.0.fault.get()
    }

    /// How long to wait now, when `waited` has been waited before.
    fn patience(&self, waited: Duration) -> Duration {
        let progress = Duration::from_millis(self.0.progress.load(Ordering::Relaxed));
        let total = Duration::from_millis(self.0.total.load(Ordering::Relaxed));
        progress.min(total.saturating_sub(waited))
    }
}

/// The body of a request as the server hands it out: a stream of bytes that
/// keeps to its [`BodyLimits`].
///
/// Nothing is buffered here, and nothing is read before it is polled: a request that is refused by
/// its head is never told `100 Continue`. After a fault the stream gives that error and then ends.
pub struct RequestBody {
    inner: Incoming,
    control: BodyControl,
    read: u64,
    waiting: Option<Instant>,
    waited: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    ended: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl RequestBody {
    /// Calls `unread` on being dropped before the end of the body.
    pub(crate) fn new(
        inner: Incoming,
        control: BodyControl,
        unread: impl FnOnce() + Send + Sync + 'static,
    ) -> Self {
        Self {
            inner,
            control,
            read: 0,
            waiting: None,
            waited: Duration::ZERO,
            timer: None,
            ended: Some(Box::new(unread)),
        }
    }

    fn fail(&mut self, fault: BodyFault) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let first = self.control.0.fault.get_or_init(|| fault);
        Poll::Ready(Some(Err(first.clone())))
    }

    /// Ready once the client has been waited for long enough.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        let now = Instant::now();
        let since = *self.waiting.get_or_insert(now);
        let patience = self.control.patience(self.waited);
        // A deadline beyond what the clock can hold is none.
        let Some(deadline) = since.checked_add(patience) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| self.waited + since.elapsed())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if self.control.fault().is_some() {
            return Poll::Ready(None);
        }
        let limit = self.control.max_bytes();
        if self.read.saturating_add(self.inner.size_hint().lower()) > limit {
            return self.fail(BodyFault::TooLarge { limit });
        }
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            return match self.poll_patience(cx) {
                Poll::Ready(waited) => self.fail(BodyFault::Stalled { waited }),
                Poll::Pending => Poll::Pending,
            };
        };
        if let Some(since) = self.waiting.take() {
            self.waited += since.elapsed();
        }
        match frame {
            None => Poll::Ready(None),
            Some(Err(error)) => self.fail(BodyFault::Broken { reason: error.to_string() }),
            Some(Ok(frame)) => {
                self.read += frame.data_ref().map_or(0, |data| data.len() as u64);
                if self.read > limit {
                    return self.fail(BodyFault::TooLarge { limit });
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream() || self.control.fault().is_some()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(unread) = self.ended.take().filter(|_| !self.inner.is_end_stream()) {
            unread();
        }
    }
}

/// Reads a whole body into memory, at most `limit` bytes of it.
///
/// A `Content-Length` beyond the limit is refused before anything is read. The limits of a
/// [`RequestBody`] inside hold as well: it is they that bound the time.
///
/// # Errors
/// 413 when the body is too large, 408 when it does not come in time, 400 when it is broken.
pub async fn read_body<B>(request: Request<B>, limit: u64) -> Result<Request<Bytes>, HttpError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    check_declared(&head, limit)?;
    let mut body = std::pin::pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(error.into().as_ref()))?;
        let Ok(data) = frame.into_data() else { continue };
        if (bytes.len() + data.len()) as u64 > limit {
            return Err(HttpError::too_large(limit));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Request::from_parts(head, bytes.freeze()))
}

/// Refuses a head that announces more than `limit` bytes.
pub(crate) fn check_declared(head: &http::request::Parts, limit: u64) -> Result<(), HttpError> {
    let declared = head.headers.get(header::CONTENT_LENGTH);
    let length = declared.and_then(|value| value.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    match length {
        Some(length) if length > limit => Err(HttpError::too_large(limit)),
        _ => Ok(()),
    }
}

/// The fault behind an error of a body, however many wrappers stand around it.
fn broken(error: &(dyn StdError + 'static)) -> HttpError {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(fault) = error.downcast_ref::<BodyFault>() {
            return fault.clone().into();
        }
        next = error.source();
    }
    BodyFault::Broken { reason: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let request = |length: usize| Request::new(Full::new(Bytes::from(vec![7; length])));
        assert_eq!(read_body(request(8), 8).await.unwrap().into_body().len(), 8);
        let error = read_body(request(9), 8).await.unwrap_err();
        assert_eq!(error.status(), 413);
    }

    #[tokio::test]
    async fn a_declared_length_beyond_the_limit_is_refused_before_reading() {
        let mut request = Request::new(Full::new(Bytes::new()));
        request.headers_mut().insert("content-length", "10737418240".parse().unwrap());
        assert_eq!(read_body(request, 1 << 20).await.unwrap_err().status(), 413);
    }

    #[test]
    fn patience_is_the_pace_until_the_total_is_used_up() {
        let second = Duration::from_secs;
        let limits = BodyLimits::default().with_total(Some(second(15)));
        let control = BodyControl::new(limits);
        assert_eq!(control.patience(Duration::ZERO), second(10));
        assert_eq!(control.patience(second(12)), second(3));
        assert_eq!(control.patience(second(20)), Duration::ZERO);
        control.set(limits.with_progress(None).with_total(None));
        assert!(control.patience(second(20)) > second(u64::from(u32::MAX)));
    }
}

//! A socket that notes what passes through it, gives up on clients that take nothing, and closes so
//! that the last answer arrives.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::phase::Phase;
use crate::error::{ErrorShape, HttpError};

/// How long, and how many bytes, a closing connection is read on for the sake of an answer to a
/// request that was not read: a socket that is closed over unread bytes resets the connection, and
/// the answer is lost.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

pub(super) struct Socket {
    stream: TcpStream,
    /// Bytes that were read before the protocol was known.
    ahead: Bytes,
    phase: Arc<Phase>,
    shape: ErrorShape,
    write_deadline: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// What is sent in the place of the protocol's own words.
    instead: Option<Bytes>,
    lingering: Option<Linger>,
}

struct Linger {
    timer: Pin<Box<Sleep>>,
    left: usize,
}

impl Socket {
    pub(super) fn new(
        stream: TcpStream,
        ahead: Bytes,
        phase: Arc<Phase>,
        shape: ErrorShape,
        write_deadline: Duration,
    ) -> Self {
        let (timer, instead, lingering) = (None, None, None);
        Self { stream, ahead, phase, shape, write_deadline, timer, instead, lingering }
    }

    /// Answers with an error and closes. Nothing else may have been written.
    pub(super) async fn refuse(mut self, error: &HttpError) -> io::Result<()> {
        self.instead = Some(on_the_wire(&error.render(self.shape)));
        self.phase.leave_unread();
        std::future::poll_fn(|cx| Pin::new(&mut self).poll_shutdown(cx)).await
    }

    /// An error when the client has taken nothing for too long.
    fn patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let deadline = self.write_deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(deadline)));
        timer.as_mut().poll(cx).map(|()| io::Error::from(io::ErrorKind::TimedOut))
    }

    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.timer = None;
            return done;
        }
        self.patience(cx).map(Err)
    }

    fn counted(
        &mut self,
        cx: &mut Context<'_>,
        done: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &done {
            self.phase.wrote(*count, Instant::now());
        }
        self.written(cx, done)
    }

    /// Sends what stands in the place of the protocol's own words, if anything does.
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(bytes) = self.instead.as_mut().filter(|bytes| bytes.has_remaining()) {
            let sent = Pin::new(&mut self.stream).poll_write(cx, bytes);
            if let Poll::Ready(Ok(count)) = &sent {
                bytes.advance(*count);
            }
            ready!(self.written(cx, sent))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes an answer that the protocol gives on its own (to a head that it can't parse), so that
    /// one with a body in the server's shape goes out in its place.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        if self.instead.is_some() {
            return true;
        }
        if !self.phase.silent() {
            return false;
        }
        let Some(error) = refusal(bytes) else { return false };
        self.instead = Some(on_the_wire(&error.render(self.shape)));
        self.phase.leave_unread();
        true
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self.lingering.get_or_insert_with(|| Linger {
            timer: Box::pin(tokio::time::sleep(LINGER)),
            left: LINGER_BYTES,
        });
        let mut room = [0; 8192];
        while linger.left > 0 && linger.timer.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut room);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            linger.left = linger.left.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(())
    }
}

/// What the protocol's own refusal means.
fn refusal(bytes: &[u8]) -> Option<HttpError> {
    let digits = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    let status = StatusCode::from_bytes(digits.get(..3)?).ok()?;
    let (code, message) = match status {
        StatusCode::BAD_REQUEST => ("bad_request", "the request can't be read as HTTP"),
        StatusCode::URI_TOO_LONG => ("uri_too_long", "the target of the request is too long"),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            ("headers_too_large", "the head of the request is too large")
        }
        _ => return None,
    };
    Some(HttpError::new(status, code, message))
}

fn on_the_wire(response: &Response<Bytes>) -> Bytes {
    let (status, body) = (response.status(), response.body());
    let reason = status.canonical_reason().unwrap_or("Error");
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    let end = format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    bytes.extend_from_slice(end.as_bytes());
    bytes.extend_from_slice(body);
    bytes.into()
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.has_remaining() {
            let count = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.phase.read(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.replaces(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.counted(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.replaces(slices.iter().find(|slice| !slice.is_empty()).map_or(&[], |slice| slice)) {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.counted(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The protocol flushes once it has written all that it holds.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        self.phase.flushed();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(self.poll_instead(cx))?;
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        if self.phase.unread() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::error_only;

    #[test]
    fn only_the_protocols_own_refusals_are_replaced() {
        let status = |bytes: &[u8]| refusal(bytes).map(|error| error.status().as_u16());
        assert_eq!(status(b"HTTP/1.1 400 Bad Request\r\n"), Some(400));
        assert_eq!(status(b"HTTP/1.1 431 Request Header Fields Too Large\r\n"), Some(431));
        assert_eq!(status(b"HTTP/1.0 414 URI Too Long\r\n"), Some(414));
        for other in [&b"HTTP/1.1 200 OK\r\n"[..], b"HTTP/1.1 100 Continue", b"HTTP/1.1 4", b""] {
            assert_eq!(status(other), None);
        }
    }

    #[test]
    fn an_error_on_the_wire_is_a_whole_answer() {
        let bytes = on_the_wire(&HttpError::timeout("late").render(error_only));
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\n\
             content-length: 16\r\nconnection: close\r\n\r\n{\"error\":\"late\"}"
        );
    }
}

//! One connection: which protocol it speaks, its deadlines, and its end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tower::Service;

use super::phase::{Deadlines, Phase, Verdict};
use super::service::PerConnection;
use super::socket::Socket;
use super::{BoxError, Http2, Shared};
use crate::body::RequestBody;
use crate::error::HttpError;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A peer of HTTP/2 that does not answer a ping within this is gone, and its requests with it.
const PING: Duration = Duration::from_secs(20);
/// How long a connection that is asked to close for lying idle may take to do so.
const GOODBYE: Duration = Duration::from_secs(5);
/// The least that hyper takes for the buffer of a connection.
const LEAST_BUFFER: usize = 64 << 10;

/// Serves a connection until it ends.
pub(super) async fn serve<S, B>(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, inner: S)
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let phase = Arc::new(Phase::new(Instant::now()));
    let end = match opening(&stream, &phase, &shared).await {
        Ok(opening) => {
            let (shape, write) = (shared.options.error_shape, shared.options.write_deadline);
            let ahead = Bytes::from(opening.bytes);
            let socket = Socket::new(stream, ahead, Arc::clone(&phase), shape, write);
            let service = PerConnection { inner, shared: Arc::clone(&shared), phase, peer };
            match opening.protocol {
                Protocol::Unknown => Ok(()),
                Protocol::HalfSent => late(socket).await,
                Protocol::Http1 => serve_http1(socket, service).await,
                Protocol::Http2 => serve_http2(socket, service).await,
            }
        }
        Err(error) => Err(error.into()),
    };
    if let Err(error) = end {
        tracing::debug!(%peer, %error, "a connection broke");
    }
}

struct Opening {
    protocol: Protocol,
    bytes: Vec<u8>,
}

enum Protocol {
    /// Nothing came, and nothing is owed.
    Unknown,
    /// Something came, but not enough of it in time.
    HalfSent,
    Http1,
    Http2,
}

/// Reads as much as it takes to tell HTTP/2 from HTTP/1: often one byte.
async fn opening(stream: &TcpStream, phase: &Phase, shared: &Shared) -> io::Result<Opening> {
    let mut closing = pin!(shared.closing());
    let deadlines = shared.deadlines();
    let mut bytes = Vec::with_capacity(PREFACE.len());
    loop {
        let wake = match phase.judge(Instant::now(), deadlines) {
            Verdict::LookAgain(at) => at,
            Verdict::Idle | Verdict::Stuck => {
                return Ok(Opening { protocol: Protocol::Unknown, bytes });
            }
            Verdict::HalfSent => return Ok(Opening { protocol: Protocol::HalfSent, bytes }),
        };
        tokio::select! {
            biased;
            ready = stream.readable() => ready?,
            () = &mut closing, if bytes.is_empty() => {
                return Ok(Opening { protocol: Protocol::Unknown, bytes });
            }
            () = tokio::time::sleep_until(wake) => continue,
        }
        let mut room = [0; PREFACE.len()];
        let left = PREFACE.len() - bytes.len();
        match stream.try_read(&mut room[..left]) {
            Ok(0) => return Ok(Opening { protocol: Protocol::Unknown, bytes }),
            Ok(count) => bytes.extend_from_slice(&room[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        phase.read(Instant::now());
        if shared.options.http2 == Http2::Refused || !PREFACE.starts_with(&bytes) {
            return Ok(Opening { protocol: Protocol::Http1, bytes });
        }
        if bytes.len() == PREFACE.len() {
            phase.multiplex();
            return Ok(Opening { protocol: Protocol::Http2, bytes });
        }
    }
}

async fn late(socket: Socket) -> Result<(), BoxError> {
    let error = HttpError::timeout("the head of the request did not come in time");
    Ok(socket.refuse(&error).await?)
}

async fn serve_http1<S, B>(socket: Socket, service: PerConnection<S>) -> Result<(), BoxError>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (shared, phase) = (Arc::clone(&service.shared), Arc::clone(&service.phase));
    let options = &shared.options;
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(options.max_headers)
        .max_header_size(options.max_header_bytes)
        .max_buf_size(options.max_header_bytes.max(LEAST_BUFFER))
        .serve_connection(TokioIo::new(socket), service);
    let end = drive(Pin::new(&mut connection), |c| c.graceful_shutdown(), &phase, &shared).await;
    match end {
        End::Done(result) => Ok(result?),
        End::HalfSent if phase.silent() => late(connection.into_parts().io.into_inner()).await,
        End::Idle | End::HalfSent | End::Stuck => Ok(()),
    }
}

async fn serve_http2<S, B>(socket: Socket, service: PerConnection<S>) -> Result<(), BoxError>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (shared, phase) = (Arc::clone(&service.shared), Arc::clone(&service.phase));
    let options = &shared.options;
    let streams = Streams::default();
    let connection = http2::Builder::new(streams.clone())
        .timer(TokioTimer::new())
        .max_concurrent_streams(options.max_streams)
        .max_header_list_size(u32::try_from(options.max_header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    let end = drive(connection.as_mut(), |c| c.graceful_shutdown(), &phase, &shared).await;
    streams.end().await;
    match end {
        End::Done(result) => Ok(result?),
        End::Idle | End::HalfSent => Ok(()),
        End::Stuck => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

/// The tasks of one HTTP/2 connection, one a request: they run beside each other, and end with it.
#[derive(Clone, Default)]
struct Streams(Arc<Mutex<JoinSet<()>>>);

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(future);
    }
}

impl Streams {
    async fn end(self) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }
}

enum End<T> {
    /// The protocol has ended it.
    Done(T),
    Idle,
    HalfSent,
    /// Its client takes nothing of the answers that are ready.
    Stuck,
}

/// Drives a connection to its end, past its deadlines and through a drain.
///
/// When the server closes, the connection is polled first and shut down after that, and not while a
/// head is arriving: a request of which a byte has come is answered.
async fn drive<C: Future>(
    mut connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    phase: &Phase,
    shared: &Shared,
) -> End<C::Output> {
    let mut closing = pin!(shared.closing());
    let (mut closes, mut asked) = (false, false);
    let mut watch = Watch::new(phase, shared);
    std::future::poll_fn(|cx| {
        loop {
            if let Poll::Ready(output) = connection.as_mut().poll(cx) {
                return Poll::Ready(End::Done(output));
            }
            if !closes && closing.as_mut().poll(cx).is_ready() {
                closes = true;
            }
            if !closes || asked || phase.half_sent() {
                match std::task::ready!(watch.poll(cx)) {
                    End::Idle if !asked => watch.wait_for(GOODBYE),
                    over => return Poll::Ready(over),
                }
            }
            asked = true;
            shut_down(connection.as_mut());
        }
    })
    .await
}

/// Looks at the phase of a connection whenever a deadline may have passed.
struct Watch<'a> {
    phase: &'a Phase,
    deadlines: Deadlines,
    timer: Pin<Box<Sleep>>,
    not_before: Instant,
}

impl<'a> Watch<'a> {
    fn new(phase: &'a Phase, shared: &Shared) -> Self {
        let not_before = Instant::now();
        let timer = Box::pin(tokio::time::sleep_until(not_before));
        Self { phase, deadlines: shared.deadlines(), timer, not_before }
    }

    /// Gives the connection this much more time.
    fn wait_for(&mut self, time: Duration) {
        self.not_before = Instant::now() + time;
    }

    fn poll<T>(&mut self, cx: &mut Context<'_>) -> Poll<End<T>> {
        loop {
            // A head that begins after the last look has a nearer deadline than the one slept for.
            let now = Instant::now();
            let next = match self.phase.judge(now, self.deadlines) {
                Verdict::LookAgain(at) => at,
                Verdict::Stuck => return Poll::Ready(End::Stuck),
                _ if now < self.not_before => self.not_before,
                Verdict::Idle => return Poll::Ready(End::Idle),
                Verdict::HalfSent => return Poll::Ready(End::HalfSent),
            };
            if self.timer.is_elapsed() || next < self.timer.deadline() {
                self.timer.as_mut().reset(next);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

//! The server: an accept loop of its own, deadlines and caps on every connection, and an ordered drain.

mod accept;
mod answer;
mod connection;
mod options;
mod phase;
mod service;
mod socket;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::extract::FromRequestParts;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tower::Service;

pub use options::{Handover, Http2, ServerOptions};

use crate::body::RequestBody;
use crate::error::HttpError;
use crate::host::Hosts;

/// What a service or a body may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Serves on a listening socket until the handle is told to drain.
///
/// # Contract
/// - **Every request is bounded**: its head, its body and the reading of its answer each by a deadline,
///   head and body by a size ([`ServerOptions`]). How long a handler takes is bounded by its route.
/// - **Accepted is answered**: a request of which a byte has come before the server closes is answered,
///   unless its client is too slow or the drain's deadline passes.
/// - A handler that panics, or a service that fails, is a 500; the server goes on. Nothing of the
///   cause is told to the client, all of it is logged.
/// - Errors are JSON: those of handlers, if they are [`HttpError`]s, and those of the protocol, if it is
///   HTTP/1. (A head of HTTP/2 that is too large is answered with 431 and no body.)
/// - A request's extensions hold its [`Peer`] and its [`BodyControl`](crate::body::BodyControl).
/// - A bare LF ends a line of an HTTP/1 head, as RFC 9112 (2.2) allows; two lengths in one head are
///   refused however their lines end. A proxy in front has to see lines in the same way.
/// - Upgrades and `CONNECT` are not offered.
///
/// Every task is joined by the one that accepts, and that one by [`ServerHandle::drain`].
///
/// # Errors
/// Those of the socket: it can't be put under the runtime's watch, or has no address.
///
/// # Panics
/// Outside of a tokio runtime with I/O and time turned on.
pub fn serve<S, B>(
    listener: TcpListener,
    service: S,
    options: ServerOptions,
) -> io::Result<ServerHandle>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let listener = Some(tokio::net::TcpListener::from_std(listener)?);
    let shared = Arc::new(Shared::new(address, options));
    let (tell, told) = oneshot::channel();
    let (connections, its) = (JoinSet::new(), Arc::clone(&shared));
    let acceptor = accept::Acceptor { listener, shared: its, service, connections };
    let task = tokio::spawn(acceptor.run(told));
    Ok(ServerHandle { address, shared, tell: Some(tell), task })
}

/// A server that runs.
///
/// Dropping it, or the future of [`drain`](Self::drain), ends the server at once: the socket is closed
/// and every connection is cut. No task is left behind.
#[derive(Debug)]
pub struct ServerHandle {
    address: SocketAddr,
    shared: Arc<Shared>,
    tell: Option<oneshot::Sender<()>>,
    task: JoinHandle<Drained>,
}

/// How a drain went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Requests that ended while it lasted.
    pub served: u64,
    /// Requests that were still under way when its deadline passed, and were cut.
    pub cut: usize,
}

impl ServerHandle {
    /// Where it listens, with the port that was found for port 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Requests under way: from the end of their head to the end of their answer.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::Acquire)
    }

    /// Open connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Acquire)
    }

    /// Requests that have ended since the server was started.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.shared.served.load(Ordering::Acquire)
    }

    /// Ends the server in order, so that no request is lost:
    ///
    /// 1. it stops accepting ([`Handover::Last`]: after taking in what waits to be accepted);
    /// 2. for the grace it goes on serving, and every answer says `Connection: close`;
    /// 3. connections that lie idle are closed, the others at the end of what they do (HTTP/2 is told
    ///    to go away);
    /// 4. it waits until all is answered, or until the deadline has passed and the rest is cut.
    ///
    /// The middle of it is what makes the difference: hyper closes a connection that was accepted but
    /// not yet read at once when it is told to shut down, over the request that lies in its buffer.
    /// What HTTP/1 can't prevent remains: a request that a client sends on an idle connection in the
    /// very moment in which it is closed, having asked nothing for the whole grace.
    pub async fn drain(mut self) -> Drained {
        if let Some(tell) = self.tell.take() {
            // Without a receiver the task has ended, which is what joining it finds out.
            tell.send(()).unwrap_or_default();
        }
        match (&mut self.task).await {
            Ok(drained) => drained,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Drained::default(),
        }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The address that a request comes from; stands in its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = HttpError;

    async fn from_request_parts(head: &mut Parts, _state: &S) -> Result<Self, HttpError> {
        let peer = head.extensions.get().copied();
        peer.ok_or_else(|| HttpError::internal("the request has no peer"))
    }
}

/// How far a server is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    /// Answers say that their connection is about to close.
    Leaving,
    /// Connections close.
    Closing,
}

/// What the acceptor, the connections and the handle share.
#[derive(Debug)]
struct Shared {
    options: ServerOptions,
    hosts: Hosts,
    stage: watch::Sender<Stage>,
    slots: Arc<Semaphore>,
    connections: AtomicUsize,
    in_flight: AtomicUsize,
    served: AtomicU64,
    /// Told when no request is under way any more.
    quiet: Notify,
}

impl Shared {
    fn new(address: SocketAddr, options: ServerOptions) -> Self {
        let slots = options.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            hosts: options.hosts.clone().with_address(address),
            options,
            stage: watch::Sender::new(Stage::Serving),
            slots: Arc::new(Semaphore::new(slots)),
            connections: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            served: AtomicU64::new(0),
            quiet: Notify::new(),
        }
    }

    fn deadlines(&self) -> phase::Deadlines {
        phase::Deadlines {
            header: self.options.header_deadline,
            idle: self.options.idle_deadline,
            write: self.options.write_deadline,
        }
    }

    /// Ends when connections are to close, and whatever had reached this machine by then can be read:
    /// the runtime hears of it while this waits for its turn.
    async fn closing(&self) {
        // The sender lives in `self`, so there is always a stage to come.
        let closes =
            self.stage.subscribe().wait_for(|stage| *stage == Stage::Closing).await.is_ok();
        if closes {
            tokio::task::yield_now().await;
        }
    }

    /// Whether an answer is to be the last of its connection.
    fn says_farewell(&self) -> bool {
        *self.stage.borrow() != Stage::Serving || self.slots.available_permits() == 0
    }
}

//! The loop that accepts, and the order in which a server leaves.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tower::Service;

use super::{BoxError, Drained, Handover, Shared, Stage, connection};
use crate::body::RequestBody;

/// How long accepting rests after the system has refused (too many open files).
const REST: Duration = Duration::from_millis(50);
/// How long connections without a request under way may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

pub(super) struct Acceptor<S> {
    pub(super) listener: Option<TcpListener>,
    pub(super) shared: Arc<Shared>,
    pub(super) service: S,
    pub(super) connections: JoinSet<()>,
}

impl<S, B> Acceptor<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Serves until told to drain, then drains. Told nothing because the handle is gone, it ends at
    /// once.
    pub(super) async fn run(mut self, mut told: oneshot::Receiver<()>) -> Drained {
        loop {
            tokio::select! {
                biased;
                asked = &mut told => {
                    return if asked.is_ok() { self.drain().await } else { Drained::default() };
                }
                Some(ended) = self.connections.join_next() => note(ended),
                (stream, slot) = accept(self.listener.as_ref(), &self.shared) => {
                    self.start(stream, Some(slot));
                }
            }
        }
    }

    fn start(&mut self, stream: TcpStream, slot: Option<OwnedSemaphorePermit>) {
        let Ok(peer) = stream.peer_addr() else { return };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        let counted = Counted::new(&self.shared);
        let served =
            connection::serve(stream, peer, Arc::clone(&self.shared), self.service.clone());
        self.connections.spawn(async move {
            served.await;
            drop((slot, counted));
        });
    }

    async fn drain(mut self) -> Drained {
        let begun = Instant::now();
        let before = self.shared.served.load(Ordering::Acquire);
        // From here on every answer says that its connection is about to close.
        self.shared.stage.send_replace(Stage::Leaving);
        self.stop_accepting();
        self.joined(begun + self.shared.options.grace).await;
        self.shared.stage.send_replace(Stage::Closing);
        self.answered(begun + self.shared.options.drain_deadline).await;
        let cut = self.shared.in_flight.load(Ordering::Acquire);
        let served = self.shared.served.load(Ordering::Acquire) - before;
        self.connections.shutdown().await;
        Drained { served, cut }
    }

    /// Closes the listening socket, after taking in what nobody else would.
    fn stop_accepting(&mut self) {
        let Some(listener) = self.listener.take() else { return };
        if self.shared.options.handover == Handover::Shared {
            return;
        }
        match backlog(listener) {
            Ok(streams) => streams.into_iter().for_each(|stream| self.start(stream, None)),
            Err(error) => tracing::warn!(%error, "cannot take in the last connections"),
        }
    }

    /// Waits until there is no connection left.
    async fn joined(&mut self, until: Instant) {
        let all = async {
            while let Some(ended) = self.connections.join_next().await {
                note(ended)
            }
        };
        // What is left at the end of the grace is what the next stage is for.
        tokio::time::timeout_at(until, all).await.unwrap_or_default();
    }

    /// Waits until every request is answered and every connection has said goodbye.
    async fn answered(&mut self, last: Instant) {
        let mut quiet_until = None;
        loop {
            let until = match self.shared.in_flight.load(Ordering::Acquire) {
                0 => last.min(*quiet_until.get_or_insert(Instant::now() + GOODBYE)),
                _ => {
                    quiet_until = None;
                    last
                }
            };
            if Instant::now() >= until {
                return;
            }
            tokio::select! {
                ended = self.connections.join_next() => match ended {
                    Some(ended) => note(ended),
                    None => return,
                },
                () = self.shared.quiet.notified() => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }
}

/// The next connection, and its place among those that there may be.
async fn accept(
    listener: Option<&TcpListener>,
    shared: &Shared,
) -> (TcpStream, OwnedSemaphorePermit) {
    let (Some(listener), Ok(slot)) = (listener, Arc::clone(&shared.slots).acquire_owned().await)
    else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, slot),
            Err(error) if gone(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// Whether the error is that of one connection that ended before it was accepted.
fn gone(error: &io::Error) -> bool {
    use io::ErrorKind as Io;
    matches!(error.kind(), Io::ConnectionAborted | Io::ConnectionReset | Io::Interrupted)
}

/// All connections that wait to be accepted. The runtime may not have heard of them yet: so the
/// kernel is asked.
fn backlog(listener: TcpListener) -> io::Result<Vec<TcpStream>> {
    let listener = listener.into_std()?;
    let mut streams = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                streams.push(TcpStream::from_std(stream)?);
            }
            Err(error) if gone(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(streams),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                return Ok(streams);
            }
        }
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task failed");
    }
}

/// Counts a connection until it is dropped.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.connections.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

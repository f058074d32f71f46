//! A strict client: each request is sent once, and whatever is not a whole answer is a failure.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::BoxError;

/// Whether a client keeps its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// It does.
    Kept,
    /// It opens one for each request.
    New,
}

/// A whole answer, good or bad.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// Nobody listens: nothing was sent.
    Refused,
    /// The connection broke, before or behind the first byte of the answer.
    Broken(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused => f.write_str("refused"),
            Self::Broken(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}

/// One client, one request at a time.
#[derive(Debug)]
pub struct Client {
    address: String,
    mode: Connections,
    kept: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client without a connection.
    #[must_use]
    pub fn new(address: &str, mode: Connections) -> Self {
        Self { address: address.to_owned(), mode, kept: None }
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// As for [`Client::send`].
    pub async fn get(&mut self, path: &str) -> Result<Answer, Failure> {
        let request = Request::get(path).body(Full::default());
        self.send(request.map_err(|error| broken(&error))?).await
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As for [`Client::send`].
    pub async fn post(&mut self, path: &str, body: Bytes) -> Result<Answer, Failure> {
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(Full::new(body)).map_err(|error| broken(&error))?;
        self.send(request).await
    }

    /// Sends a request, once.
    ///
    /// # Errors
    /// [`Failure`]; the next request then opens another connection.
    pub async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let host = self.address.parse().map_err(|error| broken(&error))?;
        request.headers_mut().insert("host", host);
        // A connection that the server has closed while it lay idle is no failed request.
        let kept = match self.kept.take() {
            Some(mut kept) => kept.ready().await.is_ok().then_some(kept),
            None => None,
        };
        let mut connection = match kept {
            Some(kept) => kept,
            None => connect(&self.address).await?,
        };
        let response = connection.send_request(request).await.map_err(|error| broken(&error))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| broken(&error))?.to_bytes();
        self.kept = (self.mode == Connections::Kept).then_some(connection);
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(Failure::Refused);
        }
        Err(error) => return Err(broken(&error)),
    };
    stream.set_nodelay(true).map_err(|error| broken(&error))?;
    let (sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    // It ends with its sender; its error is the request's error.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

fn broken(error: &dyn std::error::Error) -> Failure {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    Failure::Broken(text)
}

/// Sends `count` requests over `clients` kept connections, bodies in turn, each client's next one when its last
/// is answered.
///
/// # Errors
/// The first answer that is not 200.
pub async fn post_all(
    address: &str,
    path: &'static str,
    bodies: &Arc<[Bytes]>,
    count: usize,
    clients: usize,
) -> Result<(), BoxError> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut all = JoinSet::new();
    for _ in 0..clients {
        let (next, bodies) = (Arc::clone(&next), Arc::clone(bodies));
        let mut client = Client::new(address, Connections::Kept);
        all.spawn(async move {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return Ok(());
                }
                let answer = client.post(path, bodies[at % bodies.len()].clone()).await?;
                if answer.status != StatusCode::OK {
                    let text = String::from_utf8_lossy(&answer.body).into_owned();
                    return Err(BoxError::from(format!("{}: {text}", answer.status)));
                }
            }
        });
    }
    all.join_all().await.into_iter().collect()
}

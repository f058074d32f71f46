//! A strict client: it sends each request once, and whatever is not a whole good answer is a failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Whether a client keeps its connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Connections {
    KeptAlive,
    NewEachTime,
}

/// What each client asks, over and over.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// Of JSON.
    pub(crate) body: &'static str,
}

impl From<&'static str> for Question {
    /// A GET of this path.
    fn from(path: &'static str) -> Self {
        Self { method: Method::GET, path, body: "" }
    }
}

/// What became of the requests, in the order in which each client sent its own.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) answers: Vec<String>,
    pub(crate) failures: Vec<String>,
}

/// Clients that go on until they are stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Report>,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Load {
    pub(crate) fn start(
        address: &str,
        question: impl Into<Question>,
        mode: Connections,
        clients: usize,
    ) -> Self {
        let question = question.into();
        let (stop, mut set) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for _ in 0..clients {
            set.spawn(client(address.to_owned(), question.clone(), mode, Arc::clone(&stop)));
        }
        Self { stop, clients: set }
    }

    pub(crate) async fn stop(self) -> Report {
        self.stop.store(true, Ordering::Release);
        let mut all = Report::default();
        for report in self.clients.join_all().await {
            all.answers.extend(report.answers);
            all.failures.extend(report.failures);
        }
        all
    }
}

async fn client(
    address: String,
    question: Question,
    mode: Connections,
    stop: Arc<AtomicBool>,
) -> Report {
    let mut report = Report::default();
    let mut kept: Option<SendRequest<Full<Bytes>>> = None;
    while !stop.load(Ordering::Acquire) {
        // A connection that the server has closed while it lay idle is no failed request.
        let is_open = match &mut kept {
            Some(kept) => kept.ready().await.is_ok(),
            None => false,
        };
        let connection = match kept.take() {
            Some(kept) if is_open => Ok(kept),
            _ => connect(&address).await,
        };
        let answer = async {
            let mut connection = connection?;
            let Question { method, path, body } = question.clone();
            let request = Request::builder().method(method).uri(path).header("host", &address);
            let request = request.header("content-type", "application/json");
            let request = request.body(Full::from(body))?;
            let response = connection.send_request(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            Ok::<_, BoxError>((status, text, connection))
        };
        match answer.await {
            Ok((status, text, connection)) if status.is_success() => {
                report.answers.push(text);
                kept = matches!(mode, Connections::KeptAlive).then_some(connection);
            }
            Ok((status, text, _)) => report.failures.push(format!("{status}: {text}")),
            Err(error) => report.failures.push(error.to_string()),
        }
    }
    report
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>, BoxError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with its sender; its error is the request's error.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

//! The server against real sockets: clients here write bytes, so that they can be as rude as they like.

#![allow(clippy::unwrap_used)]

mod connection;
mod drain;
mod http2;
mod routes;
mod smuggling;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use mlops_http::auth::{Anyone, Scope};
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::route::{RouteService, Routes};
use mlops_http::server::{ServerHandle, ServerOptions, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Long enough never to matter.
pub(crate) const LONG: Duration = Duration::from_secs(3600);
/// Short enough to wait for.
pub(crate) const SHORT: Duration = Duration::from_millis(100);

/// Options under which no deadline passes unless a test sets it.
pub(crate) fn patient() -> ServerOptions {
    let options = ServerOptions::default()
        .with_header_deadline(LONG)
        .with_idle_deadline(LONG)
        .with_grace(Duration::ZERO);
    let body = options.body.with_progress(None).with_total(None);
    options.with_body(body)
}

/// Routes open to everyone, as a service.
pub(crate) fn open(routes: Routes) -> RouteService {
    routes.into_service((), Arc::new(Anyone))
}

/// `GET /` says hello, `POST /` says how many bytes came.
pub(crate) fn hello() -> RouteService {
    let routes = Routes::new().route(Method::GET, "/", Scope::Public, || async { "hello" }).route(
        Method::POST,
        "/",
        Scope::Public,
        |body: axum::body::Bytes| async move { body.len().to_string() },
    );
    open(routes)
}

pub(crate) fn start(service: RouteService, options: ServerOptions) -> ServerHandle {
    serve(bind(DEFAULT_HOST, 0, &Anyone).unwrap(), service, options).unwrap()
}

/// An answer as it came: its status, its head in lower case, its body.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The message of an error in the default shape.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        assert!(self.head.contains("content-type: application/json"), "{self:?}");
        let value: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        value["error"].as_str().unwrap().to_owned()
    }

    pub(crate) fn closes(&self) -> bool {
        self.head.contains("connection: close")
    }
}

/// A client that writes bytes.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(server: &ServerHandle) -> Self {
        Self::try_connect(server.local_addr()).await.unwrap()
    }

    pub(crate) async fn try_connect(address: std::net::SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.unwrap();
    }

    pub(crate) async fn try_send(&mut self, text: &str) -> std::io::Result<()> {
        self.stream.write_all(text.as_bytes()).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        self.answer().await.unwrap()
    }

    /// The next answer, with a `content-length`; an error when the connection ends before it does.
    pub(crate) async fn answer(&mut self) -> std::io::Result<Answer> {
        let end = loop {
            match self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.more().await?,
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        while self.buffer.len() < end + length {
            self.more().await?;
        }
        let body = String::from_utf8_lossy(&self.buffer[end..end + length]).into_owned();
        self.buffer.drain(..end + length);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Answer { status, head, body })
    }

    async fn more(&mut self) -> std::io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// What comes until the server closes, in order or with a reset.
    pub(crate) async fn rest(mut self) -> String {
        while self.more().await.is_ok() {}
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

/// Waits for something that is bound to happen.
pub(crate) async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let all = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

//! HTTP/2 by prior knowledge, on the port of HTTP/1.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mlops_http::auth::Scope;
use mlops_http::body::BodyLimits;
use mlops_http::route::Routes;
use mlops_http::server::ServerHandle;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{Client, SHORT, hello, open, patient, start, until};

type Sender = SendRequest<Full<Bytes>>;

async fn connect(server: &ServerHandle) -> (Sender, JoinHandle<()>) {
    let stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let io = TokioIo::new(stream);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let task = tokio::spawn(async move { connection.await.unwrap_or_default() });
    (sender, task)
}

async fn call(sender: &mut Sender, method: Method, uri: &str, body: Bytes) -> (u16, Bytes) {
    let request = Request::builder().method(method).uri(uri).version(Version::HTTP_2);
    let response = sender.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn both_protocols_are_served_on_one_port() {
    let server = start(hello(), patient());
    let (mut sender, _task) = connect(&server).await;
    let (status, body) = call(&mut sender, Method::GET, "http://localhost/", Bytes::new()).await;
    assert_eq!((status, &body[..]), (200, &b"hello"[..]));
    let mut old = Client::connect(&server).await;
    assert_eq!(old.get("/").await.body, "hello");
    let (status, _) = call(&mut sender, Method::GET, "http://evil.example/", Bytes::new()).await;
    assert_eq!(status, 403, "the authority is checked");
    let (status, body) =
        call(&mut sender, Method::GET, "http://localhost/none", Bytes::new()).await;
    assert_eq!(status, 404);
    assert!(body.starts_with(b"{\"error\""));
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_413() {
    let body = BodyLimits::default().with_max_bytes(10);
    let server = start(hello(), patient().with_body(body));
    let (mut sender, _task) = connect(&server).await;
    let large = Bytes::from(vec![0; 1 << 20]);
    let (status, _) = call(&mut sender, Method::POST, "http://localhost/", large).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn a_drain_answers_what_is_under_way() {
    let slow = || async {
        tokio::time::sleep(2 * SHORT).await;
        "at last"
    };
    let routes = Routes::new().route(Method::GET, "/", Scope::Public, slow);
    let server = start(open(routes), patient());
    let (mut sender, task) = connect(&server).await;
    let request = tokio::spawn(async move {
        call(&mut sender, Method::GET, "http://localhost/", Bytes::new()).await
    });
    until("the request is under way", || server.in_flight() == 1).await;
    let drained = server.drain().await;
    assert_eq!((drained.served, drained.cut), (1, 0));
    assert_eq!(request.await.unwrap(), (200, Bytes::from_static(b"at last")));
    task.await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_told_to_go_away() {
    let server = start(hello(), patient().with_idle_deadline(5 * SHORT));
    let (mut sender, task) = connect(&server).await;
    let (status, _) = call(&mut sender, Method::GET, "http://localhost/", Bytes::new()).await;
    assert_eq!(status, 200);
    task.await.unwrap();
    until("the connection is gone", || server.connections() == 0).await;
}

#[tokio::test]
async fn a_client_that_opens_no_window_for_its_answers_is_given_up() {
    let routes = Routes::new().route(Method::GET, "/", Scope::Public, || async { "never read" });
    let server = start(open(routes), patient().with_write_deadline(SHORT));
    let stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(0);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    let task = tokio::spawn(connection);
    let mut answers = Vec::new();
    for _ in 0..3 {
        let request = Request::get("http://localhost/").body(Full::<Bytes>::default()).unwrap();
        answers.push(sender.send_request(request).await.unwrap());
    }
    until("the connection is gone", || server.connections() == 0).await;
    assert_eq!(server.in_flight(), 0);
    for answer in answers {
        assert!(answer.into_body().collect().await.is_err());
    }
    drop((sender, task));
}

#[tokio::test]
async fn a_stream_that_pauses_is_not_taken_for_a_client_that_does() {
    let parts = futures::stream::unfold(0, |part| async move {
        if part > 0 {
            tokio::time::sleep(3 * SHORT).await;
        }
        (part < 2).then(|| (Ok::<_, std::io::Error>("part"), part + 1))
    });
    let parts = std::sync::Arc::new(std::sync::Mutex::new(Some(parts)));
    let handler = move || {
        let parts = parts.lock().unwrap().take().unwrap();
        async move { axum::body::Body::from_stream(parts) }
    };
    let routes = Routes::new().route(Method::GET, "/", Scope::Public, handler);
    let server = start(open(routes), patient().with_write_deadline(SHORT));
    let (mut sender, _task) = connect(&server).await;
    let (status, body) = call(&mut sender, Method::GET, "http://localhost/", Bytes::new()).await;
    assert_eq!((status, &body[..]), (200, &b"partpart"[..]));
}

#[tokio::test]
async fn what_is_cut_is_reported() {
    let routes =
        Routes::new().route(Method::GET, "/", Scope::Public, std::future::pending::<&'static str>);
    let server = start(open(routes), patient().with_drain_deadline(Duration::from_millis(50)));
    let (mut sender, _task) = connect(&server).await;
    let request = Request::get("http://localhost/").body(Full::default()).unwrap();
    let request = tokio::spawn(sender.send_request(request));
    until("the request is under way", || server.in_flight() == 1).await;
    let drained = server.drain().await;
    assert_eq!((drained.served, drained.cut), (0, 1));
    assert!(request.await.unwrap().is_err());
}

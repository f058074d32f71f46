//! The gateway: shares, copies, counts, what it passes on and what it refuses.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mlops_core::ErrorKind;
use mlops_core::deploy::{Generation, Mirror, Percent, ServiceMetrics as _, Stickiness, Traffic};
use mlops_core::id::Address;
use mlops_deploy::gateway::{Gateway, GatewayOptions, RemoteGateway, admin};
use mlops_http::auth::BearerToken;
use mlops_http::body::BodyLimits;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::server::{Http2, ServerHandle, ServerOptions, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::backend::{
    address, endpoint, front, front_with, idle, revision, spec, start, start_with, under_way,
};

/// A gateway between a stable revision and a canary.
struct Pair {
    gateway: Gateway,
    server: ServerHandle,
    stable: ServerHandle,
    canary: ServerHandle,
}

impl Pair {
    async fn with_share(canary: u8) -> Self {
        let (one, two) = (start("stable"), start("canary"));
        let gateway = Gateway::new(&GatewayOptions::default());
        let pair = Self { server: front(&gateway), gateway, stable: one, canary: two };
        pair.set(1, canary).await;
        pair
    }

    fn shares(&self, canary: u8) -> [(&'static str, String, u8); 2] {
        let [one, two] = [&self.stable, &self.canary].map(address);
        [("stable", one, 100 - canary), ("canary", two, canary)]
    }

    async fn set(&self, generation: u64, canary: u8) {
        self.gateway.set(spec(generation, &self.shares(canary))).await.unwrap();
    }

    /// Sends one request through the gateway.
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
        let stream = TcpStream::connect(address(&self.server)).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move { connection.await.ok() });
        let response = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await;
        let (parts, body) = response.unwrap().into_parts();
        let body = body.collect().await.map(|body| body.to_bytes());
        let text = body.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: text.map_err(|e| e.to_string()),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    async fn counts(&self, name: &str) -> mlops_core::deploy::RevisionCounts {
        self.gateway.counts(&endpoint()).await.unwrap()[&revision(name)]
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: Result<String, String>,
}

#[tokio::test]
async fn shares_are_kept_and_counted_and_observed() {
    let pair = Pair::with_share(30).await;
    for _ in 0..200 {
        assert_eq!(pair.get("/").await.status, StatusCode::OK);
    }
    let (stable, canary) = (pair.counts("stable").await, pair.counts("canary").await);
    assert_eq!(stable.served.requests + canary.served.requests, 200);
    // 30 % of 200 within five standard deviations.
    assert!((27..=93).contains(&canary.served.requests), "{canary:?}");
    assert_eq!((canary.served.errors, canary.copies.requests), (0, 0));
    pair.set(2, 0).await;
    let observed = pair.gateway.observed(&endpoint()).await.unwrap();
    assert_eq!(
        (observed.generation, observed.split.share(&revision("canary")).get()),
        (Generation(2), 0)
    );
    for _ in 0..50 {
        assert_eq!(pair.get("/").await.text.unwrap(), "stable");
    }
    assert_eq!(pair.counts("canary").await.served.requests, canary.served.requests);
}

#[tokio::test]
async fn a_key_keeps_its_revision() {
    let pair = Pair::with_share(50).await;
    let sticky = Stickiness { header: "x-user".to_owned() };
    pair.gateway.set(spec(2, &pair.shares(50)).with_stickiness(sticky)).await.unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for user in 0..20 {
        let user = user.to_string();
        let first = pair.ask(Method::GET, "/", &[("x-user", &user)]).await.text.unwrap();
        for _ in 0..5 {
            let again = pair.ask(Method::GET, "/", &[("x-user", &user)]).await.text.unwrap();
            assert_eq!(again, first);
        }
        seen.insert(first);
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn copies_go_to_the_mirror_and_their_answers_to_nobody() {
    let pair = Pair::with_share(0).await;
    let mirror = Mirror { revision: revision("canary"), percent: Percent::ALL };
    pair.gateway.set(spec(2, &pair.shares(0)).with_mirror(mirror).unwrap()).await.unwrap();
    for _ in 0..20 {
        assert_eq!(pair.get("/").await.text.unwrap(), "stable");
        assert_eq!(pair.get("/fail").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    idle(&pair.gateway, "canary").await;
    let canary = pair.counts("canary").await;
    assert_eq!((canary.served.requests, canary.copies.requests, canary.copies.errors), (0, 40, 20));
}

#[tokio::test]
async fn a_revision_that_cannot_be_reached_costs_no_client_its_answer() {
    let pair = Pair::with_share(50).await;
    let Pair { gateway, server, stable, canary } = pair;
    canary.drain().await;
    let dead = start("gone");
    let pair = Pair { gateway, server, stable, canary: dead };
    for _ in 0..40 {
        assert_eq!(pair.get("/").await.text.unwrap(), "stable");
    }
    let canary = pair.counts("canary").await.served;
    assert!(canary.requests > 0 && canary.errors == canary.requests, "{canary:?}");
    assert_eq!(pair.counts("stable").await.served.errors, 0);
}

#[tokio::test]
async fn failures_are_counted_wherever_an_answer_breaks() {
    let pair = Pair::with_share(100).await;
    assert_eq!(pair.get("/fail").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(pair.get("/break").await.text.is_err());
    assert_eq!(pair.get("/nothing-here").await.status, StatusCode::NOT_FOUND);
    idle(&pair.gateway, "canary").await;
    let served = pair.counts("canary").await.served;
    assert_eq!((served.requests, served.errors), (3, 2));
}

#[tokio::test]
async fn what_takes_longer_than_the_bound_is_slow() {
    let one = start("stable");
    let options = GatewayOptions::default().with_latency_bound(Duration::from_millis(50));
    let gateway = Gateway::new(&options);
    gateway.set(spec(1, &[("stable", address(&one), 100)])).await.unwrap();
    let (server, canary) = (front(&gateway), start("unused"));
    let pair = Pair { gateway, server, stable: one, canary };
    assert_eq!(pair.get("/slow").await.status, StatusCode::OK);
    idle(&pair.gateway, "stable").await;
    let served = pair.counts("stable").await.served;
    assert_eq!((served.requests, served.slow, served.errors), (1, 1, 0));
}

/// One revision behind a gateway with this bound of latency, and the bytes of a request that is not over.
async fn begun(latency_bound: Duration, request: &str) -> (Pair, TcpStream) {
    let (stable, canary) = (start("stable"), start("unused"));
    let gateway = Gateway::new(&GatewayOptions::default().with_latency_bound(latency_bound));
    gateway.set(spec(1, &[("stable", address(&stable), 100)])).await.unwrap();
    let limits = BodyLimits::default().with_progress(Some(Duration::from_millis(100)));
    let pair = Pair { server: front_with(&gateway, limits), gateway, stable, canary };
    let mut stream = TcpStream::connect(address(&pair.server)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    (pair, stream)
}

/// Requests, errors and slow ones of the stable revision once it is idle.
async fn counted(pair: &Pair) -> (u64, u64, u64) {
    idle(&pair.gateway, "stable").await;
    let served = pair.counts("stable").await.served;
    (served.requests, served.errors, served.slow)
}

const NEVER: &str = "GET /never HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[tokio::test]
async fn a_revision_that_hangs_is_slow_for_a_client_that_gives_up_after_the_bound() {
    for (bound, want) in [(Duration::ZERO, (1, 0, 1)), (Duration::from_secs(3600), (0, 0, 0))] {
        let (pair, stream) = begun(bound, NEVER).await;
        under_way(&pair.gateway, "stable", 1).await;
        drop(stream);
        assert_eq!(counted(&pair).await, want, "{bound:?}");
    }
}

#[tokio::test]
async fn a_body_that_stalls_or_breaks_is_the_clients_fault_and_counted_against_nobody() {
    let head = "POST /length HTTP/1.1\r\nhost: localhost\r\n";
    for (rest, status) in [
        ("content-length: 10\r\n\r\nabc", "408"),
        ("transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nno size\r\n", "400"),
    ] {
        let (pair, mut stream) = begun(Duration::ZERO, &format!("{head}{rest}")).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(counted(&pair).await, (0, 0, 0), "{rest}");
    }
    let (pair, stream) =
        begun(Duration::ZERO, &format!("{head}content-length: 10\r\n\r\nabc")).await;
    under_way(&pair.gateway, "stable", 1).await;
    drop(stream);
    assert_eq!(counted(&pair).await, (0, 0, 0), "gone");
}

#[tokio::test]
async fn headers_of_the_connection_stay_and_the_client_cannot_claim_an_address() {
    let pair = Pair::with_share(0).await;
    let headers = [
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-for", "7.7.7.7"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "evil"),
        ("x-forwarded-port", "6666"),
        ("x-real-ip", "6.6.6.6"),
        ("forwarded", "for=6.6.6.6"),
        ("x-mlops-copy", "6"),
        ("x-kept", "2"),
    ];
    let seen = pair.ask(Method::GET, "/headers", &headers).await;
    let text = seen.text.unwrap();
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("host=")).collect();
    lines.sort_unstable();
    let want = [
        "HTTP/1.1",
        "via=1.1 mlops",
        "x-forwarded-for=127.0.0.1",
        "x-forwarded-host=localhost",
        "x-kept=2",
    ];
    assert_eq!(lines, want);
    assert!(!seen.headers.contains_key("connection"));
    assert_eq!(seen.headers["mlops-revision"], "stable");
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let pair = Pair::with_share(0).await;
    let stream = TcpStream::connect(address(&pair.server)).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move { connection.await.ok() });
    let (mut feed, body) =
        futures::channel::mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(1);
    let request = Request::post("/echo").header("host", "localhost").body(StreamBody::new(body));
    let response = tokio::spawn(sender.send_request(request.unwrap()));
    use futures::SinkExt as _;
    feed.send(Ok(Frame::data("first".into()))).await.unwrap();
    let mut body = response.await.unwrap().unwrap().into_body();
    // The first part is answered while the second has not been sent.
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "first");
    let large = Bytes::from(vec![7; 1 << 20]);
    let sent = tokio::spawn(async move {
        for _ in 0..20 {
            feed.send(Ok(Frame::data(large.clone()))).await.unwrap();
        }
    });
    assert_eq!(body.collect().await.unwrap().to_bytes().len(), 20 << 20);
    sent.await.unwrap();
}

/// Everything that comes back for these bytes, until the gateway closes.
async fn raw(pair: &Pair, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address(&pair.server)).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_request_hidden_behind_another_length_reaches_no_revision() {
    let pair = Pair::with_share(0).await;
    let hidden = "GET /fail HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let both = format!(
        "POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n\r\n\
         0\r\n\r\n{hidden}",
        hidden.len() + 5
    );
    let answers = raw(&pair, &both).await;
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    let two =
        "POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 0\r\n\r\n";
    let answers = raw(&pair, &format!("{two}{hidden}")).await;
    assert!(answers.starts_with("HTTP/1.1 400"), "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    idle(&pair.gateway, "stable").await;
    let served = pair.counts("stable").await.served;
    assert_eq!((served.requests, served.errors), (1, 0));
}

/// One request over HTTP/2: the lines that came to the revision.
async fn over_http2(pair: &Pair, kind: &str) -> String {
    let stream = TcpStream::connect(address(&pair.server)).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(async move { connection.await.ok() });
    let uri = format!("http://localhost:{}/headers", pair.server.local_addr().port());
    let request = Request::get(uri).header("te", "trailers").header("content-type", kind);
    let response = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await;
    let response = response.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn grpc_is_passed_on_in_http2() {
    let text = over_http2(&Pair::with_share(0).await, "application/grpc").await;
    assert!(text.starts_with("HTTP/2.0\n") && text.contains("te=trailers\n"), "{text}");
}

#[tokio::test]
async fn anything_else_over_http2_is_passed_on_to_revisions_that_speak_http1_alone() {
    let mut pair = Pair::with_share(0).await;
    pair.stable = start_with("stable", ServerOptions::default().with_http2(Http2::Refused));
    pair.set(2, 0).await;
    let text = over_http2(&pair, "application/json").await;
    assert!(text.starts_with("HTTP/1.1\n") && !text.contains("te="), "{text}");
    let host = format!("x-forwarded-host=localhost:{}\n", pair.server.local_addr().port());
    assert!(text.contains(&host), "{text}");
}

#[tokio::test]
async fn an_endpoint_without_traffic_is_not_ready() {
    let gateway = Gateway::new(&GatewayOptions::default());
    let server = front(&gateway);
    let (stable, canary) = (start("stable"), start("canary"));
    let pair = Pair { gateway, server, stable, canary };
    let answer = pair.get("/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_controller_elsewhere_sets_and_reads_with_its_token() {
    let pair = Pair::with_share(0).await;
    let token = BearerToken::new("a-token-that-is-long-enough").unwrap();
    let listener = bind(DEFAULT_HOST, 0, &token).unwrap();
    let service = admin::routes().into_service(pair.gateway.clone(), Arc::new(token));
    let options = ServerOptions::default().with_error_shape(admin::error_shape);
    let server = serve(listener, service, options).unwrap();
    let stranger = RemoteGateway::new(Address::new(address(&server)).unwrap());
    assert_eq!(stranger.counts(&endpoint()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let remote = stranger.with_token("a-token-that-is-long-enough").unwrap();
    remote.set(spec(5, &pair.shares(20))).await.unwrap();
    assert_eq!(remote.observed(&endpoint()).await.unwrap().generation, Generation(5));
    pair.get("/").await;
    idle(&pair.gateway, "stable").await;
    assert_eq!(
        remote.counts(&endpoint()).await.unwrap(),
        pair.gateway.counts(&endpoint()).await.unwrap()
    );
    let late = remote.set(spec(4, &pair.shares(50))).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Fenced, "{late}");
    let reused = remote.set(spec(5, &pair.shares(50))).await.unwrap_err();
    assert_eq!(reused.kind(), ErrorKind::Conflict, "{reused}");
    remote.remove(&endpoint(), Generation(6)).await.unwrap();
    assert_eq!(remote.observed(&endpoint()).await.unwrap_err().kind(), ErrorKind::NotFound);
    server.drain().await;
    let gone = remote.counts(&endpoint()).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Unavailable, "{gone}");
}

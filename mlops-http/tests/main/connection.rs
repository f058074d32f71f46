//! Deadlines and caps of a connection, and what its client is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use mlops_http::auth::Scope;
use mlops_http::body::BodyLimits;
use mlops_http::error::HttpError;
use mlops_http::host::Hosts;
use mlops_http::route::{Routes, Rule};
use mlops_http::server::{Http2, Peer};
use serde_json::json;

use super::{Client, LONG, SHORT, hello, open, patient, start, until};

#[tokio::test]
async fn a_connection_is_kept_and_knows_its_peer() {
    let peer = |peer: Peer| async move { peer.0.ip().to_string() };
    let routes = Routes::new().route(Method::GET, "/", Scope::Public, peer);
    let server = start(open(routes), patient());
    let mut client = Client::connect(&server).await;
    for _ in 0..3 {
        let answer = client.get("/").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "127.0.0.1"));
        assert!(!answer.closes());
    }
    assert_eq!(server.connections(), 1);
    until("the last is counted", || server.served() == 3).await;
    drop(client);
    until("the connection is gone", || server.connections() == 0).await;
}

#[tokio::test]
async fn a_half_sent_head_is_ended() {
    let server = start(hello(), patient().with_header_deadline(SHORT));
    for text in ["G", "PRI * HTT", "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\nA: "] {
        let mut client = Client::connect(&server).await;
        client.send(text).await;
        let answer = client.answer().await.unwrap();
        assert_eq!(answer.status, 408, "{text:?}");
        assert!(answer.error().contains("in time"));
        assert_eq!(client.rest().await, "");
    }
    let silent = Client::connect(&server).await;
    assert_eq!(silent.rest().await, "", "nothing is owed to who says nothing");
    until("all are gone", || server.connections() == 0).await;
}

#[tokio::test]
async fn a_head_that_drips_is_ended_as_well() {
    let server = start(hello(), patient().with_header_deadline(SHORT));
    let mut client = Client::connect(&server).await;
    client.get("/").await;
    let drip = async {
        let mut bytes = b"GET / HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'a'));
        while let Some(byte) = bytes.next().map(|byte| char::from(*byte).to_string()) {
            if client.try_send(&byte).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = drip => {}
        () = until("the connection is gone", || server.connections() == 0) => {}
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = start(hello(), patient().with_idle_deadline(SHORT));
    let mut client = Client::connect(&server).await;
    assert_eq!(client.get("/").await.status, 200);
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_slow_handler_is_not_an_idle_connection() {
    let slow = || async {
        tokio::time::sleep(4 * SHORT).await;
        "at last"
    };
    let routes = Routes::new().route(Method::GET, "/", Scope::Public, slow);
    let server = start(open(routes), patient().with_idle_deadline(SHORT));
    let mut client = Client::connect(&server).await;
    assert_eq!(client.get("/").await.body, "at last");
}

fn post(length: usize, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn a_body_that_stalls_is_408() {
    let body = BodyLimits::default().with_progress(Some(SHORT));
    let server = start(hello(), patient().with_body(body));
    let mut client = Client::connect(&server).await;
    client.send(post(10, "abc")).await;
    let answer = client.answer().await.unwrap();
    assert_eq!(answer.status, 408);
    assert!(answer.error().contains("in time"));
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_body_that_drips_is_408_at_its_total() {
    let body = BodyLimits::default().with_progress(Some(LONG)).with_total(Some(2 * SHORT));
    let server = start(hello(), patient().with_body(body));
    let mut client = Client::connect(&server).await;
    client.send(post(1_000_000, "")).await;
    for _ in 0..20 {
        client.try_send("x").await.unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(client.answer().await.unwrap().status, 408);
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_413_declared_or_not() {
    let body = BodyLimits::default().with_max_bytes(10);
    let server = start(hello(), patient().with_body(body));
    let chunked = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let large = "x".repeat(4 << 20);
    for text in [
        post(11, ""),
        post(10_737_418_240, "x"),
        format!("{chunked}b\r\nhello world\r\n0\r\n\r\n"),
        format!("{chunked}400000\r\n{large}\r\n0\r\n\r\n"),
        post(large.len(), &large),
    ] {
        let mut client = Client::connect(&server).await;
        client.send(&text).await;
        let answer = client.answer().await.unwrap();
        assert_eq!(answer.status, 413, "{}", &text[..60]);
        assert!(answer.error().contains("limit=10"));
    }
    let mut client = Client::connect(&server).await;
    client.send(post(10, "0123456789")).await;
    assert_eq!(client.answer().await.unwrap().body, "10");
}

#[tokio::test]
async fn a_refused_body_is_never_asked_for() {
    let body = BodyLimits::default().with_max_bytes(10);
    let server = start(hello(), patient().with_body(body));
    let head = |length| {
        format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut client = Client::connect(&server).await;
    client.send(head(11)).await;
    assert_eq!(client.answer().await.unwrap().status, 413);
    let mut client = Client::connect(&server).await;
    client.send(head(5)).await;
    assert_eq!(client.answer().await.unwrap().status, 100);
    client.send("12345").await;
    assert_eq!(client.answer().await.unwrap().body, "5");
}

#[tokio::test]
async fn a_route_has_limits_of_its_own() {
    let count = |body: axum::body::Bytes| async move { body.len().to_string() };
    let large = Rule::new(Scope::Public).with_body(BodyLimits::default().with_max_bytes(5 << 20));
    let routes = Routes::new()
        .route(Method::POST, "/", Scope::Public, count)
        .route(Method::POST, "/large", large, count)
        .route(
            Method::GET,
            "/slow",
            Rule::new(Scope::Public).with_deadline(SHORT),
            std::future::pending::<&'static str>,
        );
    let body = BodyLimits::default().with_max_bytes(10);
    let server = start(open(routes), patient().with_body(body));
    let bytes = "x".repeat(5 << 20);
    let mut client = Client::connect(&server).await;
    client.send(post(bytes.len(), &bytes).replacen("POST /", "POST /large", 1)).await;
    assert_eq!(client.answer().await.unwrap().body, "5242880");
    let late = client.get("/slow").await;
    assert_eq!(late.status, 503);
    assert!(late.head.contains("retry-after: 1"), "{late:?}");
    client.send(post(11, "hello world")).await;
    assert_eq!(client.answer().await.unwrap().status, 413);
}

#[tokio::test]
async fn beyond_the_most_connections_the_next_wait_for_their_turn() {
    let server = start(hello(), patient().with_max_connections(1).with_header_deadline(SHORT));
    let mut first = Client::connect(&server).await;
    first.send("GET / HTTP/1.1\r\n").await;
    until("the first is accepted", || server.connections() == 1).await;
    let mut second = Client::connect(&server).await;
    second.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = second.answer().await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.closes(), "all places are taken: {answer:?}");
    assert_eq!(first.answer().await.unwrap().status, 408);
    assert_eq!(second.rest().await, "");
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused_as_json() {
    let server = start(hello(), patient().with_max_header_bytes(8 << 10).with_max_headers(20));
    let start_of = "GET / HTTP/1.1\r\nHost: localhost\r\n";
    let many = "A: b\r\n".repeat(21);
    let long = format!("A: {}\r\n", "b".repeat(9 << 10));
    for headers in [many, long] {
        let mut client = Client::connect(&server).await;
        assert_eq!(client.get("/").await.status, 200);
        client.send(format!("{start_of}{headers}\r\n")).await;
        let answer = client.answer().await.unwrap();
        assert_eq!(answer.status, 431);
        assert!(answer.closes() && answer.error().contains("too large"));
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn an_error_of_the_protocol_has_the_servers_shape() {
    let shape = |status: StatusCode, code: &'static str, message: &str| json!({ "error_code": code, "message": message, "status": status.as_u16() });
    let fails = || async { Err::<(), _>(HttpError::not_found("no such model: name=x")) };
    let routes = Routes::new().route(Method::GET, "/fails", Scope::Public, fails);
    let server = start(open(routes), patient().with_error_shape(shape));
    for (text, code) in [
        ("nonsense\r\n\r\n", "bad_request"),
        ("GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n", "not_found"),
        ("GET /fails HTTP/1.1\r\nHost: localhost\r\n\r\n", "not_found"),
        ("GET /fails HTTP/1.1\r\nHost: evil.example\r\n\r\n", "host"),
    ] {
        let mut client = Client::connect(&server).await;
        client.send(text).await;
        let answer = client.answer().await.unwrap();
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["error_code"], code, "{text:?}: {answer:?}");
        assert_eq!(body["status"], answer.status);
    }
}

#[tokio::test]
async fn a_panic_is_a_500_and_nothing_more() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let sometimes = move || {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(call % 2 == 1, "a secret of the inside");
            "fine"
        }
    };
    let routes = Routes::new().route(Method::GET, "/", Scope::Public, sometimes);
    let server = start(open(routes), patient());
    let mut client = Client::connect(&server).await;
    let first = client.get("/").await;
    assert_eq!(first.status, 500);
    assert!(!first.error().contains("secret"));
    assert_eq!(client.get("/").await.status, 200, "on the same connection");
    until("both are counted", || server.in_flight() == 0).await;
    assert_eq!(server.drain().await.cut, 0);
}

#[tokio::test]
async fn a_foreign_host_is_kept_out() {
    let server = start(hello(), patient().with_hosts(Hosts::default().with_name("models.example")));
    let port = server.local_addr().port();
    for (host, status) in [
        ("Host: localhost\r\n".to_owned(), 200),
        (format!("Host: 127.0.0.1:{port}\r\n"), 200),
        ("Host: models.example\r\n".to_owned(), 200),
        ("Host: evil.example\r\n".to_owned(), 403),
        ("Host: localhost\r\nHost: localhost\r\n".to_owned(), 400),
        (String::new(), 400),
    ] {
        let mut client = Client::connect(&server).await;
        client.send(format!("GET / HTTP/1.1\r\n{host}\r\n")).await;
        let answer = client.answer().await.unwrap();
        assert_eq!(answer.status, status, "{host}");
        if status != 200 {
            assert!(answer.error().contains("host"));
        }
    }
    let mut client = Client::connect(&server).await;
    client.send("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(client.answer().await.unwrap().status, 403);
}

#[tokio::test]
async fn http2_can_be_refused() {
    let server = start(hello(), patient().with_http2(Http2::Refused));
    let mut client = Client::connect(&server).await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(client.rest().await.find("200"), None);
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_given_up() {
    let large = || async { vec![0_u8; 64 << 20] };
    let routes = Routes::new().route(Method::GET, "/", Scope::Public, large);
    let server = start(open(routes), patient().with_write_deadline(SHORT));
    let mut client = Client::connect(&server).await;
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    until("the request is under way", || server.in_flight() + server.served() as usize > 0).await;
    until("the connection is gone", || server.connections() == 0).await;
    assert!(client.rest().await.len() < 64 << 20);
}

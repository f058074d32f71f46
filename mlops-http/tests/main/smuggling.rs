//! Bytes that two servers could read in two ways are never taken for two requests.

use std::sync::Arc;
use std::sync::Mutex;

use http::{Request, StatusCode};
use mlops_http::auth::{Anyone, Scope};
use mlops_http::route::Routes;

use super::{Client, SHORT, patient, start};

/// Sends the bytes to a server that takes any request; gives what it answered, and which paths it saw.
async fn fate(text: &str) -> (String, Vec<String>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let any = move |request: Request<axum::body::Body>| {
        note.lock().unwrap().push(request.uri().path().to_owned());
        async move {
            match axum::body::to_bytes(request.into_body(), 1 << 20).await {
                Ok(_) => StatusCode::OK,
                Err(_) => StatusCode::BAD_REQUEST,
            }
        }
    };
    let routes = Routes::new().fallback(Scope::Public, any);
    let options = patient().with_header_deadline(20 * SHORT).with_idle_deadline(SHORT);
    let body = options.body.with_progress(Some(SHORT));
    let server = start(routes.into_service((), Arc::new(Anyone)), options.with_body(body));
    let mut client = Client::connect(&server).await;
    client.send(text).await;
    let answer = client.rest().await;
    let seen = seen.lock().unwrap().clone();
    (answer, seen)
}

const SECOND: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn ambiguous_lengths_are_refused() {
    for headers in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "Content-Length : 5\r\n",
        "X\r\n",
        "X: a\0b\r\n",
        "X: a\rb\r\n",
    ] {
        let text =
            format!("POST /first HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n0\r\n\r\n{SECOND}");
        let (answer, seen) = fate(&text).await;
        assert!(!seen.iter().any(|path| path == "/smuggled"), "{headers:?}: {seen:?} {answer}");
        assert!(!answer.contains("200 OK"), "{headers:?}: {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{headers:?}: {answer}");
    }
}

#[tokio::test]
async fn a_length_beside_chunks_ends_the_connection() {
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 60\r\n",
    ] {
        let text =
            format!("POST /first HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n0\r\n\r\n{SECOND}");
        let (answer, seen) = fate(&text).await;
        assert!(!seen.iter().any(|path| path == "/smuggled"), "{headers:?}: {seen:?} {answer}");
    }
}

#[tokio::test]
async fn broken_chunks_end_the_connection() {
    for chunks in [
        "5\r\nabc\r\n0\r\n\r\n",
        "zz\r\n",
        "-1\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nx",
        "5\nhello\r\n0\r\n\r\n",
    ] {
        let text = format!(
            "POST /first HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{SECOND}"
        );
        let (answer, seen) = fate(&text).await;
        assert!(!seen.iter().any(|path| path == "/smuggled"), "{chunks:?}: {seen:?} {answer}");
        assert!(!answer.contains("200 OK"), "{chunks:?}: {answer}");
    }
}

#[tokio::test]
async fn garbage_is_refused() {
    for text in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n",
        "\u{16}\u{3}\u{1}\0\u{5}hello\r\n\r\n",
        "GET /\u{1} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let (answer, seen) = fate(text).await;
        assert_eq!(seen, Vec::<String>::new(), "{text:?}: {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{text:?}: {answer}");
    }
}

/// RFC 9112 (2.2) allows a recipient to take a bare LF for the end of a line, and hyper does so in a
/// head: what counts is that a head is read in one way only, and that its body is not.
#[tokio::test]
async fn a_bare_line_feed_ends_a_line_of_a_head_and_nothing_else() {
    let (answer, seen) = fate("GET /first HTTP/1.1\nHost: localhost\nX: y\n\n").await;
    assert_eq!(seen, ["/first"], "{answer}");
    let body = "GET /smuggled HTTP/1.1\nHost: localhost\n\n";
    let length = body.len();
    let head = format!("POST /first HTTP/1.1\nHost: localhost\nContent-Length: {length}\n\n");
    let (answer, seen) = fate(&format!("{head}{body}")).await;
    assert_eq!(seen, ["/first"], "{answer}");
    for garbage in ["\n\n\nnonsense\n\n", "GET /first\n\n", "GET\n/first HTTP/1.1\n\n"] {
        let (answer, seen) = fate(garbage).await;
        assert_eq!(seen, Vec::<String>::new(), "{garbage:?}: {answer}");
    }
    let both = "POST /first HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nX: y\nContent-Length: 6\r\n";
    let (answer, seen) = fate(&format!("{both}\r\n0\r\n\r\n{SECOND}")).await;
    assert_eq!(seen, Vec::<String>::new(), "{answer}");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn requests_that_follow_each_other_are_two() {
    let first = "POST /first HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    let (answer, seen) = fate(&format!("{first}{SECOND}")).await;
    assert_eq!(seen, ["/first", "/smuggled"], "the test can see a second request");
    assert_eq!(answer.matches("200 OK").count(), 2);
}

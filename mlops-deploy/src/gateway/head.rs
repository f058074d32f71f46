//! Headers on their way through: what belongs to one connection stays there.
//!
//! A message with two lengths never comes this far: the server refuses two `content-length`s, reads one
//! with `transfer-encoding` by the latter alone and closes its connection behind it (RFC 9112, section
//! 6.3). What is sent on is framed anew.

use http::Version;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

/// Headers that speak of a connection, not of a message (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Headers in which a proxy says where a request comes from: what a client says there about itself is taken away.
const SAID_BY_PROXIES: [&str; 7] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    COPY,
];

/// Says of a request that its answer goes to nobody.
pub(super) const COPY: &str = "x-mlops-copy";

/// Takes away what belongs to the connection that a message came on.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    // gRPC's `te: trailers` is a property of the message on HTTP/2.
    let trailers = headers.get(header::TE).is_some_and(|value| value == "trailers");
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// Makes a request fit for a revision: `peer` is who sent it, where that is known.
///
/// It goes on in HTTP/1.1, which every server speaks, however it came; gRPC alone goes on in HTTP/2.
pub(super) fn forward(parts: &mut Parts, peer: Option<std::net::IpAddr>) {
    strip(&mut parts.headers);
    if parts.version < Version::HTTP_2 || !is_grpc(&parts.headers) {
        parts.headers.remove(header::TE);
        parts.version = Version::HTTP_11;
        join_cookies(&mut parts.headers);
    }
    for name in SAID_BY_PROXIES {
        parts.headers.remove(name);
    }
    let via = HeaderValue::from_static("1.1 mlops");
    parts.headers.append(header::VIA, via);
    if let Some(peer) = peer.and_then(|peer| HeaderValue::from_str(&peer.to_string()).ok()) {
        parts.headers.insert("x-forwarded-for", peer);
    }
}

/// `application/grpc`, alone or with a suffix; `application/grpc-web` is a protocol of HTTP/1.
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let rest = kind.and_then(|kind| kind.strip_prefix("application/grpc"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';', ' ']))
}

/// HTTP/2 may send cookies one by one, HTTP/1 may not (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> =
        headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() < 2 {
        return;
    }
    if let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let request = headers
            .iter()
            .fold(Request::post("/x"), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn what_belongs_to_the_connection_stays_there() {
        let mut parts = parts(&[
            ("connection", "close, x-secret"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip"),
            ("upgrade", "websocket"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "7.7.7.7"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "443"),
            ("x-real-ip", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
            ("x-mlops-copy", "1"),
            ("x-kept", "2"),
        ]);
        forward(&mut parts, Some([10, 0, 0, 1].into()));
        let names: Vec<&str> = parts.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        let from: Vec<_> = parts.headers.get_all("x-forwarded-for").iter().collect();
        assert_eq!(from, ["10.0.0.1"]);
        assert_eq!(
            (&parts.headers["x-kept"], &parts.headers["via"]),
            (&"2".parse().unwrap(), &"1.1 mlops".parse().unwrap())
        );
    }

    #[test]
    fn what_a_client_says_about_itself_goes_even_when_nobody_knows_better() {
        let mut parts = parts(&[("x-forwarded-for", "6.6.6.6"), ("x-real-ip", "6.6.6.6")]);
        forward(&mut parts, None);
        assert_eq!(parts.headers.len(), 1, "{:?}", parts.headers);
    }

    #[test]
    fn grpc_alone_goes_on_in_http2() {
        let two = |kind: &str| {
            let mut parts = parts(&[
                ("content-type", kind),
                ("te", "trailers"),
                ("cookie", "a=1"),
                ("cookie", "b=2"),
            ]);
            parts.version = Version::HTTP_2;
            forward(&mut parts, None);
            let headers = parts.headers;
            let cookies = headers.get_all("cookie").iter().count();
            (parts.version == Version::HTTP_2, headers.contains_key("te"), cookies)
        };
        for kind in ["application/grpc", "application/grpc+proto", "application/grpc;x=1"] {
            assert_eq!(two(kind), (true, true, 2), "{kind}");
        }
        for kind in ["application/json", "application/grpc-web+proto", ""] {
            assert_eq!(two(kind), (false, false, 1), "{kind}");
        }
    }
}

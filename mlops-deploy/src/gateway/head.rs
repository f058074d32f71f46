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
pub(super) fn forward(parts: &mut Parts, peer: Option<std::net::IpAddr>) {
    strip(&mut parts.headers);
    if parts.version < Version::HTTP_2 {
        parts.headers.remove(header::TE);
        parts.version = Version::HTTP_11;
    }
    let via = HeaderValue::from_static("1.1 mlops");
    parts.headers.append(header::VIA, via);
    if let Some(peer) = peer.and_then(|peer| HeaderValue::from_str(&peer.to_string()).ok()) {
        // What the client claims about itself is not passed on.
        parts.headers.insert("x-forwarded-for", peer);
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
            ("x-kept", "2"),
        ]);
        forward(&mut parts, Some([10, 0, 0, 1].into()));
        let names: Vec<&str> = parts.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert_eq!(parts.headers["x-forwarded-for"], "10.0.0.1");
        assert_eq!(
            (&parts.headers["x-kept"], &parts.headers["via"]),
            (&"2".parse().unwrap(), &"1.1 mlops".parse().unwrap())
        );
    }
}

//! Which names a server answers to: the guard against DNS rebinding.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Uri, Version, header};

use crate::error::HttpError;

/// The host names that requests may be addressed to.
///
/// A page on the web can make a browser send requests to a server on 127.0.0.1 by pointing a name of
/// its own there; such a request still carries that name, and is refused by it. Names are compared as
/// a whole, without case and without their port. The address that the server is bound to is added by
/// the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts(Option<BTreeSet<String>>);

impl Default for Hosts {
    /// `localhost`, `127.0.0.1` and `[::1]`.
    fn default() -> Self {
        Self(Some(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).into()))
    }
}

impl Hosts {
    /// Any name. Only for a server whose every route asks for a token, or that stands behind one
    /// which has checked the name.
    #[must_use]
    pub fn any() -> Self {
        Self(None)
    }

    /// Allows a further name, without a port. An IPv6 address stands in brackets.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        if let Some(names) = &mut self.0 {
            names.insert(name.into().to_ascii_lowercase());
        }
        self
    }

    /// Allows the address that a server is bound to; an unspecified one (`0.0.0.0`) is no name.
    #[must_use]
    pub fn with_address(self, address: SocketAddr) -> Self {
        match address.ip() {
            ip if ip.is_unspecified() => self,
            IpAddr::V4(ip) => self.with_name(ip.to_string()),
            IpAddr::V6(ip) => self.with_name(format!("[{ip}]")),
        }
    }

    /// Checks where a request says that it goes: the `Host` header, and the authority of its target
    /// where it has one (absolute form, HTTP/2).
    ///
    /// # Errors
    /// 400 when there is no host (HTTP/1.0 alone may leave it out), two of them, or one that is no
    /// host and port; 403 when it is not allowed.
    pub fn check(
        &self,
        version: Version,
        target: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), HttpError> {
        let mut given = headers.get_all(header::HOST).iter();
        let header = match (given.next(), given.next()) {
            (Some(_), Some(_)) => return Err(HttpError::bad_request("more than one host header")),
            (Some(value), None) => {
                let text = value.to_str().map_err(|_| malformed())?;
                Some(text)
            }
            (None, _) => None,
        };
        let authority = target.authority().map(http::uri::Authority::as_str);
        let needs_header = version == Version::HTTP_11;
        let has_one = header.is_some() || (authority.is_some() && !needs_header);
        if !has_one && version > Version::HTTP_10 {
            return Err(HttpError::bad_request("the host header is missing"));
        }
        for text in header.into_iter().chain(authority) {
            self.allow(text)?;
        }
        Ok(())
    }

    fn allow(&self, text: &str) -> Result<(), HttpError> {
        let name = name_of(text).ok_or_else(malformed)?;
        match &self.0 {
            Some(names) if !names.contains(&name.to_ascii_lowercase()) => {
                Err(HttpError::new(http::StatusCode::FORBIDDEN, "host", "this host is not served"))
            }
            _ => Ok(()),
        }
    }
}

fn malformed() -> HttpError {
    HttpError::bad_request("the host is not a name and a port")
}

/// The name in `name[:port]`; none when the text is anything else.
fn name_of(text: &str) -> Option<&str> {
    let end = if text.starts_with('[') {
        text.find(']')? + 1
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (name, rest) = text.split_at(end);
    let port = match rest.strip_prefix(':') {
        Some(port) => port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok(),
        None => rest.is_empty(),
    };
    let inner = name.strip_prefix('[').map_or(name, |n| n.strip_suffix(']').unwrap_or(n));
    let v6 = name.starts_with('[');
    let plain = inner
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b) || (v6 && b == b':'));
    (port && plain && !inner.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(hosts: &Hosts, version: Version, target: &str, given: &[&str]) -> u16 {
        let mut headers = HeaderMap::new();
        for host in given {
            headers.append("host", host.parse().unwrap());
        }
        let target: Uri = target.parse().unwrap();
        hosts.check(version, &target, &headers).map_or_else(|e| e.status().as_u16(), |()| 200)
    }

    #[test]
    fn only_whole_names_are_allowed() {
        let hosts =
            Hosts::default().with_name("Models.Example").with_address(([10, 1, 2, 3], 80).into());
        let table = [
            ("localhost", 200),
            ("LOCALHOST:8080", 200),
            ("127.0.0.1:1", 200),
            ("[::1]:80", 200),
            ("[::1]", 200),
            ("models.example", 200),
            ("10.1.2.3:5000", 200),
            ("evil.example", 403),
            ("localhost.evil.example", 403),
            ("evil-localhost", 403),
            ("127.0.0.1.evil.example:80", 403),
            ("localhost:80:90", 400),
            ("localhost:port", 400),
            ("localhost:+80", 400),
            ("localhost:", 400),
            ("localhost:70000", 400),
            ("user@localhost", 400),
            ("localhost@evil.example", 400),
            ("evil.example#localhost", 400),
            ("localhost/", 400),
            ("::1", 400),
            ("[::1", 400),
            ("[]", 400),
            ("", 400),
        ];
        for (host, expected) in table {
            assert_eq!(status(&hosts, Version::HTTP_11, "/", &[host]), expected, "{host:?}");
        }
    }

    #[test]
    fn there_is_exactly_one_host_and_the_target_agrees() {
        let hosts = Hosts::default();
        let at = |version, target, given: &[&str]| status(&hosts, version, target, given);
        assert_eq!(at(Version::HTTP_11, "/", &[]), 400);
        assert_eq!(at(Version::HTTP_11, "/", &["localhost", "localhost"]), 400);
        assert_eq!(at(Version::HTTP_11, "http://localhost/", &[]), 400);
        assert_eq!(at(Version::HTTP_11, "http://evil.example/", &["localhost"]), 403);
        assert_eq!(at(Version::HTTP_11, "http://localhost/", &["localhost"]), 200);
        assert_eq!(at(Version::HTTP_10, "/", &[]), 200);
        assert_eq!(at(Version::HTTP_10, "/", &["evil.example"]), 403);
        assert_eq!(at(Version::HTTP_2, "http://localhost/", &[]), 200);
        assert_eq!(at(Version::HTTP_2, "http://evil.example/", &[]), 403);
        assert_eq!(at(Version::HTTP_2, "http://localhost/", &["evil.example"]), 403);
        assert_eq!(at(Version::HTTP_2, "/", &[]), 400);
    }

    #[test]
    fn any_allows_every_name_but_no_nonsense() {
        assert_eq!(status(&Hosts::any(), Version::HTTP_11, "/", &["evil.example"]), 200);
        assert_eq!(status(&Hosts::any(), Version::HTTP_11, "/", &["a b"]), 400);
        assert_eq!(status(&Hosts::any(), Version::HTTP_11, "/", &[]), 400);
    }
}

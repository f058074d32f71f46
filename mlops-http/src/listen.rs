//! Where a server listens: an address that is checked before anything is served on it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use crate::auth::Authorize;

/// Why there is no socket to listen on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The host is no address.
    #[error("the host is neither an IP address nor localhost: host={host}")]
    Host {
        /// What was given.
        host: String,
    },
    /// The address can be reached from other machines, and everyone would be let in.
    #[error(
        "{address} can be reached from other machines and nobody is asked for a token: \
         give --token-file, or listen on 127.0.0.1"
    )]
    Open {
        /// The address.
        address: SocketAddr,
    },
    /// Something else listens there.
    #[error("something else is listening on {address}: stop it, or choose another --port")]
    Busy {
        /// The address.
        address: SocketAddr,
    },
    /// The system refuses.
    #[error("cannot listen on {address}")]
    Io {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A socket that was handed in is no listening TCP socket.
    #[error("the socket that was handed in can't be used")]
    Inherited(#[source] io::Error),
}

/// The host to listen on unless another is asked for: this machine alone.
pub const DEFAULT_HOST: &str = "127.0.0.1";

/// Listens on `host` (an IP address or `localhost`) and `port`; port 0 takes any that is free.
///
/// # Errors
/// [`ListenError::Open`] when the address is no loopback one and `authorize` lets everyone in;
/// [`ListenError::Busy`] when the port is taken; the others as they are named.
pub fn bind(host: &str, port: u16, authorize: &dyn Authorize) -> Result<TcpListener, ListenError> {
    let address = SocketAddr::new(parse(host)?, port);
    refuse_open(address, authorize)?;
    let listener = TcpListener::bind(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::Busy { address },
        _ => ListenError::Io { address, source },
    })?;
    Ok(listener)
}

/// Takes over a socket that already listens: one that another process has handed on, or shares.
///
/// # Errors
/// [`ListenError::Open`] as for [`bind`]; [`ListenError::Inherited`] when it has no address.
pub fn inherit(
    listener: TcpListener,
    authorize: &dyn Authorize,
) -> Result<TcpListener, ListenError> {
    let address = listener.local_addr().map_err(ListenError::Inherited)?;
    refuse_open(address, authorize)?;
    Ok(listener)
}

fn parse(host: &str) -> Result<IpAddr, ListenError> {
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    bare.parse().map_err(|_| ListenError::Host { host: host.to_owned() })
}

fn refuse_open(address: SocketAddr, authorize: &dyn Authorize) -> Result<(), ListenError> {
    if address.ip().to_canonical().is_loopback() || authorize.guards() {
        return Ok(());
    }
    Err(ListenError::Open { address })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Anyone, BearerToken};

    #[test]
    fn the_default_is_this_machine_alone_and_port_zero_is_any() {
        let listener = bind(DEFAULT_HOST, 0, &Anyone).unwrap();
        let address = listener.local_addr().unwrap();
        assert!(address.ip().is_loopback());
        assert_ne!(address.port(), 0);
        inherit(listener, &Anyone).unwrap();
    }

    #[test]
    fn a_busy_port_is_named() {
        let first = bind("localhost", 0, &Anyone).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(DEFAULT_HOST, address.port(), &Anyone).unwrap_err();
        assert!(matches!(error, ListenError::Busy { .. }), "{error:?}");
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        assert!(error.to_string().contains("something else"), "{error}");
    }

    #[test]
    fn an_open_address_without_a_token_is_refused() {
        for host in ["0.0.0.0", "::", "[::]", "192.0.2.1", "::ffff:192.0.2.1"] {
            let error = bind(host, 0, &Anyone).unwrap_err();
            assert!(matches!(error, ListenError::Open { .. }), "{host}: {error:?}");
            assert!(error.to_string().contains("--token-file"), "{error}");
        }
        let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
        assert!(inherit(everywhere, &Anyone).is_err());
    }

    #[test]
    fn an_open_address_with_a_token_is_fine() {
        let token = BearerToken::new("0123456789abcdef").unwrap();
        bind("0.0.0.0", 0, &token).unwrap();
    }

    #[test]
    fn a_host_is_an_address() {
        for host in ["", "example.org", "127.0.0.1:80", "localhost.", "1.2.3"] {
            let error = bind(host, 0, &Anyone).unwrap_err();
            assert!(matches!(error, ListenError::Host { .. }), "{host}: {error:?}");
        }
    }
}

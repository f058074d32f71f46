//! What a server allows its clients, and how it leaves.

use std::time::Duration;

use crate::body::BodyLimits;
use crate::error::{ErrorShape, error_only};
use crate::host::Hosts;

/// Whether HTTP/2 is spoken beside HTTP/1, by prior knowledge on the same port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http2 {
    /// It is: gRPC needs it.
    Allowed,
    /// It is not; such a connection is closed.
    Refused,
}

/// Who else accepts from the listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover {
    /// Another server does: connections that nobody has accepted yet are its own.
    Shared,
    /// Nobody: on draining, connections that lie in the backlog are accepted first, so that they are
    /// answered rather than reset.
    Last,
}

/// What a server allows its clients, and how it leaves. The defaults suit a server of JSON requests.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerOptions {
    /// How long a request's head may take: from its first byte on, for the first request of a
    /// connection from the moment that it is accepted. 10 s. Beyond it: 408 if a part has come, and
    /// the connection is closed.
    pub header_deadline: Duration,
    /// How long a connection may lie between two requests. 60 s.
    pub idle_deadline: Duration,
    /// How long a client may take no byte of an answer that is ready. 30 s.
    pub write_deadline: Duration,
    /// Size and pace of a request's body.
    pub body: BodyLimits,
    /// How many connections there are at once. 1024.
    ///
    /// Beyond it accepting is paused: the next wait in the kernel's backlog, which is bounded, and are
    /// served once there is room (or by another server on the same socket). A 503 instead would have
    /// to be sent over a connection whose request has not been read, which TCP answers with a reset
    /// that destroys it. While all places are taken each answer closes its connection, so that those
    /// who wait get their turn.
    pub max_connections: usize,
    /// The size of a request's head, in bytes. 32 KiB. Beyond it: 431.
    pub max_header_bytes: usize,
    /// How many headers a request has. 100. Beyond it: 431.
    pub max_headers: usize,
    /// Whether HTTP/2 is spoken as well. Allowed.
    pub http2: Http2,
    /// How many requests an HTTP/2 connection has under way at once. 100.
    pub max_streams: u32,
    /// Which host names are served. Loopback names; the bound address is added.
    pub hosts: Hosts,
    /// The JSON body of errors. `{"error": "<message>"}`.
    pub error_shape: ErrorShape,
    /// Who else accepts from the listening socket. Nobody.
    pub handover: Handover,
    /// How long a draining server goes on serving before it closes connections that lie idle, so that
    /// those which were accepted but not yet read get their answer. 400 ms.
    pub grace: Duration,
    /// How long draining takes at most, the grace included. 30 s.
    pub drain_deadline: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            header_deadline: Duration::from_secs(10),
            idle_deadline: Duration::from_secs(60),
            write_deadline: Duration::from_secs(30),
            body: BodyLimits::default(),
            max_connections: 1024,
            max_header_bytes: 32 << 10,
            max_headers: 100,
            http2: Http2::Allowed,
            max_streams: 100,
            hosts: Hosts::default(),
            error_shape: error_only,
            handover: Handover::Last,
            grace: Duration::from_millis(400),
            drain_deadline: Duration::from_secs(30),
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($field:ident: $type:ty);)*) => {
        impl ServerOptions {
            $($(#[$doc])* #[must_use] pub fn $name(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            })*
        }
    };
}

setters! {
    /// Sets how long a request's head may take.
    with_header_deadline(header_deadline: Duration);
    /// Sets how long a connection may lie between two requests.
    with_idle_deadline(idle_deadline: Duration);
    /// Sets how long a client may take no byte of an answer.
    with_write_deadline(write_deadline: Duration);
    /// Sets size and pace of a request's body.
    with_body(body: BodyLimits);
    /// Sets how many connections there are at once; at least one.
    with_max_connections(max_connections: usize);
    /// Sets the size of a request's head, in bytes.
    with_max_header_bytes(max_header_bytes: usize);
    /// Sets how many headers a request has.
    with_max_headers(max_headers: usize);
    /// Sets whether HTTP/2 is spoken as well.
    with_http2(http2: Http2);
    /// Sets how many requests an HTTP/2 connection has under way at once.
    with_max_streams(max_streams: u32);
    /// Sets which host names are served, beside the bound address.
    with_hosts(hosts: Hosts);
    /// Sets the JSON body of errors.
    with_error_shape(error_shape: ErrorShape);
    /// Says who else accepts from the listening socket.
    with_handover(handover: Handover);
    /// Sets how long a draining server goes on serving.
    with_grace(grace: Duration);
    /// Sets how long draining takes at most.
    with_drain_deadline(drain_deadline: Duration);
}

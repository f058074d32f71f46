//! The Open Inference Protocol, version 2, over REST: bodies to requests and answers to bodies.
//!
//! No routes and no sockets: who has them calls [`decode`], gives the request to [`Serve`](super::Serve) and the
//! answer to [`encode`]; an error's body is [`ServeError::to_json`](super::ServeError::to_json).

mod metadata;
mod request;
mod response;
mod wire;

#[cfg(test)]
mod tests;

pub use metadata::{index_body, live_body, model_body, model_ready_body, ready_body, server_body};
pub use request::{AnswerForm, decode};
pub use response::{Encoded, encode};

/// The header with the length of a body's JSON, behind which binary tensors follow.
pub const HEADER_LENGTH: &str = "inference-header-content-length";

//! The life of a machine-learning model: its vocabulary, its contracts, its engine.
pub mod artifact;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod data;
pub mod error;
pub mod fingerprint;
mod float;
pub mod id;
pub mod journal;
pub mod layer;
pub mod lifecycle;
pub mod memory;
pub mod pipeline;
pub mod registry;
pub mod time;
pub mod tracking;

pub use error::{Error, ErrorKind, Result, RetryClass};

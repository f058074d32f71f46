//! Keeps what mlops-core names.
pub mod cas;
#[cfg(feature = "sqlite")]
pub mod sqlite;

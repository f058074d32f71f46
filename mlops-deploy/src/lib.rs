//! Acts on models: runs revisions, moves traffic between them, serves them.

pub mod gateway;
pub mod process;

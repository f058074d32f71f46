//! The actuators as their users meet them: real processes, real sockets.

#![allow(clippy::unwrap_used)]

mod process;
mod server;

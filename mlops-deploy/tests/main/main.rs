//! The actuators as their users meet them: real processes, real sockets.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod backend;
mod conformance;
mod gateway;
#[cfg(feature = "grpc")]
mod generated;
mod load;
mod overload;
mod process;
mod process_troubles;
mod server;
mod serving;
mod switch;

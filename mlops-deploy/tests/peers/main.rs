//! Real clients, frameworks and a monitoring system against this crate; `scripts/peers` installs them.
//!
//! Every test is ignored and names what it needs. `.ci/run` runs them all.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod ask;
mod clients;
#[path = "../main/load.rs"]
mod load;
mod models;
mod monitor;
mod processes;
mod prometheus;
mod tools;

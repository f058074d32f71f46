//! Programs to start from: `cargo run -p mlops-examples --example NAME`.
//!
//! | example | shows |
//! |---|---|
//! | `quickstart` | log a run, find it again, register its model |
//! | `drift_in_service` | an axum service that checks drift inline |
//! | `serve_with_drift` | a model server with drift checks inline |
//! | `canary` | rollouts that are judged while traffic flows, good and bad |
//! | `pipeline` | cached steps, one of them a command |
//! | `custom_backend` | a backend of your own, under the shared conformance suite |
//!
//! The code in the project's README is compiled and run as this crate's doc tests.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! The life of a machine-learning model: its vocabulary, the contracts of its stores, and the engine that turns it.
//!
//! ```
//! use std::sync::Arc;
//! use mlops_core::id::{CountingIds, ExperimentName, Ids as _, ParamKey};
//! use mlops_core::memory::MemoryTracking;
//! use mlops_core::time::{Clock as _, SystemClock};
//! use mlops_core::tracking::{LogBatch, NewExperiment, NewRun, TrackingStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mlops_core::Result<()> {
//! let (clock, ids) = (Arc::new(SystemClock), CountingIds::default());
//! let store: Arc<dyn TrackingStore> = Arc::new(MemoryTracking::new(clock.clone()));
//! let name = ExperimentName::new("flights")?;
//! let experiment = store.create_experiment(NewExperiment::new(ids.experiment_id(), name)).await?;
//! let run = store.create_run(NewRun::new(ids.run_id(), experiment.id, clock.now())).await?;
//! let batch = LogBatch::new(ids.idempotency_key()).param(ParamKey::new("rate")?, 0.1);
//! store.log_batch(&run.id, batch).await?;
//! assert_eq!(store.get_run(&run.id).await?.params["rate"], "0.1");
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`tracking`] | experiments, runs, what they log; typed search; [`MetricWriter`](tracking::MetricWriter) |
//! | [`artifact`], [`data`] | files by path and by content; versions of data sets |
//! | [`registry`] | models, versions, aliases by compare-and-set, stages with an audit trail |
//! | [`journal`] | append-only streams with leases: what everything resumes from |
//! | [`deploy`] | revisions of an endpoint, and how its traffic is split between them |
//! | [`rollout`] | a new revision takes over step by step, judged while traffic flows |
//! | [`pipeline`] | steps in Rust and as commands, cached by content |
//! | [`lifecycle`] | signals in, policy, actions out; KPIs |
//! | [`fingerprint`] | the run key: what a run was made of, and where two differ |
//! | [`layer`] | retry and observe around any tracking store |
//! | [`memory`] | the contracts in their simplest form |
//! | `conformance` | the suites that every backend runs |
//! | [`error`], [`id`], [`time`] | errors by what the caller should do; names as types; time as a value |
//!
//! | feature | default | what it brings |
//! |---|---|---|
//! | `conformance` | no | the public test suites, one named test a rule |
//!
//! This crate opens no socket and no database, and names no vendor: backends and servers do, each in
//! a crate of its own.

pub mod artifact;
mod backoff;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod data;
pub mod deploy;
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
pub mod rollout;
pub mod time;
pub mod tracking;

pub use error::{Error, ErrorKind, Result, RetryClass};

//! Backends that keep what [`mlops_core`] names: metadata in one SQLite file, content by BLAKE3 on the local disk.
//!
//! ```
//! use mlops_core::id::{ExperimentName, Ids as _, MetricKey, RandomIds};
//! use mlops_core::time::{Clock as _, SystemClock};
//! use mlops_core::tracking::{LogBatch, MetricPoint, NewExperiment, NewRun, TrackingStore as _};
//! use mlops_store::LocalStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mlops_core::Result<()> {
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! # let folder = folder.path().join("store");
//! let store = LocalStore::open(&folder)?.meta();
//! let (clock, ids) = (SystemClock, RandomIds);
//!
//! let name = ExperimentName::new("flights")?;
//! let experiment = store.create_experiment(NewExperiment::new(ids.experiment_id(), name)).await?;
//! let run = store.create_run(NewRun::new(ids.run_id(), experiment.id, clock.now())).await?;
//! let point = MetricPoint { step: 0, at: clock.now(), value: 0.66 };
//! let batch = LogBatch::new(ids.idempotency_key()).metric(MetricKey::new("auc")?, point);
//! store.log_batch(&run.id, batch).await?;
//!
//! assert_eq!(store.get_run(&run.id).await?.metrics["auc"].value, 0.66);
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`sqlite`] | tracking, registry, data versions, journals in one file |
//! | [`cas`] | content and artifacts by BLAKE3; data versions from and to folders |
//! | [`LocalStore`] | both in one folder |
//!
//! | feature | default | what it brings |
//! |---|---|---|
//! | `sqlite` | yes | [`sqlite`] and [`LocalStore`], with SQLite compiled in |
//!
//! A host that brings another binding of the SQLite library can't link this one too: it turns `sqlite`
//! off and keeps [`cas`].
//!
//! This crate deploys nothing and judges nothing, and none of its backends is a server.

pub mod cas;
#[cfg(feature = "sqlite")]
mod local;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "sqlite")]
pub use local::LocalStore;

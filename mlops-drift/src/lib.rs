//! Finds out whether data has drifted away from a reference, with verdicts that state their error
//! rate.
//!
//! ```
//! use std::sync::Arc;
//! use mlops_drift::arrow::array::{ArrayRef, Float64Array, RecordBatch};
//! use mlops_drift::{DriftMonitor, FitOptions, MonitorOptions, Reference, Verdict};
//!
//! let batch = |shift: f64| {
//!     let values = (0..500).map(|row| f64::from(row * 37 % 500) + shift);
//!     let column: ArrayRef = Arc::new(Float64Array::from_iter_values(values));
//!     RecordBatch::try_from_iter([("load", column)])
//! };
//! let reference = Reference::fit([&batch(0.0)?], &FitOptions::default())?;
//! let monitor = DriftMonitor::new(Arc::new(reference), MonitorOptions::default())?;
//!
//! let mut handle = monitor.handle(); // one a worker
//! handle.observe(&batch(80.0)?)?;
//! handle.publish();
//!
//! let report = monitor.report();
//! let load = report.column("load").expect("it is in the reference");
//! assert_eq!(load.verdict, Verdict::Drifted);
//! assert_eq!(load.effect, Some(0.16)); // the Kolmogorov-Smirnov distance
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The parts
//!
//! | module | what it holds |
//! |---|---|
//! | [`Reference`], [`FitOptions`], [`ClusterBy`], [`Detail`] | what the data looked like, which rows share their fate, and how much is kept |
//! | [`DriftMonitor`], [`Handle`], [`MonitorOptions`], [`Value`] | current data, from Arrow batches, slices or rows, by many workers |
//! | [`Reference::save`], [`DriftMonitor::state_bytes`] | both as bytes: read and merged on other machines, and by later versions |
//! | [`compare`], [`Baseline`] | both at once, for whole sets of batches, exactly |
//! | [`split`] | the same within each value of a column, or window by window, decided as one |
//! | [`compat`] | what Evidently, NannyML, scouter and SciPy would have said, for people who move over |
//! | [`report`] | what was found, in the JSON shape `mlops.drift.report/1` |
//! | [`statistic`] | PSI, Kolmogorov-Smirnov, Wasserstein-1, Mann-Whitney, Mood, Anderson-Darling, G and more as plain functions; KS of a sliding window |
//! | [`quality`] | predictions joined with later labels: metrics with intervals, uncertainty, calibration |
//! | [`window`] | tumbling, hopping and sliding windows, by count and by event time |
//! | `tower` | a layer that observes the requests of any service (feature `tower`) |
//! | `files` | tables in Parquet, Arrow IPC and CSV files that may be anything (features `parquet`, `ipc`, `csv`) |
//! | `parquet` | one Parquet file at once (feature `parquet`) |
//! | [`sequential`] | looking after every window, for ever, at one stated rate of false alarms |
//!
//! # How a verdict is reached
//!
//! Numbers are tested for location (Mann-Whitney), scale (Mood) and shape (Anderson-Darling) at once,
//! categories by G, both by exchanging rows between the two sides, or whole clusters (say days) where
//! rows share their fate ([`ClusterBy`]). Numbers without ties need no draws: their joint law is known. The share of unusable rows and values out of range are tests of their own. All
//! p-values are corrected together ([`Correction`]), and a change must also be large enough to
//! matter. A column of which nothing can be said is [`Verdict::Unchecked`], with the reason.
//!
//! Nulls are counted by the validity bitmap; NaN and infinities are counted and left out; -0.0
//! equals 0.0. Integers, dates and decimals are compared as integers, never through floating point.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `rayon` | columns on all threads of the host's pool |
//! | `tower` | the module `tower` |
//! | `csv` | the module `files`, for CSV |
//! | `ipc` | the module `files`, for Arrow IPC files and streams |
//! | `parquet` | the module `files`, for Parquet; the module `parquet` |
//!
//! # What it does not do
//!
//! It keeps no clock: windows go by counts, by the times in the data, or by what the host says. A
//! monitor does not correct for repeated looks; who looks for ever takes [`sequential`]. Of a column of
//! categories it keeps every name, so its memory grows with them. Lists, structs and embeddings are reported as
//! unchecked. It knows nothing of models, stores or servers.

mod artefact;
mod cells;
pub mod compat;
mod decision;
mod error;
#[cfg(any(feature = "csv", feature = "ipc", feature = "parquet"))]
pub mod files;
mod kernels;
mod monitor;
mod parallel;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod quality;
mod reference;
pub mod report;
pub mod sequential;
pub mod split;
pub mod statistic;
#[cfg(feature = "tower")]
pub mod tower;
pub mod window;

pub use arrow;
pub use artefact::Fingerprint;
pub use decision::Correction;
pub use error::{Error, ErrorKind, Result};
pub use monitor::{Baseline, DriftMonitor, Handle, MonitorOptions, Value, compare};
pub use reference::{ClusterBy, ColumnId, Detail, FitOptions, Reference};
pub use report::{Report, Verdict};

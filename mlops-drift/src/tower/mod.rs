//! A layer for any tower service: it observes what passes, and never gets in its way.
//!
//! ```
//! use std::convert::Infallible;
//! use std::sync::Arc;
//! use mlops_drift::arrow::array::{ArrayRef, Float64Array, RecordBatch};
//! use mlops_drift::tower::{ObserveLayer, Observer};
//! use mlops_drift::{DriftMonitor, FitOptions, Handle, MonitorOptions, Reference};
//! use tower::{ServiceBuilder, service_fn};
//!
//! let loads: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]));
//! let batch = RecordBatch::try_from_iter([("load", loads)])?;
//! let reference = Arc::new(Reference::fit([&batch], &FitOptions::default())?);
//! let monitor = DriftMonitor::new(reference, MonitorOptions::default())?;
//!
//! let observer = Arc::new(Observer::new((0..4).map(|_| monitor.handle())));
//! let layer = ObserveLayer::new(
//!     Arc::clone(&observer),
//!     |request: &f64| *request,
//!     |handle: &mut Handle, load: f64, answer: Result<&f64, &Infallible>| match answer {
//!         Ok(_) => handle.observe_values("load", &[load]),
//!         Err(never) => match *never {},
//!     },
//! );
//! let service = ServiceBuilder::new()
//!     .layer(layer)
//!     .service(service_fn(|load: f64| async move { Ok::<_, Infallible>(load * 2.0) }));
//! # drop(service);
//! // Whenever a report is wanted:
//! observer.publish();
//! let report = monitor.report();
//! # assert_eq!(report.rows.current, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod layer;
mod observer;
#[cfg(test)]
mod tests;

pub use layer::{ObserveFuture, ObserveLayer, Observed};
pub use observer::{Observer, ObserverCounts, Publish};

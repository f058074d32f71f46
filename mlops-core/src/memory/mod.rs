//! Reference backends in memory: the contracts in their simplest form, and the doubles for tests.

mod artifact;
mod data;
mod deployer;
mod journal;
mod registry;
mod tracking;
mod traffic;

pub use artifact::MemoryArtifacts;
pub use data::MemoryData;
pub use deployer::{MemoryDeployer, Script};
pub use journal::MemoryJournal;
pub use registry::MemoryRegistry;
pub use tracking::MemoryTracking;
pub use traffic::{Effect, MemoryTraffic, Served};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a state that is changed only by code that validates first and then can't fail, so that a
/// panic elsewhere never leaves it half changed.
fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stream over what a snapshot of the state holds.
fn snapshot<T: Send + 'static>(
    items: crate::error::Result<Vec<T>>,
) -> futures::stream::BoxStream<'static, crate::error::Result<T>> {
    use futures::StreamExt as _;
    match items {
        Ok(items) => futures::stream::iter(items.into_iter().map(Ok)).boxed(),
        Err(error) => futures::stream::once(async { Err(error) }).boxed(),
    }
}

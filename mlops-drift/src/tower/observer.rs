//! Handles for the threads that observe: each finds one without waiting.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use crate::error::Result;
use crate::monitor::Handle;
use crate::quality::QualityHandle;

/// What can hand on all that it has gathered.
pub trait Publish {
    /// Hands on what was gathered since the last time.
    fn publish(&mut self);
}

impl Publish for Handle {
    fn publish(&mut self) {
        Self::publish(self);
    }
}

impl Publish for QualityHandle {
    fn publish(&mut self) {
        Self::publish(self);
    }
}

/// A monitor of inputs and one of quality, fed by the same requests.
impl<A: Publish, B: Publish> Publish for (A, B) {
    fn publish(&mut self) {
        self.0.publish();
        self.1.publish();
    }
}

/// What became of the observations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObserverCounts {
    /// Observations that were made.
    pub observed: u64,
    /// Observations that ended in an error.
    pub failed: u64,
    /// Observations that ended in a panic, which was caught.
    pub panicked: u64,
    /// Observations that were left out because every handle was in use.
    pub busy: u64,
    /// Requests that were given up before their answer came.
    pub abandoned: u64,
}

/// Handles that are shared by the threads of a server, one a thread at a time.
///
/// A thread takes the handle it took the last time, or the next one that is free; it never waits
/// for one. An observation that finds all of them in use is left out and counted; with twice as many
/// handles as threads hardly any is.
#[derive(Debug)]
pub struct Observer<H> {
    handles: Box<[Mutex<H>]>,
    observed: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    busy: AtomicU64,
    abandoned: AtomicU64,
}

/// Each thread begins its search at a place of its own.
static NEXT_PLACE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PLACE: Cell<usize> = Cell::new(NEXT_PLACE.fetch_add(1, Ordering::Relaxed));
}

impl<H: Publish> Observer<H> {
    /// An observer with these handles. Without any, every observation is left out.
    pub fn new(handles: impl IntoIterator<Item = H>) -> Self {
        Self {
            handles: handles.into_iter().map(Mutex::new).collect(),
            observed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            panicked: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
        }
    }

    /// Makes an observation with a handle that is free. Errors and panics are counted, not passed on.
    pub fn observe(&self, observation: impl FnOnce(&mut H) -> Result<()>) {
        let count = self.handles.len();
        let place = PLACE.try_with(Cell::get).unwrap_or_default();
        let free = (0..count).find_map(|step| {
            let index = (place % count + step) % count;
            match self.handles[index].try_lock() {
                Ok(handle) => Some((handle, step)),
                Err(TryLockError::Poisoned(poisoned)) => Some((poisoned.into_inner(), step)),
                Err(TryLockError::WouldBlock) => None,
            }
        });
        let Some((mut handle, step)) = free else {
            self.busy.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| observation(&mut handle)));
        drop(handle);
        match outcome {
            Ok(Ok(())) => self.observed.fetch_add(1, Ordering::Relaxed),
            Ok(Err(_)) => self.failed.fetch_add(1, Ordering::Relaxed),
            Err(_) => self.panicked.fetch_add(1, Ordering::Relaxed),
        };
        if step > 0 {
            // Whoever was met there keeps its place, this thread moves on.
            PLACE.try_with(|own| own.set(place % count + step)).unwrap_or_default();
        }
    }

    /// Publishes what all handles have gathered. Waits for each in turn; requests do not wait for it.
    pub fn publish(&self) {
        for handle in &self.handles {
            handle.lock().unwrap_or_else(PoisonError::into_inner).publish();
        }
    }

    /// What became of the observations.
    #[must_use]
    pub fn counts(&self) -> ObserverCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ObserverCounts {
            observed: read(&self.observed),
            failed: read(&self.failed),
            panicked: read(&self.panicked),
            busy: read(&self.busy),
            abandoned: read(&self.abandoned),
        }
    }

    pub(super) fn count_panic(&self) {
        self.panicked.fetch_add(1, Ordering::Relaxed);
    }
}

impl<H> Observer<H> {
    pub(super) fn count_abandoned(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }
}

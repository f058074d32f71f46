//! A drift monitor as an observer of a model server: no I/O, and as a rule no waiting.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mlops_deploy::arrow::array::RecordBatch;
use mlops_deploy::serving::observe::{BatchObserver, Score};
use mlops_drift::{DriftMonitor, Handle, Verdict};

/// Shows every batch to a handle of a monitor: each thread has one that nobody else uses while there are no more
/// threads than handles.
#[derive(Debug)]
pub struct Watch {
    monitor: DriftMonitor,
    handles: Vec<Mutex<Handle>>,
}

thread_local! {
    /// Which handle this thread takes; the same of every monitor.
    static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
}
static PLACES: AtomicUsize = AtomicUsize::new(0);

impl Watch {
    /// An observer whose work is spread over so many handles; at least one.
    #[must_use]
    pub fn new(monitor: DriftMonitor, handles: usize) -> Self {
        let handles = (0..handles.max(1)).map(|_| Mutex::new(monitor.handle())).collect();
        Self { monitor, handles }
    }

    fn own(&self) -> MutexGuard<'_, Handle> {
        let place = PLACE.get().unwrap_or_else(|| {
            let place = PLACES.fetch_add(1, Ordering::Relaxed);
            PLACE.set(Some(place));
            place
        });
        // A handle keeps nothing of a batch that it could not observe.
        self.handles[place % self.handles.len()].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BatchObserver for Watch {
    fn observe(&self, batch: &RecordBatch) {
        // A prediction is never refused because it could not be watched.
        self.own().observe(batch).ok();
    }

    fn scores(&self) -> Vec<Score> {
        for handle in &self.handles {
            handle.lock().unwrap_or_else(PoisonError::into_inner).publish();
        }
        let report = self.monitor.report();
        let scores = report.columns.iter().filter_map(|column| {
            let score = Score::new(&column.column, "effect", column.effect?);
            let score = match column.min_effect {
                Some(floor) => score.with_threshold(floor),
                None => score,
            };
            Some(score.with_verdict(column.verdict == Verdict::Drifted))
        });
        scores.collect()
    }
}

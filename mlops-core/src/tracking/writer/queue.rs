//! The bounded queue between the threads that log and the one that sends.
//!
//! A mutex around a `Vec` that the worker swaps for an empty one: a push is a lock, a reference
//! count and a write; the worker holds the lock for a pointer swap. A channel would hand over points
//! one at a time and could not say how far it has been emptied.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::{FlushReport, LogOutcome, WhenFull, WriterOptions};
use crate::error::Result;
use crate::id::MetricKey;
use crate::tracking::{MAX_BATCH_ENTRIES, MetricPoint};

/// Points on their way, and how far everything before them is settled.
#[derive(Debug)]
pub(super) struct Queue {
    options: WriterOptions,
    state: Mutex<State>,
    work: Condvar,
    space: Condvar,
    settled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    points: Vec<(MetricKey, MetricPoint)>,
    accepted: u64,
    settled: u64,
    flush_upto: u64,
    worker_waits: bool,
    producers_wait: usize,
    closed: bool,
    worker_gone: bool,
    flushes: Vec<(u64, oneshot::Sender<()>)>,
    report: FlushReport,
}

/// A batch for the worker: the points, and the count of all points accepted up to its end.
pub(super) struct Taken {
    pub(super) points: Vec<(MetricKey, MetricPoint)>,
    pub(super) upto: u64,
}

impl Queue {
    pub(super) fn new(options: WriterOptions) -> Self {
        let (work, space, settled) = Default::default();
        Self { options, state: Mutex::default(), work, space, settled }
    }

    /// Points at which a batch is sent without waiting for more: none can come to a full queue.
    fn due_at(&self) -> usize {
        self.options.max_batch.min(self.options.capacity)
    }

    /// Points in one batch, at most: what a store accepts, and a few batches' worth of a backlog.
    fn largest_batch(&self) -> usize {
        self.options.max_batch.saturating_mul(8).min(MAX_BATCH_ENTRIES)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, key: &MetricKey, point: MetricPoint) -> LogOutcome {
        let mut state = self.lock();
        if state.points.len() >= self.options.capacity {
            state = self.wait_for_space(state);
        }
        if state.points.len() >= self.options.capacity || state.closed || state.worker_gone {
            state.report.dropped += 1;
            return LogOutcome::Dropped;
        }
        state.points.push((key.clone(), point));
        state.accepted += 1;
        let wake =
            state.worker_waits && (state.points.len() == 1 || state.points.len() == self.due_at());
        drop(state);
        if wake {
            self.work.notify_one();
        }
        LogOutcome::Queued
    }

    fn wait_for_space<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let WhenFull::Wait(patience) = self.options.when_full else {
            return state;
        };
        let full = |state: &mut State| {
            state.points.len() >= self.options.capacity && !state.closed && !state.worker_gone
        };
        state.producers_wait += 1;
        let waited = self.space.wait_timeout_while(state, patience, full);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.producers_wait -= 1;
        state
    }

    /// The next batch, once one is due; `None` when the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Taken> {
        let mut state = self.lock();
        // Counted from the first look; a linger beyond the end of time is never over.
        let mut since: Option<Instant> = None;
        loop {
            let urgent = state.closed
                || state.flush_upto > state.settled
                || state.points.len() >= self.due_at();
            if state.points.is_empty() {
                if state.closed {
                    return None;
                }
                state.worker_waits = true;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                let waited = since.get_or_insert_with(Instant::now).elapsed();
                let rest = self.options.linger.saturating_sub(waited);
                if urgent || rest.is_zero() {
                    break;
                }
                state.worker_waits = true;
                let waited = self.work.wait_timeout(state, rest);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            state.worker_waits = false;
        }
        let rest = match self.largest_batch() {
            most if state.points.len() > most => state.points.split_off(most),
            _ => Vec::with_capacity(self.due_at()),
        };
        let upto = state.accepted - rest.len() as u64;
        let points = std::mem::replace(&mut state.points, rest);
        let wake = state.producers_wait > 0;
        drop(state);
        if wake {
            self.space.notify_all();
        }
        Some(Taken { points, upto })
    }

    /// Notes what became of a batch of `count` points that ends at `upto`.
    pub(super) fn settle(&self, upto: u64, count: u64, sent: Result<()>) {
        let mut state = self.lock();
        state.settled = upto;
        match sent {
            Ok(()) => state.report.written += count,
            Err(error) => {
                state.report.refused += count;
                state.report.reason.get_or_insert_with(|| error.chain());
            }
        }
        let (done, open) =
            std::mem::take(&mut state.flushes).into_iter().partition(|(at, _)| *at <= upto);
        state.flushes = open;
        drop(state);
        let done: Vec<(u64, oneshot::Sender<()>)> = done;
        for (_, waiter) in done {
            // Whoever asked may have stopped waiting.
            waiter.send(()).ok();
        }
        self.settled.notify_all();
    }

    /// Asks for everything queued so far to be sent; the receiver hears when that is settled.
    pub(super) fn request_flush(&self) -> Option<oneshot::Receiver<()>> {
        let mut state = self.lock();
        let upto = state.accepted;
        if state.settled >= upto || state.worker_gone {
            return None;
        }
        state.flush_upto = upto;
        let (tell, told) = oneshot::channel();
        state.flushes.push((upto, tell));
        drop(state);
        self.work.notify_one();
        Some(told)
    }

    pub(super) fn wait_settled(&self) {
        let mut state = self.lock();
        let upto = state.accepted;
        state.flush_upto = upto;
        self.work.notify_one();
        while state.settled < upto && !state.worker_gone {
            state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_one();
        self.space.notify_all();
    }

    /// The counts since the last report; they start again from zero.
    pub(super) fn report(&self) -> FlushReport {
        std::mem::take(&mut self.lock().report)
    }

    /// A guard that, when the worker ends for whatever reason, frees everyone who waits for it.
    pub(super) fn ends_with_worker(&self) -> impl Drop + '_ {
        struct Ends<'a>(&'a Queue);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                let mut state = self.0.lock();
                state.worker_gone = true;
                let left = std::mem::take(&mut state.points).len() as u64;
                let unsettled = state.accepted - state.settled;
                state.report.dropped += unsettled.max(left);
                state.settled = state.accepted;
                state.flushes.clear();
                drop(state);
                self.0.settled.notify_all();
                self.0.space.notify_all();
            }
        }
        Ends(self)
    }
}

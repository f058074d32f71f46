//! What is counted of each revision, without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mlops_core::deploy::{RevisionCounts, ServiceCounts};
use mlops_core::time::{Clock, Timestamp};

/// The counts of one revision.
#[derive(Debug, Default)]
pub(super) struct Counters {
    served: Series,
    copies: Series,
    in_flight: AtomicU64,
}

#[derive(Debug, Default)]
struct Series {
    requests: AtomicU64,
    errors: AtomicU64,
    slow: AtomicU64,
    /// Milliseconds since 1970; 0 before the first.
    last: AtomicI64,
}

/// What counting needs to know of its gateway.
#[derive(Debug)]
pub(super) struct Measure {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) latency_bound: Duration,
    pub(super) since: Timestamp,
}

/// Whether an answer goes to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Served,
    Copy,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Good,
    Failed,
    /// The client went away: nobody knows how it would have ended.
    Abandoned,
}

impl Counters {
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Acquire)
    }

    pub(super) fn read(&self, measure: &Measure) -> RevisionCounts {
        RevisionCounts { served: self.served.read(measure), copies: self.copies.read(measure) }
    }
}

impl Series {
    fn read(&self, measure: &Measure) -> ServiceCounts {
        let last = self.last.load(Ordering::Relaxed);
        // Errors and slow ones are counted before the request itself, and read after it: a share
        // never passes 1.
        let requests = self.requests.load(Ordering::Acquire);
        ServiceCounts {
            since: measure.since,
            requests,
            errors: self.errors.load(Ordering::Relaxed).min(requests),
            slow: self.slow.load(Ordering::Relaxed).min(requests),
            latency_bound: measure.latency_bound,
            last: (last != 0).then(|| Timestamp::from_millis(last)),
        }
    }
}

/// One request at a revision, counted when it is over, however that comes about.
#[derive(Debug)]
pub(super) struct InFlight {
    counters: Arc<Counters>,
    measure: Arc<Measure>,
    kind: Kind,
    begun: Instant,
    outcome: Outcome,
}

impl InFlight {
    pub(super) fn begin(counters: &Arc<Counters>, measure: &Arc<Measure>, kind: Kind) -> Self {
        counters.in_flight.fetch_add(1, Ordering::AcqRel);
        Self {
            counters: Arc::clone(counters),
            measure: Arc::clone(measure),
            kind,
            begun: Instant::now(),
            outcome: Outcome::Abandoned,
        }
    }

    /// Sets how it ends when it is dropped; a failure stays one.
    pub(super) fn note(&mut self, outcome: Outcome) {
        if self.outcome != Outcome::Failed {
            self.outcome = outcome;
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let series = match self.kind {
            Kind::Served => &self.counters.served,
            Kind::Copy => &self.counters.copies,
        };
        if self.outcome != Outcome::Abandoned {
            if self.outcome == Outcome::Failed {
                series.errors.fetch_add(1, Ordering::Relaxed);
            }
            if self.begun.elapsed() > self.measure.latency_bound {
                series.slow.fetch_add(1, Ordering::Relaxed);
            }
            series.last.store(self.measure.clock.now().as_millis(), Ordering::Relaxed);
            series.requests.fetch_add(1, Ordering::Release);
        }
        self.counters.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

//! What is counted of each revision, without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
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
    /// The client went away: nobody knows how it would have ended, only that it was slow if it took too long.
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
    upload: Arc<Upload>,
}

/// What the client's own body does: for what is its fault, no revision answers.
#[derive(Debug, Default)]
pub(super) struct Upload {
    owed: AtomicBool,
    broke: AtomicBool,
}

impl Upload {
    /// Notes whether bytes are being waited for.
    pub(super) fn wait(&self, owed: bool) {
        self.owed.store(owed, Ordering::Release);
    }

    /// Notes that the body ended before its end.
    pub(super) fn note_break(&self) {
        self.broke.store(true, Ordering::Release);
    }

    /// Whether the revision is waiting for the client.
    pub(super) fn is_owed(&self) -> bool {
        self.owed.load(Ordering::Acquire)
    }

    /// Whether the body ended before its end.
    pub(super) fn is_broken(&self) -> bool {
        self.broke.load(Ordering::Acquire)
    }
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
            upload: Arc::default(),
        }
    }

    /// The body that the request comes with.
    pub(super) fn watch(&mut self, upload: &Arc<Upload>) {
        self.upload = Arc::clone(upload);
    }

    /// Whether it says something about its revision: not if its client broke off while it was sending, nor if it
    /// went away before it had waited too long.
    fn counts(&self, slow: bool) -> bool {
        match self.outcome {
            Outcome::Good => true,
            Outcome::Failed => !self.upload.is_broken(),
            Outcome::Abandoned => slow && !self.upload.is_broken() && !self.upload.is_owed(),
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
        let slow = self.begun.elapsed() > self.measure.latency_bound;
        if self.counts(slow) {
            if self.outcome == Outcome::Failed {
                series.errors.fetch_add(1, Ordering::Relaxed);
            }
            if slow {
                series.slow.fetch_add(1, Ordering::Relaxed);
            }
            series.last.store(self.measure.clock.now().as_millis(), Ordering::Relaxed);
            series.requests.fetch_add(1, Ordering::Release);
        }
        self.counters.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::time::SystemClock;

    use super::*;

    /// Requests, errors and slow ones after one request.
    fn after(outcome: Outcome, slow: bool, upload: impl FnOnce(&Upload)) -> (u64, u64, u64) {
        let latency_bound = if slow { Duration::ZERO } else { Duration::from_secs(3600) };
        let clock = Arc::new(SystemClock);
        let measure = Measure { since: clock.now(), clock, latency_bound };
        let (counters, measure) = (Arc::default(), Arc::new(measure));
        let mut request = InFlight::begin(&counters, &measure, Kind::Served);
        let body = Arc::default();
        request.watch(&body);
        upload(&body);
        request.note(outcome);
        std::thread::sleep(Duration::from_millis(1));
        drop(request);
        let served = counters.read(&measure).served;
        (served.requests, served.errors, served.slow)
    }

    #[test]
    fn what_the_client_brought_about_says_nothing_about_the_revision() {
        use Outcome::{Abandoned, Failed, Good};
        let table = [
            (Good, false, (1, 0, 0), (1, 0, 0), (1, 0, 0)),
            (Good, true, (1, 0, 1), (1, 0, 1), (1, 0, 1)),
            (Failed, false, (1, 1, 0), (1, 1, 0), (0, 0, 0)),
            (Failed, true, (1, 1, 1), (1, 1, 1), (0, 0, 0)),
            (Abandoned, false, (0, 0, 0), (0, 0, 0), (0, 0, 0)),
            // Given up after too long: a revision that hangs would look healthy otherwise.
            (Abandoned, true, (1, 0, 1), (0, 0, 0), (0, 0, 0)),
        ];
        for (outcome, slow, whole, owed, broken) in table {
            let case = format!("{outcome:?} slow={slow}");
            assert_eq!(after(outcome, slow, |_| ()), whole, "{case}");
            assert_eq!(after(outcome, slow, |body| body.wait(true)), owed, "{case}, owed");
            assert_eq!(after(outcome, slow, Upload::note_break), broken, "{case}, broken");
        }
    }
}

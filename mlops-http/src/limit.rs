//! Bounded work: so many at once, so many waiting, and an immediate refusal for the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::HttpError;

/// Lets so many through at once and so many wait; refuses everyone else at once, with an estimate of
/// when to come back.
///
/// Accepted means answered: whoever has been let into the queue gets through it, in order of arrival.
/// Clones share the places.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: Arc<Semaphore>,
    concurrency: usize,
    queue: usize,
    refusal: StatusCode,
    waiting: AtomicUsize,
    /// How long one stay takes, in microseconds: an average in which the newest counts an eighth.
    stay: AtomicU64,
}

/// The longest pause that a refusal asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Gate {
    /// At most `concurrency` at once (at least one), and `queue` waiting.
    #[must_use]
    pub fn new(concurrency: usize, queue: usize) -> Self {
        Self::build(concurrency, queue, StatusCode::SERVICE_UNAVAILABLE)
    }

    /// The same, refusing with 429: for a limit that holds for one client and not for the server.
    #[must_use]
    pub fn per_client(concurrency: usize, queue: usize) -> Self {
        Self::build(concurrency, queue, StatusCode::TOO_MANY_REQUESTS)
    }

    fn build(concurrency: usize, queue: usize, refusal: StatusCode) -> Self {
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            places: Arc::new(Semaphore::new(concurrency)),
            concurrency,
            queue,
            refusal,
            waiting: AtomicUsize::new(0),
            stay: AtomicU64::new(0),
        }))
    }

    /// Waits for a place; it is held until the permit is dropped. Dropping the future leaves the
    /// queue.
    ///
    /// # Errors
    /// 503 (429 with [`per_client`](Self::per_client)) with `Retry-After` when the queue is full.
    pub async fn enter(&self) -> Result<Permit, HttpError> {
        if let Ok(place) = self.0.places.clone().try_acquire_owned() {
            return Ok(self.permit(place));
        }
        let queued = self.queue_up()?;
        let place = self.0.places.clone().acquire_owned().await;
        drop(queued);
        let place = place.map_err(|_| HttpError::internal("the gate is closed"))?;
        Ok(self.permit(place))
    }

    /// How many are waiting.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    fn permit(&self, place: OwnedSemaphorePermit) -> Permit {
        Permit { gate: Arc::clone(&self.0), since: Instant::now(), _place: place }
    }

    fn queue_up(&self) -> Result<Queued, HttpError> {
        let waiting = &self.0.waiting;
        let joined = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
            (n < self.0.queue).then_some(n + 1)
        });
        match joined {
            Ok(_) => Ok(Queued(Arc::clone(&self.0))),
            Err(ahead) => Err(self.refuse(ahead)),
        }
    }

    fn refuse(&self, ahead: usize) -> HttpError {
        let stay = Duration::from_micros(self.0.stay.load(Ordering::Relaxed));
        let (code, message) = ("overloaded", format!("too much is under way: waiting={ahead}"));
        HttpError::new(self.0.refusal, code, message).with_retry_after(pause(
            stay,
            ahead,
            self.0.concurrency,
        ))
    }
}

/// How long until those ahead have been served, `concurrency` at a time.
fn pause(stay: Duration, ahead: usize, concurrency: usize) -> Duration {
    let turns = ahead / concurrency + 1;
    stay.saturating_mul(u32::try_from(turns).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

/// A place behind a [`Gate`].
#[derive(Debug)]
pub struct Permit {
    gate: Arc<Inner>,
    since: Instant,
    _place: OwnedSemaphorePermit,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let newest = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        // Lost updates between two threads only make the average slower to follow.
        let average = self.gate.stay.load(Ordering::Relaxed);
        let next = if average == 0 { newest } else { average - average / 8 + newest / 8 };
        self.gate.stay.store(next, Ordering::Relaxed);
    }
}

struct Queued(Arc<Inner>);

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn beyond_the_queue_is_refused_and_the_queue_gets_through() {
        let gate = Gate::new(1, 1);
        let first = gate.enter().await.unwrap();
        let mut second = Box::pin(gate.enter());
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(gate.waiting(), 1);
        let refused = gate.enter().await.unwrap_err();
        assert_eq!(refused.status(), 503);
        let rendered = refused.render(crate::error::error_only);
        assert_eq!(rendered.headers()["retry-after"], "1");
        drop(first);
        let second = second.await.unwrap();
        assert_eq!(gate.waiting(), 0);
        drop(second);
        gate.enter().await.unwrap();
    }

    #[tokio::test]
    async fn who_leaves_the_queue_frees_its_place() {
        let gate = Gate::per_client(1, 1);
        let _first = gate.enter().await.unwrap();
        let mut second = Box::pin(gate.enter());
        assert!(second.as_mut().now_or_never().is_none());
        drop(second);
        assert_eq!(gate.waiting(), 0);
        let mut third = Box::pin(gate.enter());
        assert!(third.as_mut().now_or_never().is_none());
        assert_eq!(gate.enter().await.unwrap_err().status(), 429);
    }

    #[test]
    fn the_pause_is_what_those_ahead_need() {
        let second = Duration::from_secs(1);
        assert_eq!(pause(Duration::ZERO, 100, 4), Duration::ZERO);
        assert_eq!(pause(second, 0, 4), second);
        assert_eq!(pause(second, 8, 4), 3 * second);
        assert_eq!(pause(second, 100_000, 4), LONGEST_PAUSE);
    }
}

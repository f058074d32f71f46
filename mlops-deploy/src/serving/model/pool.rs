//! How many predictions run and wait: bounded, and beyond the bound refused at once.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::serving::error::{Result, ServeError, ServeErrorKind};
use crate::serving::predictor::Cost;
use crate::serving::serve::Capacity;

/// The bounds of a pool.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PoolOptions {
    /// Blocking predictions that run at once; as many as there are processors by default.
    pub running: NonZeroUsize,
    /// Predictions that wait behind them; 64 by default.
    pub waiting: usize,
    /// When a refused client should come back; 1 s by default.
    pub retry_after: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        let running = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { running, waiting: 64, retry_after: Duration::from_secs(1) }
    }
}

impl PoolOptions {
    /// Sets how many run at once.
    #[must_use]
    pub fn with_running(mut self, running: NonZeroUsize) -> Self {
        self.running = running;
        self
    }

    /// Sets how many wait.
    #[must_use]
    pub fn with_waiting(mut self, waiting: usize) -> Self {
        self.waiting = waiting;
        self
    }

    /// Sets when a refused client should come back.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = retry_after;
        self
    }
}

/// Runs predictions: cheap ones where they are asked for, the others on tokio's threads for blocking work.
///
/// # Contract
/// - No more than `running` blocking predictions run at once, first come, first served; no more than
///   `running + waiting` predictions of either cost are in the pool. Beyond that: `Overloaded`, at once, nothing begun.
/// - A [`Place`] is taken before anything is made ready for a prediction, so that the bound holds for that as well.
/// - Dropping the future of [`run`](Self::run) while it waits leaves no trace; once it runs, it keeps its place until
///   its end, so that clients who give up can't fill the machine.
#[derive(Debug)]
pub struct Pool {
    permits: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
    bound: usize,
    retry_after: Duration,
}

/// A place in a pool, until it is dropped.
#[derive(Debug)]
pub struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(options: &PoolOptions) -> Self {
        let running = options.running.get().min(Semaphore::MAX_PERMITS);
        Self {
            permits: Arc::new(Semaphore::new(running)),
            inside: Arc::default(),
            bound: running.saturating_add(options.waiting),
            retry_after: options.retry_after,
        }
    }

    /// Predictions that run or wait now.
    #[must_use]
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::Acquire)
    }

    /// How many may run or wait, and when who is refused should come back.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        Capacity::default().with_predictions(self.bound).with_retry_after(self.retry_after)
    }

    /// Runs `work` in a place of this pool when its turn comes.
    ///
    /// # Errors
    /// Those of `work`, and `Internal` if `work` panics.
    pub async fn run<T: Send + 'static>(
        &self,
        place: Place,
        cost: Cost,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if cost == Cost::Inline {
            let done = work();
            drop(place);
            return done;
        }
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|source| ServeError::internal("the pool is closed").with_source(source))?;
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((permit, place));
            done
        });
        task.await
            .map_err(|source| ServeError::internal("a prediction was lost").with_source(source))?
    }

    /// Takes a place.
    ///
    /// # Errors
    /// `Overloaded` when there is none.
    pub fn enter(&self) -> Result<Place> {
        let before = self.inside.fetch_add(1, Ordering::AcqRel);
        let place = Place(Arc::clone(&self.inside));
        if before < self.bound {
            return Ok(place);
        }
        let kind = ServeErrorKind::Overloaded { retry_after: self.retry_after };
        let bound = self.bound;
        Err(ServeError::new(kind, format!("too many predictions wait: bound={bound}")))
    }
}

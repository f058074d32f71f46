//! [`MetricWriter`]: log metrics from a training loop without waiting for a disk.

mod queue;

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{LogBatch, MetricPoint, TrackingStore};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{IdSource, IdempotencyKey, MetricKey, RunId};
use crate::time::Clock;
use queue::{Queue, Taken};

/// What `log` does when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// Waits for room, at most so long, then drops and counts the point.
    Wait(Duration),
    /// Drops and counts the point at once.
    Drop,
}

/// How a [`MetricWriter`] queues and sends.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WriterOptions {
    /// Points that may wait in the queue.
    pub capacity: usize,
    /// Points at which a batch is sent at once.
    pub max_batch: usize,
    /// Longest time for which a point waits for company.
    pub linger: Duration,
    /// What happens when the queue is full.
    pub when_full: WhenFull,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            capacity: 65_536,
            max_batch: 4_096,
            linger: Duration::from_millis(50),
            when_full: WhenFull::Wait(Duration::from_secs(1)),
        }
    }
}

impl WriterOptions {
    /// Sets the queue's capacity.
    #[must_use]
    pub fn with_capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// Sets the size at which a batch is sent at once.
    #[must_use]
    pub fn with_max_batch(mut self, max_batch: usize) -> Self {
        self.max_batch = max_batch;
        self
    }

    /// Sets how long a point may wait for company.
    #[must_use]
    pub fn with_linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sets what happens when the queue is full.
    #[must_use]
    pub fn with_when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }
}

/// What became of one `log` call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a dropped point is only counted, not kept"]
pub enum LogOutcome {
    /// The point is in the queue.
    Queued,
    /// The queue was full, or the writer closed; the point is counted as dropped.
    Dropped,
}

/// What happened to the points since the last report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlushReport {
    /// Points that the store has acknowledged: they survive a crash.
    pub written: u64,
    /// Points dropped because the queue was full.
    pub dropped: u64,
    /// Points that the store refused.
    pub refused: u64,
    /// Why it refused the first of them.
    pub reason: Option<String>,
}

impl FlushReport {
    /// The number of points written.
    ///
    /// # Errors
    /// `Failed` when any point was dropped or refused.
    pub fn lossless(self) -> Result<u64> {
        if self.dropped == 0 && self.refused == 0 {
            return Ok(self.written);
        }
        Err(Error::new(
            ErrorKind::Failed,
            format!(
                "metric points were lost: dropped={} refused={} reason={:?}",
                self.dropped, self.refused, self.reason
            ),
        ))
    }
}

/// Logs metric points of one run from any thread, without waiting for a disk.
///
/// `log` puts a point into a bounded queue and returns; one thread of its own sends what has
/// gathered as one [`LogBatch`]. It needs no async runtime. Points of one key keep their order.
/// Nothing is dropped in silence: a full queue waits or drops by option, and every flush reports
/// what was written, dropped and refused by the store. What it reports as written survives a crash.
///
/// The writer sends each batch once. Wrap the store in [`Retry`](crate::layer::Retry) to have it
/// sent again: its idempotency key makes that harmless.
#[derive(Debug)]
pub struct MetricWriter {
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    worker: Option<JoinHandle<()>>,
}

impl MetricWriter {
    /// Starts a writer for `run`.
    ///
    /// # Errors
    /// `InvalidInput` for a capacity or batch size of zero, `Unavailable` when no thread can be started.
    pub fn start(
        store: Arc<dyn TrackingStore>,
        run: RunId,
        clock: Arc<dyn Clock>,
        ids: &dyn IdSource,
        options: WriterOptions,
    ) -> Result<Self> {
        if options.capacity == 0 || options.max_batch == 0 {
            return Err(Error::invalid("capacity and batch size must be positive"));
        }
        let unavailable = |source| {
            Error::new(ErrorKind::Unavailable, "cannot start the metric writer").with_source(source)
        };
        let nonce = ids.next_hex();
        let queue = Arc::new(Queue::new(options));
        let inbox = Arc::clone(&queue);
        // The runtime lives and dies in the thread: where async code runs, dropping one would panic.
        let (tell, told) = mpsc::sync_channel(1);
        let work = move || {
            let _ends = inbox.ends_with_worker();
            let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let (runtime, begun) = match built {
                Ok(runtime) => (Some(runtime), Ok(())),
                Err(error) => (None, Err(error)),
            };
            // Whoever starts the writer waits for this.
            tell.send(begun).ok();
            if let Some(runtime) = runtime {
                send_all(&runtime, &*store, &run, &inbox, &nonce);
            }
        };
        let worker = std::thread::Builder::new().name("mlops-metrics".into()).spawn(work);
        let worker = worker.map_err(unavailable)?;
        told.recv().map_err(std::io::Error::other).and_then(|begun| begun).map_err(unavailable)?;
        Ok(Self { queue, clock, worker: Some(worker) })
    }

    /// Queues a value measured now. Blocks no longer than [`WhenFull::Wait`] allows.
    pub fn log(&self, key: &MetricKey, step: i64, value: f64) -> LogOutcome {
        self.log_point(key, MetricPoint { step, at: self.clock.now(), value })
    }

    /// Queues a point.
    pub fn log_point(&self, key: &MetricKey, point: MetricPoint) -> LogOutcome {
        self.queue.push(key, point)
    }

    /// Waits until every point queued so far is durable or lost, and says which.
    pub async fn flush(&self) -> FlushReport {
        if let Some(settled) = self.queue.request_flush() {
            // An error means that the worker is gone; the report then counts what is left as dropped.
            settled.await.ok();
        }
        self.queue.report()
    }

    /// [`flush`](Self::flush) for threads without a runtime. In async code it would block the executor.
    pub fn flush_blocking(&self) -> FlushReport {
        self.queue.wait_settled();
        self.queue.report()
    }

    /// Flushes, then ends the writer.
    pub async fn close(mut self) -> FlushReport {
        let report = self.flush().await;
        self.end();
        report
    }

    /// [`close`](Self::close) for threads without a runtime.
    pub fn close_blocking(mut self) -> FlushReport {
        let report = self.flush_blocking();
        self.end();
        report
    }

    fn end(&mut self) {
        self.queue.close();
        if let Some(worker) = self.worker.take()
            && worker.join().is_err()
        {
            tracing::error!("the metric writer's thread panicked");
        }
    }
}

/// Sends what is queued, then ends the thread. Losses are logged, as nobody is left to be told.
impl Drop for MetricWriter {
    fn drop(&mut self) {
        if self.worker.is_none() {
            return;
        }
        self.end();
        let report = self.queue.report();
        if report.dropped + report.refused > 0 {
            tracing::error!(
                dropped = report.dropped,
                refused = report.refused,
                "metric points were lost"
            );
        }
    }
}

/// Waits for batches outside of the runtime, so that nothing a store has spawned there is held up
/// while a batch is on its way.
fn send_all(
    runtime: &tokio::runtime::Runtime,
    store: &dyn TrackingStore,
    run: &RunId,
    queue: &Queue,
    nonce: &str,
) {
    for number in 0_u64.. {
        let Some(Taken { points, upto }) = queue.take() else { return };
        let count = points.len() as u64;
        let sent = IdempotencyKey::new(format!("{nonce}-{number}")).and_then(|key| {
            let mut batch = LogBatch::new(key);
            batch.metrics = points;
            runtime.block_on(store.log_batch(run, batch)).map(|_| ())
        });
        queue.settle(upto, count, sent);
    }
}

#[cfg(test)]
mod tests;

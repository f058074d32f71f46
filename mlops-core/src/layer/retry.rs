//! Sends a call again when its error says that this is safe.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder, Retryable as _};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use super::{Around, Operation, Progress};
use crate::backoff;
use crate::error::{Error, Result, RetryClass};

/// Repeats calls whose error is [`RetryClass::Safe`] or [`RetryClass::Ambiguous`] (each operation of a
/// tracking store is idempotent), after pauses that double up to a cap, each drawn between its half and
/// its whole. A stream that breaks is opened again behind the last item that came through.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    attempts: usize,
    first: Duration,
    cap: Duration,
}

impl Default for Retry {
    /// Five attempts, at most 50 ms before the second, at most 5 s between two.
    fn default() -> Self {
        Self { attempts: 5, first: Duration::from_millis(50), cap: Duration::from_secs(5) }
    }
}

impl Retry {
    /// Sets how many attempts there are in all; at least one.
    #[must_use]
    pub fn with_attempts(mut self, attempts: usize) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Sets the longest pause before the second attempt, and the longest of all.
    #[must_use]
    pub fn with_backoff(mut self, first: Duration, cap: Duration) -> Self {
        (self.first, self.cap) = (first, cap);
        self
    }

    fn builder(&self) -> ExponentialBuilder {
        backoff::pauses(self.first, self.cap, self.attempts - 1)
    }
}

fn may_repeat(error: &Error) -> bool {
    match error.retry() {
        RetryClass::Safe | RetryClass::Ambiguous => true,
        RetryClass::Never => false,
    }
}

fn note(operation: Operation, error: &Error, pause: Duration) {
    tracing::warn!(operation = operation.name(), error = %error.chain(), ?pause, "repeating a store operation");
}

impl Around for Retry {
    fn around<T, F, Fut>(
        &self,
        operation: Operation,
        call: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        let policy = self.builder();
        async move {
            call.retry(policy)
                .when(may_repeat)
                .notify(|error, pause| note(operation, error, pause))
                .await
        }
    }

    fn around_stream<T, F>(
        self: Arc<Self>,
        operation: Operation,
        start: F,
    ) -> BoxStream<'static, Result<T>>
    where
        T: Clone + Send + Sync + 'static,
        F: Fn(&Progress<T>) -> BoxStream<'static, Result<T>> + Send + Sync + 'static,
    {
        let progress = Progress { last: None, count: 0 };
        let inner = start(&progress);
        let state = Resuming {
            inner,
            progress,
            pauses: self.builder().build(),
            start,
            retry: *self,
            operation,
        };
        stream::unfold(
            state,
            |mut state| async move { state.next().await.map(|item| (item, state)) },
        )
        .boxed()
    }
}

struct Resuming<T, F> {
    inner: BoxStream<'static, Result<T>>,
    progress: Progress<T>,
    pauses: ExponentialBackoff,
    start: F,
    retry: Retry,
    operation: Operation,
}

impl<T, F> Resuming<T, F>
where
    T: Clone,
    F: Fn(&Progress<T>) -> BoxStream<'static, Result<T>>,
{
    async fn next(&mut self) -> Option<Result<T>> {
        loop {
            match self.inner.next().await? {
                Ok(item) => {
                    self.progress.last = Some(item.clone());
                    self.progress.count += 1;
                    self.pauses = self.retry.builder().build();
                    return Some(Ok(item));
                }
                Err(error) => {
                    let pause = self.pauses.next().filter(|_| may_repeat(&error));
                    let Some(pause) = pause else {
                        return Some(Err(error));
                    };
                    note(self.operation, &error, pause);
                    tokio::time::sleep(pause).await;
                    self.inner = (self.start)(&self.progress);
                }
            }
        }
    }
}

//! Makes a store's operations visible as `tracing` spans.

use std::future::Future;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use tracing::Instrument as _;

use super::{Around, Operation, Progress};
use crate::error::Result;

/// Puts each call into a span `store` with the field `operation`, and logs its error, if it has one,
/// with kind and retry class. Values never enter a span: they may be secret.
#[derive(Debug, Clone, Copy, Default)]
pub struct Observe;

fn note<T>(result: &Result<T>) {
    if let Err(error) = result {
        let (kind, retry) = (error.kind().word(), error.retry());
        tracing::warn!(kind, ?retry, error = %error, "store operation failed");
    }
}

impl Around for Observe {
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
        let span = tracing::debug_span!("store", operation = operation.name());
        async move {
            let result = call().await;
            note(&result);
            result
        }
        .instrument(span)
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
        let span = tracing::debug_span!("store", operation = operation.name());
        let stream = span.in_scope(|| start(&Progress { last: None, count: 0 }));
        stream.inspect(move |item| span.in_scope(|| note(item))).boxed()
    }
}

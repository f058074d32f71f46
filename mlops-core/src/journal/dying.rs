//! A journal for tests of what a killed process leaves behind.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{Append, JournalStore, Lease, Recorded};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{LeaseOwner, StreamName};
use crate::memory::MemoryJournal;

/// A journal that dies after so many records, as its process would.
#[derive(Debug)]
pub(crate) struct Dying {
    inner: Arc<MemoryJournal>,
    left: Mutex<usize>,
}

impl Dying {
    pub(crate) fn after(records: usize, inner: Arc<MemoryJournal>) -> Self {
        Self { inner, left: Mutex::new(records) }
    }
}

#[async_trait]
impl JournalStore for Dying {
    async fn append(&self, append: Append) -> Result<()> {
        {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            *left =
                left.checked_sub(1).ok_or_else(|| Error::new(ErrorKind::Unavailable, "killed"))?;
        }
        self.inner.append(append).await
    }
    fn read(&self, stream: &StreamName, from: u64) -> BoxStream<'static, Result<Recorded>> {
        self.inner.read(stream, from)
    }
    async fn last(&self, stream: &StreamName) -> Result<Option<Recorded>> {
        self.inner.last(stream).await
    }
    fn streams(&self, prefix: Option<&StreamName>) -> BoxStream<'static, Result<StreamName>> {
        self.inner.streams(prefix)
    }
    async fn acquire(
        &self,
        stream: &StreamName,
        owner: &LeaseOwner,
        ttl: Duration,
    ) -> Result<Lease> {
        self.inner.acquire(stream, owner, ttl).await
    }
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Lease> {
        self.inner.renew(lease, ttl).await
    }
    async fn release(&self, lease: &Lease) -> Result<()> {
        self.inner.release(lease).await
    }
}

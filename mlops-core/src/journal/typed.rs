//! A stream of one type of entry, with the reader's place in it.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Append, Epoch, JournalStore, Lease};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{LeaseOwner, StreamName};
use crate::time::Timestamp;

/// The writer's end of a stream whose entries are all of type `E`.
///
/// It holds the stream's lease and knows the next number, so that two writers can't interleave:
/// the older one is fenced off.
#[derive(Debug)]
pub struct Journal<E> {
    store: Arc<dyn JournalStore>,
    lease: Lease,
    ttl: Duration,
    next: u64,
    entry: PhantomData<fn() -> E>,
}

impl<E: Serialize + DeserializeOwned> Journal<E> {
    /// Takes the lease and reads everything recorded so far.
    ///
    /// # Errors
    /// `Conflict` while another owner holds the lease; `Corrupt` for an entry that can't be read. After an
    /// error the lease is free.
    pub async fn open(
        store: Arc<dyn JournalStore>,
        stream: StreamName,
        owner: &LeaseOwner,
        ttl: Duration,
    ) -> Result<(Self, Vec<E>)> {
        let lease = store.acquire(&stream, owner, ttl).await?;
        let history = match read_all(&*store, &stream).await {
            Ok(history) => history,
            Err(error) => {
                // Nobody writes under this lease. The first error is the one that counts.
                store.release(&lease).await.ok();
                return Err(error);
            }
        };
        let next = history.len() as u64 + 1;
        let entries = history.into_iter().map(|(_, entry)| entry).collect();
        Ok((Self { store, lease, ttl, next, entry: PhantomData }, entries))
    }

    /// Records an entry; when this returns, it survives a crash.
    ///
    /// # Errors
    /// `Fenced` once another writer has taken over.
    pub async fn record(&mut self, entry: &E) -> Result<()> {
        let value = serde_json::to_value(entry).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write a journal entry").with_source(source)
        })?;
        let (stream, epoch) = (self.lease.stream.clone(), Some(self.lease.epoch));
        self.store.append(Append { stream, sequence: self.next, epoch, entry: value }).await?;
        self.next += 1;
        Ok(())
    }

    /// The number that the next entry gets.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// The epoch of the lease: no two writers of a stream have the same.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.lease.epoch
    }

    /// Extends the lease by its full time.
    ///
    /// # Errors
    /// `Fenced` once another writer has taken over.
    pub async fn renew(&mut self) -> Result<()> {
        self.lease = self.store.renew(&self.lease, self.ttl).await?;
        Ok(())
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn close(self) -> Result<()> {
        self.store.release(&self.lease).await
    }
}

impl<E: DeserializeOwned> Journal<E> {
    /// Everything recorded in `stream`, with its time, without taking the lease.
    ///
    /// # Errors
    /// `Corrupt` for an entry that can't be read.
    pub async fn history(
        store: &dyn JournalStore,
        stream: &StreamName,
    ) -> Result<Vec<(Timestamp, E)>> {
        read_all(store, stream).await
    }
}

async fn read_all<E: DeserializeOwned>(
    store: &dyn JournalStore,
    stream: &StreamName,
) -> Result<Vec<(Timestamp, E)>> {
    let recorded: Vec<_> = store.read(stream, 1).try_collect().await?;
    let parse = |recorded: super::Recorded| {
        let entry = serde_json::from_value(recorded.entry).map_err(|source| {
            let at = recorded.sequence;
            Error::new(
                ErrorKind::Corrupt,
                format!("cannot read a journal entry: stream={stream} sequence={at}"),
            )
            .with_source(source)
        })?;
        Ok((recorded.at, entry))
    };
    recorded.into_iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryJournal;
    use crate::time::SystemClock;

    #[tokio::test]
    async fn a_journal_that_cannot_be_read_is_not_held() {
        let store = Arc::new(MemoryJournal::new(Arc::new(SystemClock)));
        let stream: StreamName = "s".parse().unwrap();
        let entry = serde_json::Value::from("not a number");
        let append = Append { stream: stream.clone(), sequence: 1, epoch: None, entry };
        store.append(append).await.unwrap();
        let hour = Duration::from_secs(3_600);
        for owner in ["first", "second"] {
            let owner = owner.parse().unwrap();
            let opened = Journal::<u64>::open(store.clone(), stream.clone(), &owner, hour).await;
            assert_eq!(opened.unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}

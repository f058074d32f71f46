//! Append-only streams with leases: what pipelines, rollouts and the lifecycle resume from.

#[cfg(test)]
pub(crate) mod dying;
mod typed;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

pub use typed::Journal;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{LeaseOwner, StreamName};
use crate::time::Timestamp;

/// Counts the holders that a lease has had. A higher epoch fences off every lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// The right to write to a stream, until it expires or a newer holder takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The stream.
    pub stream: StreamName,
    /// Who holds it.
    pub owner: LeaseOwner,
    /// Which holding this is.
    pub epoch: Epoch,
    /// Until when others are kept out.
    pub expires: Timestamp,
}

/// An entry to append.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// The stream; the first entry creates it.
    pub stream: StreamName,
    /// The number that this entry must get: one more than the last, 1 for the first.
    pub sequence: u64,
    /// The writer's epoch, where the stream is written under a lease.
    pub epoch: Option<Epoch>,
    /// What is recorded.
    pub entry: serde_json::Value,
}

impl Append {
    /// Whether the writer may write: under the stream's current epoch, or without one while nobody
    /// holds a lease (`held_until` is when the current one ends, if one is held).
    ///
    /// # Errors
    /// `Fenced` when not.
    pub fn check_epoch(&self, current: Epoch, held_until: Option<Timestamp>) -> Result<()> {
        let allowed = match self.epoch {
            Some(epoch) => epoch == current,
            None => held_until.is_none(),
        };
        if allowed { Ok(()) } else { Err(fenced(&self.stream, self.epoch, current)) }
    }

    /// Whether the entry has to be recorded as number `next`: not when it is the very entry that
    /// stands at its number already (`there`), so that a repeat is harmless.
    ///
    /// # Errors
    /// `Conflict` when the number is taken by another entry, or lies beyond the next.
    pub fn applies_to(&self, next: u64, there: Option<&serde_json::Value>) -> Result<bool> {
        if self.sequence == next {
            return Ok(true);
        }
        if there == Some(&self.entry) {
            return Ok(false);
        }
        let (stream, given) = (&self.stream, self.sequence);
        let message = format!("not the next entry: stream={stream} given={given} next={next}");
        Err(Error::new(ErrorKind::Conflict, message))
    }
}

/// The refusal of a writer whose epoch is not the stream's current one.
#[must_use]
pub fn fenced(stream: &StreamName, epoch: Option<Epoch>, current: Epoch) -> Error {
    let given = epoch.map_or("none".to_owned(), |epoch| epoch.0.to_string());
    let message = format!(
        "a newer writer holds the stream: stream={stream} epoch={given} current={}",
        current.0
    );
    Error::new(ErrorKind::Fenced, message)
}

/// The refusal of a lease that somebody else holds.
#[must_use]
pub fn held_by_another(stream: &StreamName, owner: &str, until: Timestamp) -> Error {
    let message =
        format!("another writer holds the stream: stream={stream} owner={owner} until={until}");
    Error::new(ErrorKind::Conflict, message)
}

/// An entry as it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// 1, 2, 3 … without gaps.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What was recorded.
    pub entry: serde_json::Value,
}

/// Keeps streams of entries.
///
/// # Contract
/// - **Expected sequence**: an append with a number that is taken is `Conflict`, unless the entry
///   there is the very same (a repeat after an ambiguous failure succeeds and records nothing). A
///   number beyond the next is `Conflict` too: there are no gaps.
/// - **Fencing**: an append with an epoch that is not the stream's current one writes nothing and is
///   `Fenced`. So is an append without an epoch while a lease is held.
/// - **Leases**: `acquire` succeeds when nobody holds the lease, when it has expired, or when the
///   same owner holds it; each success has a higher epoch than all before. Otherwise `Conflict`,
///   naming the holder. `release` with an old epoch does nothing.
/// - **Atomic and durable**, as [`TrackingStore`](crate::tracking::TrackingStore).
#[async_trait]
pub trait JournalStore: Send + Sync + fmt::Debug {
    /// Appends an entry.
    async fn append(&self, append: Append) -> Result<()>;

    /// The entries of a stream from number `from` on; none for an unknown stream.
    fn read(&self, stream: &StreamName, from: u64) -> BoxStream<'static, Result<Recorded>>;

    /// The last entry of a stream.
    async fn last(&self, stream: &StreamName) -> Result<Option<Recorded>>;

    /// The names of all streams at or under `prefix` (all, without one), ordered.
    fn streams(&self, prefix: Option<&StreamName>) -> BoxStream<'static, Result<StreamName>>;

    /// Takes the right to write to a stream.
    async fn acquire(
        &self,
        stream: &StreamName,
        owner: &LeaseOwner,
        ttl: Duration,
    ) -> Result<Lease>;

    /// Extends a lease; `Fenced` when somebody newer holds it.
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Lease>;

    /// Gives a lease back.
    async fn release(&self, lease: &Lease) -> Result<()>;
}

//! Journals in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{lock, snapshot};
use crate::error::Result;
use crate::id::{LeaseOwner, StreamName};
use crate::journal::{Append, Epoch, JournalStore, Lease, Recorded, fenced, held_by_another};
use crate::time::Clock;

/// A [`JournalStore`] in memory.
#[derive(Debug)]
pub struct MemoryJournal {
    clock: Arc<dyn Clock>,
    streams: Mutex<BTreeMap<StreamName, Stream>>,
}

#[derive(Debug, Default)]
struct Stream {
    entries: Vec<Recorded>,
    epoch: u64,
    held: Option<Lease>,
}

impl MemoryJournal {
    /// An empty store whose time is `clock`'s.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, streams: Mutex::default() }
    }
}

#[async_trait]
impl JournalStore for MemoryJournal {
    async fn append(&self, append: Append) -> Result<()> {
        let mut streams = lock(&self.streams);
        let now = self.clock.now();
        let empty = Stream::default();
        let stream = streams.get(&append.stream).unwrap_or(&empty);
        let held = stream.held.as_ref().map(|lease| lease.expires).filter(|until| *until > now);
        append.check_epoch(Epoch(stream.epoch), held)?;
        let next = stream.entries.len() as u64 + 1;
        let place = append.sequence.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let there = place.and_then(|place| stream.entries.get(place)).map(|there| &there.entry);
        if !append.applies_to(next, there)? {
            return Ok(());
        }
        let recorded = Recorded { sequence: next, at: now, entry: append.entry };
        streams.entry(append.stream).or_default().entries.push(recorded);
        Ok(())
    }

    fn read(&self, stream: &StreamName, from: u64) -> BoxStream<'static, Result<Recorded>> {
        let streams = lock(&self.streams);
        let entries = streams.get(stream).map_or(&[][..], |stream| &stream.entries);
        snapshot(Ok(entries.iter().filter(|entry| entry.sequence >= from).cloned().collect()))
    }

    async fn last(&self, stream: &StreamName) -> Result<Option<Recorded>> {
        Ok(lock(&self.streams).get(stream).and_then(|stream| stream.entries.last().cloned()))
    }

    fn streams(&self, prefix: Option<&StreamName>) -> BoxStream<'static, Result<StreamName>> {
        let streams = lock(&self.streams);
        let under = |name: &StreamName| match prefix {
            None => true,
            Some(prefix) => {
                let rest = name.as_str().strip_prefix(prefix.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        };
        let written =
            streams.iter().filter(|(name, stream)| under(name) && !stream.entries.is_empty());
        snapshot(Ok(written.map(|(name, _)| name.clone()).collect()))
    }

    async fn acquire(
        &self,
        stream: &StreamName,
        owner: &LeaseOwner,
        ttl: Duration,
    ) -> Result<Lease> {
        let mut streams = lock(&self.streams);
        let now = self.clock.now();
        let held = streams.entry(stream.clone()).or_default();
        if let Some(lease) =
            held.held.as_ref().filter(|lease| lease.expires > now && lease.owner != *owner)
        {
            return Err(held_by_another(stream, lease.owner.as_str(), lease.expires));
        }
        held.epoch += 1;
        let (owner, expires) = (owner.clone(), now.saturating_add(ttl));
        let lease = Lease { stream: stream.clone(), owner, epoch: Epoch(held.epoch), expires };
        held.held = Some(lease.clone());
        Ok(lease)
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Lease> {
        let mut streams = lock(&self.streams);
        let expires = self.clock.now().saturating_add(ttl);
        let stream = streams.entry(lease.stream.clone()).or_default();
        let current = stream.epoch;
        match stream.held.as_mut().filter(|held| held.epoch == lease.epoch) {
            Some(held) => {
                held.expires = expires;
                Ok(held.clone())
            }
            None => Err(fenced(&lease.stream, Some(lease.epoch), Epoch(current))),
        }
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        if let Some(stream) = lock(&self.streams).get_mut(&lease.stream)
            && stream.epoch == lease.epoch.0
        {
            stream.held = None;
        }
        Ok(())
    }
}

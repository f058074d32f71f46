//! Journals and their leases.

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use rusqlite::{Connection, params};

use mlops_core::error::Result;
use mlops_core::id::{LeaseOwner, StreamName};
use mlops_core::journal::{Append, Epoch, JournalStore, Lease, Recorded, fenced, held_by_another};
use mlops_core::time::Timestamp;

use super::error::Place;
use super::tracking::flatten;
use super::{SqliteStore, json};

const STREAM: &str = "SELECT row, epoch, owner, expires FROM streams WHERE name = ?1";
const ADD_STREAM: &str =
    "INSERT INTO streams (name) VALUES (?1) RETURNING row, epoch, owner, expires";
const SET_LEASE: &str = "UPDATE streams SET epoch = ?2, owner = ?3, expires = ?4 WHERE row = ?1";
const LAST_NUMBER: &str = "SELECT coalesce(max(sequence), 0) FROM entries WHERE stream = ?1";
const ADD_ENTRY: &str = "INSERT INTO entries (stream, sequence, at, entry) VALUES (?1, ?2, ?3, ?4)";
const ENTRY: &str = "SELECT entry FROM entries WHERE stream = ?1 AND sequence = ?2";
const READ: &str = "SELECT sequence, at, entry FROM entries
    WHERE stream = (SELECT row FROM streams WHERE name = ?1) AND sequence >= ?2 ORDER BY sequence";
const LAST: &str = "SELECT sequence, at, entry FROM entries
    WHERE stream = (SELECT row FROM streams WHERE name = ?1) ORDER BY sequence DESC LIMIT 1";
const NAMES: &str = "SELECT name FROM streams
    WHERE (?1 IS NULL OR name = ?1 OR substr(name, 1, length(?1) + 1) = ?1 || '/')
        AND EXISTS (SELECT 1 FROM entries WHERE stream = streams.row) ORDER BY name";

struct Stream {
    row: i64,
    epoch: u64,
    owner: Option<String>,
    expires: Option<i64>,
}

impl Stream {
    fn from(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let epoch: i64 = row.get(1)?;
        Ok(Self {
            row: row.get(0)?,
            epoch: epoch.cast_unsigned(),
            owner: row.get(2)?,
            expires: row.get(3)?,
        })
    }

    fn find(connection: &Connection, place: &Place, name: &StreamName) -> Result<Option<Self>> {
        let mut find = place.of(connection.prepare_cached(STREAM))?;
        place.optional(find.query_row([name.as_str()], Self::from))
    }

    fn find_or_add(connection: &Connection, place: &Place, name: &StreamName) -> Result<Self> {
        match Self::find(connection, place, name)? {
            Some(found) => Ok(found),
            None => place.of(connection.query_row(ADD_STREAM, [name.as_str()], Self::from)),
        }
    }

    /// Who holds the lease at `now`, and until when.
    fn holder(&self, now: Timestamp) -> Option<(&str, Timestamp)> {
        let expires = Timestamp::from_millis(self.expires?);
        Some((self.owner.as_deref()?, expires)).filter(|_| expires > now)
    }

    fn set_lease(
        &self,
        connection: &Connection,
        place: &Place,
        epoch: u64,
        held: Option<(&str, Timestamp)>,
    ) -> Result<()> {
        let (owner, expires) = held.map(|(owner, expires)| (owner, expires.as_millis())).unzip();
        let values = params![self.row, epoch.cast_signed(), owner, expires];
        place.of(connection.execute(SET_LEASE, values)).map(|_| ())
    }
}

#[async_trait]
impl JournalStore for SqliteStore {
    async fn append(&self, append: Append) -> Result<()> {
        let now = self.clock.now();
        self.write(move |connection, place| add_entry(connection, place, &append, now)).await
    }

    fn read(&self, stream: &StreamName, from: u64) -> BoxStream<'static, Result<Recorded>> {
        let (name, from) = (stream.to_string(), i64::try_from(from).unwrap_or(i64::MAX));
        flatten(self.readers.handle().run(move |connection, place| {
            let mut statement = place.of(connection.prepare_cached(READ))?;
            let mut rows = place.of(statement.query(params![name, from]))?;
            let mut entries = Vec::new();
            while let Some(row) = place.of(rows.next())? {
                entries.push(recorded(row, place)?);
            }
            Ok(entries)
        }))
    }

    async fn last(&self, stream: &StreamName) -> Result<Option<Recorded>> {
        let name = stream.to_string();
        self.read(move |connection, place| {
            let mut statement = place.of(connection.prepare_cached(LAST))?;
            let mut rows = place.of(statement.query([name]))?;
            place.of(rows.next())?.map(|row| recorded(row, place)).transpose()
        })
        .await
    }

    fn streams(&self, prefix: Option<&StreamName>) -> BoxStream<'static, Result<StreamName>> {
        let prefix = prefix.map(ToString::to_string);
        flatten(self.readers.handle().run(move |connection, place| {
            let mut statement = place.of(connection.prepare_cached(NAMES))?;
            let names = place.of(statement.query_map([prefix], |row| row.get::<_, String>(0)))?;
            let names: Vec<String> = place.of(names.collect())?;
            names.iter().map(|name| json::parse(place, "stream name", name)).collect()
        }))
    }

    async fn acquire(
        &self,
        stream: &StreamName,
        owner: &LeaseOwner,
        ttl: Duration,
    ) -> Result<Lease> {
        let (name, owner, now) = (stream.clone(), owner.clone(), self.clock.now());
        self.write(move |connection, place| {
            let stream = Stream::find_or_add(connection, place, &name)?;
            if let Some((holder, until)) =
                stream.holder(now).filter(|(holder, _)| *holder != owner.as_str())
            {
                return Err(held_by_another(&name, holder, until));
            }
            let (epoch, expires) = (stream.epoch + 1, now.saturating_add(ttl));
            stream.set_lease(connection, place, epoch, Some((owner.as_str(), expires)))?;
            Ok(Lease { stream: name, owner, epoch: Epoch(epoch), expires })
        })
        .await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Lease> {
        let (lease, expires) = (lease.clone(), self.clock.now().saturating_add(ttl));
        self.write(move |connection, place| {
            let stream = Stream::find_or_add(connection, place, &lease.stream)?;
            if stream.epoch != lease.epoch.0
                || stream.owner.as_deref() != Some(lease.owner.as_str())
            {
                return Err(fenced(&lease.stream, Some(lease.epoch), Epoch(stream.epoch)));
            }
            stream.set_lease(
                connection,
                place,
                stream.epoch,
                Some((lease.owner.as_str(), expires)),
            )?;
            Ok(Lease { expires, ..lease })
        })
        .await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        let lease = lease.clone();
        self.write(move |connection, place| match Stream::find(connection, place, &lease.stream)? {
            Some(stream) if stream.epoch == lease.epoch.0 => {
                stream.set_lease(connection, place, stream.epoch, None)
            }
            _ => Ok(()),
        })
        .await
    }
}

fn recorded(row: &rusqlite::Row<'_>, place: &Place) -> Result<Recorded> {
    let sequence: i64 = place.of(row.get(0))?;
    let entry = place.of(row.get_ref(2).and_then(|value| Ok(value.as_str()?)))?;
    Ok(Recorded {
        sequence: sequence.cast_unsigned(),
        at: Timestamp::from_millis(place.of(row.get(1))?),
        entry: json::read(place, "journal entry", entry)?,
    })
}

fn add_entry(
    connection: &Connection,
    place: &Place,
    append: &Append,
    now: Timestamp,
) -> Result<()> {
    let name = &append.stream;
    let found = Stream::find(connection, place, name)?;
    let epoch = found.as_ref().map_or(0, |stream| stream.epoch);
    let held = found.as_ref().and_then(|stream| stream.holder(now)).map(|(_, until)| until);
    append.check_epoch(Epoch(epoch), held)?;
    let stream = Stream::find_or_add(connection, place, name)?;
    let last: i64 = place.of(connection.query_row(LAST_NUMBER, [stream.row], |row| row.get(0)))?;
    let next = last.cast_unsigned() + 1;
    let given = i64::try_from(append.sequence).unwrap_or(i64::MAX);
    let mut there = place.of(connection.prepare_cached(ENTRY))?;
    let there: Option<String> =
        place.optional(there.query_row([stream.row, given], |row| row.get(0)))?;
    let there = there.map(|text| json::read(place, "journal entry", &text)).transpose()?;
    if !append.applies_to(next, there.as_ref())? {
        return Ok(());
    }
    let mut add = place.of(connection.prepare_cached(ADD_ENTRY))?;
    place
        .of(add.execute(params![stream.row, given, now.as_millis(), json::write(&append.entry)?]))
        .map(|_| ())
}

//! Metric history, laid out for speed: points in chunks, one row for many.
//!
//! A chunk holds points of one run and key in the order in which they came, 24 bytes each (step, time in
//! milliseconds, value; little endian). A row a point costs about forty bytes, a key comparison and a
//! B-tree insert for each; a batch of a thousand points of one key is a single row here, and reading
//! a history is a scan over a few blobs. The price is that a single point can't be found by SQL:
//! nothing asks for that, search looks at the latest value only, which has a table of its own.
//!
//! Points that come one by one would make rows of one point, so a small last chunk is filled up
//! before a new one begins: at most [`SMALL`] points are rewritten for each.

use rusqlite::{Connection, params};

use mlops_core::error::{Error, ErrorKind, Result};
use mlops_core::id::MetricKey;
use mlops_core::time::Timestamp;
use mlops_core::tracking::{MetricPoint, latest_of};

use super::error::Place;

/// Bytes of one point.
const WIDTH: usize = 24;
/// Points up to which a last chunk is filled up.
const SMALL: usize = 64;
/// Most points in one chunk.
const LARGE: usize = 4096;

const FIND_KEY: &str = "SELECT row FROM metric_keys WHERE key = ?1";
const ADD_KEY: &str = "INSERT INTO metric_keys (key) VALUES (?1) RETURNING row";
const LAST_CHUNK: &str = "SELECT number, points FROM metric_chunks WHERE run = ?1 AND key = ?2 ORDER BY number DESC LIMIT 1";
const FILL_CHUNK: &str =
    "UPDATE metric_chunks SET points = ?4 WHERE run = ?1 AND key = ?2 AND number = ?3";
const ADD_CHUNK: &str =
    "INSERT INTO metric_chunks (run, key, number, points) VALUES (?1, ?2, ?3, ?4)";
const LATEST: &str = "SELECT step, at, value FROM metric_latest WHERE run = ?1 AND key = ?2";
const SET_LATEST: &str = "INSERT INTO metric_latest (run, key, step, at, value) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (run, key) DO UPDATE SET step = excluded.step, at = excluded.at, value = excluded.value";
const HISTORY: &str = "SELECT points FROM metric_chunks
    WHERE run = ?1 AND key = (SELECT row FROM metric_keys WHERE key = ?2) ORDER BY number";

/// Adds points to the history of a run, and keeps the latest of each key.
pub(super) fn add(
    connection: &Connection,
    place: &Place,
    run: i64,
    points: &[(MetricKey, MetricPoint)],
) -> Result<()> {
    for (key, points) in by_key(points) {
        let key = key_row(connection, place, &key)?;
        append(connection, place, run, key, &points)?;
        update_latest(connection, place, run, key, &points)?;
    }
    Ok(())
}

/// Groups points by key; both keys and points stay in the order of their first coming.
fn by_key(points: &[(MetricKey, MetricPoint)]) -> Vec<(MetricKey, Vec<MetricPoint>)> {
    let mut groups: Vec<(MetricKey, Vec<MetricPoint>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (key, point) in points {
        let at = *places.entry(key).or_insert_with(|| {
            groups.push((key.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(*point);
    }
    groups
}

fn key_row(connection: &Connection, place: &Place, key: &MetricKey) -> Result<i64> {
    let mut find = place.of(connection.prepare_cached(FIND_KEY))?;
    if let Some(row) = place.optional(find.query_row([key.as_str()], |row| row.get(0)))? {
        return Ok(row);
    }
    let mut add = place.of(connection.prepare_cached(ADD_KEY))?;
    place.of(add.query_row([key.as_str()], |row| row.get(0)))
}

fn append(
    connection: &Connection,
    place: &Place,
    run: i64,
    key: i64,
    points: &[MetricPoint],
) -> Result<()> {
    let mut last = place.of(connection.prepare_cached(LAST_CHUNK))?;
    let last = place.optional(
        last.query_row([run, key], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))),
    )?;
    let mut rest = points;
    let next = last.as_ref().map_or(0, |(number, _)| number + 1);
    if let Some((last, mut bytes)) = last
        && bytes.len() < SMALL * WIDTH
    {
        let room = (SMALL - bytes.len() / WIDTH).min(rest.len());
        // A large batch gets a chunk of its own instead of being torn.
        if rest.len() <= SMALL {
            rest[..room].iter().for_each(|point| encode(point, &mut bytes));
            let mut fill = place.of(connection.prepare_cached(FILL_CHUNK))?;
            place.of(fill.execute(params![run, key, last, bytes]))?;
            rest = &rest[room..];
        }
    }
    for (number, chunk) in (next..).zip(rest.chunks(LARGE)) {
        let mut bytes = Vec::with_capacity(chunk.len() * WIDTH);
        chunk.iter().for_each(|point| encode(point, &mut bytes));
        let mut add = place.of(connection.prepare_cached(ADD_CHUNK))?;
        place.of(add.execute(params![run, key, number, bytes]))?;
    }
    Ok(())
}

fn update_latest(
    connection: &Connection,
    place: &Place,
    run: i64,
    key: i64,
    points: &[MetricPoint],
) -> Result<()> {
    let mut find = place.of(connection.prepare_cached(LATEST))?;
    let before = place.optional(find.query_row([run, key], |row| point_from(row, 0)))?;
    let Some(latest) = latest_of(before.iter().chain(points)) else {
        return Ok(());
    };
    if before == Some(latest) {
        return Ok(());
    }
    let mut set = place.of(connection.prepare_cached(SET_LATEST))?;
    // SQLite has no NaN: binding one stores NULL, and NULL is read back as NaN.
    place.of(set.execute(params![run, key, latest.step, latest.at.as_millis(), latest.value]))?;
    Ok(())
}

/// A point from three columns, the first of which is `first`.
pub(super) fn point_from(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<MetricPoint> {
    Ok(MetricPoint {
        step: row.get(first)?,
        at: Timestamp::from_millis(row.get(first + 1)?),
        value: row.get::<_, Option<f64>>(first + 2)?.unwrap_or(f64::NAN),
    })
}

/// The whole history of a key in a run, in the order in which it was logged.
pub(super) fn history(
    connection: &Connection,
    place: &Place,
    run: i64,
    key: &MetricKey,
) -> Result<Vec<MetricPoint>> {
    let mut statement = place.of(connection.prepare_cached(HISTORY))?;
    let mut rows = place.of(statement.query(params![run, key.as_str()]))?;
    let mut points = Vec::new();
    while let Some(row) = place.of(rows.next())? {
        let bytes = place.of(row.get_ref(0).and_then(|value| Ok(value.as_blob()?)))?;
        if bytes.len() % WIDTH != 0 {
            let message = format!(
                "a chunk of metric points has a broken length: key={key} bytes={}",
                bytes.len()
            );
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        points.extend(bytes.as_chunks::<WIDTH>().0.iter().map(decode));
    }
    Ok(points)
}

fn encode(point: &MetricPoint, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&point.step.to_le_bytes());
    bytes.extend_from_slice(&point.at.as_millis().to_le_bytes());
    bytes.extend_from_slice(&point.value.to_bits().to_le_bytes());
}

fn decode(bytes: &[u8; WIDTH]) -> MetricPoint {
    let [step, at, value] = [0, 8, 16].map(|start| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[start..start + 8]);
        u64::from_le_bytes(word)
    });
    MetricPoint {
        step: step.cast_signed(),
        at: Timestamp::from_millis(at.cast_signed()),
        value: f64::from_bits(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_survives_bit_by_bit() {
        for value in [0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::MIN_POSITIVE / 2.0] {
            let point = MetricPoint { step: -3, at: Timestamp::from_millis(i64::MIN), value };
            let mut bytes = Vec::new();
            encode(&point, &mut bytes);
            assert_eq!(decode(&bytes.try_into().unwrap()), point);
        }
    }
}

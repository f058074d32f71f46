//! Brings a file to the newest schema, whole or not at all; a newer one than this is refused.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use mlops_core::error::{Error, ErrorKind, Result};

use super::error::Place;

/// Marks a file as ours in SQLite's header ("mlop").
const APPLICATION_ID: i32 = 0x6d6c_6f70;

/// Step `n` leads from version `n` to `n + 1`.
const STEPS: [&str; 2] = [include_str!("schema/0001.sql"), include_str!("schema/0002.sql")];

/// Refuses a file that is not ours or newer than we are, and changes nothing. Returns its version.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<i32> {
    // One transaction: another process may be creating the store between two reads.
    let transaction = Place::new(path).of(connection.unchecked_transaction())?;
    check_in(&transaction, path)
}

fn check_in(connection: &Connection, path: &Path) -> Result<i32> {
    let place = Place::new(path);
    let (id, found) = place.of(header(connection))?;
    let known = STEPS.len() as i32;
    if id != APPLICATION_ID && (id != 0 || !place.of(is_empty(connection))?) {
        let message = format!("the file is another program's database: path={}", path.display());
        return Err(Error::new(ErrorKind::Corrupt, message));
    }
    if found > known {
        let message = format!(
            "the store was written by a newer version, upgrade this program: path={} schema={found} known={known}",
            path.display()
        );
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(found)
}

/// Runs whatever steps the file still needs, in one transaction.
pub(super) fn run(connection: &mut Connection, path: &Path) -> Result<()> {
    let (place, known) = (Place::new(path), STEPS.len() as i32);
    if check(connection, path)? == known {
        return Ok(());
    }
    let transaction =
        place.of(connection.transaction_with_behavior(TransactionBehavior::Immediate))?;
    // Another process may have been faster, or newer.
    let found = check_in(&transaction, path)?;
    for step in &STEPS[found.max(0) as usize..] {
        place.of(transaction.execute_batch(step))?;
    }
    place.of(transaction.pragma_update(None, "application_id", APPLICATION_ID))?;
    place.of(transaction.pragma_update(None, "user_version", known))?;
    place.of(transaction.commit())
}

fn header(connection: &Connection) -> rusqlite::Result<(i32, i32)> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((pragma("application_id")?, pragma("user_version")?))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

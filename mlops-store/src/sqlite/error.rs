//! What an SQLite error means to a caller, code by code.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ffi;

use mlops_core::error::{Error, ErrorKind, Result, RetryClass};

/// Which file an error is about. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Place(Arc<PathBuf>);

impl Place {
    pub(super) fn new(path: &Path) -> Self {
        Self(Arc::new(path.to_owned()))
    }

    /// Maps the error of a statement.
    pub(super) fn of<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|source| self.error(source))
    }

    /// A row that may be missing.
    pub(super) fn optional<T>(&self, result: rusqlite::Result<T>) -> Result<Option<T>> {
        match result {
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            other => self.of(other).map(Some),
        }
    }

    pub(super) fn error(&self, source: rusqlite::Error) -> Error {
        let code = source.sqlite_error().map_or(ffi::SQLITE_ERROR, |error| error.extended_code);
        let (kind, retry, words) = meaning(code);
        let message = format!("{words}: path={}", self.0.display());
        Error::new(kind, message).with_retry(retry).with_source(source)
    }

    /// Stored text that does not parse.
    pub(super) fn corrupt(
        &self,
        what: &str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Error {
        let message = format!(
            "the store holds what it can't have written: what={what} path={}",
            self.0.display()
        );
        Error::new(ErrorKind::Corrupt, message).with_source(source)
    }
}

/// Whether a failed commit leaves the disk in an unknown state: what [`meaning`] says of I/O errors.
pub(super) fn is_fatal(error: &Error) -> bool {
    (error.kind(), error.retry()) == (ErrorKind::Unavailable, RetryClass::Never)
}

/// The meaning of an (extended) result code. Where it is ambiguous whether something happened, the
/// idempotency of every write makes a repeat harmless.
fn meaning(code: i32) -> (ErrorKind, RetryClass, &'static str) {
    use ErrorKind as Kind;
    use RetryClass::{Never, Safe};
    match code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => {
            (Kind::Unavailable, Safe, "another process holds the store")
        }
        ffi::SQLITE_FULL => (Kind::Full, Never, "the disk is full, free some space"),
        ffi::SQLITE_IOERR => (Kind::Unavailable, Never, "the disk failed, open the store again"),
        ffi::SQLITE_CORRUPT => (Kind::Corrupt, Never, "the store is damaged, restore a copy"),
        ffi::SQLITE_NOTADB => (Kind::Corrupt, Never, "the file is not a store"),
        ffi::SQLITE_CANTOPEN => (Kind::InvalidInput, Never, "cannot open the store"),
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_AUTH => {
            (Kind::InvalidInput, Never, "the store can't be written to")
        }
        ffi::SQLITE_NOMEM => (Kind::Unavailable, Safe, "no memory is left"),
        ffi::SQLITE_INTERRUPT => (Kind::Cancelled, Safe, "the statement was interrupted"),
        ffi::SQLITE_TOOBIG => (Kind::InvalidInput, Never, "a value is too large for the store"),
        _ => (Kind::Internal, Never, "an SQL statement failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_meaning() {
        for (code, kind, retry) in [
            (ffi::SQLITE_BUSY, ErrorKind::Unavailable, RetryClass::Safe),
            (ffi::SQLITE_BUSY_SNAPSHOT, ErrorKind::Unavailable, RetryClass::Safe),
            (ffi::SQLITE_LOCKED, ErrorKind::Unavailable, RetryClass::Safe),
            (ffi::SQLITE_FULL, ErrorKind::Full, RetryClass::Never),
            (ffi::SQLITE_IOERR_FSYNC, ErrorKind::Unavailable, RetryClass::Never),
            (ffi::SQLITE_CORRUPT, ErrorKind::Corrupt, RetryClass::Never),
            (ffi::SQLITE_NOTADB, ErrorKind::Corrupt, RetryClass::Never),
            (ffi::SQLITE_CANTOPEN, ErrorKind::InvalidInput, RetryClass::Never),
            (ffi::SQLITE_READONLY, ErrorKind::InvalidInput, RetryClass::Never),
            (ffi::SQLITE_TOOBIG, ErrorKind::InvalidInput, RetryClass::Never),
            (ffi::SQLITE_CONSTRAINT, ErrorKind::Internal, RetryClass::Never),
        ] {
            let failure = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let error = Place::new(Path::new("/s/m.db")).error(failure);
            assert_eq!((error.kind(), error.retry()), (kind, retry), "code={code}");
            assert!(error.to_string().contains("/s/m.db"));
        }
    }

    #[test]
    fn only_io_errors_make_the_state_of_the_disk_unknown() {
        let failure = |code| {
            let failure = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            Place::new(Path::new("/s/m.db")).error(failure)
        };
        assert!(is_fatal(&failure(ffi::SQLITE_IOERR_FSYNC)));
        assert!(!is_fatal(&failure(ffi::SQLITE_FULL)));
        assert!(!is_fatal(&failure(ffi::SQLITE_BUSY)));
    }
}

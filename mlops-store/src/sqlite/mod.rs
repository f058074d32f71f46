//! Tracking, registry, data versions and journals in one SQLite file: the embedded default.
//!
//! One thread owns the writing connection and commits whatever has gathered in one transaction
//! (`BEGIN IMMEDIATE`, WAL, `synchronous=FULL`); a call returns after that commit. A few threads with
//! connections of their own read. Several processes may share the file on a local disk: each write waits
//! up to 30 seconds for its turn. SQLite is compiled in, never the system's: versions before 3.51.3
//! can corrupt a WAL file under two writers.
//!
//! An I/O error during a commit leaves the disk's state unknown, so the store then refuses all
//! further writes until it is opened again.
//!
//! Only this folder knows SQL.

mod data;
mod error;
mod journal;
mod json;
mod metrics;
mod migrations;
mod reader;
mod registry;
mod search;
mod tracking;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use mlops_core::error::{Error, ErrorKind, Result, RetryClass};
use mlops_core::time::{Clock, SystemClock};

use error::Place;
use reader::Readers;
use writer::Writer;

/// How a store is opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// How long a write waits for other processes; at least 30 seconds is wise.
    pub busy_timeout: Duration,
    /// Threads that read.
    pub readers: usize,
    /// Most writes in one transaction.
    pub group: usize,
    /// Whose time is recorded.
    pub clock: Arc<dyn Clock>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(30),
            readers: 2,
            group: 256,
            clock: Arc::new(SystemClock),
        }
    }
}

impl SqliteOptions {
    /// Sets how long a write waits for other processes.
    #[must_use]
    pub fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets whose time is recorded.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

/// A store in one file. Implements every contract of [`mlops_core`] but those of bytes, which
/// [`Cas`](crate::cas::Cas) keeps.
pub struct SqliteStore {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    writer: Writer,
    readers: Readers,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store at `path`, creating or migrating it as needed.
    ///
    /// # Errors
    /// `Unsupported` for a store that a newer version wrote, `Corrupt` for a file that is no store,
    /// `Unavailable` when another process holds it for too long, `NotFound` for a missing folder.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let mut connection = connect(&path, &options)?;
        migrations::run(&mut connection, &path)?;
        let readers = (0..options.readers.max(1))
            .map(|_| connect(&path, &options))
            .collect::<Result<Vec<_>>>()?;
        let clock = Arc::clone(&options.clock);
        let writer = Writer::start(connection, path.clone(), options.group.max(1))?;
        let readers = Readers::start(readers, path.clone())?;
        Ok(Self { path, clock, writer, readers })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SQLite library that is compiled in, such as `3.54.1`.
    #[must_use]
    pub fn library_version() -> &'static str {
        rusqlite::version()
    }

    /// Checks the whole file: pages, indices, references.
    ///
    /// # Errors
    /// `Corrupt` with the first findings.
    pub async fn check(&self) -> Result<()> {
        let findings: Vec<String> = self
            .read(|connection, place| {
                let mut statement = place.of(connection.prepare("PRAGMA integrity_check(10)"))?;
                let rows = place.of(statement.query_map([], |row| row.get(0)))?;
                let mut findings = place.of(rows.collect::<rusqlite::Result<Vec<String>>>())?;
                let orphans: i64 = place.of(connection.query_row(
                    "SELECT count(*) FROM pragma_foreign_key_check",
                    [],
                    |row| row.get(0),
                ))?;
                if orphans > 0 {
                    findings.push(format!("{orphans} references lead nowhere"));
                }
                Ok(findings)
            })
            .await?;
        match findings.iter().filter(|finding| *finding != "ok").cloned().collect::<Vec<_>>() {
            bad if bad.is_empty() => Ok(()),
            bad => {
                let message = format!(
                    "the store is damaged: path={} findings={}",
                    self.path.display(),
                    bad.join("; ")
                );
                Err(Error::new(ErrorKind::Corrupt, message))
            }
        }
    }

    /// Does `work` in a transaction of its own; returns after the commit.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &Place) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.run(work).await
    }

    /// Does `work` on a reading connection.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &Place) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.readers.handle().run(work).await
    }
}

/// A connection with everything set that the contract needs. Another process that is creating the store
/// may hold it so that SQLite answers at once instead of waiting; then this waits.
fn connect(path: &Path, options: &SqliteOptions) -> Result<Connection> {
    const PAUSE: Duration = Duration::from_millis(10);
    let began = Instant::now();
    loop {
        match try_connect(path, options) {
            // One that has waited for its whole time within SQLite is not repeated.
            Err(error)
                if error.retry() == RetryClass::Safe && began.elapsed() < options.busy_timeout =>
            {
                std::thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}

fn try_connect(path: &Path, options: &SqliteOptions) -> Result<Connection> {
    let place = Place::new(path);
    if let Some(folder) =
        path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
    {
        return Err(Error::not_found("folder of the store", folder.display()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    // NOFOLLOW is about the last segment; folders above may be links.
    let real = real_path(path);
    let connection = place.of(Connection::open_with_flags(real, flags))?;
    place.of(connection.busy_timeout(options.busy_timeout))?;
    // Before anything is set: a file that is refused stays as it was.
    migrations::check(&connection, path)?;
    let mode: String =
        place.of(connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)))?;
    if !mode.eq_ignore_ascii_case("wal") {
        let message = format!(
            "the file system can't keep a write-ahead log, use a local disk: path={}",
            path.display()
        );
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    place.of(connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;",
    ))?;
    connection.set_prepared_statement_cache_capacity(128);
    search::add_functions(&connection, &place)?;
    Ok(connection)
}

fn real_path(path: &Path) -> PathBuf {
    let resolved = path.parent().and_then(|folder| {
        if folder.as_os_str().is_empty() { None } else { folder.canonicalize().ok() }
    });
    match (resolved, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;

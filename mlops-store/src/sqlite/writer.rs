//! The one thread that writes: it takes whatever has gathered and commits it in one transaction.
//!
//! Each piece of work runs in a savepoint, so that one that fails takes nothing else with it. Everybody
//! is answered after the commit, never before. One `fsync` is shared by all writes of a group: that is
//! where the speed of many small writes comes from.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use mlops_core::error::{Error, ErrorKind, Result, RetryClass};

use super::error::{Place, is_fatal};

/// Pieces of work that may wait.
const QUEUE: usize = 1024;

/// One caller's part of a transaction.
trait Piece: Send {
    /// Does it; an error asks for it to be undone.
    fn run(&mut self, connection: &Connection, place: &Place) -> Result<()>;
    /// Tells the caller, once it is known how the commit went.
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Call<T, F> {
    work: Option<F>,
    outcome: Option<Result<T>>,
    tell: oneshot::Sender<Result<T>>,
}

impl<T: Send, F> Piece for Call<T, F>
where
    F: FnOnce(&Connection, &Place) -> Result<T> + Send,
{
    fn run(&mut self, connection: &Connection, place: &Place) -> Result<()> {
        self.outcome = self.work.take().map(|work| work(connection, place));
        match &self.outcome {
            Some(Err(error)) => Err(copy(error)),
            _ => Ok(()),
        }
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let answer = match (self.outcome, committed) {
            (Some(Err(own)), _) => Err(own),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (_, Err(error)) => Err(error),
            (None, Ok(())) => {
                Err(Error::new(ErrorKind::Internal, "a write was answered before it was done"))
            }
        };
        // Whoever asked may have stopped waiting; what is committed stays.
        self.tell.send(answer).ok();
    }
}

/// The way to the writing thread. Dropping it finishes what is queued and joins the thread.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Piece>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, path: PathBuf, group: usize) -> Result<Self> {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let place = Place::new(&path);
        let thread = std::thread::Builder::new()
            .name("mlops-sqlite-write".into())
            .spawn(move || serve(&connection, inbox, &place, group))
            .map_err(|source| {
                Error::new(ErrorKind::Unavailable, "cannot start a thread").with_source(source)
            })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &Place) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (tell, told) = oneshot::channel();
        let gone = || {
            let message = "the store's writing thread has ended, open the store again";
            Error::new(ErrorKind::Unavailable, message).with_retry(RetryClass::Never)
        };
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        let call = Call { work: Some(work), outcome: None, tell };
        queue.send(Box::new(call)).await.map_err(|_| gone())?;
        told.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writing thread panicked");
        }
    }
}

fn serve(
    connection: &Connection,
    mut inbox: mpsc::Receiver<Box<dyn Piece>>,
    place: &Place,
    most: usize,
) {
    let mut disk_failed = false;
    let mut group = Vec::with_capacity(most);
    while inbox.blocking_recv_many(&mut group, most) > 0 {
        if disk_failed {
            let message = "the disk failed before, open the store again";
            let refusal =
                || Error::new(ErrorKind::Unavailable, message).with_retry(RetryClass::Never);
            group.drain(..).for_each(|piece| piece.answer(Err(refusal())));
        } else {
            disk_failed = commit_group(connection, &mut group, place);
        }
    }
    if !disk_failed {
        tidy(connection);
    }
}

/// Leaves a small file behind. What is committed is safe in the log without it, so it waits for nobody,
/// and keeps nobody waiting.
fn tidy(connection: &Connection) {
    let tidied = connection.busy_timeout(Duration::ZERO).and_then(|()| {
        connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);")
    });
    if let Err(error) = tidied {
        tracing::debug!(%error, "no checkpoint at the end");
    }
}

/// Runs and commits a group, then answers everyone in it. Returns whether the disk failed.
fn commit_group(connection: &Connection, group: &mut Vec<Box<dyn Piece>>, place: &Place) -> bool {
    let outcome = transaction(connection, group, place);
    if outcome.is_err() && !connection.is_autocommit() {
        // The error that is reported is the first one; an open transaction would fail the next BEGIN.
        connection.execute_batch("ROLLBACK").ok();
    }
    for piece in group.drain(..) {
        piece.answer(outcome.as_ref().copied().map_err(copy));
    }
    outcome.is_err_and(|error| is_fatal(&error))
}

fn transaction(connection: &Connection, group: &mut [Box<dyn Piece>], place: &Place) -> Result<()> {
    let execute = |sql: &str| place.of(place.of(connection.prepare_cached(sql))?.execute([]));
    place.of(connection.execute_batch("BEGIN IMMEDIATE"))?;
    for piece in group {
        execute("SAVEPOINT piece")?;
        if let Err(error) = piece.run(connection, place) {
            // A full or failing disk ends the whole transaction, and everybody's part in it.
            if connection.is_autocommit() {
                return Err(error);
            }
            execute("ROLLBACK TO piece")?;
        }
        execute("RELEASE piece")?;
    }
    place.of(connection.execute_batch("COMMIT"))
}

/// Errors are not `Clone`; everyone in a group gets one of the same meaning.
fn copy(error: &Error) -> Error {
    Error::new(error.kind(), error.chain()).with_retry(error.retry())
}

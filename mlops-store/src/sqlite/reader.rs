//! A few threads that read, each with a connection of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use mlops_core::error::{Error, ErrorKind, Result, RetryClass};

use super::error::Place;

/// Pieces of work that may wait.
const QUEUE: usize = 1024;

type Work = Box<dyn FnOnce(&Connection, &Place) + Send>;

/// The way to the reading threads. They end once it and all of its handles are gone.
pub(super) struct Readers {
    handle: Option<Handle>,
    threads: Vec<JoinHandle<()>>,
}

/// A way to the reading threads that a stream can keep. They end once the store and all handles
/// are gone.
#[derive(Clone)]
pub(super) struct Handle(mpsc::Sender<Work>);

impl Handle {
    /// Does `work` on one of the threads.
    pub(super) fn run<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &Place) -> Result<T> + Send + 'static,
    {
        let queue = self.0.clone();
        async move {
            let (tell, told) = oneshot::channel();
            let piece: Work = Box::new(move |connection, place| {
                // Whoever asked may have stopped waiting.
                tell.send(work(connection, place)).ok();
            });
            let gone = || {
                let message = "the store's reading threads have ended, open the store again";
                Error::new(ErrorKind::Unavailable, message).with_retry(RetryClass::Never)
            };
            queue.send(piece).await.map_err(|_| gone())?;
            told.await.map_err(|_| gone())?
        }
    }
}

impl Readers {
    pub(super) fn start(connections: Vec<Connection>, path: PathBuf) -> Result<Self> {
        let (queue, inbox) = mpsc::channel::<Work>(QUEUE);
        let inbox = Arc::new(Mutex::new(inbox));
        let serve = |connection: Connection| {
            let (inbox, place) = (Arc::clone(&inbox), Place::new(&path));
            std::thread::Builder::new().name("mlops-sqlite-read".into()).spawn(move || {
                loop {
                    // Held only while waiting: whoever gets the next piece lets go before doing it.
                    let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
                    let Some(work) = next else { return };
                    work(&connection, &place);
                }
            })
        };
        let threads = connections.into_iter().map(serve).collect::<std::io::Result<Vec<_>>>();
        let threads = threads.map_err(|source| {
            Error::new(ErrorKind::Unavailable, "cannot start a thread").with_source(source)
        })?;
        Ok(Self { handle: Some(Handle(queue)), threads })
    }

    pub(super) fn handle(&self) -> Handle {
        self.handle.clone().expect("only drop takes the handle")
    }
}

/// Streams may outlive the store; then their handles keep the threads, which nobody waits for.
impl Drop for Readers {
    fn drop(&mut self) {
        self.handle = None;
        for thread in self.threads.drain(..) {
            if thread.is_finished() && thread.join().is_err() {
                tracing::error!("a reading thread of the store panicked");
            }
        }
    }
}

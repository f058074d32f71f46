//! What the pages that are open take together, and the first thing that went wrong with one.

use std::sync::{Mutex, PoisonError};

use super::super::fence::Broken;

/// Shared by all columns of a row group that are read together.
#[derive(Debug)]
pub(super) struct Budget {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Pages and dictionaries that columns read from.
    open: usize,
    /// Pages that were closed since the batch began, and that it may still hold.
    closed: usize,
    /// Errors pass through decoders, which keep only their text.
    broken: Option<Broken>,
    /// Bytes of the file that were read.
    read: u64,
}

impl Budget {
    pub(super) fn new(most: usize) -> Self {
        Self { most, state: Mutex::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch begins.
    pub(super) fn begin(&self) {
        self.state().closed = 0;
    }

    /// Takes a page of this many bytes in place of another, if there is room.
    pub(super) fn turn(&self, old: usize, new: usize) -> Result<(), Broken> {
        self.close(old);
        self.grow(new)
    }

    /// Takes more for a page that is open.
    pub(super) fn grow(&self, bytes: usize) -> Result<(), Broken> {
        let mut state = self.state();
        state.open = state.open.saturating_add(bytes);
        if state.open.saturating_add(state.closed) <= self.most {
            return Ok(());
        }
        let what = format!(
            "a parquet file needs more than {} bytes decoded at once, fewer columns may do",
            self.most
        );
        Err(Broken::too_large(what))
    }

    /// A page is read no more.
    pub(super) fn close(&self, old: usize) {
        let mut state = self.state();
        state.open = state.open.saturating_sub(old);
        state.closed = state.closed.saturating_add(old);
    }

    pub(super) fn count_read(&self, bytes: u64) {
        let mut state = self.state();
        state.read = state.read.saturating_add(bytes);
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.state().read
    }

    /// Keeps the first thing that went wrong.
    pub(super) fn keep(&self, broken: Broken) {
        self.state().broken.get_or_insert(broken);
    }

    /// What went wrong with a page, if anything did.
    pub(super) fn take_broken(&self) -> Option<Broken> {
        self.state().broken.take()
    }
}

//! What a reader may spend on files that it does not trust, and what it tells meanwhile.

use std::fmt;
use std::sync::Arc;

/// The most that reading may take, whatever a file claims.
///
/// What goes beyond is [`TooLarge`](crate::ErrorKind::TooLarge), found before memory is taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Files of a table; 100,000 unless set.
    pub files: usize,
    /// Columns of a table, and a sixteenth of the fields within them; 10,000 unless set.
    pub columns: usize,
    /// Rows of a table; 10^11 unless set.
    pub rows: u64,
    /// How deep lists and structs may stand in each other; 32 unless set.
    pub depth: usize,
    /// Bytes that one scan decodes at once; 192 MiB unless set. A scan takes about twice as much at
    /// most, beside what its caller keeps. Several scans take it several times.
    pub decoded_bytes: usize,
    /// Bytes of one row of a CSV file; 8 MiB unless set.
    pub csv_row_bytes: usize,
    /// Rows of each CSV file that its types are inferred from; 10,000 unless set.
    pub inferred_rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            files: 100_000,
            columns: 10_000,
            rows: 100_000_000_000,
            depth: 32,
            decoded_bytes: 192 << 20,
            csv_row_bytes: 8 << 20,
            inferred_rows: 10_000,
        }
    }
}

impl Limits {
    /// Sets the most files.
    #[must_use]
    pub fn with_files(mut self, files: usize) -> Self {
        self.files = files;
        self
    }

    /// Sets the most columns.
    #[must_use]
    pub fn with_columns(mut self, columns: usize) -> Self {
        self.columns = columns;
        self
    }

    /// Sets the most rows.
    #[must_use]
    pub fn with_rows(mut self, rows: u64) -> Self {
        self.rows = rows;
        self
    }

    /// Sets the deepest nesting; more than 60 is taken as 60.
    #[must_use]
    pub fn with_depth(mut self, depth: usize) -> Self {
        self.depth = depth.min(60);
        self
    }

    /// Sets the most bytes that are decoded at once.
    #[must_use]
    pub fn with_decoded_bytes(mut self, bytes: usize) -> Self {
        self.decoded_bytes = bytes;
        self
    }

    /// Sets the most bytes of a row of a CSV file.
    #[must_use]
    pub fn with_csv_row_bytes(mut self, bytes: usize) -> Self {
        self.csv_row_bytes = bytes;
        self
    }

    /// Sets the rows that types of a CSV file are inferred from.
    #[must_use]
    pub fn with_inferred_rows(mut self, rows: usize) -> Self {
        self.inferred_rows = rows;
        self
    }
}

/// What a scan has done since it last said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Rows that were handed over.
    pub rows: u64,
    /// Bytes of the files that are behind it, read or passed over: after a whole scan their sum is
    /// [`Table::bytes`](super::Table::bytes).
    pub bytes: u64,
}

type Watcher = Arc<dyn Fn(Progress) + Send + Sync>;

/// How a table is opened and read.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct TableOptions {
    /// What it may take.
    pub limits: Limits,
    progress: Option<Watcher>,
}

impl TableOptions {
    /// Sets the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets who is told what scans have done, batch by batch, on the thread of the scan.
    #[must_use]
    pub fn with_progress(mut self, watch: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(watch));
        self
    }

    pub(super) fn tell(&self, progress: Progress) {
        if let Some(watch) = &self.progress {
            watch(progress);
        }
    }
}

impl fmt::Debug for TableOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableOptions")
            .field("limits", &self.limits)
            .field("progress", &self.progress.is_some())
            .finish()
    }
}

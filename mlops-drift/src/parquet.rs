//! Reading one Parquet file at once; [`files`](crate::files) reads more of them, and streams.

use std::path::Path;

use arrow::array::RecordBatch;

use crate::error::{Error, Result};
use crate::files::Table;

/// Reads a whole Parquet file, whatever its ending.
///
/// Without a row the result is one batch of zero rows, so that the schema is always there.
///
/// # Errors
///
/// [`NotFound`](crate::ErrorKind::NotFound) for a missing file;
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) for what is no Parquet file;
/// [`Corrupt`](crate::ErrorKind::Corrupt) for one that is empty, truncated or altered;
/// [`TooLarge`](crate::ErrorKind::TooLarge) for one beyond the default [`Limits`](crate::files::Limits);
/// [`Unavailable`](crate::ErrorKind::Unavailable) when reading fails. Every error names the path.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<RecordBatch>> {
    let path = path.as_ref();
    if path.is_dir() {
        return Err(Error::invalid(format!("not a file: path={}", path.display())));
    }
    Table::open_parquet(path)?.read(None)
}

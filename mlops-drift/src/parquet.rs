//! Reading a Parquet file that may be anything: one clear error, never a panic.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::RecordBatch;

use crate::error::{Error, ErrorKind, Result};

/// `PAR1`, at both ends of every file.
const MAGIC: [u8; 4] = *b"PAR1";
/// Magic, footer length, magic: nothing shorter is a file.
const SHORTEST: u64 = 12;
/// Rows a batch.
const BATCH_ROWS: usize = 65_536;

/// Reads a whole Parquet file.
///
/// Without a row group the result is one batch of zero rows, so that the schema is always there.
///
/// # Errors
///
/// [`NotFound`](ErrorKind::NotFound) for a missing file; [`Corrupt`](ErrorKind::Corrupt) for one
/// that is empty, truncated or altered, which is found out by size and footer first and then by
/// decoding behind a fence that also catches the decoder's panics; [`Unavailable`](ErrorKind::Unavailable)
/// when reading fails. Every error names the path.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<RecordBatch>> {
    let path = path.as_ref();
    let mut file = File::open(path).map_err(|error| failed(path, error))?;
    check_frame(&mut file, path)?;
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(file)));
    match decoded {
        Ok(Ok(batches)) => Ok(batches),
        Ok(Err(error)) => Err(corrupt(path, "can't be decoded").with_source(error)),
        Err(_) => Err(corrupt(path, "can't be decoded, the decoder gave up")),
    }
}

/// Size and footer, before anything is decoded.
fn check_frame(file: &mut File, path: &Path) -> Result<()> {
    let metadata = file.metadata().map_err(|error| failed(path, error))?;
    if !metadata.is_file() {
        let message = format!("not a file: path={}", path.display());
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    let size = metadata.len();
    if size < SHORTEST {
        return Err(corrupt(path, &format!("has only {size} bytes")));
    }
    let (mut head, mut tail) = ([0; 4], [0; 8]);
    let mut fill = || {
        file.read_exact(&mut head)?;
        file.seek(SeekFrom::End(-8))?;
        file.read_exact(&mut tail)?;
        file.rewind()
    };
    fill().map_err(|error| failed(path, error))?;
    let [a, b, c, d, end @ ..] = tail;
    if head != MAGIC || end != MAGIC {
        return Err(corrupt(path, "does not begin and end as a parquet file"));
    }
    if u64::from(u32::from_le_bytes([a, b, c, d])) > size - SHORTEST {
        return Err(corrupt(path, "has a footer longer than itself"));
    }
    Ok(())
}

fn decode(file: File) -> Result<Vec<RecordBatch>, Box<dyn std::error::Error + Send + Sync>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let schema = reader.schema().clone();
    let mut batches =
        reader.with_batch_size(BATCH_ROWS).build()?.collect::<Result<Vec<RecordBatch>, _>>()?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    Ok(batches)
}

fn corrupt(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("a parquet file {what}: path={}", path.display()))
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorKind::InvalidInput,
        std::io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("cannot read a parquet file: path={}", path.display()))
        .with_source(error)
}

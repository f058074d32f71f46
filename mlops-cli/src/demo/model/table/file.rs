//! Rows of a Parquet file that is not trusted.
//!
//! Its size, footer and row count are checked first, and a panic of the decoder becomes an error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::push_decoder::ParquetPushDecoderBuilder;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataPushDecoder};

use super::super::flights::stretch;
use super::{HOURS, hours};

const MAX_BYTES: usize = 256 << 20;
const MAX_ROWS: i64 = 20_000_000;
const MAGIC: &[u8] = b"PAR1";

/// Reads all rows.
pub(super) fn read_all(bytes: &[u8]) -> Result<RecordBatch> {
    guarded(bytes, decode)
}

/// Reads the rows of `[from, to)`, in seconds since 1970 (UTC).
pub(super) fn read_between(bytes: &[u8], from: i64, to: i64) -> Result<RecordBatch> {
    guarded(bytes, |bytes| decode_between(bytes, from, to))
}

/// A panic of the decoder is an error like any other.
fn guarded(bytes: &[u8], decode: impl Fn(&[u8]) -> Result<RecordBatch>) -> Result<RecordBatch> {
    check_frame(bytes)?;
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(bytes)));
    let batch = decoded.map_err(|_| anyhow!("the decoder gave up on a damaged file"))?;
    batch.context("not a readable parquet file of flights")
}

/// Refuses what can't be a Parquet file of a sane size before anything is allocated for it.
fn check_frame(bytes: &[u8]) -> Result<()> {
    ensure!(bytes.len() <= MAX_BYTES, "file is too large bytes={}", bytes.len());
    ensure!(bytes.len() >= 12, "file is too short for parquet bytes={}", bytes.len());
    ensure!(bytes.starts_with(MAGIC), "not a parquet file: it does not begin with PAR1");
    ensure!(bytes.ends_with(MAGIC), "parquet file is cut off: it does not end with PAR1");
    let at = bytes.len() - 8;
    let footer: [u8; 4] = bytes[at..at + 4].try_into()?;
    let footer = u32::from_le_bytes(footer) as usize;
    ensure!(footer <= bytes.len() - 12, "parquet footer is longer than its file footer={footer}");
    Ok(())
}

fn decode(bytes: &[u8]) -> Result<RecordBatch> {
    let (metadata, rows) = decode_metadata(bytes)?;
    read(bytes, ParquetPushDecoderBuilder::try_new_decoder(metadata)?, rows)
}

/// Finds the rows by the column of hours, which is sorted, and decodes no others.
fn decode_between(bytes: &[u8], from: i64, to: i64) -> Result<RecordBatch> {
    let (metadata, rows) = decode_metadata(bytes)?;
    let mask = ProjectionMask::columns(metadata.file_metadata().schema_descr(), [HOURS]);
    let all = ParquetPushDecoderBuilder::try_new_decoder(Arc::clone(&metadata))?;
    let time = hours(&read(bytes, all.with_projection(mask), rows)?)?;
    let wanted = stretch(&time, from, to);
    let selection = RowSelection::from_consecutive_ranges(std::iter::once(wanted.clone()), rows);
    let some = ParquetPushDecoderBuilder::try_new_decoder(metadata)?;
    read(bytes, some.with_row_selection(selection), wanted.len())
}

/// Decodes `rows` rows. The push decoder is used since it reads from a slice without a file.
fn read(bytes: &[u8], builder: ParquetPushDecoderBuilder, rows: usize) -> Result<RecordBatch> {
    let mut requests = 2 * builder.metadata().num_row_groups() + 2;
    let schema = Arc::clone(builder.schema());
    let mut decoder = builder.with_batch_size(1 << 16).build()?;
    let mut batches = Vec::new();
    let mut total = 0;
    loop {
        match decoder.try_decode()? {
            DecodeResult::NeedsData(ranges) => {
                requests = requests.checked_sub(1).context("the decoder asks without end")?;
                for range in ranges {
                    let part = slice(bytes, range.start, range.end)?;
                    decoder.push_range(range, part.to_vec().into())?;
                }
            }
            DecodeResult::Data(batch) => {
                total += batch.num_rows();
                ensure!(total <= rows, "more rows than the footer says rows={rows}");
                batches.push(batch);
            }
            DecodeResult::Finished => break,
        }
    }
    ensure!(total == rows, "fewer rows than the footer says rows={rows} read={total}");
    let schema = batches.first().map_or(schema, RecordBatch::schema);
    Ok(concat_batches(&schema, &batches)?)
}

/// What the footer says, and how many rows that is.
fn decode_metadata(bytes: &[u8]) -> Result<(Arc<ParquetMetaData>, usize)> {
    let mut decoder = ParquetMetaDataPushDecoder::try_new(bytes.len() as u64)?;
    // Footer, metadata and page index are at most three requests.
    for _ in 0..4 {
        match decoder.try_decode()? {
            DecodeResult::Data(metadata) => {
                let rows = metadata.file_metadata().num_rows();
                ensure!((0..=MAX_ROWS).contains(&rows), "row count is out of bounds rows={rows}");
                return Ok((Arc::new(metadata), rows as usize));
            }
            DecodeResult::Finished => break,
            DecodeResult::NeedsData(ranges) => {
                for range in ranges {
                    let part = slice(bytes, range.start, range.end)?;
                    decoder.push_range(range, part.to_vec().into())?;
                }
            }
        }
    }
    bail!("the metadata is incomplete")
}

fn slice(bytes: &[u8], start: u64, end: u64) -> Result<&[u8]> {
    bytes
        .get(start as usize..end as usize)
        .with_context(|| format!("range lies outside the file start={start} end={end}"))
}

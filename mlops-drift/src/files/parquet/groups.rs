//! The row groups of a Parquet file, one after the other, in batches that are not too large.

use std::fs::File;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups};
use ::parquet::arrow::{FieldLevels, ProjectionMask};
use ::parquet::basic::Type;
use ::parquet::column::page::PageIterator;
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use arrow::array::RecordBatch;
use arrow::datatypes::Field;

use super::super::fence::Broken;
use super::super::format::Batches;
use super::super::options::Limits;
use super::super::table::BATCH_ROWS;
use super::budget::Budget;
use super::pages::{OneChunk, Pages};
use super::views::Spelled;

/// The row groups of a file, one after the other.
pub(super) struct Groups {
    file: Arc<File>,
    budget: Arc<Budget>,
    /// Bytes of a batch, about.
    piece: usize,
    footer: Arc<ParquetMetaData>,
    mask: ProjectionMask,
    levels: FieldLevels,
    shown: Vec<Field>,
    /// The next row group.
    group: usize,
    reader: Option<ParquetRecordBatchReader>,
    /// Rows that the group still owes.
    rows_left: u64,
    spelled: Spelled,
}

impl Batches for Groups {
    fn next(&mut self) -> Result<Option<RecordBatch>, Broken> {
        loop {
            if let Some(batch) = self.spelled.next(&self.shown, self.piece)? {
                return Ok(Some(batch));
            }
            let Some(reader) = &mut self.reader else {
                if !self.open_next()? {
                    return Ok(None);
                }
                continue;
            };
            self.budget.begin();
            let batch = reader.next();
            if let Some(broken) = self.budget.take_broken() {
                return Err(broken);
            }
            let wrong = "a row group of a parquet file does not have the rows that it says it has";
            match batch {
                Some(batch) => {
                    let batch = batch?;
                    let left = self.rows_left.checked_sub(batch.num_rows() as u64);
                    self.rows_left = left.ok_or_else(|| Broken::corrupt(wrong))?;
                    self.spelled.add(batch);
                }
                None if self.rows_left > 0 => return Err(Broken::corrupt(wrong)),
                None => self.reader = None,
            }
        }
    }

    fn position(&self) -> u64 {
        self.budget.bytes_read()
    }
}

impl Groups {
    /// Before the first row group of a file. `levels` are of the columns in `mask`, which are `shown`.
    pub(super) fn new(
        file: File,
        footer: Arc<ParquetMetaData>,
        mask: ProjectionMask,
        levels: FieldLevels,
        shown: Vec<Field>,
        limits: &Limits,
    ) -> Self {
        Self {
            file: Arc::new(file),
            budget: Arc::new(Budget::new(limits.decoded_bytes)),
            piece: limits.decoded_bytes / 6,
            footer,
            mask,
            levels,
            shown,
            group: 0,
            reader: None,
            rows_left: 0,
            spelled: Spelled::default(),
        }
    }

    /// Goes to the next row group; `false` behind the last one.
    fn open_next(&mut self) -> Result<bool, Broken> {
        if self.group >= self.footer.num_row_groups() {
            return Ok(false);
        }
        let metadata = self.footer.row_group(self.group);
        let rows = self.rows(metadata);
        self.rows_left = u64::try_from(metadata.num_rows()).unwrap_or(0);
        let group = Group {
            file: &self.file,
            budget: &self.budget,
            footer: &self.footer,
            index: self.group,
        };
        let reader =
            ParquetRecordBatchReader::try_new_with_row_groups(&self.levels, &group, rows, None);
        if let Some(broken) = self.budget.take_broken() {
            return Err(broken);
        }
        self.reader = Some(reader?);
        self.group += 1;
        Ok(true)
    }

    /// Rows of a batch, so that wide rows make short batches.
    fn rows(&self, group: &RowGroupMetaData) -> usize {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
        let width = |chunk: &ColumnChunkMetaData| {
            let column = chunk.column_descr();
            let per_row = |total: i64| u64::try_from(total).unwrap_or(0) / rows;
            let value = match column.physical_type() {
                Type::BOOLEAN => 1,
                Type::INT32 | Type::FLOAT => 4,
                Type::INT64 | Type::DOUBLE => 8,
                Type::INT96 => 12,
                Type::BYTE_ARRAY => 16 + per_row(chunk.uncompressed_size()),
                Type::FIXED_LEN_BYTE_ARRAY => {
                    // Decimals become 16 or 32 bytes.
                    u64::try_from(column.type_length()).unwrap_or(0).max(32)
                }
            };
            value.saturating_add(4).saturating_mul(per_row(chunk.num_values()).max(1))
        };
        let chunks = group.columns().iter().enumerate();
        let chunks = chunks.filter(|(leaf, _)| self.mask.leaf_included(*leaf));
        let width = chunks.map(|(_, chunk)| width(chunk)).fold(1_u64, u64::saturating_add);
        let rows = self.piece as u64 / width;
        usize::try_from(rows).unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS)
    }
}

/// One row group, for the decoder.
struct Group<'a> {
    file: &'a Arc<File>,
    budget: &'a Arc<Budget>,
    footer: &'a ParquetMetaData,
    index: usize,
}

impl RowGroups for Group<'_> {
    fn num_rows(&self) -> usize {
        usize::try_from(self.footer.row_group(self.index).num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, column: usize) -> ParquetResult<Box<dyn PageIterator>> {
        let chunk = self.footer.row_group(self.index).column(column);
        let pages = Pages::new(Arc::clone(self.file), Arc::clone(self.budget), chunk);
        let pages = pages.map_err(|broken| {
            self.budget.keep(broken);
            ParquetError::General("a column can't be read".to_owned())
        })?;
        Ok(Box::new(OneChunk(Some(pages))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.footer.row_group(self.index)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.footer
    }
}

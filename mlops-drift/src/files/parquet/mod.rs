//! Parquet: the footer checked before it is decoded, then row group by row group, page by page.

mod budget;
mod codec;
mod delta;
mod footer;
mod header;
mod pages;
mod thrift;
mod views;

use std::fs::File;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups};
use ::parquet::arrow::{
    FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema,
};
use ::parquet::basic::Type;
use ::parquet::column::page::PageIterator;
use ::parquet::errors::Result as ParquetResult;
use ::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::{Field, Fields};

use self::budget::Budget;
use self::pages::{OneChunk, Pages};
use self::views::Spelled;
use super::fence::Broken;
use super::format::{Batches, Opened, Reader};
use super::options::Limits;
use super::table::BATCH_ROWS;

/// Footers of this many bytes are kept decoded between scans.
const KEPT_FOOTER: usize = 64 << 10;

/// What is kept of a Parquet file.
#[derive(Debug, Clone)]
pub(super) struct Parquet {
    size: u64,
    footer: Option<Arc<ParquetMetaData>>,
}

/// Columns as they are decoded and as they are shown.
struct Columns {
    read: Fields,
    shown: Vec<Field>,
}

/// Reads the footer.
pub(super) fn open(file: &mut File, size: u64, limits: &Limits) -> Result<Opened, Broken> {
    let (footer, length) = footer::read(file, size, limits)?;
    let fields = columns(&footer)?.shown;
    let rows = u64::try_from(footer.file_metadata().num_rows()).ok();
    let footer = (length <= KEPT_FOOTER).then(|| Arc::new(footer));
    Ok(Opened { fields, rows, reader: Reader::Parquet(Parquet { size, footer }) })
}

fn columns(footer: &ParquetMetaData) -> Result<Columns, Broken> {
    let file = footer.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    let read: Fields = schema.fields().iter().map(|field| views::view_field(field)).collect();
    let levels =
        parquet_to_arrow_field_levels(file.schema_descr(), ProjectionMask::all(), Some(&read))?;
    let decoded =
        ParquetRecordBatchReader::try_new_with_row_groups(&levels, &NoRows(footer), 1, None)?;
    let decoded = decoded.schema();
    let pairs = schema.fields().iter().zip(decoded.fields());
    let shown = pairs.map(|(declared, decoded)| {
        let data_type = views::shown(declared.data_type(), decoded.data_type());
        Field::new(decoded.name(), data_type, true)
    });
    let shown = shown.collect();
    Ok(Columns { read, shown })
}

impl Parquet {
    pub(super) fn batches(
        &self,
        mut file: File,
        wanted: &[usize],
        limits: &Limits,
    ) -> Result<Box<dyn Batches>, Broken> {
        if file.metadata()?.len() != self.size {
            return Err(Broken::corrupt("a parquet file was changed while it was in use"));
        }
        let footer = match &self.footer {
            Some(footer) => Arc::clone(footer),
            None => Arc::new(footer::read(&mut file, self.size, limits)?.0),
        };
        let columns = columns(&footer)?;
        let schema = footer.file_metadata().schema_descr();
        let mask = ProjectionMask::roots(schema, wanted.iter().copied());
        let levels = parquet_to_arrow_field_levels(schema, mask.clone(), Some(&columns.read))?;
        let shown = wanted.iter().filter_map(|&at| columns.shown.get(at).cloned()).collect();
        Ok(Box::new(Groups {
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
        }))
    }
}

/// The row groups of a file, one after the other.
struct Groups {
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
        let width = |chunk: &::parquet::file::metadata::ColumnChunkMetaData| {
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
            ::parquet::errors::ParquetError::General("a column can't be read".to_owned())
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

/// No row group at all: enough to learn which types columns are decoded as.
struct NoRows<'a>(&'a ParquetMetaData);

impl RowGroups for NoRows<'_> {
    fn num_rows(&self) -> usize {
        0
    }

    fn column_chunks(&self, _: usize) -> ParquetResult<Box<dyn PageIterator>> {
        Ok(Box::new(OneChunk(None)))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::empty())
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.0
    }
}

//! Parquet: the footer checked before it is decoded, then row group by row group, page by page.

mod budget;
mod codec;
mod delta;
mod footer;
mod groups;
mod header;
mod lengths;
mod pages;
mod thrift;
mod views;

use std::fs::File;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups};
use ::parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema};
use ::parquet::column::page::PageIterator;
use ::parquet::errors::Result as ParquetResult;
use ::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use arrow::array::RecordBatchReader;
use arrow::datatypes::{Field, Fields, Schema};

use self::groups::Groups;
use self::pages::OneChunk;
use super::fence::Broken;
use super::format::{Batches, Opened, Reader};
use super::options::Limits;

/// Footers of this many bytes are kept decoded between scans.
const KEPT_FOOTER: usize = 64 << 10;

/// What is kept of a Parquet file.
#[derive(Debug, Clone)]
pub(super) struct Parquet {
    size: u64,
    footer: Option<Arc<ParquetMetaData>>,
}

/// Reads the footer.
pub(super) fn open(file: &mut File, size: u64, limits: &Limits) -> Result<Opened, Broken> {
    let (footer, length) = footer::read(file, size, limits)?;
    let fields = shown(&footer)?;
    let rows = u64::try_from(footer.file_metadata().num_rows()).ok();
    let footer = (length <= KEPT_FOOTER).then(|| Arc::new(footer));
    Ok(Opened { fields, rows, reader: Reader::Parquet(Parquet { size, footer }) })
}

/// The columns as the file declares them, and the types that they are decoded as.
fn declared(footer: &ParquetMetaData) -> Result<(Schema, Fields), Broken> {
    let file = footer.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    let hints = schema.fields().iter().map(|field| views::view_field(field)).collect();
    Ok((schema, hints))
}

/// The columns as they are shown.
fn shown(footer: &ParquetMetaData) -> Result<Vec<Field>, Broken> {
    let (schema, hints) = declared(footer)?;
    let descriptor = footer.file_metadata().schema_descr();
    let levels = parquet_to_arrow_field_levels(descriptor, ProjectionMask::all(), Some(&hints))?;
    let decoded =
        ParquetRecordBatchReader::try_new_with_row_groups(&levels, &NoRows(footer), 1, None)?;
    let decoded = decoded.schema();
    let pairs = schema.fields().iter().zip(decoded.fields());
    let shown = pairs.map(|(declared, decoded)| {
        let data_type = views::shown(declared.data_type(), decoded.data_type());
        Field::new(decoded.name(), data_type, true)
    });
    Ok(shown.collect())
}

impl Parquet {
    pub(super) fn batches(
        &self,
        mut file: File,
        fields: &[Field],
        wanted: &[usize],
        limits: &Limits,
    ) -> Result<Box<dyn Batches>, Broken> {
        let changed = || Broken::corrupt("a parquet file was changed while it was in use");
        if file.metadata()?.len() != self.size {
            return Err(changed());
        }
        let footer = match &self.footer {
            Some(footer) => Arc::clone(footer),
            None => Arc::new(footer::read(&mut file, self.size, limits)?.0),
        };
        let (schema, hints) = declared(&footer)?;
        if !schema.fields().iter().map(|field| field.name()).eq(fields.iter().map(Field::name)) {
            return Err(changed());
        }
        let descriptor = footer.file_metadata().schema_descr();
        let mask = ProjectionMask::roots(descriptor, wanted.iter().copied());
        let levels = parquet_to_arrow_field_levels(descriptor, mask.clone(), Some(&hints))?;
        let shown = wanted.iter().filter_map(|&at| fields.get(at).cloned()).collect();
        Ok(Box::new(Groups::new(file, footer, mask, levels, shown, limits)))
    }

    /// Keeps nothing of the footer.
    pub(super) fn forget(&mut self) {
        self.footer = None;
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

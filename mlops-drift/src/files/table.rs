//! A table over one or many files, which can be read again and again, by several threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::fence::{Broken, fenced};
use super::find::find;
use super::format::{Batches, Format, Opened, open};
use super::options::{Progress, TableOptions};
use super::order::Order;
use super::settle::{agree, settle};
use crate::error::{Error, ErrorKind, Result};

/// Rows of a batch at most.
pub(super) const BATCH_ROWS: usize = 65_536;

/// Files of which more than schemas is kept between scans.
const KEPT_FILES: usize = 64;

/// One or many files with the same columns.
///
/// Files are looked at when the table is opened, and opened again by each scan. What is kept between is
/// what the next scan needs: schemas and, of a few small Parquet files, footers.
#[derive(Debug, Clone)]
pub struct Table {
    parts: Vec<Part>,
    fields: Vec<Field>,
    schema: SchemaRef,
    options: TableOptions,
}

/// A file of a table.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) opened: Opened,
}

impl Table {
    /// Opens files, folders and patterns (`logs/2026-*/*.parquet`) as one table.
    ///
    /// Of a folder, all files with an ending that is known are taken, those in folders within it,
    /// too, by path; names that begin with a dot or an underscore are passed over. A name that exists
    /// is never a pattern. A file that is named twice is read once.
    ///
    /// All files must have the same columns with the same types, in any order. CSV columns take the
    /// types of the other files; without any, those that the first rows of all of them fit.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) where there is no file;
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for what is no file of a known format;
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for one that is damaged;
    /// [`SchemaChanged`](crate::ErrorKind::SchemaChanged) for one with other columns;
    /// [`TooLarge`](crate::ErrorKind::TooLarge) beyond the limits;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when reading fails. Each names the path.
    pub fn open(sources: &[impl AsRef<Path>]) -> Result<Self> {
        Self::open_with(sources, &TableOptions::default())
    }

    /// As [`Table::open`], with options.
    ///
    /// # Errors
    ///
    /// As [`Table::open`].
    pub fn open_with(sources: &[impl AsRef<Path>], options: &TableOptions) -> Result<Self> {
        let mut parts = look(sources, None, options)?;
        settle([&mut parts, &mut Vec::new()]);
        Self::of(parts, options)
    }

    /// Opens two tables that are to be compared: CSV columns of either take the types of the other
    /// side's files where their own side has none, or those that the first rows of both sides fit.
    ///
    /// # Errors
    ///
    /// As [`Table::open`].
    pub fn open_both(
        reference: &[impl AsRef<Path>],
        current: &[impl AsRef<Path>],
        options: &TableOptions,
    ) -> Result<(Self, Self)> {
        let (mut left, mut right) =
            (look(reference, None, options)?, look(current, None, options)?);
        settle([&mut left, &mut right]);
        Ok((Self::of(left, options)?, Self::of(right, options)?))
    }

    /// Opens one file that must be a Parquet file.
    #[cfg(feature = "parquet")]
    pub(crate) fn open_parquet(path: &Path) -> Result<Self> {
        let options = TableOptions::default();
        Self::of(look(&[path], Some(Format::Parquet), &options)?, &options)
    }

    fn of(parts: Vec<Part>, options: &TableOptions) -> Result<Self> {
        let fields = agree(&parts, &options.limits)?;
        let mut rows: u64 = 0;
        for part in &parts {
            rows = rows.saturating_add(part.opened.rows.unwrap_or(0));
            if rows > options.limits.rows {
                let what = format!("more than {} rows", options.limits.rows);
                return Err(Broken::too_large(what).at(&part.path));
            }
        }
        let schema = Arc::new(Schema::new(fields.clone()));
        Ok(Self { parts, fields, schema, options: options.clone() })
    }

    /// Names and types of the columns, all nullable.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// How many rows there are; `None` if a file does not say so, as CSV files don't.
    #[must_use]
    pub fn rows(&self) -> Option<u64> {
        self.parts.iter().map(|part| part.opened.rows).sum()
    }

    /// The size of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// The files, in the order in which they are read.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.parts.iter().map(|part| part.path.as_path())
    }

    /// Reads all rows once, in batches of at most 65,536 rows, and hands each batch to `each`.
    ///
    /// `columns` names the columns that are decoded, in the order in which batches have them; `None`
    /// means all. The order of rows is the same each time. Several threads may scan at once.
    ///
    /// # Errors
    ///
    /// [`UnknownColumn`](crate::ErrorKind::UnknownColumn) for a name that the table has not, before
    /// anything is read; those of [`Table::open`] for a file that turns out damaged or was changed;
    /// whatever `each` returns, at once.
    pub fn scan(
        &self,
        columns: Option<&[&str]>,
        each: &mut dyn FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let wanted = self.choose(columns)?;
        let mut rows = 0;
        for part in &self.parts {
            self.scan_part(part, &wanted, &mut rows, each)?;
        }
        Ok(())
    }

    /// Reads the columns that are named (or all) at once, as batches; at least one, perhaps of no row.
    ///
    /// Where all columns together are beyond the limits, they are read one after the other, and all
    /// rows make one batch.
    ///
    /// # Errors
    ///
    /// As [`Table::scan`].
    pub fn read(&self, columns: Option<&[&str]>) -> Result<Vec<RecordBatch>> {
        let wanted = self.choose(columns)?;
        let mut batches = match self.gather(columns) {
            Err(error) if error.kind() == ErrorKind::TooLarge && wanted.len() > 1 => {
                self.gather_one_by_one(&wanted)?
            }
            gathered => gathered?,
        };
        if batches.is_empty() {
            let fields: Vec<Field> = wanted.into_iter().cloned().collect();
            batches.push(RecordBatch::new_empty(Arc::new(Schema::new(fields))));
        }
        Ok(batches)
    }

    fn gather(&self, columns: Option<&[&str]>) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        self.scan(columns, &mut |batch| {
            batches.push(batch.clone());
            Ok(())
        })?;
        Ok(batches)
    }

    fn gather_one_by_one(&self, wanted: &[&Field]) -> Result<Vec<RecordBatch>> {
        let mut columns = Vec::with_capacity(wanted.len());
        for field in wanted {
            let batches = self.gather(Some(&[field.name().as_str()]))?;
            let parts: Vec<&dyn Array> =
                batches.iter().map(|batch| batch.column(0).as_ref()).collect();
            if parts.is_empty() {
                return Ok(Vec::new());
            }
            let whole = concat(&parts).map_err(|error| {
                let message =
                    format!("a column does not fit into one array: column={}", field.name());
                Error::new(ErrorKind::TooLarge, message).with_source(error)
            })?;
            columns.push((field.name(), whole, true));
        }
        let batch = RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| {
            Error::new(ErrorKind::Corrupt, "columns of a table have other lengths")
                .with_source(error)
        })?;
        Ok(vec![batch])
    }

    fn choose(&self, columns: Option<&[&str]>) -> Result<Vec<&Field>> {
        let Some(columns) = columns else { return Ok(self.fields.iter().collect()) };
        if columns.is_empty() {
            return Err(Error::invalid("no column was asked for"));
        }
        let find = |name: &&str| {
            self.fields.iter().find(|field| field.name() == name).ok_or_else(|| {
                Error::unknown_column(name, self.fields.iter().map(|field| field.name().as_str()))
            })
        };
        columns.iter().map(find).collect()
    }

    fn scan_part(
        &self,
        part: &Part,
        wanted: &[&Field],
        rows: &mut u64,
        each: &mut dyn FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let order = Order::new(part, wanted);
        let limits = &self.options.limits;
        let mut batches = fenced(&part.path, || {
            part.opened.reader.batches(&part.path, &part.opened.fields, &order.positions, limits)
        })?;
        let mut told = 0;
        while let Some(batch) = fenced(&part.path, || next(batches.as_mut(), &order))? {
            *rows = rows.saturating_add(batch.num_rows() as u64);
            if *rows > limits.rows {
                let what = format!("more than {} rows", limits.rows);
                return Err(Broken::too_large(what).at(&part.path));
            }
            each(&batch)?;
            let position = batches.position().min(part.bytes);
            let bytes = position.saturating_sub(told);
            told += bytes;
            self.options.tell(Progress { rows: batch.num_rows() as u64, bytes });
        }
        self.options.tell(Progress { rows: 0, bytes: part.bytes - told });
        Ok(())
    }
}

/// All files, each with the columns that it says it has.
fn look(
    sources: &[impl AsRef<Path>],
    only: Option<Format>,
    options: &TableOptions,
) -> Result<Vec<Part>> {
    let paths = find(sources, &options.limits)?;
    let one = |(at, path): (usize, PathBuf)| {
        let (bytes, mut opened) = fenced(&path, || open(&path, only, &options.limits))?;
        if at >= KEPT_FILES {
            opened.reader.forget();
        }
        Ok(Part { path, bytes, opened })
    };
    paths.into_iter().enumerate().map(one).collect()
}

fn next(batches: &mut dyn Batches, order: &Order) -> Result<Option<RecordBatch>, Broken> {
    loop {
        match batches.next()? {
            None => return Ok(None),
            Some(batch) if batch.num_rows() == 0 => {}
            Some(batch) => return order.arrange(&batch).map(Some),
        }
    }
}

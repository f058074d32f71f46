//! A table over one or many files, which can be read again and again, by several threads.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::fence::{Broken, fenced};
use super::find::find;
use super::format::{Batches, Format, Opened, open};
use super::options::{Progress, TableOptions};
use super::settle::{agree, settle};
use crate::error::{Error, Result};

/// Rows of a batch at most.
pub(super) const BATCH_ROWS: usize = 65_536;

/// One or many files with the same columns.
///
/// Files are looked at when the table is opened, and opened again by each scan. What is kept between is
/// what the next scan needs: schemas and, of small Parquet files, footers.
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
    /// # Errors
    ///
    /// As [`Table::scan`].
    pub fn read(&self, columns: Option<&[&str]>) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        self.scan(columns, &mut |batch| {
            batches.push(batch.clone());
            Ok(())
        })?;
        if batches.is_empty() {
            let fields: Vec<Field> = self.choose(columns)?.into_iter().cloned().collect();
            batches.push(RecordBatch::new_empty(Arc::new(Schema::new(fields))));
        }
        Ok(batches)
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
    let one = |path: PathBuf| {
        let (bytes, opened) = fenced(&path, || open(&path, only, &options.limits))?;
        Ok(Part { path, bytes, opened })
    };
    paths.into_iter().map(one).collect()
}

/// How the columns of a file become those that were asked for.
struct Order {
    /// The columns to decode, as positions in the file, rising.
    positions: Vec<usize>,
    /// For each column asked for, which of those it is.
    slots: Vec<usize>,
}

impl Order {
    fn new(part: &Part, wanted: &[&Field]) -> Self {
        let own = part.opened.fields.iter().enumerate();
        let own: HashMap<&str, usize> =
            own.map(|(at, field)| (field.name().as_str(), at)).collect();
        let find = |field: &&Field| own.get(field.name().as_str()).copied();
        let asked: Vec<usize> = wanted.iter().filter_map(find).collect();
        let mut positions = asked.clone();
        positions.sort_unstable();
        positions.dedup();
        let slot = |position: &usize| positions.binary_search(position).ok();
        let slots = asked.iter().filter_map(slot).collect();
        Self { positions, slots }
    }

    /// Puts the columns of a batch in order. Each is nullable, and has the type that it was decoded as.
    fn arrange(&self, batch: &RecordBatch) -> Result<RecordBatch, Broken> {
        let mut fields = Vec::with_capacity(self.slots.len());
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let (Some(column), Some(field)) =
                (batch.columns().get(*slot), batch.schema_ref().fields().get(*slot))
            else {
                return Err(Broken::corrupt("a file lost a column while it was read"));
            };
            fields.push(Field::new(field.name(), column.data_type().clone(), true));
            columns.push(Arc::clone(column));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::new(Schema::new(fields));
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }
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

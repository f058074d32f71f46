//! CSV with a header: types from the first rows, and each cell that does not fit them named by line.

mod guess;
mod records;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, StringBuilder};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema};

use self::guess::guess;
use self::records::Records;
use super::fence::Broken;
use super::format::{Batches, Opened, Reader};
use super::options::Limits;
use super::settle::Guess;
use super::table::BATCH_ROWS;

/// Most bytes that types are inferred from, whatever the rows.
const GUESSED_BYTES: u64 = 16 << 20;

/// What is kept of a CSV file.
#[derive(Debug, Clone)]
pub(super) struct Csv {
    delimiter: u8,
    guesses: Vec<Guess>,
}

/// Reads the header and the first rows.
pub(super) fn open(file: File, limits: &Limits) -> Result<Opened, Broken> {
    let mut records = Records::open(file, limits)?;
    let names = header(&mut records, limits)?;
    let mut guesses = vec![Guess::default(); names.len()];
    let mut rows = 0;
    while rows < limits.inferred_rows && records.position() < GUESSED_BYTES && records.next()? {
        // A row of another length is an error of the scan, which knows its line.
        for (slot, seen) in guesses.iter_mut().enumerate() {
            if let Some(cell) = records.cell(slot) {
                *seen = seen.and(guess(cell));
            }
        }
        rows += 1;
    }
    let fields = names.into_iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let reader = Reader::Csv(Csv { delimiter: records.delimiter(), guesses });
    Ok(Opened { fields, rows: None, reader })
}

fn header(records: &mut Records, limits: &Limits) -> Result<Vec<String>, Broken> {
    records.expect_at_most(limits.columns);
    if !records.next()? {
        return Err(Broken::corrupt("a csv file has no header"));
    }
    if records.cells() > limits.columns {
        return Err(Broken::too_large(format!("more than {} columns", limits.columns)));
    }
    let name = |slot| {
        let cell = records.cell(slot).unwrap_or_default();
        let name = std::str::from_utf8(cell);
        name.map(ToOwned::to_owned).map_err(|_| Broken::corrupt("a csv file's header is not utf-8"))
    };
    let names: Vec<String> = (0..records.cells()).map(name).collect::<Result<_, _>>()?;
    records.expect_at_most(names.len());
    Ok(names)
}

impl Csv {
    pub(super) fn guesses(&self) -> &[Guess] {
        &self.guesses
    }

    pub(super) fn batches(
        &self,
        file: File,
        path: &Path,
        fields: &[Field],
        wanted: &[usize],
        limits: &Limits,
    ) -> Result<Box<dyn Batches>, Broken> {
        let columns: Vec<(usize, Field)> =
            wanted.iter().filter_map(|&at| Some((at, fields.get(at)?.clone()))).collect();
        for (_, field) in &columns {
            if !can_cast_types(&DataType::Utf8, field.data_type()) {
                let what = format!(
                    "a csv file can't hold a column of this type: column={} type={}",
                    field.name(),
                    field.data_type()
                );
                return Err(Broken::unusable(what));
            }
        }
        let mut records = Records::open(file, limits)?;
        let names = header(&mut records, limits)?;
        if names.len() != fields.len() || records.delimiter() != self.delimiter {
            return Err(Broken::corrupt("a csv file was changed while it was in use"));
        }
        let share = limits.decoded_bytes / (64 * columns.len().max(1));
        Ok(Box::new(Rows {
            records,
            width: names.len(),
            columns,
            path: path.to_owned(),
            most_rows: share.clamp(1, BATCH_ROWS),
            most_bytes: limits.decoded_bytes / 8,
        }))
    }
}

/// The rows of a file, a batch at a time.
struct Rows {
    records: Records,
    /// Cells of a row.
    width: usize,
    columns: Vec<(usize, Field)>,
    path: PathBuf,
    most_rows: usize,
    most_bytes: usize,
}

impl Batches for Rows {
    fn next(&mut self) -> Result<Option<RecordBatch>, Broken> {
        let mut texts: Vec<StringBuilder> =
            self.columns.iter().map(|_| StringBuilder::new()).collect();
        let (mut starts, mut bytes) = (Vec::new(), 0);
        while starts.len() < self.most_rows && bytes < self.most_bytes && self.records.next()? {
            let found = self.records.cells();
            if found != self.width {
                let what = "a row has another number of cells than the header";
                let more = if found > self.width { " or more" } else { "" };
                let counts = format!("expected={} found={found}{more}", self.width);
                return Err(self.wrong(self.records.start(), &format!("{what}: {counts}")));
            }
            for ((slot, field), text) in self.columns.iter().zip(&mut texts) {
                let cell = self.records.cell(*slot).unwrap_or_default();
                bytes += cell.len();
                let Ok(cell) = std::str::from_utf8(cell) else {
                    let what = format!("a cell is not utf-8: column={}", field.name());
                    return Err(self.wrong(self.records.start(), &what));
                };
                let cell = if is_text(field.data_type()) { cell } else { cell.trim() };
                text.append_option((!cell.is_empty()).then_some(cell));
            }
            starts.push(self.records.start());
        }
        if starts.is_empty() {
            return Ok(None);
        }
        let arrays = self.columns.iter().zip(&mut texts);
        let arrays: Vec<ArrayRef> = arrays
            .map(|((_, field), text)| self.convert(field, text.finish(), &starts))
            .collect::<Result<_, _>>()?;
        let fields: Vec<Field> = self.columns.iter().map(|(_, field)| field.clone()).collect();
        Ok(Some(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?))
    }

    fn position(&self) -> u64 {
        self.records.position()
    }
}

impl Rows {
    /// Cells as values of the column's type; one that is none is an error.
    fn convert(
        &self,
        field: &Field,
        cells: StringArray,
        starts: &[u64],
    ) -> Result<ArrayRef, Broken> {
        if field.data_type() == &DataType::Utf8 {
            return Ok(Arc::new(cells));
        }
        let options = CastOptions { safe: true, ..CastOptions::default() };
        let values = cast_with_options(&cells, field.data_type(), &options)?;
        let scale = match field.data_type() {
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale) => Some(*scale),
            _ => None,
        };
        if values.null_count() == cells.null_count() && scale.is_none() {
            return Ok(values);
        }
        let is_unfit = |row: usize| {
            let lost = || values.is_null(row);
            let rounded = || scale.is_some_and(|scale| decimals(cells.value(row)) > scale.into());
            cells.is_valid(row) && (lost() || rounded())
        };
        match (0..cells.len()).find(|row| is_unfit(*row)) {
            None => Ok(values),
            Some(row) => {
                let value: String = cells.value(row).chars().take(40).collect();
                let what = format!(
                    "a cell does not fit its column: value={value:?} column={} type={}",
                    field.name(),
                    field.data_type()
                );
                Err(self.wrong(starts.get(row).copied().unwrap_or_default(), &what))
            }
        }
    }

    /// An error that names the line on which a row begins.
    fn wrong(&self, start: u64, what: &str) -> Broken {
        match records::line(&self.path, start) {
            Ok(line) => Broken::corrupt(format!("{what} line={line}")),
            Err(error) => error.into(),
        }
    }
}

fn is_text(data_type: &DataType) -> bool {
    use DataType::{LargeUtf8, Utf8, Utf8View};
    match data_type {
        Utf8 | LargeUtf8 | Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Digits behind the point, without zeros at the end; many if there is an exponent.
fn decimals(number: &str) -> i32 {
    if number.contains(['e', 'E']) {
        return i32::MAX;
    }
    let digits = number.split_once('.').map_or("", |(_, digits)| digits.trim_end_matches('0'));
    i32::try_from(digits.len()).unwrap_or(i32::MAX)
}

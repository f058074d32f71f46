//! Flights to and from Arrow and Parquet.
//!
//! The published data set and the file that one pipeline step hands to the next share one reader:
//! the first carries `arr_delay` (minutes), the second `late` (the label that follows from it).
//! Identical flights give identical bytes. `file` reads what is not trusted.

mod file;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Int32Array, LargeStringArray,
    PrimitiveArray, RecordBatch, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float32Type, Int32Type, TimeUnit, TimestampMicrosecondType,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::flights::{Category, Flights, WEATHER};

/// A flight is late from this many minutes after its scheduled arrival on (exclusive).
const LATE_AFTER: f32 = 15.0;
const MICROS: i64 = 1_000_000;
const HOURS: &str = "time_hour";

impl Flights {
    /// Reads flights from the bytes of a Parquet file, sorted by `time_hour`.
    ///
    /// # Errors
    /// A file that is too large, cut off, damaged or of another schema; rows out of order; a value
    /// outside its range (an hour of 24, say).
    pub(crate) fn from_parquet(bytes: &[u8]) -> Result<Self> {
        Self::from_batch(&file::read_all(bytes)?)
    }

    /// Reads the flights of `[from, to)` alone, in seconds since 1970 (UTC).
    ///
    /// # Errors
    /// As [`Flights::from_parquet`]; rows outside the stretch are not looked at.
    pub(crate) fn from_parquet_between(bytes: &[u8], from: i64, to: i64) -> Result<Self> {
        Self::from_batch(&file::read_between(bytes, from, to)?)
    }

    /// Writes the flights as a Parquet file; the same flights give the same bytes.
    ///
    /// # Errors
    /// Columns of different lengths.
    pub(crate) fn to_parquet(&self) -> Result<Vec<u8>> {
        let batch = self.to_batch()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_created_by("mlops demo".to_owned())
            .build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(bytes)
    }

    /// Reads flights from an Arrow batch. Neither `arr_delay` nor `late` need be there: rows that
    /// are only to be scored have no label. Without a weather column its readings are null.
    ///
    /// # Errors
    /// A missing column, a type that does not convert, a null in a schedule column, a value outside
    /// its range, rows out of order.
    pub(crate) fn from_batch(batch: &RecordBatch) -> Result<Self> {
        let time = hours(batch)?;
        let mut weather: [Vec<f32>; WEATHER.len()] = Default::default();
        for (column, name) in weather.iter_mut().zip(WEATHER) {
            *column = reading(batch, name)?;
        }
        Ok(Self {
            time,
            origin: names(batch, "origin")?,
            dest: names(batch, "dest")?,
            carrier: names(batch, "carrier")?,
            hour: integers(batch, "hour", 23)?,
            minute: integers(batch, "minute", 59)?,
            distance: integers(batch, "distance", i32::from(u16::MAX))?,
            weather,
            label: labels(batch)?,
        })
    }

    /// The flights as one Arrow batch: the columns of the data set, with `late` for `arr_delay`.
    ///
    /// # Errors
    /// Columns of different lengths.
    pub(crate) fn to_batch(&self) -> Result<RecordBatch> {
        let time = self.time.iter().map(|seconds| seconds * MICROS);
        let time = TimestampMicrosecondArray::from_iter_values(time).with_timezone("UTC");
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            (HOURS, Arc::new(time)),
            ("origin", strings(&self.origin)),
            ("dest", strings(&self.dest)),
            ("carrier", strings(&self.carrier)),
            ("hour", ints(&self.hour)),
            ("minute", ints(&self.minute)),
            ("distance", ints(&self.distance)),
        ];
        for (name, column) in WEATHER.into_iter().zip(&self.weather) {
            let readings = column.iter().map(|value| (!value.is_nan()).then_some(*value));
            columns.push((name, Arc::new(readings.collect::<Float32Array>())));
        }
        columns.push(("late", Arc::new(BooleanArray::from(self.label.clone()))));
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }
}

fn utc_micros() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn column(batch: &RecordBatch, name: &str, to: &DataType) -> Result<ArrayRef> {
    let column = batch.column_by_name(name).with_context(|| format!("no column name={name}"))?;
    cast(column, to).with_context(|| format!("column has another type name={name}"))
}

/// A column of numbers without nulls.
fn whole<T: ArrowPrimitiveType>(
    batch: &RecordBatch,
    name: &str,
    to: &DataType,
) -> Result<PrimitiveArray<T>> {
    let column = column(batch, name, to)?;
    let typed = column.as_primitive_opt::<T>().cloned();
    let typed = typed.with_context(|| format!("column has another type name={name}"))?;
    ensure!(typed.null_count() == 0, "column has nulls name={name} nulls={}", typed.null_count());
    Ok(typed)
}

fn integers<T: TryFrom<i32>>(batch: &RecordBatch, name: &str, largest: i32) -> Result<Vec<T>> {
    let column = whole::<Int32Type>(batch, name, &DataType::Int32)?;
    let checked = |value: &i32| {
        let fits = (0..=largest).contains(value).then(|| T::try_from(*value).ok()).flatten();
        fits.with_context(|| format!("value is out of range name={name} value={value}"))
    };
    column.values().iter().map(checked).collect()
}

fn names(batch: &RecordBatch, name: &str) -> Result<Category> {
    let column = column(batch, name, &DataType::LargeUtf8)?;
    ensure!(column.null_count() == 0, "column has nulls name={name}");
    let typed = column.as_string_opt::<i64>();
    let typed = typed.with_context(|| format!("column has another type name={name}"))?;
    Category::from_names((0..typed.len()).map(|row| typed.value(row)))
}

/// The scheduled hours, in seconds since 1970.
fn hours(batch: &RecordBatch) -> Result<Vec<i64>> {
    let time = whole::<TimestampMicrosecondType>(batch, HOURS, &utc_micros())?;
    let time: Vec<i64> = time.values().iter().map(|micros| micros.div_euclid(MICROS)).collect();
    ensure!(time.is_sorted(), "flights are not sorted by {HOURS}");
    Ok(time)
}

/// Minutes or a reading: null and infinity become NaN.
fn floats(batch: &RecordBatch, name: &str) -> Result<Vec<f32>> {
    let column = column(batch, name, &DataType::Float32)?;
    let typed = column.as_primitive_opt::<Float32Type>();
    let typed = typed.with_context(|| format!("column has another type name={name}"))?;
    let value = |value: Option<f32>| value.filter(|v| v.is_finite()).unwrap_or(f32::NAN);
    Ok(typed.iter().map(value).collect())
}

fn reading(batch: &RecordBatch, name: &str) -> Result<Vec<f32>> {
    match batch.column_by_name(name) {
        Some(_) => floats(batch, name),
        None => Ok(vec![f32::NAN; batch.num_rows()]),
    }
}

fn labels(batch: &RecordBatch) -> Result<Vec<Option<bool>>> {
    if batch.column_by_name("late").is_some() {
        let late = column(batch, "late", &DataType::Boolean)?;
        let late = late.as_boolean_opt().context("column has another type name=late")?;
        return Ok(late.iter().collect());
    }
    if batch.column_by_name("arr_delay").is_none() {
        return Ok(vec![None; batch.num_rows()]);
    }
    let label = |delay: f32| (!delay.is_nan()).then_some(delay > LATE_AFTER);
    Ok(floats(batch, "arr_delay")?.into_iter().map(label).collect())
}

fn strings(category: &Category) -> ArrayRef {
    let rows = (0..category.codes.len()).map(|row| category.name(row));
    Arc::new(LargeStringArray::from_iter_values(rows))
}

fn ints<T: Copy + Into<i32>>(values: &[T]) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values.iter().map(|value| (*value).into())))
}

#[cfg(test)]
mod tests;

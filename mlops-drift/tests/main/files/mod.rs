//! Tables from files: what was written is read, and what is damaged or hostile is one clear error.

#![expect(clippy::unwrap_used, reason = "a test ends where its files can't be made")]

mod csv;
mod damage;
mod hostile;
mod sources;
mod whole;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::WriterProperties;
use mlops_drift::arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float64Array, Int32Array, ListArray,
    RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use mlops_drift::arrow::compute::concat_batches;
use mlops_drift::arrow::datatypes::{Float64Type, Int8Type};
use mlops_drift::arrow::ipc::CompressionType;
use mlops_drift::arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use mlops_drift::files::Table;

use super::batch;

/// Columns of many types, with nulls and repeated values.
fn sample(rows: i32) -> RecordBatch {
    let every = |n: i32| move |row: i32| (row % n != 0).then_some(row);
    let floats = (0..rows).map(|row| every(5)(row).map(|row| f64::from(row) / 7.0));
    let texts = (0..rows).map(|row| every(11)(row).map(|row| format!("näme {}", row % 13)));
    let texts: Vec<Option<String>> = texts.collect();
    let words = (0..rows).map(|row| ["a", "b", "ç"][usize::try_from(row % 3).unwrap()]);
    let lists = (0..rows).map(|row| {
        (row % 4 != 0).then(|| (0..row % 3).map(|at| Some(f64::from(at + row))).collect::<Vec<_>>())
    });
    let dictionary: DictionaryArray<Int8Type> = words.collect();
    let decimals = (0..rows).map(|row| i128::from(row) * 1_000_003);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("int", Arc::new(Int32Array::from_iter((0..rows).map(every(7))))),
        ("float", Arc::new(Float64Array::from_iter(floats))),
        ("text", Arc::new(StringArray::from_iter(texts))),
        ("word", Arc::new(dictionary)),
        ("flag", Arc::new(BooleanArray::from_iter((0..rows).map(|row| Some(row % 3 == 0))))),
        (
            "when",
            Arc::new(TimestampMicrosecondArray::from_iter_values(
                (0..rows).map(|row| 1_357_000_000_000_000 + i64::from(row) * 60_000_000),
            )),
        ),
        (
            "large",
            Arc::new(UInt64Array::from_iter_values(
                (0..rows).map(|row| u64::MAX - u64::from(row.unsigned_abs())),
            )),
        ),
        (
            "exact",
            Arc::new(
                Decimal128Array::from_iter_values(decimals)
                    .with_precision_and_scale(20, 4)
                    .unwrap(),
            ),
        ),
        ("list", Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists))),
    ];
    batch(columns)
}

fn write_parquet(path: &Path, batches: &[RecordBatch], properties: Option<WriterProperties>) {
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batches[0].schema(), properties).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.close().unwrap();
}

fn write_ipc(path: &Path, batches: &[RecordBatch], codec: Option<CompressionType>) {
    let options = IpcWriteOptions::default().try_with_compression(codec).unwrap();
    let file = File::create(path).unwrap();
    let schema = batches[0].schema();
    let mut writer = FileWriter::try_new_with_options(file, &schema, options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
}

fn write_stream(path: &Path, batches: &[RecordBatch], codec: Option<CompressionType>) {
    let options = IpcWriteOptions::default().try_with_compression(codec).unwrap();
    let file = File::create(path).unwrap();
    let schema = batches[0].schema();
    let mut writer = StreamWriter::try_new_with_options(file, &schema, options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
}

/// All rows of these columns as one batch.
fn all(table: &Table, columns: Option<&[&str]>) -> RecordBatch {
    let batches = table.read(columns).unwrap();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

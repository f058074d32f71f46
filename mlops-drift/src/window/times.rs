//! The times of a batch's rows, in microseconds.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};

use crate::error::{Error, ErrorKind, Result};

/// Calls `each` with every row's time: of timestamps and dates in microseconds since 1970 (rounded
/// down), of integers as they are. `None` for nulls and for times beyond an i64.
pub(super) fn times(
    batch: &RecordBatch,
    column: &str,
    mut each: impl FnMut(u32, Option<i64>),
) -> Result<()> {
    let Some(array) = batch.column_by_name(column) else {
        let schema = batch.schema();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        return Err(Error::unknown_column(column, names));
    };
    let data_type = array.data_type();
    let Some(nanoseconds) = unit(data_type) else {
        return Err(Error::new(
            ErrorKind::SchemaChanged,
            format!(
                "windows need timestamps, dates or 64-bit integers: column={column} type={data_type}"
            ),
        ));
    };
    let plain = cast(array, &DataType::Int64).map_err(|source| {
        Error::invalid(format!("a time can't be read: column={column}")).with_source(source)
    })?;
    let plain = plain.as_primitive::<Int64Type>();
    for (row, value) in (0..).zip(plain.iter()) {
        let micros = value.map(|value| (i128::from(value) * nanoseconds).div_euclid(1_000));
        each(row, micros.and_then(|micros| i64::try_from(micros).ok()));
    }
    Ok(())
}

/// Nanoseconds a step; integers count as microseconds, which leaves them as they are.
fn unit(data_type: &DataType) -> Option<i128> {
    match data_type {
        DataType::Timestamp(TimeUnit::Second, _) => Some(1_000_000_000),
        DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64 => Some(1_000_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) | DataType::Int64 => Some(1_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Some(1),
        DataType::Date32 => Some(86_400_000_000_000),
        _ => None,
    }
}

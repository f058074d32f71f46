//! From Arrow arrays to the rows of a column, and which types the peers know at all.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, UInt64Type};

use super::column::{Column, Rows};
use super::schema_changed;
use crate::error::{Error, Result};
use crate::report::Kind;

/// How a peer would see a column of this type, or why none does.
pub(super) fn kind(data_type: &DataType) -> Result<Kind, String> {
    use DataType as T;
    match data_type {
        T::Float16 | T::Float32 | T::Float64 => Ok(Kind::Numeric),
        T::Int8 | T::Int16 | T::Int32 | T::Int64 => Ok(Kind::Numeric),
        T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => Ok(Kind::Numeric),
        T::Boolean => Ok(Kind::Boolean),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => Ok(Kind::Categorical),
        T::Dictionary(_, values) if kind(values).is_ok() => Ok(Kind::Categorical),
        T::Date32 | T::Date64 | T::Time32(_) | T::Time64(_) | T::Timestamp(..) | T::Duration(_) => {
            Err("the peers check no dates and times".to_owned())
        }
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => {
            Err("the peers check no decimals".to_owned())
        }
        T::List(_) | T::LargeList(_) | T::FixedSizeList(..) => {
            Err("embeddings are not reproduced".to_owned())
        }
        other => Err(format!("the peers check no columns of type {other}")),
    }
}

/// The column's array of each batch.
pub(super) fn arrays<'a>(batches: &'a [RecordBatch], field: &Field) -> Result<Vec<&'a ArrayRef>> {
    let expected = field.data_type();
    let array = |batch: &'a RecordBatch| match batch.column_by_name(field.name()) {
        None => Err(schema_changed(field.name(), expected, "nothing")),
        Some(array) if array.data_type() == expected => Ok(array),
        Some(array) => Err(schema_changed(field.name(), expected, &array.data_type().to_string())),
    };
    batches.iter().map(array).collect()
}

/// The rows of a column whose type has a [`kind`].
pub(super) fn column(batches: &[RecordBatch], field: &Field) -> Result<Column> {
    let arrays = arrays(batches, field)?;
    let data_type = field.data_type();
    Ok(Column(match data_type {
        DataType::Boolean => {
            let word = |value: bool| if value { "true" } else { "false" }.to_owned();
            let rows = arrays.iter().flat_map(|array| array.as_boolean().iter());
            Rows::Categories { rows: rows.map(|row| row.map(word)).collect(), free: false }
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Rows::Categories { rows: strings(&arrays, field)?, free: true }
        }
        DataType::Dictionary(..) => {
            Rows::Categories { rows: strings(&arrays, field)?, free: false }
        }
        _ if data_type.is_floating() || arrays.iter().any(|array| array.null_count() > 0) => {
            Rows::Floats(floats(&arrays, field)?)
        }
        _ => Rows::Integers(integers(&arrays, field)?),
    }))
}

fn floats(arrays: &[&ArrayRef], field: &Field) -> Result<Vec<f64>> {
    let mut rows = Vec::new();
    for array in arrays {
        let array = to(array, &DataType::Float64, field)?;
        let values = array.as_primitive::<Float64Type>().iter();
        rows.extend(values.map(|value| value.unwrap_or(f64::NAN)));
    }
    Ok(rows)
}

/// Integers of all widths, without a null.
fn integers(arrays: &[&ArrayRef], field: &Field) -> Result<Vec<i128>> {
    let mut rows: Vec<i128> = Vec::new();
    for array in arrays {
        if array.data_type().is_signed_integer() {
            let array = to(array, &DataType::Int64, field)?;
            rows.extend(array.as_primitive::<Int64Type>().values().iter().map(|&v| i128::from(v)));
        } else {
            let array = to(array, &DataType::UInt64, field)?;
            rows.extend(array.as_primitive::<UInt64Type>().values().iter().map(|&v| i128::from(v)));
        }
    }
    Ok(rows)
}

fn strings(arrays: &[&ArrayRef], field: &Field) -> Result<Vec<Option<String>>> {
    let mut rows = Vec::new();
    for array in arrays {
        let array = to(array, &DataType::LargeUtf8, field)?;
        rows.extend(array.as_string::<i64>().iter().map(|row| row.map(str::to_owned)));
    }
    Ok(rows)
}

fn to(array: &ArrayRef, data_type: &DataType, field: &Field) -> Result<ArrayRef> {
    cast(array, data_type).map_err(|error| {
        let (name, found) = (field.name(), field.data_type());
        let message = format!("a column can't be read: column={name} type={found}");
        Error::invalid(message).with_source(error)
    })
}

//! From Arrow arrays to cells: the type is looked at once a batch, nulls come from the bitmap.

use std::fmt::Write;

use arrow::array::{
    Array, ArrowPrimitiveType, AsArray, BooleanArray, GenericStringArray, OffsetSizeTrait,
    PrimitiveArray,
};
use arrow::datatypes as dt;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::lane::Lane;
use crate::error::{Error, Result};

/// One value of a column, as its lane reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Float(f64),
    Integer(i128),
    Text(&'a str),
}

/// Calls `each` with every row of the array, in order, nulls included.
pub(crate) fn read(
    array: &dyn Array,
    lane: &Lane,
    each: &mut dyn FnMut(usize, Cell<'_>),
) -> Result<()> {
    match lane {
        Lane::Unsupported(_) => Ok(()),
        Lane::Float | Lane::Integer { .. } => read_number(array, each),
        Lane::Category => read_category(array, each),
    }
}

/// Every type of the numeric lanes.
fn read_number(array: &dyn Array, each: &mut dyn FnMut(usize, Cell<'_>)) -> Result<()> {
    macro_rules! integers {
        ($type:ty) => {
            primitive::<$type>(array, |value| Cell::Integer(i128::from(value)), each)
        };
    }
    match array.data_type() {
        DataType::Float16 => primitive::<dt::Float16Type>(array, |v| Cell::Float(v.to_f64()), each),
        DataType::Float32 => {
            primitive::<dt::Float32Type>(array, |v| Cell::Float(f64::from(v)), each);
        }
        DataType::Float64 => primitive::<dt::Float64Type>(array, Cell::Float, each),
        DataType::Int8 => integers!(dt::Int8Type),
        DataType::Int16 => integers!(dt::Int16Type),
        DataType::Int32 => integers!(dt::Int32Type),
        DataType::Int64 => integers!(dt::Int64Type),
        DataType::UInt8 => integers!(dt::UInt8Type),
        DataType::UInt16 => integers!(dt::UInt16Type),
        DataType::UInt32 => integers!(dt::UInt32Type),
        DataType::UInt64 => integers!(dt::UInt64Type),
        DataType::Decimal32(..) => integers!(dt::Decimal32Type),
        DataType::Decimal64(..) => integers!(dt::Decimal64Type),
        DataType::Decimal128(..) => integers!(dt::Decimal128Type),
        DataType::Date32 => integers!(dt::Date32Type),
        DataType::Date64 => integers!(dt::Date64Type),
        DataType::Time32(TimeUnit::Second) => integers!(dt::Time32SecondType),
        DataType::Time32(_) => integers!(dt::Time32MillisecondType),
        DataType::Time64(TimeUnit::Microsecond) => integers!(dt::Time64MicrosecondType),
        DataType::Time64(_) => integers!(dt::Time64NanosecondType),
        DataType::Timestamp(TimeUnit::Second, _) => integers!(dt::TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => integers!(dt::TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => integers!(dt::TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => integers!(dt::TimestampNanosecondType),
        DataType::Duration(TimeUnit::Second) => integers!(dt::DurationSecondType),
        DataType::Duration(TimeUnit::Millisecond) => integers!(dt::DurationMillisecondType),
        DataType::Duration(TimeUnit::Microsecond) => integers!(dt::DurationMicrosecondType),
        DataType::Duration(TimeUnit::Nanosecond) => integers!(dt::DurationNanosecondType),
        other => return Err(Error::invalid(format!("not a numeric type: type={other}"))),
    }
    Ok(())
}

fn primitive<T: ArrowPrimitiveType>(
    array: &dyn Array,
    cell: impl Fn(T::Native) -> Cell<'static>,
    each: &mut dyn FnMut(usize, Cell<'_>),
) {
    let array: &PrimitiveArray<T> = array.as_primitive();
    for (row, value) in array.iter().enumerate() {
        each(row, value.map_or(Cell::Null, &cell));
    }
}

/// Every type, by the text of its values.
pub(super) fn read_category(
    array: &dyn Array,
    each: &mut dyn FnMut(usize, Cell<'_>),
) -> Result<()> {
    match array.data_type() {
        DataType::Boolean => booleans(array.as_boolean(), each),
        DataType::Utf8 => strings::<i32>(array.as_string(), each),
        DataType::LargeUtf8 => strings::<i64>(array.as_string(), each),
        DataType::Utf8View => {
            for (row, value) in array.as_string_view().iter().enumerate() {
                each(row, value.map_or(Cell::Null, Cell::Text));
            }
        }
        DataType::Dictionary(..) => return dictionary(array, each),
        DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => return read_number(array, &mut as_text(each)),
        _ => return formatted(array, each),
    }
    Ok(())
}

fn booleans(array: &BooleanArray, each: &mut dyn FnMut(usize, Cell<'_>)) {
    for (row, value) in array.iter().enumerate() {
        let text = value.map(|value| if value { "true" } else { "false" });
        each(row, text.map_or(Cell::Null, Cell::Text));
    }
}

fn strings<O: OffsetSizeTrait>(
    array: &GenericStringArray<O>,
    each: &mut dyn FnMut(usize, Cell<'_>),
) {
    for (row, value) in array.iter().enumerate() {
        each(row, value.map_or(Cell::Null, Cell::Text));
    }
}

/// Dates, times and decimals, as Arrow prints them. A date too far out to be printed becomes the text
/// of its error: one odd value must not cost the batch.
fn formatted(array: &dyn Array, each: &mut dyn FnMut(usize, Cell<'_>)) -> Result<()> {
    let options = FormatOptions::new().with_display_error(true);
    let texts = ArrayFormatter::try_new(array, &options).map_err(|error| {
        Error::invalid(format!("values have no text: type={}", array.data_type()))
            .with_source(error)
    })?;
    for row in 0..array.len() {
        if array.is_null(row) {
            each(row, Cell::Null);
        } else {
            each(row, Cell::Text(&texts.value(row).to_string()));
        }
    }
    Ok(())
}

/// Each distinct value is turned into text once; a null key and a key to a null value are both null.
pub(super) fn dictionary(array: &dyn Array, each: &mut dyn FnMut(usize, Cell<'_>)) -> Result<()> {
    let array = array.as_any_dictionary();
    let mut texts: Vec<Option<Value>> = vec![None; array.values().len()];
    read_category(array.values(), &mut |row, cell| texts[row] = Value::of(cell))?;
    let keys = if texts.is_empty() { vec![0; array.len()] } else { array.normalized_keys() };
    for (row, key) in keys.into_iter().enumerate() {
        let text = texts.get(key).filter(|_| !array.keys().is_null(row));
        each(row, text.and_then(Option::as_ref).map_or(Cell::Null, Value::cell));
    }
    Ok(())
}

/// A dictionary's value, kept while its keys are read.
#[derive(Clone)]
enum Value {
    Text(String),
    Other(Cell<'static>),
}

impl Value {
    fn of(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Null => None,
            Cell::Text(text) => Some(Self::Text(text.to_owned())),
            Cell::Float(value) => Some(Self::Other(Cell::Float(value))),
            Cell::Integer(value) => Some(Self::Other(Cell::Integer(value))),
        }
    }

    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Text(text) => Cell::Text(text),
            Self::Other(cell) => *cell,
        }
    }
}

/// Numbers by category: -0.0 and 0.0 are one; NaN and infinities stay numbers, to be counted as such.
fn as_text<'a>(each: &'a mut dyn FnMut(usize, Cell<'_>)) -> impl FnMut(usize, Cell<'_>) + use<'a> {
    let mut text = String::new();
    move |row, cell| {
        text.clear();
        let written = match cell {
            Cell::Float(value) if value.is_finite() => write!(text, "{}", value + 0.0),
            Cell::Integer(value) => write!(text, "{value}"),
            other => return each(row, other),
        };
        // Writing to a string can't fail.
        if written.is_ok() {
            each(row, Cell::Text(&text));
        }
    }
}

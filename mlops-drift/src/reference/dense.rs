//! From Arrow arrays to plain slices of usable numbers, a block at a time.
//!
//! The type is looked at once an array. Numbers of the lane's own type are handed on where they lie, as
//! long as all of a block can be used; others, and blocks with nulls, NaN or infinities, are copied.

use arrow::array::{Array, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes as dt;
use arrow::datatypes::{DataType, TimeUnit};

use super::state::Seen;
use crate::error::{Error, Result};

/// Values of a block.
const BLOCK: usize = 1_024;

/// Hands the finite values of a floating-point array to `each`, and counts all of them.
pub(crate) fn floats(
    array: &dyn Array,
    seen: &mut Seen,
    each: &mut dyn FnMut(&[f64]),
) -> Result<()> {
    match array.data_type() {
        DataType::Float64 => {
            let array: &PrimitiveArray<dt::Float64Type> = array.as_primitive();
            blocks(array.values(), array.nulls(), seen, each);
        }
        DataType::Float32 => converted::<dt::Float32Type, f64>(array, f64::from, seen, each),
        DataType::Float16 => converted::<dt::Float16Type, f64>(array, |v| v.to_f64(), seen, each),
        other => return Err(Error::invalid(format!("not a floating-point type: type={other}"))),
    }
    Ok(())
}

/// Hands the values of an array of integers of at most 64 bits with a sign to `each`.
pub(crate) fn integers(
    array: &dyn Array,
    seen: &mut Seen,
    each: &mut dyn FnMut(&[i64]),
) -> Result<()> {
    macro_rules! small {
        ($type:ty) => {
            converted::<$type, i64>(array, i64::from, seen, each)
        };
    }
    macro_rules! whole {
        ($type:ty) => {{
            let array: &PrimitiveArray<$type> = array.as_primitive();
            blocks(array.values(), array.nulls(), seen, each);
        }};
    }
    match array.data_type() {
        DataType::Int8 => small!(dt::Int8Type),
        DataType::Int16 => small!(dt::Int16Type),
        DataType::Int32 => small!(dt::Int32Type),
        DataType::Int64 => whole!(dt::Int64Type),
        DataType::UInt8 => small!(dt::UInt8Type),
        DataType::UInt16 => small!(dt::UInt16Type),
        DataType::UInt32 => small!(dt::UInt32Type),
        DataType::Decimal32(..) => small!(dt::Decimal32Type),
        DataType::Decimal64(..) => whole!(dt::Decimal64Type),
        DataType::Date32 => small!(dt::Date32Type),
        DataType::Date64 => whole!(dt::Date64Type),
        DataType::Time32(TimeUnit::Second) => small!(dt::Time32SecondType),
        DataType::Time32(_) => small!(dt::Time32MillisecondType),
        DataType::Time64(TimeUnit::Microsecond) => whole!(dt::Time64MicrosecondType),
        DataType::Time64(_) => whole!(dt::Time64NanosecondType),
        DataType::Timestamp(TimeUnit::Second, _) => whole!(dt::TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => whole!(dt::TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => whole!(dt::TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => whole!(dt::TimestampNanosecondType),
        DataType::Duration(TimeUnit::Second) => whole!(dt::DurationSecondType),
        DataType::Duration(TimeUnit::Millisecond) => whole!(dt::DurationMillisecondType),
        DataType::Duration(TimeUnit::Microsecond) => whole!(dt::DurationMicrosecondType),
        DataType::Duration(TimeUnit::Nanosecond) => whole!(dt::DurationNanosecondType),
        other => return Err(Error::invalid(format!("not a type of small integers: type={other}"))),
    }
    Ok(())
}

/// Hands the values of an array of integers of more than 64 bits with a sign to `each`.
pub(crate) fn wide(
    array: &dyn Array,
    seen: &mut Seen,
    each: &mut dyn FnMut(&[i128]),
) -> Result<()> {
    match array.data_type() {
        DataType::UInt64 => converted::<dt::UInt64Type, i128>(array, i128::from, seen, each),
        DataType::Decimal128(..) => {
            let array: &PrimitiveArray<dt::Decimal128Type> = array.as_primitive();
            blocks(array.values(), array.nulls(), seen, each);
        }
        other => return Err(Error::invalid(format!("not a type of wide integers: type={other}"))),
    }
    Ok(())
}

/// A number as its lane counts it.
pub(crate) trait Plain: Copy + Default {
    /// Whether every one of them is finite.
    fn all_usable(values: &[Self]) -> bool;
    /// Whether it is NaN, and whether it is infinite.
    fn unusable(self) -> (bool, bool);
    /// One that can't be told from it by any comparison, without a sign of zero.
    fn plain(self) -> Self;
}

impl Plain for f64 {
    fn all_usable(values: &[Self]) -> bool {
        // All of them, not the first: a loop without an early end can be put on vectors.
        values.iter().map(|value| u64::from(!value.is_finite())).fold(0, |a, b| a | b) == 0
    }

    fn unusable(self) -> (bool, bool) {
        (self.is_nan(), self.is_infinite())
    }

    fn plain(self) -> Self {
        self + 0.0
    }
}

macro_rules! always_usable {
    ($($type:ty),*) => {$(
        impl Plain for $type {
            fn all_usable(_: &[Self]) -> bool {
                true
            }

            fn unusable(self) -> (bool, bool) {
                (false, false)
            }

            fn plain(self) -> Self {
                self
            }
        }
    )*};
}
always_usable!(i64, i128);

fn converted<P: ArrowPrimitiveType, T: Plain>(
    array: &dyn Array,
    convert: impl Fn(P::Native) -> T,
    seen: &mut Seen,
    each: &mut dyn FnMut(&[T]),
) {
    let array: &PrimitiveArray<P> = array.as_primitive();
    let mut buffer = [T::default(); BLOCK];
    let values = array.values();
    for (at, values) in values.chunks(BLOCK).enumerate() {
        buffer.iter_mut().zip(values).for_each(|(to, &from)| *to = convert(from));
        let nulls = array.nulls().map(|nulls| nulls.slice(at * BLOCK, values.len()));
        block(&buffer[..values.len()], nulls.as_ref(), seen, each);
    }
}

/// Hands plain values on as an array's would be.
pub(crate) fn blocks<T: Plain>(
    values: &[T],
    nulls: Option<&NullBuffer>,
    seen: &mut Seen,
    each: &mut dyn FnMut(&[T]),
) {
    for (at, values) in values.chunks(BLOCK).enumerate() {
        let nulls = nulls.map(|nulls| nulls.slice(at * BLOCK, values.len()));
        block(values, nulls.as_ref(), seen, each);
    }
}

/// At most [`BLOCK`] values.
pub(super) fn block<T: Plain>(
    values: &[T],
    nulls: Option<&NullBuffer>,
    seen: &mut Seen,
    each: &mut dyn FnMut(&[T]),
) {
    seen.rows += values.len() as u64;
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    if nulls.is_none() && T::all_usable(values) {
        return each(values);
    }
    let mut kept = [T::default(); BLOCK];
    let mut count = 0;
    for (row, &value) in values.iter().enumerate() {
        let is_null = nulls.is_some_and(|nulls| nulls.is_null(row));
        let (is_nan, is_infinite) = value.unusable();
        seen.null += u64::from(is_null);
        seen.nan += u64::from(is_nan & !is_null);
        seen.infinite += u64::from(is_infinite & !is_null);
        // Written always, kept only if it may be used: no jump to guess.
        kept[count] = value.plain();
        count += usize::from(!(is_null | is_nan | is_infinite));
    }
    each(&kept[..count]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float32Array, Float64Array, Int16Array, UInt64Array};

    #[test]
    fn only_what_can_be_used_is_handed_on_and_everything_is_counted() {
        let value = |row: usize| match row % 7 {
            0 => None,
            1 => Some(f64::NAN),
            2 if row % 2 == 0 => Some(f64::NEG_INFINITY),
            _ => Some(row as f64),
        };
        let array = Float64Array::from_iter((0..5_000).map(value));
        let (mut seen, mut found) = (Seen::default(), Vec::new());
        // A slice, so that neither values nor bits begin at a whole byte.
        floats(&array.slice(3, 4_900), &mut seen, &mut |block| found.extend_from_slice(block))
            .unwrap();
        let rows = || (3..4_903).map(value);
        let wanted: Vec<f64> = rows().flatten().filter(|value| value.is_finite()).collect();
        assert_eq!(found, wanted);
        let count = |is: fn(&Option<f64>) -> bool| rows().filter(is).count() as u64;
        assert_eq!(seen.rows, 4_900);
        assert_eq!(seen.null, count(Option::is_none));
        assert_eq!(seen.nan, count(|value| value.is_some_and(f64::is_nan)));
        assert_eq!(seen.infinite, count(|value| value.is_some_and(f64::is_infinite)));
    }

    #[test]
    fn types_are_widened_without_loss() {
        let (mut seen, mut found) = (Seen::default(), Vec::new());
        let array = Float32Array::from(vec![Some(0.1), None, Some(-3.5)]);
        floats(&array, &mut seen, &mut |block| found.extend_from_slice(block)).unwrap();
        assert_eq!(found, [f64::from(0.1_f32), -3.5]);
        let mut found = Vec::new();
        integers(&Int16Array::from(vec![-5, 9]), &mut seen, &mut |block| {
            found.extend_from_slice(block)
        })
        .unwrap();
        assert_eq!(found, [-5, 9]);
        let mut found = Vec::new();
        wide(&UInt64Array::from(vec![u64::MAX]), &mut seen, &mut |block| {
            found.extend_from_slice(block)
        })
        .unwrap();
        assert_eq!(found, [i128::from(u64::MAX)]);
        assert_eq!((seen.rows, seen.null), (6, 1));
        assert!(wide(&array, &mut seen, &mut |_| ()).is_err());
    }
}

//! From the parts of a type to the type.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, UnionFields, UnionMode};

use super::{FieldPart, Interval, Part, Shape};

/// The next part with all its children, `left` levels deep at most.
pub(super) fn next(
    parts: &mut std::vec::IntoIter<Part>,
    left: usize,
) -> Option<(Option<FieldPart>, DataType)> {
    use DataType as T;
    let left = left.checked_sub(1)?;
    let Part { field, shape } = parts.next()?;
    let data_type = match shape {
        Shape::Null => T::Null,
        Shape::Boolean => T::Boolean,
        Shape::Int8 => T::Int8,
        Shape::Int16 => T::Int16,
        Shape::Int32 => T::Int32,
        Shape::Int64 => T::Int64,
        Shape::UInt8 => T::UInt8,
        Shape::UInt16 => T::UInt16,
        Shape::UInt32 => T::UInt32,
        Shape::UInt64 => T::UInt64,
        Shape::Float16 => T::Float16,
        Shape::Float32 => T::Float32,
        Shape::Float64 => T::Float64,
        Shape::Timestamp(unit, zone) => T::Timestamp(unit.restore(), zone.map(Arc::from)),
        Shape::Date32 => T::Date32,
        Shape::Date64 => T::Date64,
        Shape::Time32(unit) => T::Time32(unit.restore()),
        Shape::Time64(unit) => T::Time64(unit.restore()),
        Shape::Duration(unit) => T::Duration(unit.restore()),
        Shape::Interval(Interval::YearMonth) => T::Interval(IntervalUnit::YearMonth),
        Shape::Interval(Interval::DayTime) => T::Interval(IntervalUnit::DayTime),
        Shape::Interval(Interval::MonthDayNano) => T::Interval(IntervalUnit::MonthDayNano),
        Shape::Binary => T::Binary,
        Shape::FixedSizeBinary(size) => T::FixedSizeBinary(size),
        Shape::LargeBinary => T::LargeBinary,
        Shape::BinaryView => T::BinaryView,
        Shape::Utf8 => T::Utf8,
        Shape::LargeUtf8 => T::LargeUtf8,
        Shape::Utf8View => T::Utf8View,
        Shape::Decimal32(precision, scale) => T::Decimal32(precision, scale),
        Shape::Decimal64(precision, scale) => T::Decimal64(precision, scale),
        Shape::Decimal128(precision, scale) => T::Decimal128(precision, scale),
        Shape::Decimal256(precision, scale) => T::Decimal256(precision, scale),
        Shape::Dictionary => {
            let (keys, values) = (bare(parts, left)?, bare(parts, left)?);
            T::Dictionary(Box::new(keys), Box::new(values))
        }
        Shape::List => T::List(child(parts, left)?),
        Shape::ListView => T::ListView(child(parts, left)?),
        Shape::LargeList => T::LargeList(child(parts, left)?),
        Shape::LargeListView => T::LargeListView(child(parts, left)?),
        Shape::FixedSizeList(size) => T::FixedSizeList(child(parts, left)?, size),
        Shape::Map(sorted) => T::Map(child(parts, left)?, sorted),
        Shape::RunEndEncoded => T::RunEndEncoded(child(parts, left)?, child(parts, left)?),
        Shape::Struct(count) => {
            // Each takes a part, of which there are no more than bytes.
            let fields: Option<Vec<FieldRef>> = (0..count).map(|_| child(parts, left)).collect();
            T::Struct(Fields::from(fields?))
        }
        Shape::Union(ids, sparse) => {
            let fields: Option<Vec<FieldRef>> = ids.iter().map(|_| child(parts, left)).collect();
            let mode = if sparse { UnionMode::Sparse } else { UnionMode::Dense };
            T::Union(UnionFields::try_new(ids, fields?).ok()?, mode)
        }
    };
    Some((field, data_type))
}

fn bare(parts: &mut std::vec::IntoIter<Part>, left: usize) -> Option<DataType> {
    let (field, data_type) = next(parts, left)?;
    field.is_none().then_some(data_type)
}

fn child(parts: &mut std::vec::IntoIter<Part>, left: usize) -> Option<FieldRef> {
    let (field, data_type) = next(parts, left)?;
    let FieldPart { name, nullable, metadata } = field?;
    Some(Arc::new(
        Field::new(name, data_type, nullable).with_metadata(metadata.into_iter().collect()),
    ))
}

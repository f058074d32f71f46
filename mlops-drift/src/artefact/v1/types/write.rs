//! From Arrow's types to their parts.

use arrow::datatypes::{DataType, FieldRef, IntervalUnit, UnionMode};

use super::{FieldPart, Interval, Part, Shape, Unit};

/// Appends a type and all its children, `left` levels deep at most.
pub(super) fn push(
    parts: &mut Vec<Part>,
    field: Option<FieldPart>,
    data_type: &DataType,
    left: usize,
) -> Option<()> {
    let left = left.checked_sub(1)?;
    parts.push(Part { field, shape: shape(data_type)? });
    match data_type {
        DataType::Dictionary(keys, values) => {
            push(parts, None, keys, left)?;
            push(parts, None, values, left)
        }
        DataType::List(child)
        | DataType::ListView(child)
        | DataType::LargeList(child)
        | DataType::LargeListView(child)
        | DataType::FixedSizeList(child, _)
        | DataType::Map(child, _) => push_fields(parts, [child], left),
        DataType::RunEndEncoded(ends, values) => push_fields(parts, [ends, values], left),
        DataType::Struct(fields) => push_fields(parts, fields, left),
        DataType::Union(fields, _) => {
            push_fields(parts, fields.iter().map(|(_, field)| field), left)
        }
        _ => Some(()),
    }
}

fn push_fields<'a>(
    parts: &mut Vec<Part>,
    fields: impl IntoIterator<Item = &'a FieldRef>,
    left: usize,
) -> Option<()> {
    for field in fields {
        let pairs = field.metadata().iter().map(|(key, value)| (key.clone(), value.clone()));
        let mut metadata: Vec<(String, String)> = pairs.collect();
        metadata.sort_unstable();
        let part =
            FieldPart { name: field.name().clone(), nullable: field.is_nullable(), metadata };
        push(parts, Some(part), field.data_type(), left)?;
    }
    Some(())
}

fn shape(data_type: &DataType) -> Option<Shape> {
    use DataType as T;
    Some(match data_type {
        T::Null => Shape::Null,
        T::Boolean => Shape::Boolean,
        T::Int8 => Shape::Int8,
        T::Int16 => Shape::Int16,
        T::Int32 => Shape::Int32,
        T::Int64 => Shape::Int64,
        T::UInt8 => Shape::UInt8,
        T::UInt16 => Shape::UInt16,
        T::UInt32 => Shape::UInt32,
        T::UInt64 => Shape::UInt64,
        T::Float16 => Shape::Float16,
        T::Float32 => Shape::Float32,
        T::Float64 => Shape::Float64,
        T::Timestamp(unit, zone) => {
            Shape::Timestamp(Unit::of(*unit), zone.as_deref().map(str::to_owned))
        }
        T::Date32 => Shape::Date32,
        T::Date64 => Shape::Date64,
        T::Time32(unit) => Shape::Time32(Unit::of(*unit)),
        T::Time64(unit) => Shape::Time64(Unit::of(*unit)),
        T::Duration(unit) => Shape::Duration(Unit::of(*unit)),
        T::Interval(IntervalUnit::YearMonth) => Shape::Interval(Interval::YearMonth),
        T::Interval(IntervalUnit::DayTime) => Shape::Interval(Interval::DayTime),
        T::Interval(IntervalUnit::MonthDayNano) => Shape::Interval(Interval::MonthDayNano),
        T::Binary => Shape::Binary,
        T::FixedSizeBinary(size) => Shape::FixedSizeBinary(*size),
        T::LargeBinary => Shape::LargeBinary,
        T::BinaryView => Shape::BinaryView,
        T::Utf8 => Shape::Utf8,
        T::LargeUtf8 => Shape::LargeUtf8,
        T::Utf8View => Shape::Utf8View,
        T::Decimal32(precision, scale) => Shape::Decimal32(*precision, *scale),
        T::Decimal64(precision, scale) => Shape::Decimal64(*precision, *scale),
        T::Decimal128(precision, scale) => Shape::Decimal128(*precision, *scale),
        T::Decimal256(precision, scale) => Shape::Decimal256(*precision, *scale),
        T::Dictionary(..) => Shape::Dictionary,
        T::List(_) => Shape::List,
        T::ListView(_) => Shape::ListView,
        T::LargeList(_) => Shape::LargeList,
        T::LargeListView(_) => Shape::LargeListView,
        T::FixedSizeList(_, size) => Shape::FixedSizeList(*size),
        T::Map(_, sorted) => Shape::Map(*sorted),
        T::RunEndEncoded(..) => Shape::RunEndEncoded,
        T::Struct(fields) => Shape::Struct(u32::try_from(fields.len()).ok()?),
        T::Union(fields, mode) => {
            let ids = fields.iter().map(|(id, _)| id).collect();
            Shape::Union(ids, *mode == UnionMode::Sparse)
        }
    })
}

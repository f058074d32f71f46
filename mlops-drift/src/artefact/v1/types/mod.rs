//! Arrow's types by their parts: parents before their children, in one list, so that reading never
//! recurses deeper than it wants to.

mod read;
mod write;

use arrow::datatypes::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};

/// How deeply types may be nested.
const MOST_DEPTH: usize = 64;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Type(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    /// What a child that is a field has beside its type.
    field: Option<FieldPart>,
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct FieldPart {
    name: String,
    nullable: bool,
    /// Sorted by key.
    metadata: Vec<(String, String)>,
}

/// A type but for its children.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Null,
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float16,
    Float32,
    Float64,
    Timestamp(Unit, Option<String>),
    Date32,
    Date64,
    Time32(Unit),
    Time64(Unit),
    Duration(Unit),
    Interval(Interval),
    Binary,
    FixedSizeBinary(i32),
    LargeBinary,
    BinaryView,
    Utf8,
    LargeUtf8,
    Utf8View,
    Decimal32(u8, i8),
    Decimal64(u8, i8),
    Decimal128(u8, i8),
    Decimal256(u8, i8),
    /// The type of the keys follows, then that of the values.
    Dictionary,
    /// One field follows each of these.
    List,
    ListView,
    LargeList,
    LargeListView,
    FixedSizeList(i32),
    /// Whether the keys are sorted.
    Map(bool),
    /// Two fields follow.
    RunEndEncoded,
    /// So many fields follow.
    Struct(u32),
    /// A field follows for each id; whether it is sparse.
    Union(Vec<i8>, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Unit {
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Interval {
    YearMonth,
    DayTime,
    MonthDayNano,
}

impl Type {
    /// `None` for a type that is nested too deeply.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        let mut parts = Vec::new();
        write::push(&mut parts, None, data_type, MOST_DEPTH)?;
        Some(Self(parts))
    }

    /// `None` when the parts make no type.
    pub(super) fn restore(self) -> Option<DataType> {
        let mut parts = self.0.into_iter();
        let (field, data_type) = read::next(&mut parts, MOST_DEPTH)?;
        (field.is_none() && parts.next().is_none()).then_some(data_type)
    }
}

impl Unit {
    fn of(unit: TimeUnit) -> Self {
        match unit {
            TimeUnit::Second => Self::Second,
            TimeUnit::Millisecond => Self::Millisecond,
            TimeUnit::Microsecond => Self::Microsecond,
            TimeUnit::Nanosecond => Self::Nanosecond,
        }
    }

    fn restore(self) -> TimeUnit {
        match self {
            Self::Second => TimeUnit::Second,
            Self::Millisecond => TimeUnit::Millisecond,
            Self::Microsecond => TimeUnit::Microsecond,
            Self::Nanosecond => TimeUnit::Nanosecond,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow::datatypes::{Field, Fields, IntervalUnit, UnionFields, UnionMode};

    use super::*;

    fn nested(levels: usize) -> DataType {
        (1..levels).fold(DataType::Int8, |inner, _| {
            DataType::List(Arc::new(Field::new_list_field(inner, true)))
        })
    }

    #[test]
    fn every_type_comes_back() {
        use DataType as T;
        let pairs = [("b", "2"), ("a", "1"), ("ARROW:extension:name", "tensor")];
        let metadata: HashMap<String, String> =
            pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let field = Arc::new(Field::new("f", T::Float32, false).with_metadata(metadata));
        let other = Arc::new(Field::new("g", T::Utf8, true));
        let fields = [Arc::clone(&field), Arc::clone(&other)];
        let union = UnionFields::try_new([3, 1], fields.clone()).expect("two ids");
        let dictionary = T::Dictionary(Box::new(T::UInt16), Box::new(nested(3)));
        let units =
            [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];
        let intervals =
            [IntervalUnit::YearMonth, IntervalUnit::DayTime, IntervalUnit::MonthDayNano];
        let mut types = vec![
            T::Null,
            T::Boolean,
            T::Int8,
            T::Int16,
            T::Int32,
            T::Int64,
            T::UInt8,
            T::UInt16,
            T::UInt32,
            T::UInt64,
            T::Float16,
            T::Float32,
            T::Float64,
            T::Date32,
            T::Date64,
            T::Binary,
            T::FixedSizeBinary(16),
            T::LargeBinary,
            T::BinaryView,
            T::Utf8,
            T::LargeUtf8,
            T::Utf8View,
            T::Decimal32(9, 2),
            T::Decimal64(18, -3),
            T::Decimal128(38, 5),
            T::Decimal256(76, 9),
            T::List(Arc::clone(&field)),
            T::ListView(Arc::clone(&field)),
            T::LargeList(Arc::clone(&field)),
            T::LargeListView(Arc::clone(&field)),
            T::FixedSizeList(Arc::clone(&field), 768),
            T::Map(Arc::clone(&field), true),
            T::RunEndEncoded(Arc::clone(&field), Arc::clone(&other)),
            dictionary,
            T::Struct(Fields::from(fields.to_vec())),
            T::Struct(Fields::empty()),
            T::Union(union.clone(), UnionMode::Sparse),
            T::Union(union, UnionMode::Dense),
            nested(MOST_DEPTH),
        ];
        for unit in units {
            types
                .extend([T::Timestamp(unit, None), T::Timestamp(unit, Some("Europe/Rome".into()))]);
            types.extend([T::Time32(unit), T::Time64(unit), T::Duration(unit)]);
        }
        types.extend(intervals.map(T::Interval));
        for data_type in types {
            let parts = Type::of(&data_type).expect("it is not too deep");
            assert_eq!(parts.clone().restore(), Some(data_type));
            let mut short = parts.clone();
            short.0.pop();
            let mut long = parts;
            long.0.push(Part { field: None, shape: Shape::Null });
            assert_eq!((short.restore(), long.restore()), (None, None));
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused_both_ways() {
        assert_eq!(Type::of(&nested(MOST_DEPTH + 1)), None);
        let field = FieldPart { name: String::new(), nullable: true, metadata: Vec::new() };
        let list = Part { field: Some(field), shape: Shape::List };
        let mut parts = vec![list; 1_000_000];
        parts[0].field = None;
        assert_eq!(Type(parts).restore(), None);
    }
}

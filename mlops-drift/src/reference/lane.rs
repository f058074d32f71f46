//! How a column's Arrow type is read: as floating point, as integers, or by category.

use arrow::datatypes::DataType;

use crate::report::Kind;

/// The one way in which all values of a column are read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lane {
    /// `Float16`, `Float32`, `Float64`, widened to `f64`.
    Float,
    /// Integers, dates, times and decimals as integers; a value is the integer over the divisor.
    Integer {
        /// What a value is divided by on its way into a report.
        divisor: f64,
        /// Whether values may need more than 64 bits with a sign.
        wide: bool,
    },
    /// By the text of the value.
    Category,
    /// Not read, and why.
    Unsupported(String),
}

impl Lane {
    /// What a value is divided by on its way into a report.
    pub(crate) fn divisor(&self) -> f64 {
        match self {
            Self::Integer { divisor, .. } => *divisor,
            _ => 1.0,
        }
    }

    /// The lane and the kind of a column of this type; an unsupported one has no kind.
    pub(crate) fn of(data_type: &DataType, categorical: bool) -> (Self, Option<Kind>) {
        let (lane, kind) = Self::native(data_type);
        match lane {
            Self::Float | Self::Integer { .. } if categorical => {
                (Self::Category, Some(Kind::Categorical))
            }
            lane => (lane, kind),
        }
    }

    fn native(data_type: &DataType) -> (Self, Option<Kind>) {
        use DataType as T;
        let integer = |scale: i8| {
            let divisor = 10_f64.powi(i32::from(scale));
            let wide = matches!(data_type, T::UInt64 | T::Decimal128(..));
            Self::Integer { divisor, wide }
        };
        match data_type {
            T::Float16 | T::Float32 | T::Float64 => (Self::Float, Some(Kind::Numeric)),
            T::Int8 | T::Int16 | T::Int32 | T::Int64 => (integer(0), Some(Kind::Numeric)),
            T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => (integer(0), Some(Kind::Numeric)),
            T::Decimal32(_, scale) | T::Decimal64(_, scale) | T::Decimal128(_, scale) => {
                (integer(*scale), Some(Kind::Numeric))
            }
            T::Date32
            | T::Date64
            | T::Time32(_)
            | T::Time64(_)
            | T::Timestamp(..)
            | T::Duration(_) => (integer(0), Some(Kind::Time)),
            T::Boolean => (Self::Category, Some(Kind::Boolean)),
            T::Utf8 | T::LargeUtf8 | T::Utf8View => (Self::Category, Some(Kind::Categorical)),
            T::Dictionary(_, values) => match Self::native(values) {
                (Self::Unsupported(reason), kind) => (Self::Unsupported(reason), kind),
                _ => (Self::Category, Some(Kind::Categorical)),
            },
            other => {
                (Self::Unsupported(format!("columns of type {other} are not supported")), None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{Field, TimeUnit};
    use std::sync::Arc;

    #[test]
    fn every_type_has_a_lane_or_a_reason() {
        let numeric = [DataType::Float16, DataType::UInt64, DataType::Decimal128(38, 3)];
        for data_type in numeric {
            assert_eq!(Lane::of(&data_type, false).1, Some(Kind::Numeric), "{data_type}");
            let (lane, kind) = Lane::of(&data_type, true);
            assert_eq!((lane, kind), (Lane::Category, Some(Kind::Categorical)));
        }
        for data_type in [DataType::Date64, DataType::Timestamp(TimeUnit::Nanosecond, None)] {
            assert_eq!(Lane::of(&data_type, false).1, Some(Kind::Time), "{data_type}");
        }
        assert_eq!(Lane::of(&DataType::Boolean, true).1, Some(Kind::Boolean));
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int8, true)));
        for data_type in [list, DataType::Null, DataType::Binary, DataType::Decimal256(70, 2)] {
            assert!(matches!(Lane::of(&data_type, true).0, Lane::Unsupported(_)), "{data_type}");
        }
    }
}

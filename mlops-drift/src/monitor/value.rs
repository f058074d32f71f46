//! One value of a row that does not come as Arrow.

use arrow::datatypes::DataType;

use crate::error::{Error, ErrorKind, Result};
use crate::reference::{Cell, Lane};

/// One value of a row for [`Handle::observe_row`](crate::Handle::observe_row).
///
/// What fits: `Float` for floating-point columns (and integers, widened); `Int` and `UInt` for
/// integers, dates, times and timestamps (in the column's unit) and decimals (unscaled); `Bool` for
/// booleans; `Str` for strings and dictionaries; `Null` everywhere. A column that is treated by
/// category takes any of them, by its text; dates, times and decimals by category as `Str`, in the
/// text that Arrow prints for them.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// No value.
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// A floating-point number.
    Float(f64),
    /// A string.
    Str(&'a str),
}

impl Value<'_> {
    fn type_name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::UInt(_) => "uint",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
        }
    }

    /// Calls `each` with the value as the lane reads it.
    pub(crate) fn with_cell(
        self,
        name: &str,
        data_type: &DataType,
        lane: &Lane,
        each: impl FnOnce(Cell<'_>),
    ) -> Result<()> {
        let cell = match (self, lane) {
            (Self::Null, _) | (_, Lane::Unsupported(_)) => Cell::Null,
            (Self::Float(value), Lane::Float) => Cell::Float(value),
            (Self::Int(value), Lane::Float) => Cell::Float(value as f64),
            (Self::UInt(value), Lane::Float) => Cell::Float(value as f64),
            (Self::Int(value), Lane::Integer { .. }) => Cell::Integer(i128::from(value)),
            (Self::UInt(value), Lane::Integer { .. }) => Cell::Integer(i128::from(value)),
            (Self::Str(text), Lane::Category) => Cell::Text(text),
            (Self::Bool(value), Lane::Category) => Cell::Text(if value { "true" } else { "false" }),
            (Self::Float(value), Lane::Category) if !value.is_finite() => Cell::Float(value),
            (Self::Float(value), Lane::Category) => {
                each(Cell::Text(&(value + 0.0).to_string()));
                return Ok(());
            }
            (Self::Int(value), Lane::Category) => {
                each(Cell::Text(&value.to_string()));
                return Ok(());
            }
            (Self::UInt(value), Lane::Category) => {
                each(Cell::Text(&value.to_string()));
                return Ok(());
            }
            (value, _) => {
                return Err(Error::new(
                    ErrorKind::SchemaChanged,
                    format!(
                        "a value does not fit its column: column={name} expected={data_type} \
                         found={}",
                        value.type_name()
                    ),
                ));
            }
        };
        each(cell);
        Ok(())
    }
}

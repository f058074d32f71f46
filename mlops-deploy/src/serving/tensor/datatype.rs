//! The types of a tensor's values, as the Open Inference Protocol names them.

use std::fmt;

use arrow::datatypes::DataType;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The type of each value of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Datatype {
    /// True or false; one byte in binary form.
    Bool,
    /// Signed, 8 bits.
    Int8,
    /// Signed, 16 bits.
    Int16,
    /// Signed, 32 bits.
    Int32,
    /// Signed, 64 bits.
    Int64,
    /// Unsigned, 8 bits.
    Uint8,
    /// Unsigned, 16 bits.
    Uint16,
    /// Unsigned, 32 bits.
    Uint32,
    /// Unsigned, 64 bits.
    Uint64,
    /// Half precision.
    Fp16,
    /// Single precision.
    Fp32,
    /// Double precision.
    Fp64,
    /// Strings of bytes, each of its own length.
    Bytes,
}

impl Datatype {
    /// Every type.
    pub const ALL: [Self; 13] = [
        Self::Bool,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Uint8,
        Self::Uint16,
        Self::Uint32,
        Self::Uint64,
        Self::Fp16,
        Self::Fp32,
        Self::Fp64,
        Self::Bytes,
    ];

    /// The protocol's word: `BOOL`, `INT8` … `FP64`, `BYTES`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Uint8 => "UINT8",
            Self::Uint16 => "UINT16",
            Self::Uint32 => "UINT32",
            Self::Uint64 => "UINT64",
            Self::Fp16 => "FP16",
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    /// The type with this word of the protocol, letter by letter.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|datatype| datatype.word() == word)
    }

    /// The type with this word of the protocol, or with a name that signatures use for it
    /// (`float32`, `double`, `long`, `string`, …), in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let known = match name.as_str() {
            "boolean" => Self::Bool,
            "integer" => Self::Int32,
            "long" => Self::Int64,
            "float16" | "half" => Self::Fp16,
            "float32" | "float" => Self::Fp32,
            "float64" | "double" => Self::Fp64,
            "string" | "utf8" | "binary" => Self::Bytes,
            word => return Self::from_word(&word.to_ascii_uppercase()),
        };
        Some(known)
    }

    /// Bytes a value in binary form; `None` for [`Datatype::Bytes`], whose values bring their length.
    #[must_use]
    pub const fn width(self) -> Option<usize> {
        match self {
            Self::Bool | Self::Int8 | Self::Uint8 => Some(1),
            Self::Int16 | Self::Uint16 | Self::Fp16 => Some(2),
            Self::Int32 | Self::Uint32 | Self::Fp32 => Some(4),
            Self::Int64 | Self::Uint64 | Self::Fp64 => Some(8),
            Self::Bytes => None,
        }
    }

    /// The Arrow type of a column of such values; text for [`Datatype::Bytes`].
    #[must_use]
    pub const fn arrow(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Uint8 => DataType::UInt8,
            Self::Uint16 => DataType::UInt16,
            Self::Uint32 => DataType::UInt32,
            Self::Uint64 => DataType::UInt64,
            Self::Fp16 => DataType::Float16,
            Self::Fp32 => DataType::Float32,
            Self::Fp64 => DataType::Float64,
            Self::Bytes => DataType::Utf8,
        }
    }
}

impl Datatype {
    /// The type of a plain column; `None` for one that is no tensor.
    #[must_use]
    pub fn from_arrow(column: &DataType) -> Option<Self> {
        use DataType as A;
        match column {
            A::LargeUtf8 | A::Utf8View | A::Binary | A::LargeBinary | A::BinaryView => {
                Some(Self::Bytes)
            }
            other => Self::ALL.into_iter().find(|datatype| datatype.arrow() == *other),
        }
    }
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for Datatype {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Datatype {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || de::Error::custom(format!("not a type of tensors: value={name:?}"));
        Self::from_name(&name).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_names_its_type_and_an_arrow_type_of_the_same_width() {
        for datatype in Datatype::ALL {
            assert_eq!(Datatype::from_word(datatype.word()), Some(datatype));
            assert_eq!(Datatype::from_arrow(&datatype.arrow()), Some(datatype));
            assert_eq!(Datatype::from_name(&datatype.word().to_lowercase()), Some(datatype));
            if datatype != Datatype::Bool {
                assert_eq!(datatype.arrow().primitive_width(), datatype.width(), "{datatype}");
            }
        }
        for wrong in ["FP99", "", "fp32", "BF16", "FP32 "] {
            assert_eq!(Datatype::from_word(wrong), None, "{wrong:?}");
        }
        assert_eq!(Datatype::from_name("float32"), Some(Datatype::Fp32));
        assert_eq!(Datatype::from_name("Long"), Some(Datatype::Int64));
    }
}

//! The values of a tensor: flat vectors, one type each.

use half::f16;

use super::Datatype;

/// Strings of bytes in one buffer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByteStrings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl ByteStrings {
    /// Appends one string.
    pub fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
    }

    /// How many strings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The sum of their lengths, in bytes.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// All of them in a row.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The string at `at`, if there is one.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&[u8]> {
        let end = *self.ends.get(at)?;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        Some(&self.bytes[start..end])
    }

    /// All strings in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.bytes[std::mem::replace(&mut start, end)..end])
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for ByteStrings {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut all = Self::default();
        values.into_iter().for_each(|value| all.push(value.as_ref()));
        all
    }
}

/// The values of a tensor in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub enum TensorData {
    /// `BOOL`
    Bool(Vec<bool>),
    /// `INT8`
    Int8(Vec<i8>),
    /// `INT16`
    Int16(Vec<i16>),
    /// `INT32`
    Int32(Vec<i32>),
    /// `INT64`
    Int64(Vec<i64>),
    /// `UINT8`
    Uint8(Vec<u8>),
    /// `UINT16`
    Uint16(Vec<u16>),
    /// `UINT32`
    Uint32(Vec<u32>),
    /// `UINT64`
    Uint64(Vec<u64>),
    /// `FP16`
    Fp16(Vec<f16>),
    /// `FP32`
    Fp32(Vec<f32>),
    /// `FP64`
    Fp64(Vec<f64>),
    /// `BYTES`
    Bytes(ByteStrings),
}

/// Runs one expression for whichever type the values have: `$v` is a `Vec` of numbers or truth values, or
/// `$b` the byte strings.
macro_rules! for_each_type {
    ($data:expr, $v:ident => $value:expr, $b:ident => $bytes:expr) => {
        match $data {
            TensorData::Bool($v) => $value,
            TensorData::Int8($v) => $value,
            TensorData::Int16($v) => $value,
            TensorData::Int32($v) => $value,
            TensorData::Int64($v) => $value,
            TensorData::Uint8($v) => $value,
            TensorData::Uint16($v) => $value,
            TensorData::Uint32($v) => $value,
            TensorData::Uint64($v) => $value,
            TensorData::Fp16($v) => $value,
            TensorData::Fp32($v) => $value,
            TensorData::Fp64($v) => $value,
            TensorData::Bytes($b) => $bytes,
        }
    };
}

/// As [`for_each_type!`], with each result back in the variant that its values came from.
macro_rules! map_each_type {
    ($data:expr, $v:ident => $value:expr, $b:ident => $bytes:expr) => {
        match $data {
            TensorData::Bool($v) => TensorData::Bool($value),
            TensorData::Int8($v) => TensorData::Int8($value),
            TensorData::Int16($v) => TensorData::Int16($value),
            TensorData::Int32($v) => TensorData::Int32($value),
            TensorData::Int64($v) => TensorData::Int64($value),
            TensorData::Uint8($v) => TensorData::Uint8($value),
            TensorData::Uint16($v) => TensorData::Uint16($value),
            TensorData::Uint32($v) => TensorData::Uint32($value),
            TensorData::Uint64($v) => TensorData::Uint64($value),
            TensorData::Fp16($v) => TensorData::Fp16($value),
            TensorData::Fp32($v) => TensorData::Fp32($value),
            TensorData::Fp64($v) => TensorData::Fp64($value),
            TensorData::Bytes($b) => TensorData::Bytes($bytes),
        }
    };
}

impl TensorData {
    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        for_each_type!(self, v => v.len(), b => b.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their type.
    #[must_use]
    pub fn datatype(&self) -> Datatype {
        match self {
            Self::Bool(_) => Datatype::Bool,
            Self::Int8(_) => Datatype::Int8,
            Self::Int16(_) => Datatype::Int16,
            Self::Int32(_) => Datatype::Int32,
            Self::Int64(_) => Datatype::Int64,
            Self::Uint8(_) => Datatype::Uint8,
            Self::Uint16(_) => Datatype::Uint16,
            Self::Uint32(_) => Datatype::Uint32,
            Self::Uint64(_) => Datatype::Uint64,
            Self::Fp16(_) => Datatype::Fp16,
            Self::Fp32(_) => Datatype::Fp32,
            Self::Fp64(_) => Datatype::Fp64,
            Self::Bytes(_) => Datatype::Bytes,
        }
    }

    /// Columns `from .. from + width` of a matrix of `columns` columns, row by row.
    ///
    /// `from + width <= columns` and a whole number of rows are the caller's to keep.
    pub(crate) fn columns(&self, columns: usize, from: usize, width: usize) -> Self {
        fn gather<T: Copy>(all: &[T], columns: usize, from: usize, width: usize) -> Vec<T> {
            let rows = all.chunks_exact(columns);
            if width == 1 {
                return rows.map(|row| row[from]).collect();
            }
            rows.flat_map(|row| &row[from..from + width]).copied().collect()
        }
        map_each_type!(
            self,
            v => gather(v, columns, from, width),
            b => {
                let all = b.iter().enumerate();
                let chosen = all.filter(|(at, _)| (from..from + width).contains(&(at % columns)));
                chosen.map(|(_, value)| value).collect()
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_strings_keep_their_bounds() {
        let all: ByteStrings = ["", "ab", "", "c"].into_iter().collect();
        assert_eq!((all.len(), all.total_bytes()), (4, 3));
        assert_eq!(all.iter().collect::<Vec<_>>(), [&b""[..], b"ab", b"", b"c"]);
        assert_eq!((all.get(1), all.get(3), all.get(4)), (Some(&b"ab"[..]), Some(&b"c"[..]), None));
    }

    #[test]
    fn columns_of_a_matrix_are_gathered_row_by_row() {
        let matrix = TensorData::Int32(vec![1, 2, 3, 4, 5, 6]);
        assert_eq!(matrix.columns(3, 1, 1), TensorData::Int32(vec![2, 5]));
        assert_eq!(matrix.columns(3, 1, 2), TensorData::Int32(vec![2, 3, 5, 6]));
        let words = TensorData::Bytes(["a", "b", "c", "d"].into_iter().collect());
        assert_eq!(words.columns(2, 1, 1), TensorData::Bytes(["b", "d"].into_iter().collect()));
    }
}

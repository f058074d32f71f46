//! Values as bytes: little-endian, without padding; byte strings each behind its length in four bytes.

use half::f16;

use super::{ByteStrings, Datatype, TensorData, elements};
use crate::serving::error::{Result, ServeError, shorten};

/// Reads the values of a tensor. Nothing is reserved before the size is known to be right.
///
/// Any byte but 0 is true.
///
/// # Errors
/// `InvalidInput`, naming the tensor, when `bytes` are not exactly as many as type and shape ask for.
pub(crate) fn read(
    name: &str,
    datatype: Datatype,
    shape: &[usize],
    bytes: &[u8],
) -> Result<TensorData> {
    let count = elements(name, shape)?;
    let Some(width) = datatype.width() else {
        return read_strings(name, count, bytes).map(TensorData::Bytes);
    };
    if count.checked_mul(width) != Some(bytes.len()) {
        let (name, got) = (shorten(name), bytes.len());
        let want = count.checked_mul(width).map_or("too many".to_owned(), |n| n.to_string());
        return Err(ServeError::invalid(format!(
            "binary data of a wrong size: tensor={name:?} datatype={datatype} shape={shape:?} want_bytes={want} got_bytes={got}"
        )));
    }
    macro_rules! numbers {
        ($t:ty) => {
            bytes.as_chunks().0.iter().map(|&chunk| <$t>::from_le_bytes(chunk)).collect()
        };
    }
    Ok(match datatype {
        Datatype::Bool => TensorData::Bool(bytes.iter().map(|&byte| byte != 0).collect()),
        Datatype::Int8 => TensorData::Int8(numbers!(i8)),
        Datatype::Int16 => TensorData::Int16(numbers!(i16)),
        Datatype::Int32 => TensorData::Int32(numbers!(i32)),
        Datatype::Int64 => TensorData::Int64(numbers!(i64)),
        Datatype::Uint8 => TensorData::Uint8(bytes.to_vec()),
        Datatype::Uint16 => TensorData::Uint16(numbers!(u16)),
        Datatype::Uint32 => TensorData::Uint32(numbers!(u32)),
        Datatype::Uint64 => TensorData::Uint64(numbers!(u64)),
        Datatype::Fp16 => TensorData::Fp16(numbers!(f16)),
        Datatype::Fp32 => TensorData::Fp32(numbers!(f32)),
        Datatype::Fp64 => TensorData::Fp64(numbers!(f64)),
        Datatype::Bytes => TensorData::Bytes(ByteStrings::default()),
    })
}

fn read_strings(name: &str, count: usize, mut bytes: &[u8]) -> Result<ByteStrings> {
    let total = bytes.len();
    let mut all = ByteStrings::default();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some((value, rest)) = rest.split_at_checked(length) else { break };
        all.push(value);
        bytes = rest;
    }
    if bytes.is_empty() && all.len() == count {
        return Ok(all);
    }
    let (name, got, left) = (shorten(name), all.len(), bytes.len());
    Err(ServeError::invalid(format!(
        "binary data that are not so many byte strings: tensor={name:?} want={count} got={got} bytes={total} left_bytes={left}"
    )))
}

/// Appends the values.
///
/// # Errors
/// `ModelFailed` for a byte string of 4 GiB or more.
pub(crate) fn write(data: &TensorData, to: &mut Vec<u8>) -> Result<()> {
    macro_rules! numbers {
        ($v:expr) => {
            to.extend($v.iter().flat_map(|v| v.to_le_bytes()))
        };
    }
    if let Some(width) = data.datatype().width() {
        to.reserve(data.len() * width);
    }
    match data {
        TensorData::Bool(v) => to.extend(v.iter().map(|&v| u8::from(v))),
        TensorData::Uint8(v) => to.extend_from_slice(v),
        TensorData::Int8(v) => numbers!(v),
        TensorData::Int16(v) => numbers!(v),
        TensorData::Int32(v) => numbers!(v),
        TensorData::Int64(v) => numbers!(v),
        TensorData::Uint16(v) => numbers!(v),
        TensorData::Uint32(v) => numbers!(v),
        TensorData::Uint64(v) => numbers!(v),
        TensorData::Fp16(v) => numbers!(v),
        TensorData::Fp32(v) => numbers!(v),
        TensorData::Fp64(v) => numbers!(v),
        TensorData::Bytes(v) => write_strings(v, to)?,
    }
    Ok(())
}

fn write_strings(strings: &ByteStrings, to: &mut Vec<u8>) -> Result<()> {
    to.reserve(strings.total_bytes() + 4 * strings.len());
    for value in strings.iter() {
        let length = u32::try_from(value.len()).map_err(|_| {
            ServeError::model_failed(format!("a byte string is too long: bytes={}", value.len()))
        })?;
        to.extend_from_slice(&length.to_le_bytes());
        to.extend_from_slice(value);
    }
    Ok(())
}

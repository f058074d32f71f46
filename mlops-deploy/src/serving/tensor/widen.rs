//! Which values of one type may stand for values of another: those that lose nothing.

use half::f16;

use super::{Datatype, TensorData};

/// Why values can't be taken as another type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Misfit {
    /// The types never fit.
    Type,
    /// The value at `at` does not fit.
    Value {
        /// Its index in row-major order.
        at: usize,
        /// The value, as text.
        got: String,
    },
}

/// Takes `data` as `to` if no value changes by it:
///
/// - an integer as a wider one, an unsigned one also as a wider signed one;
/// - a float as a wider one;
/// - an integer as a float if it is exact: by type where all are (up to 32 bits as
///   `FP64`, up to 16 as `FP32`, up to 8 as `FP16`), otherwise value by value (up to 2^53 as `FP64`, up to
///   2^24 as `FP32`).
///
/// Nothing else: no narrowing, no float as an integer, no truth value as a number, no text as anything.
pub(super) fn widen(data: TensorData, to: Datatype) -> Result<TensorData, Misfit> {
    use TensorData as D;
    macro_rules! by_type {
        ($v:expr, $target:ident, $t:ty) => {
            Ok(D::$target($v.into_iter().map(<$t>::from).collect()))
        };
    }
    macro_rules! by_value {
        ($v:expr, $target:ident, $t:ty, $bits:literal) => {
            exact($v, 1_u64 << $bits, |v| v as $t).map(D::$target)
        };
    }
    match (data, to) {
        (data, to) if data.datatype() == to => Ok(data),
        (D::Int8(v), Datatype::Int16) => by_type!(v, Int16, i16),
        (D::Int8(v), Datatype::Int32) => by_type!(v, Int32, i32),
        (D::Int8(v), Datatype::Int64) => by_type!(v, Int64, i64),
        (D::Int8(v), Datatype::Fp16) => by_type!(v, Fp16, f16),
        (D::Int8(v), Datatype::Fp32) => by_type!(v, Fp32, f32),
        (D::Int8(v), Datatype::Fp64) => by_type!(v, Fp64, f64),
        (D::Int16(v), Datatype::Int32) => by_type!(v, Int32, i32),
        (D::Int16(v), Datatype::Int64) => by_type!(v, Int64, i64),
        (D::Int16(v), Datatype::Fp32) => by_type!(v, Fp32, f32),
        (D::Int16(v), Datatype::Fp64) => by_type!(v, Fp64, f64),
        (D::Int32(v), Datatype::Int64) => by_type!(v, Int64, i64),
        (D::Int32(v), Datatype::Fp32) => by_value!(v, Fp32, f32, 24),
        (D::Int32(v), Datatype::Fp64) => by_type!(v, Fp64, f64),
        (D::Int64(v), Datatype::Fp32) => by_value!(v, Fp32, f32, 24),
        (D::Int64(v), Datatype::Fp64) => by_value!(v, Fp64, f64, 53),
        (D::Uint8(v), Datatype::Int16) => by_type!(v, Int16, i16),
        (D::Uint8(v), Datatype::Int32) => by_type!(v, Int32, i32),
        (D::Uint8(v), Datatype::Int64) => by_type!(v, Int64, i64),
        (D::Uint8(v), Datatype::Uint16) => by_type!(v, Uint16, u16),
        (D::Uint8(v), Datatype::Uint32) => by_type!(v, Uint32, u32),
        (D::Uint8(v), Datatype::Uint64) => by_type!(v, Uint64, u64),
        (D::Uint8(v), Datatype::Fp16) => by_type!(v, Fp16, f16),
        (D::Uint8(v), Datatype::Fp32) => by_type!(v, Fp32, f32),
        (D::Uint8(v), Datatype::Fp64) => by_type!(v, Fp64, f64),
        (D::Uint16(v), Datatype::Int32) => by_type!(v, Int32, i32),
        (D::Uint16(v), Datatype::Int64) => by_type!(v, Int64, i64),
        (D::Uint16(v), Datatype::Uint32) => by_type!(v, Uint32, u32),
        (D::Uint16(v), Datatype::Uint64) => by_type!(v, Uint64, u64),
        (D::Uint16(v), Datatype::Fp32) => by_type!(v, Fp32, f32),
        (D::Uint16(v), Datatype::Fp64) => by_type!(v, Fp64, f64),
        (D::Uint32(v), Datatype::Int64) => by_type!(v, Int64, i64),
        (D::Uint32(v), Datatype::Uint64) => by_type!(v, Uint64, u64),
        (D::Uint32(v), Datatype::Fp32) => by_value!(v, Fp32, f32, 24),
        (D::Uint32(v), Datatype::Fp64) => by_type!(v, Fp64, f64),
        (D::Uint64(v), Datatype::Fp32) => by_value!(v, Fp32, f32, 24),
        (D::Uint64(v), Datatype::Fp64) => by_value!(v, Fp64, f64, 53),
        (D::Fp16(v), Datatype::Fp32) => by_type!(v, Fp32, f32),
        (D::Fp16(v), Datatype::Fp64) => by_type!(v, Fp64, f64),
        (D::Fp32(v), Datatype::Fp64) => by_type!(v, Fp64, f64),
        _ => Err(Misfit::Type),
    }
}

/// Integers as floats, as long as none is beyond `bound` (two to the digits of the float).
fn exact<T, F>(values: Vec<T>, bound: u64, convert: impl Fn(T) -> F) -> Result<Vec<F>, Misfit>
where
    T: Copy + Into<i128>,
{
    let beyond = |v: &T| (*v).into().unsigned_abs() > u128::from(bound);
    match values.iter().position(beyond) {
        Some(at) => Err(Misfit::Value { at, got: values[at].into().to_string() }),
        None => Ok(values.into_iter().map(convert).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_become_floats_only_while_they_are_exact() {
        let widest = 1_i64 << 53;
        let data = TensorData::Int64(vec![widest, -widest]);
        let floats = vec![9_007_199_254_740_992.0, -9_007_199_254_740_992.0];
        assert_eq!(widen(data, Datatype::Fp64), Ok(TensorData::Fp64(floats)));
        for beyond in [widest + 1, i64::MAX, i64::MIN] {
            let got = widen(TensorData::Int64(vec![0, beyond]), Datatype::Fp64);
            assert_eq!(got, Err(Misfit::Value { at: 1, got: beyond.to_string() }));
        }
        let got = widen(TensorData::Uint32(vec![(1 << 24) + 1]), Datatype::Fp32);
        assert_eq!(got, Err(Misfit::Value { at: 0, got: "16777217".to_owned() }));
    }

    #[test]
    fn nothing_narrows_and_nothing_changes_its_kind() {
        let of = |datatype| match datatype {
            Datatype::Bool => TensorData::Bool(vec![true]),
            Datatype::Int64 => TensorData::Int64(vec![1]),
            Datatype::Uint64 => TensorData::Uint64(vec![1]),
            Datatype::Fp64 => TensorData::Fp64(vec![1.0]),
            _ => TensorData::Bytes(["1"].into_iter().collect()),
        };
        let fits = |from, to| widen(of(from), to) != Err(Misfit::Type);
        for to in Datatype::ALL {
            assert_eq!(fits(Datatype::Bool, to), to == Datatype::Bool);
            assert_eq!(fits(Datatype::Fp64, to), to == Datatype::Fp64);
            assert_eq!(fits(Datatype::Bytes, to), to == Datatype::Bytes);
            let floats = [Datatype::Fp32, Datatype::Fp64].contains(&to);
            assert_eq!(fits(Datatype::Int64, to), to == Datatype::Int64 || floats);
            assert_eq!(fits(Datatype::Uint64, to), to == Datatype::Uint64 || floats);
        }
    }
}

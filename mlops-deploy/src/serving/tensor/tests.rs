//! Tensors to Arrow and back, whatever their types and widths.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BinaryArray, FixedSizeListArray, Float64Array, Int8Array,
    RecordBatch, StringArray, TimestampSecondArray,
};
use arrow::datatypes::{DataType, Field, Float32Type};
use half::f16;
use proptest::prelude::*;

use super::{Binding, ByteStrings, Tensor, TensorData, check_answer, place, tensors_of};
use crate::serving::error::ServeErrorKind;
use crate::serving::signature::{BytesAs, Signature, TensorSpec};
use crate::serving::tensor::Datatype;

fn signature(specs: Vec<TensorSpec>) -> Signature {
    Signature::new(specs.clone(), specs).unwrap()
}

fn data(datatype: Datatype, count: usize, seed: u64) -> TensorData {
    let raw: Vec<u64> =
        (0..count as u64).map(|at| (seed ^ at).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    macro_rules! cut {
        ($t:ty) => {
            raw.iter().map(|&v| v as $t).collect()
        };
    }
    match datatype {
        Datatype::Bool => TensorData::Bool(raw.iter().map(|v| v % 2 == 0).collect()),
        Datatype::Int8 => TensorData::Int8(cut!(i8)),
        Datatype::Int16 => TensorData::Int16(cut!(i16)),
        Datatype::Int32 => TensorData::Int32(cut!(i32)),
        Datatype::Int64 => TensorData::Int64(cut!(i64)),
        Datatype::Uint8 => TensorData::Uint8(cut!(u8)),
        Datatype::Uint16 => TensorData::Uint16(cut!(u16)),
        Datatype::Uint32 => TensorData::Uint32(cut!(u32)),
        Datatype::Uint64 => TensorData::Uint64(cut!(u64)),
        Datatype::Fp16 => {
            TensorData::Fp16(raw.iter().map(|&v| f16::from_f32((v % 2048) as f32)).collect())
        }
        Datatype::Fp32 => TensorData::Fp32(cut!(f32)),
        Datatype::Fp64 => TensorData::Fp64(cut!(f64)),
        Datatype::Bytes => {
            TensorData::Bytes(raw.iter().map(|v| "é".repeat((v % 5) as usize)).collect())
        }
    }
}

proptest! {
    #[test]
    fn tensors_come_back_from_arrow(rows in 1..9_usize, seed: u64, widths in proptest::collection::vec(1..4_i64, 13)) {
        let specs: Vec<_> = Datatype::ALL.iter().zip(&widths).map(|(&datatype, &width)| {
            let spec = TensorSpec::new(datatype.word(), datatype);
            if width == 1 { spec } else { spec.with_shape(vec![-1, width, 2]) }
        }).collect();
        let inputs: Vec<_> = specs.iter().map(|spec| {
            let shape: Vec<usize> = std::iter::once(rows).chain(spec.row_shape()).collect();
            let values = data(spec.datatype(), rows * spec.width(), seed);
            Tensor::new(spec.name(), shape, values).unwrap()
        }).collect();
        let binding = Binding::new(signature(specs));
        let batch = binding.bind(inputs.clone()).unwrap();
        prop_assert_eq!(batch.schema_ref(), binding.schema());
        prop_assert_eq!(tensors_of(&batch, binding.signature(), &[]).unwrap(), inputs.clone());
        let chosen = [inputs[7].name().to_owned(), inputs[0].name().to_owned()];
        let answer = tensors_of(&batch, binding.signature(), &chosen).unwrap();
        prop_assert_eq!(answer, vec![inputs[7].clone(), inputs[0].clone()]);
    }

    #[test]
    fn a_place_is_the_inverse_of_row_major_order(a in 1..5_usize, b in 1..5_usize, c in 1..5_usize, at in 0..125_usize) {
        let at = at % (a * b * c);
        let place = place(&[a, b, c], at);
        prop_assert_eq!((place[0] * b + place[1]) * c + place[2], at);
    }
}

#[test]
fn a_matrix_carries_lists_beside_single_values() {
    let specs = vec![
        TensorSpec::new("a", Datatype::Fp32),
        TensorSpec::new("b", Datatype::Fp32).with_shape(vec![-1, 2]),
    ];
    let binding = Binding::new(signature(specs));
    let values = TensorData::Fp32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let batch = binding.bind(vec![Tensor::new("any", vec![2, 3], values).unwrap()]).unwrap();
    let a = batch.column(0).as_primitive::<Float32Type>();
    assert_eq!(a.values(), &[1.0, 4.0]);
    let b = batch.column(1).as_fixed_size_list();
    assert_eq!(b.values().as_primitive::<Float32Type>().values(), &[2.0, 3.0, 5.0, 6.0]);
}

#[test]
fn shapes_of_one_value_a_row_and_flattened_lists_are_taken_and_others_not() {
    let spec = |shape: &[i64]| TensorSpec::new("x", Datatype::Int8).with_shape(shape.to_vec());
    let fits = |want: &[i64], got: &[usize]| {
        let values = TensorData::Int8(vec![0; got.iter().product()]);
        let tensor = Tensor::new("x", got.to_vec(), values).unwrap();
        Binding::new(signature(vec![spec(want)])).bind(vec![tensor]).is_ok()
    };
    for (want, got) in [
        (&[-1][..], &[3][..]),
        (&[-1], &[3, 1]),
        (&[-1, 1], &[3]),
        (&[-1, 1], &[3, 1, 1]),
        (&[-1, 2, 3], &[4, 2, 3]),
        (&[-1, 2, 3], &[4, 6]),
    ] {
        assert!(fits(want, got), "{want:?} {got:?}");
    }
    for (want, got) in [
        (&[-1][..], &[][..]),
        (&[-1], &[3, 2]),
        (&[-1, 2, 3], &[4, 3, 2]),
        (&[-1, 2, 3], &[24]),
        (&[-1, 2], &[1, 2, 2]),
        (&[-1], &[0]),
    ] {
        assert!(!fits(want, got), "{want:?} {got:?}");
    }
}

#[test]
fn text_is_checked_and_bytes_are_kept() {
    let bind = |bytes: BytesAs| {
        let spec = TensorSpec::new("x", Datatype::Bytes).with_bytes(bytes);
        let values: ByteStrings = [&b"ok"[..], b"\xff\x00"].into_iter().collect();
        let tensor = Tensor::new("x", vec![2], TensorData::Bytes(values)).unwrap();
        Binding::new(signature(vec![spec])).bind(vec![tensor])
    };
    let error = bind(BytesAs::Text).unwrap_err();
    assert_eq!(error.to_string(), "a text is not UTF-8: tensor=\"x\" at=1");
    let batch = bind(BytesAs::Binary).unwrap();
    assert_eq!(batch.column(0).data_type(), &DataType::Binary);
    assert_eq!(batch.column(0).as_binary::<i32>().value(1), b"\xff\x00");
}

#[test]
fn an_answer_has_every_output_of_the_signature_as_it_says() {
    let y = TensorSpec::new("y", Datatype::Fp64);
    let pair = TensorSpec::new("pair", Datatype::Int8).with_shape(vec![-1, 2]);
    let outputs = Signature::new(vec![y.clone()], vec![y, pair]).unwrap();
    let floats = || Arc::new(Float64Array::from(vec![Some(1.0), None])) as ArrayRef;
    let pairs = |values: Vec<Option<i8>>, width: i32| {
        let item = Arc::new(Field::new("item", DataType::Int8, true));
        let values = Arc::new(Int8Array::from(values));
        Arc::new(FixedSizeListArray::try_new(item, width, values, None).unwrap()) as ArrayRef
    };
    let good = || pairs(vec![Some(1); 4], 2);
    let check = |columns: Vec<(&str, ArrayRef)>| {
        check_answer(&RecordBatch::try_from_iter(columns).unwrap(), &outputs)
    };
    check(vec![("y", floats()), ("pair", good())]).unwrap();
    check(vec![("pair", good()), ("more", floats()), ("y", floats())]).unwrap();
    let text = || Arc::new(StringArray::from(vec![Some("a"), None])) as ArrayRef;
    for (columns, said) in [
        (vec![("y", floats())], "did not answer"),
        (vec![("y", good()), ("pair", good())], "another type"),
        (vec![("y", floats()), ("pair", pairs(vec![Some(1); 6], 3))], "another type"),
        (vec![("y", floats()), ("pair", pairs(vec![Some(1), None, None, Some(1)], 2))], "a null"),
        (vec![("y", floats()), ("pair", good()), ("more", text())], "a null"),
        (
            vec![("y", Arc::new(TimestampSecondArray::from(vec![1, 2])) as _), ("pair", good())],
            "no tensor",
        ),
    ] {
        let error = check(columns).unwrap_err();
        assert_eq!(error.kind(), ServeErrorKind::ModelFailed);
        assert!(error.to_string().contains(said), "{said}: {error}");
    }
}

#[test]
fn answers_with_nulls_or_foreign_types_are_the_models_fault() {
    let answer = |column: ArrayRef| {
        let batch = RecordBatch::try_from_iter([("y", column)]).unwrap();
        tensors_of(&batch, &signature(vec![TensorSpec::new("y", Datatype::Fp64)]), &[])
    };
    let floats = answer(Arc::new(Float64Array::from(vec![Some(1.0), None]))).unwrap();
    let TensorData::Fp64(values) = floats[0].data() else { panic!() };
    assert!(values[0] == 1.0 && values[1].is_nan());
    let wrong: [ArrayRef; 3] = [
        Arc::new(StringArray::from(vec![Some("a"), None])),
        Arc::new(BinaryArray::from(vec![None, Some(&b"x"[..])])),
        Arc::new(TimestampSecondArray::from(vec![1, 2])),
    ];
    for column in wrong {
        assert_eq!(answer(column).unwrap_err().kind(), ServeErrorKind::ModelFailed);
    }
}

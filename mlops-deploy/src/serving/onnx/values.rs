//! Columns as tensors, and tensors as columns.

use std::sync::Arc;

use arrow::array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::array::{
    Array as _, ArrayRef, ArrowPrimitiveType, AsArray as _, BooleanArray, FixedSizeListArray,
    PrimitiveArray,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::DataType;
use tract_onnx::prelude::{Datum, DatumType, Tensor, TractError, TractResult};

use crate::serving::error::{Result, ServeError};
use crate::serving::signature::TensorSpec;
use crate::serving::tensor::Datatype;

/// What a tensor of the protocol is called here; `None` for what the protocol has no word for, and for text.
pub(super) fn datatype(datum: DatumType) -> Option<Datatype> {
    Some(match datum {
        DatumType::Bool => Datatype::Bool,
        DatumType::I8 => Datatype::Int8,
        DatumType::I16 => Datatype::Int16,
        DatumType::I32 => Datatype::Int32,
        DatumType::I64 => Datatype::Int64,
        DatumType::U8 => Datatype::Uint8,
        DatumType::U16 => Datatype::Uint16,
        DatumType::U32 => Datatype::Uint32,
        DatumType::U64 => Datatype::Uint64,
        DatumType::F16 => Datatype::Fp16,
        DatumType::F32 => Datatype::Fp32,
        DatumType::F64 => Datatype::Fp64,
        _ => return None,
    })
}

/// The tensor of a column that was bound to this input.
pub(super) fn tensor(spec: &TensorSpec, column: &ArrayRef) -> TractResult<Tensor> {
    let shape: Vec<usize> = std::iter::once(column.len()).chain(spec.row_shape()).collect();
    let values = flat(column);
    match spec.datatype() {
        Datatype::Bool => {
            let values: Vec<bool> = values.as_boolean().values().iter().collect();
            Tensor::from_shape(&shape, &values)
        }
        Datatype::Int8 => of::<Int8Type>(&shape, &values),
        Datatype::Int16 => of::<Int16Type>(&shape, &values),
        Datatype::Int32 => of::<Int32Type>(&shape, &values),
        Datatype::Int64 => of::<Int64Type>(&shape, &values),
        Datatype::Uint8 => of::<UInt8Type>(&shape, &values),
        Datatype::Uint16 => of::<UInt16Type>(&shape, &values),
        Datatype::Uint32 => of::<UInt32Type>(&shape, &values),
        Datatype::Uint64 => of::<UInt64Type>(&shape, &values),
        Datatype::Fp16 => of::<Float16Type>(&shape, &values),
        Datatype::Fp32 => of::<Float32Type>(&shape, &values),
        Datatype::Fp64 => of::<Float64Type>(&shape, &values),
        Datatype::Bytes => Err(TractError::msg("text is no tensor of numbers")),
    }
}

fn of<T: ArrowPrimitiveType<Native: Datum + Copy>>(
    shape: &[usize],
    values: &ArrayRef,
) -> TractResult<Tensor> {
    Tensor::from_shape(shape, values.as_primitive::<T>().values())
}

/// The values of a column, those of each row behind each other.
fn flat(column: &ArrayRef) -> ArrayRef {
    match column.as_fixed_size_list_opt() {
        None => Arc::clone(column),
        Some(lists) => {
            let width = usize::try_from(lists.value_length()).unwrap_or(0);
            lists.values().slice(lists.value_offset(0) as usize, lists.len() * width)
        }
    }
}

/// The column of an output, which must have the rows that were asked.
pub(super) fn column(spec: &TensorSpec, output: &Tensor, rows: usize) -> Result<ArrayRef> {
    let want: Vec<usize> = std::iter::once(rows).chain(spec.row_shape()).collect();
    if output.shape() != want {
        let (name, got) = (spec.name(), output.shape());
        let message =
            format!("an output has another shape: output={name:?} want={want:?} got={got:?}");
        return Err(ServeError::model_failed(message));
    }
    let values = values(spec.datatype(), output)
        .map_err(|error| failed("an output can't be read", error))?;
    let field = spec.field();
    let DataType::FixedSizeList(item, width) = field.data_type() else { return Ok(values) };
    let lists = FixedSizeListArray::try_new(Arc::clone(item), *width, values, None);
    let lists = lists.map_err(|error| {
        ServeError::model_failed("an output can't be split into rows").with_source(error)
    })?;
    Ok(Arc::new(lists))
}

fn values(datatype: Datatype, output: &Tensor) -> TractResult<ArrayRef> {
    match datatype {
        Datatype::Bool => {
            let values = output.try_as_plain_ram()?.as_slice::<bool>()?;
            Ok(Arc::new(BooleanArray::from(values.to_vec())))
        }
        Datatype::Int8 => from::<Int8Type>(output),
        Datatype::Int16 => from::<Int16Type>(output),
        Datatype::Int32 => from::<Int32Type>(output),
        Datatype::Int64 => from::<Int64Type>(output),
        Datatype::Uint8 => from::<UInt8Type>(output),
        Datatype::Uint16 => from::<UInt16Type>(output),
        Datatype::Uint32 => from::<UInt32Type>(output),
        Datatype::Uint64 => from::<UInt64Type>(output),
        Datatype::Fp16 => from::<Float16Type>(output),
        Datatype::Fp32 => from::<Float32Type>(output),
        Datatype::Fp64 => from::<Float64Type>(output),
        Datatype::Bytes => Err(TractError::msg("text is no tensor of numbers")),
    }
}

fn from<T: ArrowPrimitiveType<Native: Datum>>(output: &Tensor) -> TractResult<ArrayRef> {
    let values = output.try_as_plain_ram()?.as_slice::<T::Native>()?.to_vec();
    Ok(Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), None)))
}

/// An error of the runtime, whose text says where in the graph it was.
pub(super) fn failed(what: &'static str, error: TractError) -> ServeError {
    ServeError::model_failed(what).with_source(error)
}

//! Batches that a model answers to tensors, named by their columns.

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use half::f16;

use super::{ByteStrings, Datatype, Tensor, TensorData};
use crate::serving::error::{Result, ServeError};
use crate::serving::signature::{Signature, TensorSpec};

/// The columns of an answer as tensors: all in their order, or those in `selection` in its order.
///
/// A plain column of n rows has the shape `[n]`, a list of fixed size k `[n, k]`, and either takes the row's shape
/// from the signature's output of that name if it holds as many values. A null among floats is a NaN.
///
/// # Errors
/// `InvalidInput` for a selection of what the model does not answer; `ModelFailed` for a column of another type
/// than tensors have, or a null that is no float.
pub fn tensors_of(
    batch: &RecordBatch,
    signature: &Signature,
    selection: &[String],
) -> Result<Vec<Tensor>> {
    let schema = batch.schema_ref();
    let tensor = |at: usize| {
        let name = schema.field(at).name();
        let spec = signature.outputs().iter().find(|spec| spec.name() == name);
        tensor(name, spec, batch.column(at))
    };
    if selection.is_empty() {
        return (0..batch.num_columns()).map(tensor).collect();
    }
    selection
        .iter()
        .map(|name| match schema.index_of(name) {
            Ok(at) => tensor(at),
            Err(_) => {
                let known: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
                let name = super::shorten(name);
                Err(ServeError::invalid(format!(
                    "the model has no such output: tensor={name:?} known={known:?}"
                )))
            }
        })
        .collect()
}

/// Whether an answer is what its signature says: every output is there, of its type and its width, without a null
/// that is no float. Then [`tensors_of`] can't fail. Columns beyond the signature have to be tensors as well.
///
/// # Errors
/// `ModelFailed`, naming the output.
pub(crate) fn check_answer(batch: &RecordBatch, signature: &Signature) -> Result<()> {
    let outputs = signature.outputs();
    let mut found = 0;
    for (at, (field, column)) in batch.schema_ref().fields().iter().zip(batch.columns()).enumerate()
    {
        let name = field.name();
        let (width, values) = flat(name, column)?;
        let datatype = Datatype::from_arrow(values.data_type());
        let datatype = datatype.ok_or_else(|| no_tensor(name, values.data_type()))?;
        let float = [Datatype::Fp16, Datatype::Fp32, Datatype::Fp64].contains(&datatype);
        if !float && values.null_count() > 0 {
            return Err(null(name));
        }
        // As a rule the columns are in the signature's order.
        let same = outputs.get(at).filter(|spec| spec.name() == name);
        let spec = same.or_else(|| outputs.iter().find(|spec| spec.name() == name));
        let Some(spec) = spec else { continue };
        found += 1;
        if (spec.datatype(), spec.width()) != (datatype, width) {
            let (want, values) = (spec.datatype(), spec.width());
            return Err(ServeError::model_failed(format!(
                "the model answered an output of another type: tensor={name:?} want={want} got={datatype} \
                 want_a_row={values} got_a_row={width}"
            )));
        }
    }
    let missing = |spec: &&TensorSpec| batch.column_by_name(spec.name()).is_none();
    match outputs.iter().filter(|_| found != outputs.len()).find(missing) {
        None => Ok(()),
        Some(spec) => {
            let name = spec.name();
            let message = format!("the model did not answer one of its outputs: tensor={name:?}");
            Err(ServeError::model_failed(message))
        }
    }
}

/// How many values a row of a column has, and all of them behind each other.
fn flat(name: &str, column: &ArrayRef) -> Result<(usize, ArrayRef)> {
    match column.as_fixed_size_list_opt() {
        None => Ok((1, ArrayRef::clone(column))),
        Some(list) if list.null_count() > 0 => Err(null(name)),
        Some(list) => {
            let width = list.value_length() as usize;
            let from = list.value_offset(0) as usize;
            Ok((width, list.values().slice(from, column.len() * width)))
        }
    }
}

fn tensor(name: &str, spec: Option<&TensorSpec>, column: &ArrayRef) -> Result<Tensor> {
    let rows = column.len();
    let (width, values) = flat(name, column)?;
    let mut shape = vec![rows];
    match spec {
        Some(spec) if spec.width() == width => shape.extend(spec.row_shape()),
        _ if column.as_fixed_size_list_opt().is_some() => shape.push(width),
        _ => {}
    }
    let data = values_of(name, &values)?;
    Tensor::new(name, shape, data).map_err(|error| {
        ServeError::internal("an answer's column does not fill its shape").with_source(error)
    })
}

fn null(name: &str) -> ServeError {
    ServeError::model_failed(format!("the model answered a null: tensor={name:?}"))
}

fn no_tensor(name: &str, column: &DataType) -> ServeError {
    ServeError::model_failed(format!(
        "the model answered a column that is no tensor: tensor={name:?} type={column}"
    ))
}

/// The values of a plain column.
pub(crate) fn values_of(name: &str, values: &ArrayRef) -> Result<TensorData> {
    use TensorData as D;
    let whole = || if values.null_count() > 0 { Err(null(name)) } else { Ok(()) };
    match values.data_type() {
        DataType::Float16 => return Ok(D::Fp16(floats::<Float16Type>(values, f16::NAN))),
        DataType::Float32 => return Ok(D::Fp32(floats::<Float32Type>(values, f32::NAN))),
        DataType::Float64 => return Ok(D::Fp64(floats::<Float64Type>(values, f64::NAN))),
        _ => whole()?,
    }
    Ok(match values.data_type() {
        DataType::Boolean => D::Bool(values.as_boolean().values().iter().collect()),
        DataType::Int8 => D::Int8(all::<Int8Type>(values)),
        DataType::Int16 => D::Int16(all::<Int16Type>(values)),
        DataType::Int32 => D::Int32(all::<Int32Type>(values)),
        DataType::Int64 => D::Int64(all::<Int64Type>(values)),
        DataType::UInt8 => D::Uint8(all::<UInt8Type>(values)),
        DataType::UInt16 => D::Uint16(all::<UInt16Type>(values)),
        DataType::UInt32 => D::Uint32(all::<UInt32Type>(values)),
        DataType::UInt64 => D::Uint64(all::<UInt64Type>(values)),
        DataType::Utf8 => D::Bytes(values.as_string::<i32>().iter().flatten().collect()),
        DataType::LargeUtf8 => D::Bytes(values.as_string::<i64>().iter().flatten().collect()),
        DataType::Utf8View => D::Bytes(values.as_string_view().iter().flatten().collect()),
        DataType::Binary => D::Bytes(values.as_binary::<i32>().iter().flatten().collect()),
        DataType::LargeBinary => D::Bytes(values.as_binary::<i64>().iter().flatten().collect()),
        DataType::BinaryView => {
            D::Bytes(values.as_binary_view().iter().flatten().collect::<ByteStrings>())
        }
        other => return Err(no_tensor(name, other)),
    })
}

fn all<T: ArrowPrimitiveType>(values: &ArrayRef) -> Vec<T::Native> {
    values.as_primitive::<T>().values().to_vec()
}

fn floats<T: ArrowPrimitiveType>(values: &ArrayRef, nan: T::Native) -> Vec<T::Native> {
    if values.null_count() == 0 {
        return all::<T>(values);
    }
    values.as_primitive::<T>().iter().map(|value| value.unwrap_or(nan)).collect()
}

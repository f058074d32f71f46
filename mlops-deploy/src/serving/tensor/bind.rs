//! Tensors of a request to the batch that a model takes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, FixedSizeListArray, PrimitiveArray, RecordBatch,
    RecordBatchOptions, StringArray,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, Field, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, SchemaRef, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::widen::{Misfit, widen};
use super::{ByteStrings, Tensor, TensorData, place};
use crate::serving::error::{Result, ServeError, shorten};
use crate::serving::signature::{BytesAs, Signature, TensorSpec};

/// A signature made ready for requests: its schema and where each input stands in it.
///
/// # Contract
/// [`bind`](Self::bind) takes either of two conventions:
/// - **A tensor an input**, in any order. An input with one value a row has the shape `[n]` or `[n, 1]` (more
///   ones are fine); one with the shape `[-1, a, b]` has `[n, a, b]` or `[n, a * b]` and becomes a column of lists
///   of fixed size.
/// - **One matrix** under a name that no input has, of the shape `[n, k]`, with the values of all inputs in
///   the signature's order; `k` is the sum of their widths.
///
/// Values of another type are taken where none changes by it: an integer as a wider one, a float as a wider
/// one, an integer as a float that holds it exactly (`INT64` up to 2^53 as `FP64`, up to 2^24 as `FP32`).
/// Otherwise they are refused, `FP64` for `FP32`, too. Byte strings for text must be UTF-8.
#[derive(Debug, Clone)]
pub struct Binding {
    signature: Signature,
    schema: SchemaRef,
    index: HashMap<String, usize>,
    width: usize,
}

impl Binding {
    /// Makes a signature ready.
    #[must_use]
    pub fn new(signature: Signature) -> Self {
        let names = signature.inputs().iter().map(|spec| spec.name().to_owned());
        let index = names.enumerate().map(|(at, name)| (name, at)).collect();
        let width = signature.inputs().iter().map(TensorSpec::width).sum();
        Self { schema: signature.input_schema(), signature, index, width }
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The schema of the batches that come out.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Where the input `name` stands in the signature.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// The batch that a model takes, a row an instance, without nulls.
    ///
    /// # Errors
    /// `InvalidInput`, naming the tensor, what was wanted and what came: no input, one that is missing, unknown
    /// or there twice, a wrong type, a wrong shape, other numbers of rows, no row, a value that does not fit.
    pub fn bind(&self, mut inputs: Vec<Tensor>) -> Result<RecordBatch> {
        match &inputs[..] {
            [] => Err(ServeError::invalid("the request has no inputs")),
            [only] if self.position(only.name()).is_none() => {
                let only = inputs.remove(0);
                self.bind_matrix(&only)
            }
            _ => self.bind_columns(inputs),
        }
    }

    /// A batch of columns in the signature's order, each with the values of all rows.
    pub(crate) fn batch(&self, columns: Vec<TensorData>, rows: usize) -> Result<RecordBatch> {
        let specs = self.signature.inputs().iter();
        let arrays = specs.zip(columns).map(|(spec, data)| column(spec, data));
        self.assemble(arrays.collect::<Result<_>>()?, rows)
    }

    fn assemble(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(
            |source| ServeError::internal("columns do not make a batch").with_source(source),
        )
    }

    fn bind_columns(&self, inputs: Vec<Tensor>) -> Result<RecordBatch> {
        let specs = self.signature.inputs();
        let mut columns: Vec<Option<ArrayRef>> = vec![None; specs.len()];
        let mut rows: Option<(String, usize)> = None;
        for tensor in inputs {
            let Some(at) = self.position(tensor.name()) else {
                return Err(self.unknown(&tensor));
            };
            if columns[at].is_some() {
                let name = shorten(tensor.name());
                return Err(ServeError::invalid(format!("an input came twice: tensor={name:?}")));
            }
            let got = rows_of(&specs[at], &tensor)?;
            let (name, shape, data) = tensor.into_parts();
            columns[at] = Some(column_of(&specs[at], &shape, data)?);
            let (first, want) = rows.get_or_insert_with(|| (name.clone(), got));
            if *want != got {
                return Err(ServeError::invalid(format!(
                    "inputs differ in their rows: tensor={name:?} got={got} tensor={first:?} want={want}"
                )));
            }
        }
        let missing = |spec: &TensorSpec| {
            ServeError::invalid(format!(
                "an input is missing: tensor={:?} want={} shape={:?}",
                spec.name(),
                spec.datatype(),
                spec.shape()
            ))
        };
        let columns = columns.into_iter().zip(specs);
        let columns = columns.map(|(column, spec)| column.ok_or_else(|| missing(spec)));
        self.assemble(columns.collect::<Result<_>>()?, rows.map_or(0, |(_, rows)| rows))
    }

    fn bind_matrix(&self, matrix: &Tensor) -> Result<RecordBatch> {
        let &[rows, columns] = matrix.shape() else { return Err(self.unknown(matrix)) };
        let name = shorten(matrix.name());
        if columns != self.width {
            return Err(ServeError::invalid(format!(
                "the matrix has another number of columns than the model has inputs: tensor={name:?} want=[-1, {}] got=[{rows}, {columns}]",
                self.width
            )));
        }
        if rows == 0 {
            return Err(no_rows(&name));
        }
        let mut from = 0;
        let specs = self.signature.inputs().iter();
        let columns = specs.map(|spec| {
            let width = spec.width();
            let data = matrix.data().columns(columns, from, width);
            from += width;
            let shape = if width == 1 { vec![rows] } else { vec![rows, width] };
            column_of(spec, &shape, data)
        });
        self.assemble(columns.collect::<Result<_>>()?, rows)
    }

    fn unknown(&self, tensor: &Tensor) -> ServeError {
        let names = self.signature.inputs().iter().map(TensorSpec::name).take(20);
        let known = names.collect::<Vec<_>>().join(", ");
        let (name, more) = (shorten(tensor.name()), self.index.len() > 20);
        let more = if more { ", ..." } else { "" };
        ServeError::invalid(format!(
            "the model has no such input: tensor={name:?} shape={:?} known=[{known}{more}]",
            tensor.shape()
        ))
    }
}

fn no_rows(name: &str) -> ServeError {
    ServeError::invalid(format!("the request has no rows: tensor={name:?}"))
}

/// The rows of a tensor whose shape fits its input.
fn rows_of(spec: &TensorSpec, tensor: &Tensor) -> Result<usize> {
    let wrong = || {
        let (name, want, got) = (spec.name(), spec.shape(), tensor.shape());
        ServeError::invalid(format!("a wrong shape: tensor={name:?} want={want:?} got={got:?}"))
    };
    let (&rows, row) = tensor.shape().split_first().ok_or_else(wrong)?;
    let flat = spec.width();
    let fits = row.iter().copied().eq(spec.row_shape())
        || (flat == 1 && row.iter().all(|&size| size == 1))
        || row == [flat];
    if !fits {
        return Err(wrong());
    }
    if rows == 0 { Err(no_rows(spec.name())) } else { Ok(rows) }
}

/// The column of values whose number is right, with the place of one that does not fit.
fn column_of(spec: &TensorSpec, shape: &[usize], data: TensorData) -> Result<ArrayRef> {
    let (name, want, got) = (spec.name(), spec.datatype(), data.datatype());
    let data = widen(data, want).map_err(|misfit| match misfit {
        Misfit::Type => ServeError::invalid(format!(
            "a wrong type: tensor={name:?} want={want} got={got}"
        )),
        Misfit::Value { at, got: value } => ServeError::invalid(format!(
            "a value can't be taken exactly: tensor={name:?} want={want} got={got} place={:?} value={value}",
            place(shape, at)
        )),
    })?;
    column(spec, data)
}

/// The column of values whose type and number are right.
fn column(spec: &TensorSpec, data: TensorData) -> Result<ArrayRef> {
    let values: ArrayRef = match data {
        TensorData::Bool(v) => Arc::new(BooleanArray::from(v)),
        TensorData::Int8(v) => primitive::<Int8Type>(v),
        TensorData::Int16(v) => primitive::<Int16Type>(v),
        TensorData::Int32(v) => primitive::<Int32Type>(v),
        TensorData::Int64(v) => primitive::<Int64Type>(v),
        TensorData::Uint8(v) => primitive::<UInt8Type>(v),
        TensorData::Uint16(v) => primitive::<UInt16Type>(v),
        TensorData::Uint32(v) => primitive::<UInt32Type>(v),
        TensorData::Uint64(v) => primitive::<UInt64Type>(v),
        TensorData::Fp16(v) => primitive::<Float16Type>(v),
        TensorData::Fp32(v) => primitive::<Float32Type>(v),
        TensorData::Fp64(v) => primitive::<Float64Type>(v),
        TensorData::Bytes(v) => strings(spec, &v)?,
    };
    let width = spec.width();
    if width == 1 {
        return Ok(values);
    }
    let item = Arc::new(Field::new("item", values.data_type().clone(), false));
    let width = i32::try_from(width).unwrap_or(i32::MAX);
    let list = FixedSizeListArray::try_new(item, width, values, None).map_err(|source| {
        ServeError::internal("values do not make a column").with_source(source)
    })?;
    Ok(Arc::new(list))
}

fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(values.into(), None))
}

fn strings(spec: &TensorSpec, values: &ByteStrings) -> Result<ArrayRef> {
    let name = spec.name();
    if i32::try_from(values.total_bytes()).is_err() {
        return Err(ServeError::invalid(format!(
            "byte strings of more than 2 GiB: tensor={name:?}"
        )));
    }
    let offsets = OffsetBuffer::from_lengths(values.iter().map(<[u8]>::len));
    let bytes = Buffer::from_slice_ref(values.as_bytes());
    let array: Result<ArrayRef, _> = match spec.bytes() {
        BytesAs::Binary => {
            BinaryArray::try_new(offsets, bytes, None).map(|array| Arc::new(array) as _)
        }
        BytesAs::Text => {
            StringArray::try_new(offsets, bytes, None).map(|array| Arc::new(array) as _)
        }
    };
    array.map_err(|source| {
        let at = values.iter().position(|value| std::str::from_utf8(value).is_err());
        let message = format!(
            "a text is not UTF-8: tensor={name:?} at={}",
            at.map_or("unknown".to_owned(), |at| at.to_string())
        );
        ServeError::invalid(message).with_source(source)
    })
}

//! Messages to requests, and answers to messages.

use half::f16;

use super::generated::model_infer_request::InferInputTensor;
use super::generated::model_infer_response::InferOutputTensor;
use super::generated::{InferTensorContents, ModelInferRequest, ModelInferResponse};
use crate::serving::error::{Result, ServeError, shorten};
use crate::serving::serve::{InferRequest, InferResponse};
use crate::serving::tensor::{ByteStrings, Datatype, Tensor, TensorData, binary, shape_from_wire};

/// How values travel in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In the list of their type.
    Typed,
    /// As bytes.
    Raw,
}

/// Reads a message.
pub(super) fn request(message: ModelInferRequest) -> Result<(InferRequest, Form)> {
    let raw = message.raw_input_contents;
    let form = if raw.is_empty() { Form::Typed } else { Form::Raw };
    if form == Form::Raw && raw.len() != message.inputs.len() {
        let (want, got) = (message.inputs.len(), raw.len());
        return Err(ServeError::invalid(format!(
            "raw contents are not one an input: want={want} got={got}"
        )));
    }
    let mut raw = raw.into_iter();
    let inputs = message.inputs.into_iter().map(|input| tensor(input, raw.next()));
    let inputs = inputs.collect::<Result<_>>()?;
    let outputs = message.outputs.into_iter().map(|output| output.name).collect();
    let id = Some(message.id).filter(|id| !id.is_empty());
    Ok((InferRequest { id, inputs, outputs }, form))
}

fn tensor(input: InferInputTensor, raw: Option<impl AsRef<[u8]>>) -> Result<Tensor> {
    let InferInputTensor { name, datatype, shape, contents, .. } = input;
    let Some(datatype) = Datatype::from_word(&datatype) else {
        let (name, got) = (shorten(&name), shorten(&datatype));
        return Err(ServeError::invalid(format!("not a datatype: tensor={name:?} got={got:?}")));
    };
    let shape = shape_from_wire(&name, &shape)?;
    let data = match (contents, raw) {
        (None, Some(raw)) => binary::read(&name, datatype, &shape, raw.as_ref())?,
        (Some(contents), None) => typed(&name, datatype, contents)?,
        (None, None) => typed(&name, datatype, InferTensorContents::default())?,
        (Some(_), Some(_)) => {
            let name = shorten(&name);
            return Err(ServeError::invalid(format!(
                "an input has contents beside raw contents: tensor={name:?}"
            )));
        }
    };
    Tensor::new(name, shape, data)
}

/// The one list that the type uses; all others must be empty.
fn typed(name: &str, datatype: Datatype, mut contents: InferTensorContents) -> Result<TensorData> {
    use Datatype as D;
    let c = &mut contents;
    let data = match datatype {
        D::Bool => TensorData::Bool(std::mem::take(&mut c.bool_contents)),
        D::Int8 => TensorData::Int8(narrow(name, datatype, &mut c.int_contents)?),
        D::Int16 => TensorData::Int16(narrow(name, datatype, &mut c.int_contents)?),
        D::Int32 => TensorData::Int32(std::mem::take(&mut c.int_contents)),
        D::Int64 => TensorData::Int64(std::mem::take(&mut c.int64_contents)),
        D::Uint8 => TensorData::Uint8(narrow(name, datatype, &mut c.uint_contents)?),
        D::Uint16 => TensorData::Uint16(narrow(name, datatype, &mut c.uint_contents)?),
        D::Uint32 => TensorData::Uint32(std::mem::take(&mut c.uint_contents)),
        D::Uint64 => TensorData::Uint64(std::mem::take(&mut c.uint64_contents)),
        D::Fp16 => {
            let name = shorten(name);
            return Err(ServeError::invalid(format!(
                "half floats come as raw contents only: tensor={name:?}"
            )));
        }
        D::Fp32 => TensorData::Fp32(std::mem::take(&mut c.fp32_contents)),
        D::Fp64 => TensorData::Fp64(std::mem::take(&mut c.fp64_contents)),
        D::Bytes => {
            let strings: ByteStrings = c.bytes_contents.iter().collect();
            c.bytes_contents.clear();
            TensorData::Bytes(strings)
        }
    };
    if contents == InferTensorContents::default() {
        return Ok(data);
    }
    let name = shorten(name);
    Err(ServeError::invalid(format!(
        "contents of another type than the tensor's: tensor={name:?} want={datatype}"
    )))
}

fn narrow<S: Copy + ToString, T: TryFrom<S>>(
    name: &str,
    datatype: Datatype,
    values: &mut Vec<S>,
) -> Result<Vec<T>> {
    let values = std::mem::take(values).into_iter().enumerate();
    let values = values.map(|(at, value)| {
        T::try_from(value).map_err(|_| {
            let (name, got) = (shorten(name), value.to_string());
            ServeError::invalid(format!(
                "not a value of the tensor's type: tensor={name:?} want={datatype} at={at} got={got}"
            ))
        })
    });
    values.collect()
}

/// Writes an answer in the form of its request. Half floats have no list of their own; then all goes raw.
pub(super) fn response(answer: InferResponse, form: Form) -> Result<ModelInferResponse> {
    let halves = answer.outputs.iter().any(|tensor| tensor.datatype() == Datatype::Fp16);
    let form = if halves { Form::Raw } else { form };
    let mut message = ModelInferResponse {
        model_name: answer.model,
        model_version: answer.version,
        id: answer.id.unwrap_or_default(),
        ..ModelInferResponse::default()
    };
    for tensor in answer.outputs {
        let datatype = tensor.datatype().word().to_owned();
        let (name, shape, data) = tensor.into_parts();
        let shape = shape.into_iter().map(|size| i64::try_from(size).unwrap_or(i64::MAX)).collect();
        let contents = match form {
            Form::Typed => Some(contents(data)),
            Form::Raw => {
                let mut raw = Vec::new();
                binary::write(&data, &mut raw)?;
                message.raw_output_contents.push(raw);
                None
            }
        };
        let parameters = Default::default();
        message.outputs.push(InferOutputTensor { name, datatype, shape, parameters, contents });
    }
    Ok(message)
}

fn contents(data: TensorData) -> InferTensorContents {
    use TensorData as D;
    let mut c = InferTensorContents::default();
    match data {
        D::Bool(v) => c.bool_contents = v,
        D::Int8(v) => c.int_contents = v.into_iter().map(i32::from).collect(),
        D::Int16(v) => c.int_contents = v.into_iter().map(i32::from).collect(),
        D::Int32(v) => c.int_contents = v,
        D::Int64(v) => c.int64_contents = v,
        D::Uint8(v) => c.uint_contents = v.into_iter().map(u32::from).collect(),
        D::Uint16(v) => c.uint_contents = v.into_iter().map(u32::from).collect(),
        D::Uint32(v) => c.uint_contents = v,
        D::Uint64(v) => c.uint64_contents = v,
        D::Fp16(v) => c.fp32_contents = v.into_iter().map(f16::to_f32).collect(),
        D::Fp32(v) => c.fp32_contents = v,
        D::Fp64(v) => c.fp64_contents = v,
        D::Bytes(v) => c.bytes_contents = v.iter().map(<[u8]>::to_vec).collect(),
    }
    c
}

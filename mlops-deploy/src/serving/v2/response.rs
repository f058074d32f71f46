//! An answer to its body.

use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use super::{AnswerForm, wire};
use crate::serving::error::{Result, ServeError};
use crate::serving::serve::InferResponse;
use crate::serving::tensor::{TensorData, binary};

/// A body and what its headers have to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The body: JSON, or JSON and binary tensors behind it.
    pub body: Vec<u8>,
    /// For `Inference-Header-Content-Length`: the JSON's bytes, if binary tensors follow it.
    pub header_length: Option<usize>,
}

impl Encoded {
    /// For `Content-Type`.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self.header_length {
            None => "application/json",
            Some(_) => "application/octet-stream",
        }
    }
}

/// Writes an answer, each output in the form that the client wants. A NaN and the infinities become `"NaN"`,
/// `"Infinity"` and `"-Infinity"` in JSON; binary tensors hold them as they are.
///
/// # Errors
/// `InvalidInput` for byte strings that are not UTF-8 and were wanted as JSON; `ModelFailed` for one of 4 GiB.
pub fn encode(response: &InferResponse, form: &AnswerForm) -> Result<Encoded> {
    let mut tail = Vec::new();
    let mut outputs = Vec::with_capacity(response.outputs.len());
    let mut has_binary = false;
    for tensor in &response.outputs {
        let (mut parameters, mut data) = (None, None);
        if form.is_binary(tensor.name()) {
            let before = tail.len();
            binary::write(tensor.data(), &mut tail)?;
            let binary_data_size = tail.len() - before;
            parameters = Some(wire::AnswerParameters { binary_data_size });
            has_binary = true;
        } else {
            data = Some(Values(tensor.data()));
        }
        let (name, datatype, shape) = (tensor.name(), tensor.datatype().word(), tensor.shape());
        outputs.push(wire::AnswerTensor { name, datatype, shape, parameters, data });
    }
    let answer = wire::Response {
        model_name: &response.model,
        model_version: &response.version,
        id: response.id.as_deref(),
        outputs,
    };
    let mut body = serde_json::to_vec(&answer).map_err(|error| {
        let message = "an output is not UTF-8, ask for it in binary form";
        ServeError::invalid(message).with_source(error)
    })?;
    let header_length = has_binary.then_some(body.len());
    body.append(&mut tail);
    Ok(Encoded { body, header_length })
}

/// Values as a flat array.
struct Values<'a>(&'a TensorData);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            TensorData::Bool(v) => serializer.collect_seq(v),
            TensorData::Int8(v) => serializer.collect_seq(v),
            TensorData::Int16(v) => serializer.collect_seq(v),
            TensorData::Int32(v) => serializer.collect_seq(v),
            TensorData::Int64(v) => serializer.collect_seq(v),
            TensorData::Uint8(v) => serializer.collect_seq(v),
            TensorData::Uint16(v) => serializer.collect_seq(v),
            TensorData::Uint32(v) => serializer.collect_seq(v),
            TensorData::Uint64(v) => serializer.collect_seq(v),
            TensorData::Fp16(v) => serializer.collect_seq(v.iter().map(|v| Float(v.to_f32()))),
            TensorData::Fp32(v) => serializer.collect_seq(v.iter().map(|&v| Float(v))),
            TensorData::Fp64(v) => serializer.collect_seq(v.iter().map(|&v| Float(v))),
            TensorData::Bytes(v) => {
                let mut seq = serializer.serialize_seq(Some(v.len()))?;
                for value in v.iter() {
                    let text = std::str::from_utf8(value).map_err(S::Error::custom)?;
                    seq.serialize_element(text)?;
                }
                seq.end()
            }
        }
    }
}

/// A float, or the word for one that JSON can't write.
struct Float<T>(T);

impl<T: Serialize + Copy + Into<f64>> Serialize for Float<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: f64 = self.0.into();
        if value.is_finite() {
            return self.0.serialize(serializer);
        }
        serializer.serialize_str(match value {
            value if value.is_nan() => "NaN",
            value if value > 0.0 => "Infinity",
            _ => "-Infinity",
        })
    }
}

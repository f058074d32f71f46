//! A body to an inference request.

use std::collections::HashSet;

use super::wire;
use crate::serving::error::{Result, ServeError, shorten};
use crate::serving::serve::InferRequest;
use crate::serving::tensor::{
    Datatype, Misfit, Tensor, TensorData, binary, elements, place, shape_from_wire, wrong_count,
};

/// Which outputs the client wants in binary form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswerForm {
    all: bool,
    except: HashSet<String>,
}

impl AnswerForm {
    /// Everything as JSON.
    #[must_use]
    pub fn json() -> Self {
        Self::default()
    }

    /// Everything in binary form.
    #[must_use]
    pub fn binary() -> Self {
        Self { all: true, except: HashSet::new() }
    }

    /// Whether the output `name` goes out in binary form.
    #[must_use]
    pub fn is_binary(&self, name: &str) -> bool {
        self.all != self.except.contains(name)
    }
}

/// Reads the body of an inference request.
///
/// `header_length` is the value of `Inference-Header-Content-Length`: the JSON's bytes, behind which the binary
/// tensors follow in the order of the inputs. Without it the whole body is JSON; the content type decides nothing.
/// Flat and nested data are taken; a nested one must have the tensor's shape. Integers are exact, and never
/// written with a fraction or an exponent; floats may be `"NaN"`, `"Infinity"` and `"-Infinity"`, as JSON has no
/// numbers for them. Parameters that are not known are ignored.
///
/// # Errors
/// `InvalidInput`, naming the tensor where there is one, what was wanted and what came.
pub fn decode(body: &[u8], header_length: Option<usize>) -> Result<(InferRequest, AnswerForm)> {
    let (json, mut binary) = match header_length {
        None => (body, &[][..]),
        Some(length) => body.split_at_checked(length).ok_or_else(|| {
            let got = body.len();
            ServeError::invalid(format!(
                "the body is shorter than its JSON: header_content_length={length} got_bytes={got}"
            ))
        })?,
    };
    let wire::Object::<wire::Request>(request) = serde_json::from_slice(json)
        .map_err(|error| ServeError::invalid(format!("not an inference request: {error}")))?;
    let inputs = request.inputs.unwrap_or_default();
    let inputs = inputs.into_iter().map(|input| tensor(input.0, &mut binary));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    if !binary.is_empty() {
        let left = binary.len();
        return Err(ServeError::invalid(format!(
            "binary data that no input names: left_bytes={left}"
        )));
    }
    let parameters = request.parameters.unwrap_or_default();
    let all = parameters.binary_data_output.unwrap_or(false);
    let mut form = AnswerForm { all, except: HashSet::new() };
    let mut outputs = Vec::new();
    for wire::Object(output) in request.outputs.unwrap_or_default() {
        let binary = output.parameters.and_then(|parameters| parameters.binary_data);
        if binary.is_some_and(|binary| binary != all) {
            form.except.insert(output.name.clone());
        }
        outputs.push(output.name);
    }
    Ok((InferRequest { id: request.id, inputs, outputs }, form))
}

fn tensor(input: wire::Input, binary: &mut &[u8]) -> Result<Tensor> {
    let name = input.name;
    let Some(datatype) = Datatype::from_word(&input.datatype) else {
        let (name, got) = (shorten(&name), shorten(&input.datatype));
        return Err(ServeError::invalid(format!(
            "not a datatype: tensor={name:?} got={got:?} want=[BOOL, INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FP16, FP32, FP64, BYTES]"
        )));
    };
    let shape = shape_from_wire(&name, &input.shape)?;
    let size = input.parameters.and_then(|parameters| parameters.binary_data_size);
    let data = match (input.data, size) {
        (Some(array), None) => from_json(&name, datatype, &shape, array)?,
        (None, Some(size)) => {
            let taken = binary.split_at_checked(size).ok_or_else(|| {
                let (name, got) = (shorten(&name), binary.len());
                ServeError::invalid(format!(
                    "the body is shorter than its tensors: tensor={name:?} binary_data_size={size} got_bytes={got}"
                ))
            })?;
            *binary = taken.1;
            binary::read(&name, datatype, &shape, taken.0)?
        }
        (data, _) => {
            let what = if data.is_some() { "both" } else { "neither" };
            let name = shorten(&name);
            return Err(ServeError::invalid(format!(
                "an input needs either data or a binary_data_size: tensor={name:?} got={what}"
            )));
        }
    };
    Tensor::new(name, shape, data)
}

fn from_json(
    name: &str,
    datatype: Datatype,
    shape: &[usize],
    array: crate::serving::json::Array,
) -> Result<TensorData> {
    let short = shorten(name);
    if let Some(problem) = array.ragged {
        return Err(ServeError::invalid(format!("{problem} tensor={short:?}")));
    }
    let nested = array.sizes.len() > 1;
    let sizes = array.sizes;
    let data = array.values.into_data(datatype).map_err(|misfit| match misfit {
        Misfit::Type => ServeError::internal("a JSON value has no type"),
        Misfit::Value { at, got } => ServeError::invalid(format!(
            "not a value of the tensor's type: tensor={short:?} want={datatype} place={:?} got={got}",
            place(shape, at)
        )),
    })?;
    let want = elements(name, shape)?;
    if want != data.len() {
        return Err(wrong_count(name, shape, want, data.len()));
    }
    if nested && sizes != shape {
        return Err(ServeError::invalid(format!(
            "nested data of another shape: tensor={short:?} want={shape:?} got={sizes:?}"
        )));
    }
    Ok(data)
}

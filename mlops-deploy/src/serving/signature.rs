//! What goes into a model and what comes out of it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use mlops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::tensor::Datatype;

/// How a column holds values of [`Datatype::Bytes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BytesAs {
    /// As `Utf8`; other bytes are refused.
    #[default]
    Text,
    /// As `Binary`.
    Binary,
}

/// One input or output of a model.
///
/// As JSON `{"name": "x", "datatype": "FP32", "shape": [-1]}`; `type` may stand for `datatype`, with the
/// names that registries use (`float32`, `long`, …), and the shape may be left out. Other fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorSpec {
    name: String,
    #[serde(alias = "type")]
    datatype: Datatype,
    #[serde(default = "one_a_row")]
    shape: Vec<i64>,
    #[serde(default, skip_serializing_if = "is_text")]
    bytes: BytesAs,
}

fn one_a_row() -> Vec<i64> {
    vec![-1]
}

fn is_text(bytes: &BytesAs) -> bool {
    *bytes == BytesAs::Text
}

impl TensorSpec {
    /// One value a row: shape `[-1]`.
    pub fn new(name: impl Into<String>, datatype: Datatype) -> Self {
        Self { name: name.into(), datatype, shape: one_a_row(), bytes: BytesAs::Text }
    }

    /// The shape: `-1` for the rows, then the fixed size of each further dimension.
    #[must_use]
    pub fn with_shape(mut self, shape: Vec<i64>) -> Self {
        self.shape = shape;
        self
    }

    /// How a column holds byte strings.
    #[must_use]
    pub fn with_bytes(mut self, bytes: BytesAs) -> Self {
        self.bytes = bytes;
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of its values.
    #[must_use]
    pub fn datatype(&self) -> Datatype {
        self.datatype
    }

    /// Its shape, `-1` for any number of rows.
    #[must_use]
    pub fn shape(&self) -> &[i64] {
        &self.shape
    }

    /// How a column holds byte strings.
    #[must_use]
    pub fn bytes(&self) -> BytesAs {
        self.bytes
    }

    /// Values a row: the product of the sizes behind the rows.
    #[must_use]
    pub fn width(&self) -> usize {
        self.row_shape().product()
    }

    /// The sizes behind the rows.
    pub(crate) fn row_shape(&self) -> impl ExactSizeIterator<Item = usize> {
        self.shape.iter().skip(1).map(|&size| usize::try_from(size).unwrap_or(0))
    }

    /// The Arrow field of its column: a plain one for one value a row, otherwise a list of fixed size.
    #[must_use]
    pub fn field(&self) -> Field {
        let item = match (self.datatype, self.bytes) {
            (Datatype::Bytes, BytesAs::Binary) => DataType::Binary,
            (datatype, _) => datatype.arrow(),
        };
        let width = self.width();
        if width == 1 {
            return Field::new(&self.name, item, false);
        }
        let item = Arc::new(Field::new("item", item, false));
        let width = i32::try_from(width).unwrap_or(i32::MAX);
        Field::new(&self.name, DataType::FixedSizeList(item, width), false)
    }

    fn check(&self) -> Result<()> {
        let name = &self.name;
        if name.is_empty() || name.len() > 250 || name.chars().any(char::is_control) {
            return Err(Error::invalid(format!(
                "a tensor's name is empty, too long or holds a control character: name={name:?}"
            )));
        }
        let width = self.shape.iter().skip(1).try_fold(1_i32, |product, &size| {
            let size = i32::try_from(size).ok().filter(|&size| size > 0)?;
            product.checked_mul(size)
        });
        if self.shape.first() != Some(&-1) || width.is_none() {
            return Err(Error::invalid(format!(
                "a shape is not -1 followed by fixed sizes: tensor={name:?} shape={:?}",
                self.shape
            )));
        }
        Ok(())
    }
}

/// What goes into a model and what comes out: what metadata shows and each request is checked against.
///
/// The registry keeps it as text ([`ModelVersion::signature`](mlops_core::registry::ModelVersion)); this is
/// its meaning for a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Signature {
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
}

impl TryFrom<Parts> for Signature {
    type Error = Error;
    fn try_from(parts: Parts) -> Result<Self> {
        Self::new(parts.inputs, parts.outputs)
    }
}

impl From<Signature> for Parts {
    fn from(signature: Signature) -> Self {
        Self { inputs: signature.inputs, outputs: signature.outputs }
    }
}

impl Signature {
    /// A signature whose inputs are checked, in the order that a matrix carries them.
    ///
    /// # Errors
    /// `InvalidInput` without an input or an output, for two of one name among the inputs or among the
    /// outputs, a name that is empty, longer than 250 bytes or holds a control character, and a shape that is
    /// not `-1` followed by sizes above zero whose product fits 31 bits.
    pub fn new(inputs: Vec<TensorSpec>, outputs: Vec<TensorSpec>) -> Result<Self> {
        for (side, specs) in [("inputs", &inputs), ("outputs", &outputs)] {
            if specs.is_empty() {
                return Err(Error::invalid(format!("a signature has no {side}")));
            }
            let mut names = HashSet::new();
            for spec in specs {
                spec.check()?;
                if !names.insert(spec.name()) {
                    let name = spec.name();
                    return Err(Error::invalid(format!(
                        "a signature has two {side} of one name: name={name:?}"
                    )));
                }
            }
        }
        Ok(Self { inputs, outputs })
    }

    /// Reads the text that a registry keeps.
    ///
    /// # Errors
    /// `InvalidInput` for text that is not a signature.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|source| {
            Error::new(ErrorKind::InvalidInput, "not a signature").with_source(source)
        })
    }

    /// What goes in, in order.
    #[must_use]
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// What comes out, in order.
    #[must_use]
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// The schema of the batches that a predictor is given.
    #[must_use]
    pub fn input_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.inputs.iter().map(TensorSpec::field).collect::<Vec<_>>()))
    }

    /// The schema of the batches that a predictor answers.
    #[must_use]
    pub fn output_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.outputs.iter().map(TensorSpec::field).collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_registry_is_read_and_the_protocols_form_written() {
        let text = r#"{"inputs":[{"name":"hour","type":"float32"},{"name":"port","type":"string"}],
            "outputs":[{"name":"late","type":"float64","shape":[-1,3]}]}"#;
        let signature = Signature::from_json(text).unwrap();
        assert_eq!(signature.inputs()[0], TensorSpec::new("hour", Datatype::Fp32));
        let [late] = signature.outputs() else { panic!("one output") };
        assert_eq!((late.datatype(), late.width()), (Datatype::Fp64, 3));
        let written = serde_json::to_string(&signature).unwrap();
        assert!(written.contains(r#"{"name":"hour","datatype":"FP32","shape":[-1]}"#), "{written}");
        assert_eq!(Signature::from_json(&written).unwrap(), signature);
    }

    #[test]
    fn a_signature_that_no_request_could_meet_is_refused() {
        let spec = |name: &str, shape: &[i64]| {
            TensorSpec::new(name, Datatype::Fp32).with_shape(shape.to_vec())
        };
        let good = || vec![spec("y", &[-1])];
        let wrong = [
            (vec![], good()),
            (good(), vec![]),
            (vec![spec("x", &[-1]), spec("x", &[-1])], good()),
            (vec![spec("", &[-1])], good()),
            (vec![spec("x\n", &[-1])], good()),
            (vec![spec("x", &[])], good()),
            (vec![spec("x", &[4])], good()),
            (vec![spec("x", &[-1, -1])], good()),
            (vec![spec("x", &[-1, 0])], good()),
            (vec![spec("x", &[-1, 1 << 40])], good()),
            (vec![spec("x", &[-1, 1 << 20, 1 << 20])], good()),
        ];
        for (inputs, outputs) in wrong {
            let error = Signature::new(inputs.clone(), outputs).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{inputs:?}");
        }
        for text in ["", "{}", "[]", r#"{"inputs":[{"name":"x","type":"complex"}],"outputs":[]}"#] {
            assert!(Signature::from_json(text).is_err(), "{text}");
        }
    }
}

//! MLflow's scoring protocol: the bodies of `/invocations` to batches, and answers to bodies.
//!
//! Taken are JSON with one of `dataframe_split`, `dataframe_records`, `instances`, `inputs` (other fields, as
//! `params`, are ignored), and CSV with a header. Columns that the signature does not have are ignored, as MLflow
//! does; a null or an empty field is a NaN in a column of floats and refused in any other.

mod csv;
mod rest;
mod table;

#[cfg(test)]
mod tests;

pub(super) use rest::routes;

use arrow::array::RecordBatch;
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::error::{Result, ServeError, shorten};
use super::json::Loose;
use super::signature::{Signature, TensorSpec};
use super::tensor::{Binding, Misfit, Tensor, TensorData, tensors_of};

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One of the JSON forms.
    Json,
    /// Comma-separated values.
    Csv,
}

impl Format {
    /// The form that a content type names; JSON without one.
    ///
    /// # Errors
    /// `InvalidInput` for any other; MLflow answers those with 415.
    pub fn from_content_type(content_type: Option<&str>) -> Result<Self> {
        let essence = content_type.unwrap_or("application/json");
        let essence = essence.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/json" | "" => Ok(Self::Json),
            "text/csv" => Ok(Self::Csv),
            _ => Err(ServeError::invalid(format!(
                "not a content type of invocations: got={:?} want=[application/json, text/csv]",
                shorten(essence)
            ))),
        }
    }
}

/// Reads the body of an invocation into a batch of the signature.
///
/// # Errors
/// `InvalidInput`, naming the column, what was wanted and what came.
pub fn decode(format: Format, body: &[u8], binding: &Binding) -> Result<RecordBatch> {
    let table = match format {
        Format::Json => table::read(body, binding)?,
        Format::Csv => csv::read(body, binding)?,
    };
    table.into_batch(binding)
}

/// Writes an answer: `{"predictions": [...]}` with a value a row for one output, an object a row for several.
///
/// A NaN and the infinities are null.
///
/// # Errors
/// `ModelFailed` for a column that is no tensor, or for text that is not UTF-8.
pub fn encode(answer: &RecordBatch, signature: &Signature) -> Result<Vec<u8>> {
    let outputs = tensors_of(answer, signature, &[])?;
    let body = Answer { outputs: &outputs, rows: answer.num_rows() };
    serde_json::to_vec(&body)
        .map_err(|error| ServeError::model_failed("an output is not UTF-8").with_source(error))
}

/// The columns of the signature, as far as the body has them.
pub(super) struct Table {
    columns: Vec<Option<Loose>>,
    rows: usize,
}

impl Table {
    fn into_batch(self, binding: &Binding) -> Result<RecordBatch> {
        if self.rows == 0 {
            return Err(ServeError::invalid("the request has no rows"));
        }
        let specs = binding.signature().inputs();
        let columns = specs.iter().zip(self.columns);
        let columns = columns.map(|(spec, column)| data(spec, column, self.rows));
        binding.batch(columns.collect::<Result<_>>()?, self.rows)
    }
}

fn data(spec: &TensorSpec, column: Option<Loose>, rows: usize) -> Result<TensorData> {
    let (name, datatype) = (spec.name(), spec.datatype());
    let Some(column) = column else {
        return Err(ServeError::invalid(format!(
            "a column is missing: column={name:?} want={datatype}"
        )));
    };
    let width = spec.width();
    let want = rows.saturating_mul(width);
    let data = column.into_data(datatype).map_err(|misfit| match misfit {
        Misfit::Type => ServeError::internal("a value has no type"),
        Misfit::Value { at, got } => ServeError::invalid(format!(
            "not a value of the column's type: column={name:?} want={datatype} row={} got={got}",
            at / width
        )),
    })?;
    if data.len() != want {
        let got = data.len();
        return Err(ServeError::invalid(format!(
            "a column has another number of values than rows: column={name:?} rows={rows} want={want} got={got}"
        )));
    }
    Ok(data)
}

struct Answer<'a> {
    outputs: &'a [Tensor],
    rows: usize,
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("predictions", &Rows(self))?;
        map.end()
    }
}

struct Rows<'a>(&'a Answer<'a>);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Answer { outputs, rows } = self.0;
        let mut seq = serializer.serialize_seq(Some(*rows))?;
        for row in 0..*rows {
            match outputs {
                [only] => seq.serialize_element(&Row { tensor: only, row })?,
                outputs => seq.serialize_element(&Record { outputs, row })?,
            }
        }
        seq.end()
    }
}

struct Record<'a> {
    outputs: &'a [Tensor],
    row: usize,
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.outputs.len()))?;
        for tensor in self.outputs {
            map.serialize_entry(tensor.name(), &Row { tensor, row: self.row })?;
        }
        map.end()
    }
}

/// What one output says about one row: a value, or a list if it has more than one dimension.
struct Row<'a> {
    tensor: &'a Tensor,
    row: usize,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = self.tensor.data();
        let shape = &self.tensor.shape()[1..];
        if shape.is_empty() {
            return Value { data, at: self.row }.serialize(serializer);
        }
        let width: usize = shape.iter().product();
        let values = self.row * width..(self.row + 1) * width;
        serializer.collect_seq(values.map(|at| Value { data, at }))
    }
}

struct Value<'a> {
    data: &'a TensorData,
    at: usize,
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = self.at;
        match self.data {
            TensorData::Bool(v) => v[at].serialize(serializer),
            TensorData::Int8(v) => v[at].serialize(serializer),
            TensorData::Int16(v) => v[at].serialize(serializer),
            TensorData::Int32(v) => v[at].serialize(serializer),
            TensorData::Int64(v) => v[at].serialize(serializer),
            TensorData::Uint8(v) => v[at].serialize(serializer),
            TensorData::Uint16(v) => v[at].serialize(serializer),
            TensorData::Uint32(v) => v[at].serialize(serializer),
            TensorData::Uint64(v) => v[at].serialize(serializer),
            // serde_json writes null for what is not finite.
            TensorData::Fp16(v) => v[at].to_f32().serialize(serializer),
            TensorData::Fp32(v) => v[at].serialize(serializer),
            TensorData::Fp64(v) => v[at].serialize(serializer),
            TensorData::Bytes(v) => {
                let text = std::str::from_utf8(v.get(at).unwrap_or_default());
                text.map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
        }
    }
}

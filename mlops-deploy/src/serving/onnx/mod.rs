//! Models as ONNX files, run in this process: feature `onnx`.
//!
//! A file is only data here. It is parsed from memory, so that weights in other files, which could lie anywhere,
//! are refused; a panic of the parser becomes an error; and operators that are not there are named.

mod read;
mod values;

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use mlops_core::{Error, ErrorKind};
use tract_onnx::prelude::{TValue, TVec, TypedRunnableModel};

use super::error::{Result, ServeError};
use super::predictor::{Loader, ModelFiles, Predictor};
use super::signature::Signature;

/// What the registry calls such a model.
pub const FLAVOUR: &str = "onnx";
/// Larger files are refused.
const MAX_BYTES: u64 = 1 << 30;

/// Reads models of flavour `onnx`.
///
/// Inputs and outputs are tensors of numbers or booleans whose first dimension is the rows. A model that was
/// exported for exactly one row is asked row by row. What goes in and out is read from the file.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnnxLoader;

impl Loader for OnnxLoader {
    fn flavour(&self) -> &str {
        FLAVOUR
    }

    fn load(&self, files: &ModelFiles) -> mlops_core::Result<Arc<dyn Predictor>> {
        let failed = |source| Error::io("read a model", files.path(), source);
        let bytes = std::fs::metadata(files.path()).map_err(failed)?.len();
        if bytes > MAX_BYTES {
            let message = format!("an ONNX file is too large: bytes={bytes} limit={MAX_BYTES}");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let bytes = std::fs::read(files.path()).map_err(failed)?;
        Ok(Arc::new(read::read(&bytes)?))
    }
}

/// How many rows a model takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    Any,
    One,
}

/// A model that answers batches.
struct OnnxModel {
    signature: Signature,
    rows: Rows,
    plan: Arc<TypedRunnableModel>,
}

impl fmt::Debug for OnnxModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnnxModel")
            .field("signature", &self.signature)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl Predictor for OnnxModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        if self.rows == Rows::Any {
            return self.run(batch);
        }
        let rows = (0..batch.num_rows()).map(|row| self.run(&batch.slice(row, 1)));
        let answers = rows.collect::<Result<Vec<_>>>()?;
        concat_batches(&self.signature.output_schema(), &answers)
            .map_err(|error| ServeError::internal("cannot join answers").with_source(error))
    }
}

impl OnnxModel {
    fn run(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let refused = |error| values::failed("a tensor can't be made", error);
        let inputs = self.signature.inputs().iter().zip(batch.columns());
        let inputs = inputs.map(|(spec, column)| values::tensor(spec, column).map(TValue::from));
        let inputs: TVec<TValue> = inputs.collect::<Result<_, _>>().map_err(refused)?;
        let outputs =
            self.plan.run(inputs).map_err(|error| values::failed("the model failed", error))?;
        let rows = batch.num_rows();
        let columns = self.signature.outputs().iter().zip(outputs.iter());
        let columns = columns.map(|(spec, output)| values::column(spec, output, rows));
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        RecordBatch::try_new(self.signature.output_schema(), columns).map_err(|error| {
            ServeError::model_failed("an output has another form").with_source(error)
        })
    }
}

#[cfg(test)]
mod tests;

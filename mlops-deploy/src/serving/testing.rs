//! Models for tests: small, and wrong on purpose.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Float64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Float64Type;
use mlops_core::id::{ModelName, VersionNumber};

use super::error::{Result, ServeError};
use super::model::{LoadedModel, Repository, RepositoryOptions};
use super::predictor::{Cost, Predictor};
use super::signature::{Signature, TensorSpec};
use super::tensor::Datatype;

/// Answers its inputs.
#[derive(Debug)]
pub(super) struct Echo(pub(super) Signature);

impl Predictor for Echo {
    fn signature(&self) -> &Signature {
        &self.0
    }
    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        Ok(batch.clone())
    }
    fn cost(&self, _rows: usize) -> Cost {
        Cost::Inline
    }
}

/// Adds four `FP64` inputs, as an iris model would take them; fails, panics and miscounts when asked.
#[derive(Debug)]
pub(super) struct Sum(Signature);

pub(super) const IRIS: [&str; 4] = ["sepal_length", "sepal_width", "petal_length", "petal_width"];

impl Sum {
    pub(super) fn new() -> Self {
        let inputs = IRIS.map(|name| TensorSpec::new(name, Datatype::Fp64)).to_vec();
        let outputs = vec![TensorSpec::new("sum", Datatype::Fp64)];
        Self(Signature::new(inputs, outputs).unwrap())
    }
}

impl Predictor for Sum {
    fn signature(&self) -> &Signature {
        &self.0
    }

    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| column.as_primitive::<Float64Type>()).collect();
        let row = |at: usize| columns.iter().map(|column| column.value(at)).sum::<f64>();
        let sums: Float64Array = (0..batch.num_rows()).map(|at| Some(row(at))).collect();
        let sums: ArrayRef = Arc::new(sums);
        let answer = RecordBatch::try_from_iter([("sum", sums)]).unwrap();
        match row(0) {
            -1.0 => Err(ServeError::model_failed("no answer")),
            -2.0 => panic!("a model that panics"),
            -3.0 => Ok(concat_batches(&answer.schema(), [&answer, &answer]).unwrap()),
            _ => Ok(answer),
        }
    }

    fn cost(&self, rows: usize) -> Cost {
        if rows < 10 { Cost::Inline } else { Cost::Blocking }
    }
}

pub(super) fn name(text: &str) -> ModelName {
    ModelName::new(text).unwrap()
}

pub(super) fn loaded(
    model: &str,
    version: u32,
    predictor: impl Predictor + 'static,
) -> LoadedModel {
    LoadedModel::new(name(model), VersionNumber(version), Arc::new(predictor))
}

/// A server with `iris` in version 1.
pub(super) fn iris() -> Repository {
    let server = Repository::new(RepositoryOptions::default());
    assert!(server.load(loaded("iris", 1, Sum::new())).is_none());
    server
}

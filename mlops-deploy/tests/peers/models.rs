//! A model server for peers: two small models with real answers, and an observer that sees a mean move.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float32Array, Int64Array, RecordBatch};
use arrow::array::{BinaryArray, PrimitiveArray};
use arrow::datatypes::Float32Type;
use mlops_core::id::{ModelName, VersionNumber};
use mlops_core::time::{Clock as _, SystemClock, Timestamp};
use mlops_deploy::serving::error::Result;
use mlops_deploy::serving::metrics::ServingMetrics;
use mlops_deploy::serving::model::RepositoryOptions;
use mlops_deploy::serving::observe::{BatchObserver, Score};
use mlops_deploy::serving::predictor::Cost;
use mlops_deploy::serving::rest::{MAX_BODY_BYTES, ServingState, routes};
use mlops_deploy::serving::signature::BytesAs;
use mlops_deploy::serving::tensor::Datatype;
use mlops_deploy::serving::{LoadedModel, Predictor, Repository, Signature, TensorSpec};
use mlops_http::auth::Anyone;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::server::{ServerHandle, ServerOptions, serve};

/// The inputs of `iris`, in order.
const FEATURES: [&str; 4] = ["sepal_length", "sepal_width", "petal_length", "petal_width"];

/// Softmax regression of Fisher's irises on [`FEATURES`]: three rows of weights, each with its bias last. `iris.py`
/// has the same numbers.
const WEIGHTS: [[f64; 5]; 3] = [
    [-0.424, 0.967, -2.517, -1.079, 9.850],
    [0.535, -0.322, -0.206, -0.944, 2.237],
    [-0.111, -0.646, 2.724, 2.024, -12.087],
];

/// Answers a flower's most probable class (`INT64`) and how probable it is (`FP32`).
#[derive(Debug)]
struct Iris(Signature);

impl Iris {
    fn new() -> Self {
        let inputs = FEATURES.map(|name| TensorSpec::new(name, Datatype::Fp32)).to_vec();
        let outputs = vec![
            TensorSpec::new("class", Datatype::Int64),
            TensorSpec::new("probability", Datatype::Fp32),
        ];
        Self(Signature::new(inputs, outputs).unwrap())
    }
}

/// The class of one row and its probability.
fn classify(row: [f64; 4]) -> (i64, f64) {
    let score = |[weights @ .., bias]: &[f64; 5]| {
        weights.iter().zip(row).map(|(weight, value)| weight * value).sum::<f64>() + bias
    };
    let scores: Vec<f64> = WEIGHTS.iter().map(score).collect();
    let (class, best) =
        scores.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1)).unwrap();
    let total: f64 = scores.iter().map(|score| (score - best).exp()).sum();
    (i64::try_from(class).unwrap(), 1.0 / total)
}

impl Predictor for Iris {
    fn signature(&self) -> &Signature {
        &self.0
    }

    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns: Vec<&PrimitiveArray<Float32Type>> =
            batch.columns().iter().map(|column| column.as_primitive()).collect();
        let rows = (0..batch.num_rows())
            .map(|at| classify(std::array::from_fn(|column| columns[column].value(at).into())));
        let (classes, probabilities): (Vec<i64>, Vec<f32>) =
            rows.map(|(class, probability)| (class, probability as f32)).unzip();
        let classes: ArrayRef = Arc::new(Int64Array::from(classes));
        let probabilities: ArrayRef = Arc::new(Float32Array::from(probabilities));
        let answer = [("class", classes), ("probability", probabilities)];
        Ok(RecordBatch::try_from_iter(answer).unwrap())
    }

    fn cost(&self, _rows: usize) -> Cost {
        Cost::Inline
    }
}

/// Answers each byte string reversed (`BYTES`) and how long it is (`INT64`).
#[derive(Debug)]
struct Reverse(Signature);

impl Reverse {
    fn new() -> Self {
        let bytes = |name| TensorSpec::new(name, Datatype::Bytes).with_bytes(BytesAs::Binary);
        let outputs = vec![bytes("reversed"), TensorSpec::new("length", Datatype::Int64)];
        Self(Signature::new(vec![bytes("word")], outputs).unwrap())
    }
}

impl Predictor for Reverse {
    fn signature(&self) -> &Signature {
        &self.0
    }

    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let words = batch.column(0).as_binary::<i32>();
        let words = || (0..words.len()).map(|at| words.value(at));
        let reverse = |word: &[u8]| word.iter().rev().copied().collect::<Vec<u8>>();
        let reversed: ArrayRef = Arc::new(BinaryArray::from_iter_values(words().map(reverse)));
        let length = words().map(|word| i64::try_from(word.len()).unwrap());
        let lengths: ArrayRef = Arc::new(Int64Array::from_iter_values(length));
        Ok(RecordBatch::try_from_iter([("reversed", reversed), ("length", lengths)]).unwrap())
    }
}

/// Says that a feature has drifted once the mean of what it has seen has moved by half a standard deviation.
#[derive(Debug, Default)]
struct MeanShift {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    rows: u32,
    sum: f64,
    last: Option<Timestamp>,
}

impl MeanShift {
    /// The input that it looks at, with the mean and the standard deviation of Fisher's 150 flowers.
    const FEATURE: &str = "petal_length";
    const MEAN: f64 = 3.758;
    const DEVIATION: f64 = 1.765;
    const THRESHOLD: f64 = 0.5;
    /// Rows without which there is no verdict.
    const ROWS: u32 = 50;
}

impl BatchObserver for MeanShift {
    fn observe(&self, batch: &RecordBatch) {
        let Some(column) = batch.column_by_name(Self::FEATURE) else { return };
        let values = column.as_primitive::<Float32Type>().values();
        let sum: f64 = values.iter().copied().map(f64::from).sum();
        let mut seen = self.seen.lock().unwrap();
        seen.sum += sum;
        seen.rows += u32::try_from(values.len()).unwrap();
        seen.last = Some(SystemClock.now());
    }

    fn scores(&self) -> Vec<Score> {
        let seen = self.seen.lock().unwrap();
        if seen.rows < Self::ROWS {
            return Vec::new();
        }
        let shift = (seen.sum / f64::from(seen.rows) - Self::MEAN).abs() / Self::DEVIATION;
        let score = Score::new(Self::FEATURE, "mean_shift", shift).with_threshold(Self::THRESHOLD);
        vec![score.with_verdict(shift > Self::THRESHOLD)]
    }

    fn reported_at(&self) -> Option<Timestamp> {
        self.seen.lock().unwrap().last
    }
}

fn loaded(name: &str, version: u32, predictor: impl Predictor + 'static) -> LoadedModel {
    LoadedModel::new(ModelName::new(name).unwrap(), VersionNumber(version), Arc::new(predictor))
}

/// A server of `iris`, version 3, alone: what clients that name no model need.
pub(crate) fn serve_iris() -> ServerHandle {
    start([loaded("iris", 3, Iris::new()).with_observer(Arc::new(MeanShift::default()))])
}

/// A server of `iris`, version 3, and `reverse`, version 1.
pub(crate) fn serve_both() -> ServerHandle {
    start([loaded("iris", 3, Iris::new()), loaded("reverse", 1, Reverse::new())])
}

fn start<const N: usize>(models: [LoadedModel; N]) -> ServerHandle {
    let repository = Repository::new(RepositoryOptions::default());
    for model in models {
        repository.load(model);
    }
    let state = ServingState::new(Arc::new(repository), ServingMetrics::default());
    let service = routes(&state, MAX_BODY_BYTES).into_service(state, Arc::new(Anyone));
    let listener = bind(DEFAULT_HOST, 0, &Anyone).unwrap();
    serve(listener, service, ServerOptions::default()).unwrap()
}

/// Where it answers, as clients write it.
pub(crate) fn address(server: &ServerHandle) -> String {
    let address: SocketAddr = server.local_addr();
    address.to_string()
}

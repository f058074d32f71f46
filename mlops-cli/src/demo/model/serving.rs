//! The demo's model behind a server: flights as they are known before departure in, a probability out.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::compute::{sort_to_indices, take_record_batch};
use mlops_core::{Error, ErrorKind};
use mlops_deploy::serving::predictor::{Cost, ModelFiles};
use mlops_deploy::serving::tensor::Datatype;
use mlops_deploy::serving::{Loader, Predictor, ServeError, Signature, TensorSpec};

use super::Model;
use super::flights::{Flights, WEATHER};

/// What the registry calls a model of the demo.
pub(crate) const FLAVOUR: &str = "flight-delay/1";
/// The one output: the probability of coming in more than 15 minutes late.
pub(crate) const OUTPUT: &str = "late";
/// So many flights are scored in less time than a change of threads takes.
const INLINE_ROWS: usize = 64;

/// What goes in: the columns of the data set. `time_hour` is in microseconds since 1970 (UTC); a
/// reading that is not known is NaN.
pub(crate) fn signature() -> mlops_core::Result<Signature> {
    let named = |(name, datatype)| TensorSpec::new(name, datatype);
    let schedule = [
        ("time_hour", Datatype::Int64),
        ("origin", Datatype::Bytes),
        ("dest", Datatype::Bytes),
        ("carrier", Datatype::Bytes),
        ("hour", Datatype::Int32),
        ("minute", Datatype::Int32),
        ("distance", Datatype::Int32),
    ];
    let weather = WEATHER.map(|name| (name, Datatype::Fp32));
    let inputs = schedule.into_iter().chain(weather).map(named).collect();
    Signature::new(inputs, vec![named((OUTPUT, Datatype::Fp64))])
}

/// Reads models of the demo.
#[derive(Debug)]
pub(crate) struct FlightLoader;

impl Loader for FlightLoader {
    fn flavour(&self) -> &str {
        FLAVOUR
    }

    fn load(&self, files: &ModelFiles) -> mlops_core::Result<Arc<dyn Predictor>> {
        let bytes = std::fs::read(files.path())
            .map_err(|source| Error::io("read a model", files.path(), source))?;
        let damaged = |source: anyhow::Error| {
            Error::new(ErrorKind::Corrupt, format!("not a model of the demo: {source:#}"))
        };
        let model = Model::from_bytes(&bytes).map_err(damaged)?;
        Ok(Arc::new(FlightModel { model, signature: signature()? }))
    }
}

/// A model of the demo that answers batches.
#[derive(Debug)]
struct FlightModel {
    model: Model,
    signature: Signature,
}

impl Predictor for FlightModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, ServeError> {
        let wrong = |error: anyhow::Error| ServeError::invalid(format!("not flights: {error:#}"));
        let late = self.score(batch).map_err(wrong)?;
        let late: ArrayRef = Arc::new(Float64Array::from(late));
        RecordBatch::try_from_iter([(OUTPUT, late)])
            .map_err(|error| ServeError::internal("cannot make an answer").with_source(error))
    }

    fn cost(&self, rows: usize) -> Cost {
        if rows <= INLINE_ROWS { Cost::Inline } else { Cost::Blocking }
    }
}

impl FlightModel {
    /// Flights come in any order; the columns of a table are ordered by time.
    fn score(&self, batch: &RecordBatch) -> Result<Vec<f64>> {
        let time = batch.column_by_name("time_hour").context("no time_hour")?;
        let values = time.as_any().downcast_ref::<Int64Array>().context("time_hour is no INT64")?;
        if values.values().is_sorted() {
            return self.model.score(&Flights::from_batch(batch)?);
        }
        let order = sort_to_indices(time, None, None)?;
        let sorted = self.model.score(&Flights::from_batch(&take_record_batch(batch, &order)?)?)?;
        let mut scores = vec![0.0; sorted.len()];
        for (row, score) in order.values().iter().zip(sorted) {
            scores[*row as usize] = score;
        }
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::UInt32Array;
    use arrow::compute::cast;
    use arrow::datatypes::DataType;

    use super::super::TrainConfig;
    use super::super::flights::tests::sample;
    use super::*;

    /// The flights as a server would bind them.
    fn bound(flights: &Flights) -> RecordBatch {
        let batch = flights.to_batch().unwrap();
        let signature = signature().unwrap();
        let columns = signature.inputs().iter().map(|spec| {
            let column = batch.column_by_name(spec.name()).unwrap();
            let column = match spec.datatype() {
                Datatype::Int64 => cast(column, &DataType::Int64).unwrap(),
                _ => Arc::clone(column),
            };
            (spec.name().to_owned(), column)
        });
        RecordBatch::try_from_iter(columns.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_served_flight_has_the_score_of_the_model_in_whatever_order_it_comes() {
        let flights = sample(300);
        let model = Model::train(&flights, &TrainConfig::default(), |_, _| {}).unwrap();
        let expected = model.score(&flights).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.json");
        std::fs::write(&path, model.to_bytes().unwrap()).unwrap();
        let served = FlightLoader.load(&ModelFiles::new(&path)).unwrap();
        let batch = bound(&flights);
        let scores = |batch: &RecordBatch| {
            let answer = served.predict(batch).unwrap();
            let late = answer.column(0).as_any().downcast_ref::<Float64Array>().unwrap();
            late.values().to_vec()
        };
        assert_eq!(scores(&batch), expected);
        let backwards = UInt32Array::from_iter_values((0..300).rev());
        let reversed = take_record_batch(&batch, &backwards).unwrap();
        let turned: Vec<f64> = expected.iter().rev().copied().collect();
        assert_eq!(scores(&reversed), turned);
    }

    #[test]
    fn a_model_file_with_a_flipped_bit_is_refused() {
        let model = Model::train(&sample(300), &TrainConfig::default(), |_, _| {}).unwrap();
        let whole = model.to_bytes().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.json");
        // The highest bit of any character. One that makes another digit is seen by the digest alone.
        for at in (0..whole.len()).step_by(whole.len() / 40) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x80;
            std::fs::write(&path, bytes).unwrap();
            let error = FlightLoader.load(&ModelFiles::new(&path)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "at={at}");
        }
    }
}

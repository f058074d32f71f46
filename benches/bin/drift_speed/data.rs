//! Columns to measure on.

use std::sync::Arc;

use mlops_drift::arrow::array::{
    ArrayRef, DictionaryArray, Float32Array, Float64Array, RecordBatch, StringArray,
};
use mlops_drift::arrow::datatypes::Int32Type;
use mlops_drift::{DriftMonitor, FitOptions, Handle, MonitorOptions, Reference};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

use mlops_benches::BoxError;

/// Normal values, shifted.
pub(crate) fn normal(count: usize, seed: u64, shift: f64) -> Vec<f64> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        // Box & Muller's transform, both halves of it.
        let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * random.random::<f64>()).sin_cos();
        values.extend([radius * cosine + shift, radius * sine + shift]);
    }
    values.truncate(count);
    values
}

/// Heavy tails.
pub(crate) fn cauchy(count: usize, seed: u64) -> Vec<f64> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    (0..count).map(|_| (std::f64::consts::PI * (random.random::<f64>() - 0.5)).tan()).collect()
}

pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, BoxError> {
    Ok(RecordBatch::try_from_iter(columns)?)
}

pub(crate) fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

pub(crate) fn narrow(values: &[f64]) -> ArrayRef {
    Arc::new(Float32Array::from_iter_values(values.iter().map(|&value| value as f32)))
}

/// Every tenth value missing, not evenly.
pub(crate) fn with_nulls(values: &[f64], seed: u64) -> ArrayRef {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let kept = values.iter().map(|&value| (random.random::<f64>() >= 0.1).then_some(value));
    Arc::new(kept.collect::<Float64Array>())
}

/// Ten categories.
pub(crate) fn dictionary(count: usize, seed: u64) -> Result<ArrayRef, BoxError> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let names = StringArray::from_iter_values((0..10).map(|k| format!("name {k}")));
    let keys = (0..count).map(|_| random.random_range(0..10)).collect();
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(names))?))
}

/// A worker's way into a monitor of a reference.
pub(crate) fn handle(reference: &RecordBatch, fit: &FitOptions) -> Result<Handle, BoxError> {
    let reference = Arc::new(Reference::fit([reference], fit)?);
    Ok(DriftMonitor::new(reference, MonitorOptions::default())?.handle())
}

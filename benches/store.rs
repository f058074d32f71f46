//! Stores in temporary folders, with runs in them.

use std::sync::Arc;

use mlops_core::Result;
use mlops_core::id::{
    ExperimentName, IdempotencyKey, Ids as _, MetricKey, ParamKey, RandomIds, RunId,
};
use mlops_core::time::Timestamp;
use mlops_core::tracking::{LogBatch, MetricPoint, NewExperiment, NewRun, TrackingStore as _};
use mlops_store::sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

/// A store in a folder that lives as long as it.
pub struct Bench {
    /// The folder.
    pub folder: TempDir,
    /// The store.
    pub store: Arc<SqliteStore>,
}

impl Bench {
    /// An empty store.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|source| {
            mlops_core::Error::io("create a folder", std::path::Path::new("/tmp"), source)
        })?;
        let store =
            Arc::new(SqliteStore::open(folder.path().join("m.db"), SqliteOptions::default())?);
        Ok(Self { folder, store })
    }

    /// `count` runs in one experiment, each with two params and a metric.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn with_runs(count: usize) -> Result<(Self, Vec<RunId>)> {
        let bench = Self::new()?;
        let (store, ids) = (&bench.store, RandomIds);
        let name = ExperimentName::new("bench")?;
        let experiment =
            store.create_experiment(NewExperiment::new(ids.experiment_id(), name)).await?;
        let mut runs = Vec::with_capacity(count);
        let (auc, rate, depth) =
            (MetricKey::new("auc")?, ParamKey::new("rate")?, ParamKey::new("depth")?);
        for chunk in (0..count).collect::<Vec<_>>().chunks(256) {
            let made = chunk.iter().map(|i| {
                let start = Timestamp::from_millis(*i as i64);
                store.create_run(NewRun::new(ids.run_id(), experiment.id.clone(), start))
            });
            let made = futures::future::try_join_all(made).await?;
            let logged = made.iter().zip(chunk).map(|(run, i)| {
                let value = (*i as f64 * 0.754_877_666).fract();
                let point = MetricPoint { step: 0, at: Timestamp::default(), value };
                let batch = LogBatch::new(ids.idempotency_key()).metric(auc.clone(), point);
                store.log_batch(
                    &run.id,
                    batch.param(rate.clone(), i % 7).param(depth.clone(), i % 5),
                )
            });
            futures::future::try_join_all(logged).await?;
            runs.extend(made.into_iter().map(|run| run.id));
        }
        Ok((bench, runs))
    }
}

/// A batch of `points` points of one metric.
#[must_use]
pub fn batch(key: &MetricKey, points: usize) -> LogBatch {
    let id: IdempotencyKey = RandomIds.idempotency_key();
    let mut batch = LogBatch::new(id);
    let point = |step| MetricPoint { step: step as i64, at: Timestamp::default(), value: 0.5 };
    batch.metrics = (0..points).map(|step| (key.clone(), point(step))).collect();
    batch
}

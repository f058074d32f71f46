//! Log a run, find it again by what it logged, register its model, read back where it came from.

#![allow(clippy::print_stdout)]

use std::sync::Arc;

use futures::TryStreamExt as _;
use mlops_core::Result;
use mlops_core::artifact::{ArtifactStore as _, run_artifact};
use mlops_core::id::{Alias, ExperimentName, Ids as _, MetricKey, ModelName, ParamKey, RandomIds};
use mlops_core::registry::{
    AliasChange, ModelRegistry as _, NewModel, NewVersion, VersionRef, lineage,
};
use mlops_core::time::{Clock as _, SystemClock};
use mlops_core::tracking::{
    Comparison, Field, Filter, LogBatch, LogOutcome, MetricWriter, NewExperiment, NewRun, Op, Run,
    RunChange, RunQuery, RunStatus, Scalar, TrackingStore as _, WriterOptions,
};
use mlops_store::LocalStore;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("mlops-quickstart-{}", std::process::id()));
    let store = LocalStore::open(&folder)?;
    let (meta, content, clock, ids) = (store.meta(), store.content(), SystemClock, RandomIds);

    // A run, with its params in one batch and its metrics through the writer, as a training loop would.
    let name = ExperimentName::new("quickstart")?;
    let experiment = meta.create_experiment(NewExperiment::new(ids.experiment_id(), name)).await?;
    let run = meta
        .create_run(NewRun::new(ids.run_id(), experiment.id, clock.now()).with_name("first"))
        .await?;
    let params = LogBatch::new(ids.idempotency_key()).param(ParamKey::new("learning_rate")?, 0.1);
    meta.log_batch(&run.id, params).await?;
    let writer = MetricWriter::start(
        meta.clone(),
        run.id.clone(),
        Arc::new(clock),
        &ids,
        WriterOptions::default(),
    )?;
    let loss = MetricKey::new("loss")?;
    for step in 0..1_000 {
        assert_eq!(writer.log(&loss, step, 1.0 / (1.0 + step as f64)), LogOutcome::Queued);
    }
    let written = writer.close().await.lossless()?;

    // Its model as an artifact, and as the first version of a registered model.
    let path = run_artifact(&run.id, "model.bin")?;
    let artifact = content.put(&path, b"weights".to_vec().into()).await?;
    meta.update_run(&run.id, RunChange::ended(RunStatus::Finished, clock.now())).await?;
    let model = ModelName::new("demo-model")?;
    meta.create_model(NewModel::new(model.clone())).await?;
    let version = NewVersion::new(ids.idempotency_key(), model.clone(), artifact.blob.digest, path)
        .with_lineage(run.id.clone(), vec![], "a commit");
    let version = meta.create_version(version).await?;
    let alias = Alias::new("champion")?;
    let (expected, next) = (None, Some(version.number));
    let (by, reason) = ("quickstart".to_owned(), "the first".to_owned());
    meta.set_alias(AliasChange {
        model: model.clone(),
        alias: alias.clone(),
        expected,
        next,
        by,
        reason,
    })
    .await?;

    // Found again.
    let good = Filter::Is(Comparison::new(Field::Metric(loss), Op::Lt, Scalar::Number(0.01))?);
    let found: Vec<Run> =
        meta.search_runs(RunQuery::default().with_filter(good)).try_collect().await?;
    let line = lineage(&*meta, &*meta, &*meta, &model, &VersionRef::Alias(alias)).await?;
    println!(
        "{written} points written, {} run found, {model}@champion came from run {:?}",
        found.len(),
        line.run.map(|r| r.name)
    );
    assert_eq!(found.len(), 1);
    std::fs::remove_dir_all(&folder)
        .map_err(|source| mlops_core::Error::io("remove the folder", &folder, source))
}

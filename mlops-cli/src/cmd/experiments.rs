//! `mlops experiments`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use futures::TryStreamExt as _;
use mlops_core::tracking::{
    Experiment, Lifecycle, LifecycleFilter, ListExperiments, Run, RunQuery, TrackingStore as _,
};
use serde_json::json;

use crate::args::ListArgs;
use crate::{context, output};

pub(crate) async fn run(store: &Path, args: &ListArgs) -> Result<ExitCode> {
    let store = context::open(store)?.meta();
    let lives = if args.all { LifecycleFilter::Any } else { LifecycleFilter::Active };
    let list = ListExperiments::default().with_lifecycle(lives);
    let experiments: Vec<Experiment> = store.list_experiments(list).try_collect().await?;
    let mut rows = Vec::with_capacity(experiments.len());
    for experiment in experiments {
        let query = RunQuery::default().in_experiment(experiment.id.clone()).with_lifecycle(lives);
        let runs: Vec<Run> = store.search_runs(query).try_collect().await?;
        rows.push((experiment, runs.len()));
    }
    if args.json {
        let entry = |(experiment, runs): &(Experiment, usize)| {
            json!({
                "id": experiment.id, "name": experiment.name, "lifecycle": experiment.lifecycle,
                "created": experiment.created.to_string(), "updated": experiment.updated.to_string(),
                "tags": experiment.tags, "runs": runs,
            })
        };
        let entries: Vec<_> = rows.iter().map(entry).collect();
        output::json(&json!({ "schema": "mlops.experiments/1", "experiments": entries }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |(experiment, runs): (Experiment, usize)| {
        let state = if experiment.lifecycle == Lifecycle::Deleted { "deleted" } else { "" };
        [
            experiment.name.to_string(),
            runs.to_string(),
            experiment.created.to_string(),
            state.to_owned(),
        ]
    };
    output::text(&output::table(["NAME", "RUNS", "CREATED", ""], rows.into_iter().map(row)))?;
    Ok(ExitCode::SUCCESS)
}

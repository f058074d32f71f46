//! `mlops pipeline`: list and show runs here; `run` and `plan` in files of their own.

mod file;
mod run;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use mlops_core::id::{PipelineName, PipelineRunId};
use mlops_core::pipeline::{PipelineRun, StepReport, StepState, pipeline_runs};
use mlops_store::LocalStore;
use serde_json::{Value, json};

use crate::args::{Format, PipelineAction, PipelineArgs};
use crate::{context, output};

pub(crate) async fn run(store: &Path, args: PipelineArgs) -> Result<ExitCode> {
    match &args.action {
        None => list(&context::open(store)?, Format::of(args.json)).await?,
        Some(PipelineAction::Run(run)) => run::run(store, run, Format::of(args.json)).await?,
        Some(PipelineAction::Plan { file }) => {
            run::plan(store, file, Format::of(args.json)).await?
        }
        Some(PipelineAction::Show { pipeline, run }) => {
            let store = context::open(store)?;
            let (pipeline, run) = (PipelineName::new(pipeline)?, PipelineRunId::new(run)?);
            show(
                &PipelineRun::load(&*store.meta(), &pipeline, &run).await?,
                Format::of(args.json),
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn state(run: &PipelineRun) -> &'static str {
    match (run.finished.is_some(), run.is_ok()) {
        (false, _) => "unfinished",
        (true, true) => "ok",
        (true, false) => "failed",
    }
}

async fn list(store: &LocalStore, format: Format) -> Result<()> {
    let journal = store.meta();
    let mut runs = Vec::new();
    for (pipeline, id) in pipeline_runs(&*journal).await? {
        runs.push(PipelineRun::load(&*journal, &pipeline, &id).await?);
    }
    runs.sort_by_key(|run| run.started);
    if format == Format::Json {
        let entries: Vec<Value> = runs.iter().map(summary).collect();
        return output::json(&json!({ "schema": "mlops.pipelines/1", "runs": entries }));
    }
    let row = |run: &PipelineRun| {
        [
            run.pipeline.to_string(),
            run.id.to_string(),
            state(run).to_owned(),
            run.ran().to_string(),
            run.cached().to_string(),
            output::span(run.finished.map(|end| end.seconds_since(run.started))),
            run.started.to_string(),
        ]
    };
    output::text(&output::table(
        ["PIPELINE", "RUN", "STATE", "RAN", "CACHED", "TOOK", "STARTED"],
        runs.iter().map(row),
    ))
}

fn summary(run: &PipelineRun) -> Value {
    json!({
        "pipeline": run.pipeline, "id": run.id, "state": state(run), "ran": run.ran(), "cached": run.cached(),
        "started": run.started.to_string(), "finished": run.finished.map(|at| at.to_string()),
    })
}

fn describe(report: &StepReport) -> (&'static str, String) {
    match &report.state {
        StepState::Ran => ("ran", String::new()),
        StepState::Cached => ("cached", String::new()),
        StepState::Skipped { reason } => ("skipped", reason.clone()),
        StepState::Failed { error, .. } => ("failed", error.clone()),
        StepState::Blocked { by } => ("blocked", by.clone()),
        _ => ("other", String::new()),
    }
}

fn show(run: &PipelineRun, format: Format) -> Result<()> {
    if format == Format::Json {
        let step = |(name, report): &(mlops_core::id::StepName, StepReport)| {
            let (state, detail) = describe(report);
            json!({
                "step": name, "state": state, "detail": detail, "key": report.key, "attempts": report.attempts,
                "seconds": output::number(report.seconds), "outputs": report.outputs,
            })
        };
        let mut object = summary(run);
        object["schema"] = "mlops.pipeline/1".into();
        object["steps"] = run.steps.iter().map(step).collect();
        return output::json(&object);
    }
    let row = |(name, report): &(mlops_core::id::StepName, StepReport)| {
        let (state, detail) = describe(report);
        let outputs = report.outputs.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let key = report.key.map_or("-".to_owned(), |key| output::brief(&key.to_hex()));
        [
            name.to_string(),
            state.to_owned(),
            output::span(Some(report.seconds)),
            key,
            outputs,
            detail,
        ]
    };
    let steps =
        output::table(["STEP", "STATE", "TOOK", "KEY", "OUTPUTS", ""], run.steps.iter().map(row));
    output::text(&format!("{}/{}  {}\n\n{steps}", run.pipeline, run.id, state(run)))
}

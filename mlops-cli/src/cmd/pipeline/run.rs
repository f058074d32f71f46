//! `mlops pipeline run FILE`, `mlops pipeline plan FILE`

use std::path::Path;

use anyhow::Result;
use mlops_core::id::{IdSource as _, PipelineRunId, RandomIds};
use mlops_core::pipeline::{
    CachePolicy, Cancel, Decision, Executor, ExecutorOptions, Notice, Plan, Planned, Reason,
};
use mlops_store::LocalStore;
use serde_json::json;

use super::{describe, file, show};
use crate::args::{Format, PipelineRunArgs};
use crate::context::Stop;
use crate::output;

/// Runs the pipeline in a file, or takes a run of it up.
pub(crate) async fn run(store: &Path, args: &PipelineRunArgs, format: Format) -> Result<()> {
    let mut told = Stop::listen()?;
    let plan = file::read(&args.file)?;
    let store = LocalStore::open(store)?;
    let id = match &args.run {
        Some(id) => PipelineRunId::new(id)?,
        None => PipelineRunId::new(&RandomIds.next_hex()[..12])?,
    };
    let cache = if args.force { CachePolicy::Refresh } else { CachePolicy::Use };
    let options = ExecutorOptions::new(store.root().join("work"))
        .with_max_parallel(args.jobs)
        .with_cache(cache)
        .with_observer(tell);
    let executor = Executor::new(store.content(), store.meta(), options);
    let cancel = Cancel::new();
    let run = executor.run(&plan, &id, &cancel);
    tokio::pin!(run);
    let done = loop {
        tokio::select! {
            done = &mut run => break done?,
            () = told.asked(), if !cancel.is_cancelled() => {
                output::say("interrupted: ending the steps that run");
                cancel.cancel();
            }
        }
    };
    show(&done, format)?;
    done.into_result().map_err(|error| {
        let again = format!("to go on: mlops pipeline run {} --run {id}", args.file.display());
        anyhow::Error::from(error).context(again)
    })?;
    Ok(())
}

fn tell(notice: &Notice<'_>) {
    match notice {
        Notice::Begins(step) => output::say(&format!("{step}: begins")),
        Notice::Ended(step, report) => {
            let (state, detail) = describe(report);
            let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
            output::say(&format!("{step}: {state}{detail}"));
        }
        _ => {}
    }
}

/// Says what a run would do, and why.
pub(crate) async fn plan(store: &Path, path: &Path, format: Format) -> Result<()> {
    let plan = file::read(path)?;
    let store = LocalStore::open(store)?;
    let options = ExecutorOptions::new(store.root().join("work"));
    let executor = Executor::new(store.content(), store.meta(), options);
    let planned = executor.preview(&plan).await?;
    print_plan(&plan, &planned, format)
}

fn print_plan(plan: &Plan, planned: &[Planned], format: Format) -> Result<()> {
    if format == Format::Json {
        return output::json(&json!({
            "schema": "mlops.pipeline.plan/1", "pipeline": plan.name(), "steps": planned,
        }));
    }
    let row = |step: &Planned| {
        let (what, why) = match &step.decision {
            Decision::Cached => ("cached", String::new()),
            Decision::Run { reasons } => {
                ("run", reasons.iter().map(reason).collect::<Vec<_>>().join(", "))
            }
            Decision::Unknown { after } => {
                let after: Vec<&str> = after.iter().map(|step| step.as_str()).collect();
                ("depends", format!("on what {} gives", after.join(", ")))
            }
        };
        [step.step.to_string(), what.to_owned(), why]
    };
    output::text(&output::table(["STEP", "WOULD", "WHY"], planned.iter().map(row)))
}

fn reason(reason: &Reason) -> String {
    match reason {
        Reason::NeverRan => "never ran".to_owned(),
        Reason::CodeChanged => "code changed".to_owned(),
        Reason::ParamsChanged { names } => format!("params changed: {}", names.join(" ")),
        Reason::InputsChanged { names } => {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            format!("inputs changed: {}", names.join(" "))
        }
        Reason::OutputMissing => "output missing".to_owned(),
        Reason::Forced => "forced".to_owned(),
        _ => "another reason".to_owned(),
    }
}

//! `mlops runs`, `mlops runs show`, `mlops runs diff`

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use mlops_core::artifact::{Artifact, ArtifactStore, run_artifact};
use mlops_core::fingerprint::{Difference, Fingerprint, diff};
use mlops_core::id::{ArtifactPath, ExperimentName, MetricKey};
use mlops_core::tracking::{Direction, ExperimentRef, Field, Run, RunQuery, TrackingStore};
use mlops_core::{Error, ErrorKind};
use mlops_store::LocalStore;
use serde_json::{Value, json};

use crate::args::{Format, RunsAction, RunsArgs};
use crate::{context, output};

/// Where a run keeps its fingerprint.
pub(crate) const FINGERPRINT: &str = "fingerprint.json";

pub(crate) async fn run(store: &Path, args: RunsArgs) -> Result<ExitCode> {
    let store = context::open(store)?;
    match &args.action {
        None => list(&store, &args).await?,
        Some(RunsAction::Show { run }) => show(&store, run, Format::of(args.json)).await?,
        Some(RunsAction::Diff { a, b }) => compare(&store, a, b, Format::of(args.json)).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &LocalStore, args: &RunsArgs) -> Result<()> {
    let tracking = store.meta();
    let mut query = RunQuery::default().with_limit(args.limit);
    if let Some(name) = &args.experiment {
        let name = ExperimentRef::Name(ExperimentName::new(name)?);
        query = query.in_experiment(tracking.get_experiment(&name).await?.id);
    }
    if let Some(metric) = &args.by {
        query = query.order_by(Field::Metric(MetricKey::new(metric)?), Direction::Descending);
    }
    let runs: Vec<Run> = tracking.search_runs(query).try_collect().await?;
    if args.json {
        let entries: Vec<Value> = runs.iter().map(as_json).collect();
        return output::json(&json!({ "schema": "mlops.runs/1", "runs": entries }));
    }
    let row = |run: &Run| {
        let metrics = run
            .metrics
            .iter()
            .take(4)
            .map(|(key, point)| format!("{key} {}", output::short(Some(point.value))));
        let took = run.end.map(|end| end.seconds_since(run.start));
        [
            output::brief(run.id.as_str()),
            run.name.clone(),
            run.status.to_string(),
            run.start.to_string(),
            output::span(took),
            metrics.collect::<Vec<_>>().join(", "),
        ]
    };
    output::text(&output::table(
        ["RUN", "NAME", "STATUS", "START", "TOOK", "METRICS"],
        runs.iter().map(row),
    ))
}

fn as_json(run: &Run) -> Value {
    let metric = |(key, point): (&MetricKey, &mlops_core::tracking::MetricPoint)| {
        (
            key.to_string(),
            json!({ "value": output::number(point.value), "step": point.step, "at": point.at.to_string() }),
        )
    };
    json!({
        "id": run.id, "name": run.name, "experiment": run.experiment, "status": run.status,
        "lifecycle": run.lifecycle, "parent": run.parent, "source": run.source, "user": run.user,
        "start": run.start.to_string(), "end": run.end.map(|end| end.to_string()),
        "params": run.params, "metrics": run.metrics.iter().map(metric).collect::<BTreeMap<_, _>>(),
        "tags": run.tags, "inputs": run.inputs, "outputs": run.outputs,
    })
}

async fn artifacts(store: &LocalStore, run: &Run) -> Result<Vec<Artifact>> {
    let root = ArtifactPath::new(format!("runs/{}", run.id))?;
    Ok(store.content().list(Some(&root)).try_collect().await?)
}

async fn show(store: &LocalStore, id: &str, format: Format) -> Result<()> {
    let run = context::find_run(&*store.meta(), id).await?;
    let artifacts = artifacts(store, &run).await?;
    let prefix = format!("runs/{}/", run.id);
    let path = |artifact: &Artifact| artifact.path.as_str().trim_start_matches(&prefix).to_owned();
    if format == Format::Json {
        let files: Vec<Value> = artifacts
            .iter()
            .map(|a| json!({ "path": path(a), "digest": a.blob.digest, "size": a.blob.size }))
            .collect();
        let mut object = as_json(&run);
        object["schema"] = "mlops.run/1".into();
        object["artifacts"] = files.into();
        return output::json(&object);
    }
    let mut lines = vec![
        format!("run     {}  {}  {}", run.id, run.name, run.status),
        format!(
            "start   {}   took {}",
            run.start,
            output::span(run.end.map(|end| end.seconds_since(run.start)))
        ),
    ];
    lines.extend(run.params.iter().map(|(key, value)| format!("param   {key} = {value}")));
    lines.extend(run.metrics.iter().map(|(key, point)| {
        format!("metric  {key} = {} (step {})", output::short(Some(point.value)), point.step)
    }));
    lines.extend(run.tags.iter().map(|(key, value)| format!("tag     {key} = {value}")));
    lines.extend(
        run.inputs
            .iter()
            .map(|input| format!("input   {} {} as {}", input.name, input.version, input.role)),
    );
    lines.extend(
        artifacts
            .iter()
            .map(|a| format!("file    {}  {} bytes  {}", path(a), a.blob.size, a.blob.digest)),
    );
    output::text(&lines.join("\n"))
}

/// What two runs have of one thing: the first's, the second's.
type Pair = (Option<String>, Option<String>);

/// The entries whose values differ, with both.
fn differing(a: BTreeMap<String, String>, b: BTreeMap<String, String>) -> BTreeMap<String, Pair> {
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let pair = |key: &String| (key.clone(), (a.get(key).cloned(), b.get(key).cloned()));
    keys.into_iter().map(pair).filter(|(_, (a, b))| a != b).collect()
}

fn params(run: &Run) -> BTreeMap<String, String> {
    run.params.iter().map(|(key, value)| (key.to_string(), value.clone())).collect()
}

async fn fingerprint(store: &LocalStore, run: &Run) -> Result<Option<Fingerprint>> {
    match store.content().get(&run_artifact(&run.id, FINGERPRINT)?, None).await {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).map_err(|source| {
            Error::new(ErrorKind::Corrupt, format!("cannot read a fingerprint: run={}", run.id))
                .with_source(source)
        })?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("cannot read a fingerprint"),
    }
}

async fn compare(store: &LocalStore, a: &str, b: &str, format: Format) -> Result<()> {
    let tracking = store.meta();
    let (a, b) = (context::find_run(&*tracking, a).await?, context::find_run(&*tracking, b).await?);
    let keys = match (fingerprint(store, &a).await?, fingerprint(store, &b).await?) {
        (Some(a), Some(b)) => Some(diff(&a, &b)),
        _ => None,
    };
    let params = differing(params(&a), params(&b));
    if format == Format::Json {
        return output::json(&diff_json(&a, &b, &params, keys.as_ref()));
    }
    let mut text = format!("a  {}  {}\nb  {}  {}\n", a.id, a.name, b.id, b.name);
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let row = |(key, (a, b)): (&String, &Pair)| [key.clone(), shown(a), shown(b), String::new()];
    text += &format!("\n{}\n", output::table(["PARAM", "A", "B", ""], params.iter().map(row)));
    text += &format!("\n{}\n", output::table(["METRIC", "A", "B", "B - A"], metric_rows(&a, &b)));
    text += "\nrun key\n";
    text += &match keys {
        Some(keys) if keys.is_empty() => "the same in every section".to_owned(),
        Some(keys) => keys.to_string(),
        None => "not recorded for both runs".to_owned(),
    };
    output::text(&text)
}

fn metric_rows(a: &Run, b: &Run) -> Vec<[String; 4]> {
    let keys: BTreeSet<&MetricKey> = a.metrics.keys().chain(b.metrics.keys()).collect();
    let row = |key: &MetricKey| {
        let of = |run: &Run| run.metrics.get(key).map(|point| point.value);
        let change = of(a).zip(of(b)).map(|(a, b)| b - a);
        [key.to_string(), output::short(of(a)), output::short(of(b)), output::short(change)]
    };
    keys.into_iter().map(row).collect()
}

fn diff_json(
    a: &Run,
    b: &Run,
    params: &BTreeMap<String, Pair>,
    keys: Option<&Difference>,
) -> Value {
    let names: BTreeSet<&MetricKey> = a.metrics.keys().chain(b.metrics.keys()).collect();
    let of =
        |run: &Run, key: &MetricKey| output::maybe(run.metrics.get(key).map(|point| point.value));
    let metrics: BTreeMap<String, Value> = names
        .into_iter()
        .map(|key| (key.to_string(), json!({ "a": of(a, key), "b": of(b, key) })))
        .collect();
    let params: BTreeMap<&String, Value> =
        params.iter().map(|(key, (a, b))| (key, json!({ "a": a, "b": b }))).collect();
    json!({
        "schema": "mlops.runs.diff/1", "a": a.id, "b": b.id,
        "params": params, "metrics": metrics, "run_key": keys,
    })
}

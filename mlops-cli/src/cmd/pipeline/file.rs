//! Reads a pipeline from a YAML file: its commands, what they read and write, their params.
//!
//! ```yaml
//! pipeline: churn
//! inputs: { raw: data/raw.csv }
//! steps:
//!   prepare:
//!     command: [python, prepare.py, "{input:raw}", "{output:table}"]
//!     files: [prepare.py]
//!     inputs: [raw]
//!     outputs: [table]
//!     params: { keep: 0.9 }
//!     environment: [PYTHONPATH]
//!     attempts: 3
//!     timeout: 60
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mlops_core::fingerprint::Value;
use mlops_core::pipeline::{Command, Plan, PlanInput, RetryPolicy, Step};
use mlops_core::{Error, Result};
use serde::Deserialize;

/// Largest file that is read.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PipelineFile {
    pipeline: String,
    #[serde(default)]
    inputs: BTreeMap<String, String>,
    steps: BTreeMap<String, StepFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepFile {
    command: Vec<String>,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    inputs: Vec<String>,
    #[serde(default)]
    outputs: Vec<String>,
    #[serde(default)]
    params: BTreeMap<String, serde_json::Value>,
    /// Names of variables that the command may see.
    #[serde(default)]
    environment: Vec<String>,
    attempts: Option<u32>,
    /// Seconds that one try may take.
    timeout: Option<f64>,
}

/// The plan in the file at `path`. Paths in it are relative to its folder.
///
/// # Errors
/// `InvalidInput` naming the file and what is wrong in it, `NotFound` for a missing file.
pub(crate) fn read(path: &Path) -> Result<Plan> {
    let wrong = |problem: String| {
        Error::invalid(format!("not a pipeline: path={} {problem}", path.display()))
    };
    let size = std::fs::metadata(path).map_err(|e| Error::io("read a pipeline", path, e))?.len();
    if size > MAX_BYTES {
        return Err(wrong(format!("larger than 1 MiB: bytes={size}")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read a pipeline", path, e))?;
    let options = serde_saphyr::options! {
        with_snippet: false,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
    };
    let file: PipelineFile = serde_saphyr::from_str_with_options(&text, options)
        .map_err(|error| wrong(error.to_string().replace('\n', " ")))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = std::path::absolute(folder.unwrap_or(Path::new(".")))
        .map_err(|source| Error::io("find the folder of a pipeline", path, source))?;
    plan(file, &folder)
}

fn plan(file: PipelineFile, folder: &Path) -> Result<Plan> {
    let mut plan = Plan::builder(&file.pipeline)?;
    for (name, path) in file.inputs {
        plan = plan.input(&name, PlanInput::File(folder.join(path)))?;
    }
    for (name, step) in file.steps {
        plan = plan.step(build(&name, step, folder)?);
    }
    plan.build()
}

fn build(name: &str, file: StepFile, folder: &Path) -> Result<Step> {
    let wrong = |problem: String| Error::invalid(format!("{problem}: step={name}"));
    let allowed: Vec<&str> = file.environment.iter().map(String::as_str).collect();
    let command = Command::new(folder, file.command)
        .map_err(|error| wrong(error.to_string()))?
        .allow(&allowed, crate::context::environment());
    let command = file.files.into_iter().fold(command, Command::file);
    let mut step = Step::command(name, command)?;
    for input in &file.inputs {
        step = step.input(input)?;
    }
    for output in &file.outputs {
        step = step.output(output)?;
    }
    for (param, value) in file.params {
        step = step.param(param, Value::from_json(value)?);
    }
    if let Some(attempts) = file.attempts {
        if attempts == 0 {
            return Err(wrong("a step is tried at least once: attempts=0".to_owned()));
        }
        step = step.retry(RetryPolicy { attempts, ..RetryPolicy::default() });
    }
    if let Some(seconds) = file.timeout {
        let limit = Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero());
        step = step.timeout(limit.ok_or_else(|| wrong(format!("not a timeout: {seconds}")))?);
    }
    Ok(step)
}

//! The key of a step, and the index from keys to what the step gave.
//!
//! The index lives in the journal store: one stream a key, whose last entry counts. So it needs no
//! contract of its own, and every backend that can resume a pipeline can cache it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::step::{Action, Step};
use crate::artifact::{Blob, ContentStore};
use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::{KeyDigest, Value, executable_digest, step_key};
use crate::id::{Digest, PipelineName, StepName, StreamName, ValueName};
use crate::journal::{Append, JournalStore};

/// Whether steps may be taken from the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CachePolicy {
    /// Finished work is used, new work is kept.
    #[default]
    Use,
    /// Everything runs, new work is kept.
    Refresh,
    /// Everything runs, nothing is kept: for checking that a result can be reproduced.
    Off,
}

/// Everything that a step's key is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepInputs {
    /// The version of the code.
    pub code: String,
    /// The parameters.
    pub params: BTreeMap<String, Value>,
    /// The content of each input.
    pub inputs: BTreeMap<ValueName, Digest>,
    /// The names of the outputs.
    pub outputs: Vec<ValueName>,
}

impl StepInputs {
    pub(super) fn of(
        pipeline: &PipelineName,
        step: &Step,
        inputs: &BTreeMap<ValueName, Blob>,
    ) -> Result<Self> {
        Ok(Self {
            code: code_of(pipeline, step)?,
            params: step.params.clone(),
            inputs: inputs.iter().map(|(name, blob)| (name.clone(), blob.digest)).collect(),
            outputs: step.outputs.iter().cloned().collect(),
        })
    }

    /// The cache key.
    #[must_use]
    pub fn key(&self) -> KeyDigest {
        let outputs: Vec<String> = self.outputs.iter().map(ToString::to_string).collect();
        let content = Value::map([
            ("params", Value::Map(self.params.clone())),
            ("outputs", Value::from(outputs)),
        ]);
        let inputs: Vec<String> =
            self.inputs.iter().map(|(name, digest)| format!("{name}={digest}")).collect();
        step_key(&self.code, &content, &inputs)
    }
}

/// The version of a step's code. A function is known only by the names of its pipeline and its step, so
/// these stand in it: two functions of one executable are not the same code.
pub(super) fn code_of(pipeline: &PipelineName, step: &Step) -> Result<String> {
    let of_step = |code: String| format!("{code}#{pipeline}/{}", step.name);
    match (&step.code, &step.action) {
        (Some(version), _) => Ok(of_step(format!("stated:{version}"))),
        (None, Action::Command(command)) => command.version(),
        (None, _) => Ok(of_step(format!("executable:{}", executable_digest()?))),
    }
}

/// What a step gave, by name.
pub(super) type Outputs = BTreeMap<ValueName, Blob>;

/// What the cache holds for `key`, as long as all of it is still in the content store, and whole.
pub(super) async fn look_up(
    journal: &dyn JournalStore,
    content: &dyn ContentStore,
    key: &KeyDigest,
) -> Result<Option<Outputs>> {
    let Some(recorded) = journal.last(&stream_of(key)?).await? else {
        return Ok(None);
    };
    let outputs: Outputs = serde_json::from_value(recorded.entry).map_err(|source| {
        Error::new(ErrorKind::Corrupt, format!("cannot read a cache entry: key={key}"))
            .with_source(source)
    })?;
    Ok(if are_whole(content, &outputs).await? { Some(outputs) } else { None })
}

/// Whether every output is in the content store, undamaged. One that is not is made again by its step,
/// which mends it.
pub(super) async fn are_whole(content: &dyn ContentStore, outputs: &Outputs) -> Result<bool> {
    for blob in outputs.values() {
        match content.verify_content(&blob.digest).await {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => {
                tracing::warn!(error = %error.chain(), "a step's output is made again");
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Remembers what a step gave. When another run is just doing the same, one of them wins; both
/// are right.
pub(super) async fn remember(
    journal: &dyn JournalStore,
    key: &KeyDigest,
    outputs: &Outputs,
) -> Result<()> {
    append_if_new(journal, stream_of(key)?, outputs).await
}

/// Remembers what a step's key was made of, so that a later preview can say what changed.
pub(super) async fn remember_inputs(
    journal: &dyn JournalStore,
    pipeline: &PipelineName,
    step: &StepName,
    inputs: &StepInputs,
) -> Result<()> {
    append_if_new(journal, inputs_stream(pipeline, step)?, inputs).await
}

/// What a step's key was made of when it last ran.
pub(super) async fn last_inputs(
    journal: &dyn JournalStore,
    pipeline: &PipelineName,
    step: &StepName,
) -> Result<Option<StepInputs>> {
    let last = journal.last(&inputs_stream(pipeline, step)?).await?;
    // An entry of an older form only costs the explanation.
    Ok(last.and_then(|recorded| serde_json::from_value(recorded.entry).ok()))
}

async fn append_if_new<T: Serialize>(
    journal: &dyn JournalStore,
    stream: StreamName,
    entry: &T,
) -> Result<()> {
    let entry = serde_json::to_value(entry).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write a cache entry").with_source(source)
    })?;
    let last = journal.last(&stream).await?;
    if last.as_ref().is_some_and(|last| last.entry == entry) {
        return Ok(());
    }
    let sequence = last.map_or(1, |last| last.sequence + 1);
    match journal.append(Append { stream, sequence, epoch: None, entry }).await {
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
        done => done,
    }
}

fn stream_of(key: &KeyDigest) -> Result<StreamName> {
    StreamName::new(format!("cache/{key}"))
}

fn inputs_stream(pipeline: &PipelineName, step: &StepName) -> Result<StreamName> {
    StreamName::new(format!("steps/{pipeline}/{step}"))
}

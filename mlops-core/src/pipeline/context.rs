//! What a running step sees of the world: its inputs, outputs and params, and whether to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::{KeyDigest, Value};
use crate::id::{PipelineRunId, StepName, ValueName};

/// Handed to a step for one try. Inputs and outputs are files in a folder of its own, which is
/// removed afterwards.
#[derive(Debug)]
pub struct StepContext {
    pub(super) run: PipelineRunId,
    pub(super) step: StepName,
    pub(super) key: KeyDigest,
    pub(super) attempt: u32,
    pub(super) folder: PathBuf,
    pub(super) inputs: BTreeSet<ValueName>,
    pub(super) outputs: BTreeSet<ValueName>,
    pub(super) params: BTreeMap<String, Value>,
    pub(super) cancel: Cancel,
}

impl StepContext {
    /// The run of the pipeline.
    #[must_use]
    pub fn run(&self) -> &PipelineRunId {
        &self.run
    }

    /// The step.
    #[must_use]
    pub fn step(&self) -> &StepName {
        &self.step
    }

    /// The step's key: the same for every try, and for every run of the same code on the same
    /// content. Use it as idempotency key of side effects.
    #[must_use]
    pub fn key(&self) -> &KeyDigest {
        &self.key
    }

    /// Which try this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether the step should stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// The file that holds an input.
    ///
    /// # Errors
    /// `InvalidInput` for a value that the step does not declare.
    pub fn input(&self, name: &str) -> Result<PathBuf> {
        declared(&self.step, "input", &self.inputs, name)?;
        Ok(self.folder.join("in").join(name))
    }

    /// The file in which an output is to be left.
    ///
    /// # Errors
    /// `InvalidInput` for a value that the step does not declare.
    pub fn output(&self, name: &str) -> Result<PathBuf> {
        declared(&self.step, "output", &self.outputs, name)?;
        Ok(self.folder.join("out").join(name))
    }

    /// The bytes of an input.
    ///
    /// # Errors
    /// As [`StepContext::input`], and those of reading.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.input(name)?;
        std::fs::read(&path).map_err(|source| Error::io("read an input", &path, source))
    }

    /// Leaves the bytes of an output.
    ///
    /// # Errors
    /// As [`StepContext::output`], and those of writing.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        let path = self.output(name)?;
        std::fs::write(&path, bytes).map_err(|source| Error::io("write an output", &path, source))
    }

    /// A parameter.
    ///
    /// # Errors
    /// `NotFound` when the step has none of this name.
    pub fn param(&self, name: &str) -> Result<&Value> {
        self.params.get(name).ok_or_else(|| {
            let names: Vec<_> = self.params.keys().map(String::as_str).collect();
            let known = names.join(", ");
            Error::new(
                ErrorKind::NotFound,
                format!("param not found: step={} name={name} known={known}", self.step),
            )
        })
    }

    pub(super) fn in_folder(&self) -> PathBuf {
        self.folder.join("in")
    }

    pub(super) fn out_folder(&self) -> PathBuf {
        self.folder.join("out")
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

fn declared(step: &StepName, side: &str, values: &BTreeSet<ValueName>, name: &str) -> Result<()> {
    if values.contains(name) {
        return Ok(());
    }
    let known: Vec<_> = values.iter().map(ValueName::as_str).collect();
    Err(Error::invalid(format!(
        "the step does not declare this {side}: step={step} name={name} declared={}",
        known.join(", ")
    )))
}

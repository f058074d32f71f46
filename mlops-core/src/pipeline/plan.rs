//! A validated graph of steps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::step::Step;
use crate::artifact::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::{Graph, StepInput, Value};
use crate::id::{PipelineName, StepName, ValueName};

/// A value that comes from outside the pipeline.
#[derive(Debug, Clone)]
pub enum PlanInput {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file, read when the pipeline runs.
    File(PathBuf),
    /// In the content store already.
    Content(Blob),
}

/// Steps in an order in which they can run, every input accounted for. Immutable.
#[derive(Debug, Clone)]
pub struct Plan {
    name: PipelineName,
    inputs: BTreeMap<ValueName, PlanInput>,
    steps: Vec<Step>,
    producers: BTreeMap<ValueName, StepName>,
}

/// Collects a [`Plan`].
#[derive(Debug)]
pub struct PlanBuilder {
    name: PipelineName,
    inputs: BTreeMap<ValueName, PlanInput>,
    steps: Vec<Step>,
}

impl Plan {
    /// Begins a plan.
    ///
    /// # Errors
    /// `InvalidInput` for a bad name.
    pub fn builder(name: &str) -> Result<PlanBuilder> {
        Ok(PlanBuilder {
            name: PipelineName::new(name)?,
            inputs: BTreeMap::new(),
            steps: Vec::new(),
        })
    }

    /// The pipeline's name.
    #[must_use]
    pub fn name(&self) -> &PipelineName {
        &self.name
    }

    /// The steps, each after those it needs.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The values that come from outside.
    #[must_use]
    pub fn inputs(&self) -> &BTreeMap<ValueName, PlanInput> {
        &self.inputs
    }

    /// The step that writes a value; `None` for one that comes from outside.
    #[must_use]
    pub fn producer(&self, value: &ValueName) -> Option<&StepName> {
        self.producers.get(value)
    }

    /// The steps that a step needs.
    pub(super) fn needs(&self, step: &Step) -> BTreeSet<StepName> {
        step.inputs.iter().filter_map(|value| self.producers.get(value).cloned()).collect()
    }

    /// The graph section of a run key: the steps with their code, params and links.
    ///
    /// # Errors
    /// Those of reading an executable or a declared file.
    pub fn graph(&self) -> Result<Graph> {
        let mut graph = Graph::new();
        for step in &self.steps {
            let link = |value: &ValueName| match self.producers.get(value) {
                Some(producer) => StepInput::Step(producer.to_string()),
                None => StepInput::Data(format!("input:{value}")),
            };
            let links: BTreeMap<String, StepInput> =
                step.inputs.iter().map(link).map(|link| (format!("{link:?}"), link)).collect();
            let links: Vec<StepInput> = links.into_values().collect();
            let params = Value::Map(step.params.clone());
            graph.add(
                step.name.as_str(),
                &super::cache::code_of(&self.name, step)?,
                &params,
                &links,
            )?;
        }
        Ok(graph)
    }
}

impl PlanBuilder {
    /// Brings in a value from outside.
    ///
    /// # Errors
    /// `InvalidInput` for a bad name, or one that is there already.
    pub fn input(mut self, name: &str, input: PlanInput) -> Result<Self> {
        if self.inputs.insert(ValueName::new(name)?, input).is_some() {
            return Err(Error::invalid(format!("the pipeline has this input twice: name={name}")));
        }
        Ok(self)
    }

    /// Adds a step. The order of the calls does not matter.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Checks everything and sorts the steps.
    ///
    /// # Errors
    /// `InvalidInput` naming what is wrong: two steps of one name, a value that two steps write, a
    /// value that nobody writes, a cycle (with its path), or no step at all.
    pub fn build(self) -> Result<Plan> {
        if self.steps.is_empty() {
            return Err(Error::invalid(format!(
                "the pipeline has no steps: pipeline={}",
                self.name
            )));
        }
        check_names(&self.steps)?;
        let producers = find_producers(&self.steps, &self.inputs)?;
        check_inputs(&self.steps, &self.inputs, &producers)?;
        let steps = sort(self.steps, &producers)?;
        Ok(Plan { name: self.name, inputs: self.inputs, steps, producers })
    }
}

fn check_names(steps: &[Step]) -> Result<()> {
    let mut names = BTreeSet::new();
    match steps.iter().find(|step| !names.insert(&step.name)) {
        Some(step) => Err(Error::invalid(format!("two steps have this name: step={}", step.name))),
        None => Ok(()),
    }
}

fn find_producers(
    steps: &[Step],
    inputs: &BTreeMap<ValueName, PlanInput>,
) -> Result<BTreeMap<ValueName, StepName>> {
    let mut producers = BTreeMap::new();
    for step in steps {
        for value in &step.outputs {
            if inputs.contains_key(value) {
                return Err(Error::invalid(format!(
                    "a step writes what comes from outside: step={} value={value}",
                    step.name
                )));
            }
            if let Some(other) = producers.insert(value.clone(), step.name.clone()) {
                return Err(Error::invalid(format!(
                    "two steps write the same value: value={value} steps={other}, {}",
                    step.name
                )));
            }
        }
    }
    Ok(producers)
}

fn check_inputs(
    steps: &[Step],
    inputs: &BTreeMap<ValueName, PlanInput>,
    producers: &BTreeMap<ValueName, StepName>,
) -> Result<()> {
    let missing =
        |value: &&ValueName| !inputs.contains_key(*value) && !producers.contains_key(*value);
    for step in steps {
        if let Some(value) = step.inputs.iter().find(missing) {
            return Err(Error::invalid(format!(
                "nobody provides what a step reads, add a plan input or a step that writes it: step={} value={value}",
                step.name
            )));
        }
    }
    Ok(())
}

/// Kahn's algorithm, the smallest ready name first, so that the order is one and the same however
/// the plan was put together.
fn sort(steps: Vec<Step>, producers: &BTreeMap<ValueName, StepName>) -> Result<Vec<Step>> {
    let mut waiting: BTreeMap<StepName, Step> =
        steps.into_iter().map(|step| (step.name.clone(), step)).collect();
    let mut sorted = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = |step: &Step| {
            let mut needs = step.inputs.iter().filter_map(|value| producers.get(value));
            needs.all(|producer| !waiting.contains_key(producer))
        };
        let Some(name) = waiting.values().find(|step| ready(step)).map(|step| step.name.clone())
        else {
            return Err(cycle(&waiting, producers));
        };
        sorted.extend(waiting.remove(&name));
    }
    Ok(sorted)
}

/// Walks from any step that waits to one it waits for, until one comes round again.
fn cycle(waiting: &BTreeMap<StepName, Step>, producers: &BTreeMap<ValueName, StepName>) -> Error {
    let mut path: Vec<&StepName> = waiting.keys().take(1).collect();
    let next = |name: &StepName| {
        let mut needs = waiting[name].inputs.iter().filter_map(|value| producers.get(value));
        needs.find(|producer| waiting.contains_key(*producer))
    };
    while let Some(step) = path.last().and_then(|name| next(name)) {
        if let Some(start) = path.iter().position(|seen| *seen == step) {
            let mut names: Vec<&str> =
                path[start..].iter().rev().map(|name| name.as_str()).collect();
            names.insert(0, step.as_str());
            return Error::invalid(format!(
                "the steps need each other in a circle: cycle={}",
                names.join(" -> ")
            ));
        }
        path.push(step);
    }
    Error::new(ErrorKind::Internal, "steps wait although no cycle is among them")
}

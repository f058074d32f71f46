//! The graph section: which steps a run has, each with a key that is also its cache key.
//!
//! A step's key covers the keys of the steps it reads, so that a changed step changes its
//! descendants and nothing else.

use std::collections::BTreeMap;

use super::canonical::{Label, digest};
use super::key::KeyDigest;
use super::value::Value;
use crate::error::{Error, ErrorKind, Result};

/// Scheme of an input that is another step.
const STEP_SCHEME: &str = "step:";

/// What a step reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StepInput {
    /// What the step of this name gives; that step must have been added before.
    Step(String),
    /// Content of this identity, such as `b3:…`, `md5:…` or the digest of a lock file.
    Data(String),
}

/// The key of one step: digest of its function, its parameters and what it reads, in order.
///
/// `function` is the digest of the step's command or code, of any scheme. `inputs` are identities;
/// an input that is another step stands there as `step:` and that step's key.
#[must_use]
pub fn step_key(function: &str, params: &Value, inputs: &[String]) -> KeyDigest {
    let content = Value::map([
        ("function", Value::from(function)),
        ("params", params.clone()),
        ("inputs", Value::from(inputs.to_vec())),
    ]);
    digest(Label::Step, &content.canonical())
}

/// The steps of a run, collected one by one.
///
/// Its value lists them in the one topological order that takes the smallest ready name first, so
/// that the order in which a program adds independent steps is no part of the key.
///
/// ```
/// # use mlops_core::fingerprint::{Graph, StepInput, Value};
/// # fn main() -> mlops_core::Result<()> {
/// let mut graph = Graph::new();
/// let none = Value::Map(Default::default());
/// graph.add("prepare", "b3:11", &none, &[StepInput::Data("b3:22".into())])?;
/// graph.add("train", "b3:33", &none, &[StepInput::Step("prepare".into())])?;
/// assert!(graph.key("train").is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    steps: BTreeMap<String, Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    key: KeyDigest,
    inputs: Vec<StepInput>,
}

impl Graph {
    /// A graph without steps.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step and returns its key.
    ///
    /// # Errors
    /// `AlreadyExists` for a second step of one name, `NotFound` for an input step that was not
    /// added before, `InvalidInput` for a data identity that pretends to be a step.
    pub fn add(
        &mut self,
        name: &str,
        function: &str,
        params: &Value,
        inputs: &[StepInput],
    ) -> Result<KeyDigest> {
        if self.steps.contains_key(name) {
            let message = format!("graph has two steps of one name: name={name:?}");
            return Err(Error::new(ErrorKind::AlreadyExists, message));
        }
        let ids: Vec<String> =
            inputs.iter().map(|input| self.input_id(input)).collect::<Result<_>>()?;
        let key = step_key(function, params, &ids);
        self.steps.insert(name.to_owned(), Node { key, inputs: inputs.to_vec() });
        Ok(key)
    }

    /// The key of the step called `name`.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<KeyDigest> {
        self.steps.get(name).map(|node| node.key)
    }

    fn input_id(&self, input: &StepInput) -> Result<String> {
        match input {
            StepInput::Step(name) => self
                .key(name)
                .map(|key| format!("{STEP_SCHEME}{key}"))
                .ok_or_else(|| Error::not_found("input step", name)),
            StepInput::Data(id) if id.starts_with(STEP_SCHEME) => {
                Err(Error::invalid(format!("data identity has the scheme of a step: id={id:?}")))
            }
            StepInput::Data(id) => Ok(id.clone()),
        }
    }

    /// Names in topological order, the smallest ready name first.
    fn order(&self) -> Vec<&str> {
        let mut waiting: Vec<&str> = self.steps.keys().map(String::as_str).collect();
        let mut order: Vec<&str> = Vec::with_capacity(waiting.len());
        // Inputs exist before a step is added, so each round finds one that is ready.
        while let Some(at) = waiting.iter().position(|name| self.is_ready(name, &waiting)) {
            order.push(waiting.remove(at));
        }
        order
    }

    fn is_ready(&self, name: &str, waiting: &[&str]) -> bool {
        self.steps[name].inputs.iter().all(|input| match input {
            StepInput::Step(input) => !waiting.contains(&input.as_str()),
            StepInput::Data(_) => true,
        })
    }
}

impl From<&Graph> for Value {
    fn from(graph: &Graph) -> Self {
        let steps = graph.order().into_iter().map(|name| {
            let node = &graph.steps[name];
            let inputs = node.inputs.iter().map(|input| match input {
                StepInput::Step(name) => format!("{STEP_SCHEME}{name}"),
                StepInput::Data(id) => id.clone(),
            });
            Self::map([
                ("name", Self::from(name)),
                ("key", Self::from(node.key.to_hex())),
                ("inputs", Self::from(inputs.collect::<Vec<_>>())),
            ])
        });
        Self::map([("steps", Self::List(steps.collect()))])
    }
}

impl From<Graph> for Value {
    fn from(graph: Graph) -> Self {
        Self::from(&graph)
    }
}

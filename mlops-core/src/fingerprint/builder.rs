//! Collects the sections of a run.

use std::collections::BTreeMap;

use super::environment::{Environment, Lock};
use super::key::KeyDigest;
use super::record::Fingerprint;
use super::section::Section;
use super::tree::Provenance;
use super::value::Value;

/// Collects what a run is made of; [`Fingerprint::builder`] starts one.
///
/// What is not given has a fixed form: no parameters is `{}`, no data `[]`, no seeds `{}`, no graph
/// `{"steps":[]}`, no code `{"tree":null}`. Without `env` there is no locked key, without `hw` no
/// bitwise one.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct FingerprintBuilder {
    code: Option<KeyDigest>,
    params: BTreeMap<String, Value>,
    data: Vec<(String, String)>,
    seeds: BTreeMap<String, Value>,
    graph: Option<Value>,
    env: Option<Value>,
    hw: Option<Value>,
    locks: Vec<Lock>,
    provenance: Option<Provenance>,
}

impl FingerprintBuilder {
    /// The source: a [`Tree`](super::tree::Tree), or the digest of one.
    pub fn code(mut self, tree: impl Into<KeyDigest>) -> Self {
        self.code = Some(tree.into());
        self
    }

    /// One parameter, with the type it was used with. A later one of the same name replaces it.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.params.insert(name.into(), value.into());
        self
    }

    /// Several parameters.
    pub fn params<K, V>(mut self, params: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<Value>,
    {
        self.params.extend(params.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Data that the run reads: its role (`train`) and its identity with a scheme (`b3:…`,
    /// `md5:…`, `lakefs:repo@commit`). One role may have several; what is not read is not named.
    pub fn data(mut self, role: impl Into<String>, id: impl Into<String>) -> Self {
        self.data.push((role.into(), id.into()));
        self
    }

    /// The seed of a source of randomness; `None` marks the run as not reproducible.
    pub fn seed(mut self, name: impl Into<String>, seed: impl Into<Option<u64>>) -> Self {
        self.seeds.insert(name.into(), seed.into().into());
        self
    }

    /// Lock files, toolchain, image and variables.
    pub fn env(mut self, environment: Environment) -> Self {
        self.env = Some(Value::from(&environment));
        self.locks = environment.locks.into_values().collect();
        self
    }

    /// The steps: a [`Graph`](super::Graph), or a value of that form.
    pub fn graph(mut self, graph: impl Into<Value>) -> Self {
        self.graph = Some(graph.into());
        self
    }

    /// The hardware: a [`Hardware`](super::environment::Hardware), or a value of that form.
    pub fn hw(mut self, hardware: impl Into<Value>) -> Self {
        self.hw = Some(hardware.into());
        self
    }

    /// Commit, branch and dirty flag, kept beside the key and never part of it.
    pub fn provenance(mut self, provenance: impl Into<Option<Provenance>>) -> Self {
        self.provenance = provenance.into();
        self
    }

    /// The finished fingerprint.
    #[must_use]
    pub fn build(self) -> Fingerprint {
        let tree = self.code.map(|digest| digest.to_hex());
        let no_steps = || Value::map([("steps", Value::List(Vec::new()))]);
        let mut sections = BTreeMap::from([
            (Section::Code, Value::map([("tree", tree)])),
            (Section::Params, Value::Map(self.params)),
            (Section::Data, data_value(self.data)),
            (Section::Seeds, Value::Map(self.seeds)),
            (Section::Graph, self.graph.unwrap_or_else(no_steps)),
        ]);
        sections.extend(self.env.map(|value| (Section::Env, value)));
        sections.extend(self.hw.map(|value| (Section::Hw, value)));
        Fingerprint { sections, locks: self.locks, provenance: self.provenance }
    }
}

/// `[{"role", "id"}]` sorted by role, then by identity. Reading the same content twice in one role
/// is reading it once.
fn data_value(mut data: Vec<(String, String)>) -> Value {
    data.sort();
    data.dedup();
    let entry = |(role, id)| Value::map([("role", role), ("id", id)]);
    Value::List(data.into_iter().map(entry).collect())
}

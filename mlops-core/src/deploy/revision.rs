//! A revision: what is to run, and how it is.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::id::{Address, Digest, EndpointName, ModelName, RevisionName};
use crate::time::Timestamp;

/// Names one revision of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RevisionRef {
    /// The endpoint.
    pub endpoint: EndpointName,
    /// The revision.
    pub revision: RevisionName,
}

impl fmt::Display for RevisionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.endpoint, self.revision)
    }
}

/// The model version that a revision serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedModel {
    /// The registered model.
    pub name: ModelName,
    /// Its version.
    pub version: u64,
}

/// What is to run, once and for all: a change makes another revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RevisionSpec {
    /// Its name.
    pub revision: RevisionRef,
    /// The model version in it, where there is one.
    pub model: Option<ServedModel>,
    /// What runs.
    pub workload: Workload,
    /// How many of it.
    pub replicas: NonZeroU32,
    /// When a replica counts as ready.
    pub probe: Probe,
    /// What happens when a replica ends by itself.
    pub restart: RestartPolicy,
    /// How long requests in flight may take when it is ended.
    pub drain: Duration,
}

impl RevisionSpec {
    /// One replica of `workload`, with the defaults for everything else.
    #[must_use]
    pub fn new(revision: RevisionRef, workload: Workload) -> Self {
        Self {
            revision,
            model: None,
            workload,
            replicas: NonZeroU32::MIN,
            probe: Probe::default(),
            restart: RestartPolicy::default(),
            drain: Duration::from_secs(30),
        }
    }

    /// Names the model version in it.
    #[must_use]
    pub fn with_model(self, name: ModelName, version: u64) -> Self {
        Self { model: Some(ServedModel { name, version }), ..self }
    }

    /// Sets how many replicas run.
    #[must_use]
    pub fn with_replicas(self, replicas: NonZeroU32) -> Self {
        Self { replicas, ..self }
    }

    /// Sets when a replica counts as ready.
    #[must_use]
    pub fn with_probe(self, probe: Probe) -> Self {
        Self { probe, ..self }
    }

    /// Sets what happens when a replica ends by itself.
    #[must_use]
    pub fn with_restart(self, restart: RestartPolicy) -> Self {
        Self { restart, ..self }
    }

    /// Sets how long requests in flight may take when it is ended.
    #[must_use]
    pub fn with_drain(self, drain: Duration) -> Self {
        Self { drain, ..self }
    }

    /// What tells this spec from any other: the digest of its JSON.
    ///
    /// # Errors
    /// `InvalidInput` for a path that is not UTF-8.
    pub fn digest(&self) -> Result<Digest> {
        let json = serde_json::to_vec(self)
            .map_err(|source| Error::invalid("a spec can't be written").with_source(source))?;
        Ok(Digest::of(&json))
    }

    /// The refusal of another spec under a name that is taken.
    #[must_use]
    pub fn taken(&self) -> Error {
        let message = format!(
            "the revision exists with another spec, give the new one a name of its own: revision={}",
            self.revision
        );
        Error::new(ErrorKind::AlreadyExists, message)
    }
}

/// What a revision runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Workload {
    /// A child process on this machine.
    Process(Process),
}

/// A command that answers HTTP on a port that it is given.
///
/// `{port}` and `{address}` (host and port) in an argument are replaced; the same is in the
/// environment as `PORT` and `MLOPS_ADDRESS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The program and its arguments, run without a shell.
    pub argv: Vec<String>,
    /// Where it runs; the deployer's own folder without it.
    pub folder: Option<PathBuf>,
    /// How it comes by its port.
    pub listen: Listen,
    /// What it sees of the environment, apart from `PATH`, `PORT` and what the deployer adds.
    pub environment: BTreeMap<String, String>,
}

impl Process {
    /// This command, which binds the port that it is told.
    ///
    /// # Errors
    /// `InvalidInput` when `argv` is empty.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Result<Self> {
        let argv: Vec<String> = argv.into_iter().map(Into::into).collect();
        if argv.first().is_none_or(String::is_empty) {
            return Err(Error::invalid("a process needs at least a program"));
        }
        Ok(Self { argv, folder: None, listen: Listen::Port, environment: BTreeMap::new() })
    }

    /// Sets where it runs.
    #[must_use]
    pub fn with_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..self }
    }

    /// Sets how it comes by its port.
    #[must_use]
    pub fn with_listen(self, listen: Listen) -> Self {
        Self { listen, ..self }
    }

    /// Lets it see a variable.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }
}

/// How a process comes by its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listen {
    /// It binds the port that it is told.
    Port,
    /// It inherits the bound socket as descriptor 3 with `LISTEN_FDS=1` (and no `LISTEN_PID`), as in
    /// systemd's socket activation: nobody else can take the port before it does.
    Inherited,
}

/// How readiness is asked for: `GET path` must answer 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The path.
    pub path: String,
    /// How often it is asked.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How many failures in a row make a ready replica unready.
    pub failures: NonZeroU32,
    /// How long a replica may take to become ready the first time.
    pub deadline: Duration,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            path: "/v2/health/ready".to_owned(),
            interval: Duration::from_millis(500),
            timeout: Duration::from_secs(2),
            failures: NonZeroU32::MIN.saturating_add(2),
            deadline: Duration::from_secs(600),
        }
    }
}

/// What happens when a replica ends by itself: it is started again after a growing delay, so many
/// times in a row, then the revision has failed. A replica that stayed ready for `reset` starts anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// How many restarts in a row.
    pub restarts: u32,
    /// The delay before the first, doubled for each that follows.
    pub delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
    /// After so long in readiness, earlier restarts are forgotten.
    pub reset: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            restarts: 5,
            delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(30),
            reset: Duration::from_secs(60),
        }
    }
}

/// What a revision is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// It has not been ready yet.
    Starting,
    /// All replicas answer.
    Ready,
    /// It was ready, and now some replicas do not answer.
    Degraded,
    /// It will not become ready: it ended too often, or never answered in time.
    Failed,
    /// It is being ended.
    Ending,
}

/// How a revision is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionStatus {
    /// Which.
    pub revision: RevisionRef,
    /// The model version in it.
    pub model: Option<ServedModel>,
    /// The digest of its spec.
    pub spec: Digest,
    /// What it is doing.
    pub phase: Phase,
    /// Why, where there is something to say: the last exit, the last failed probe.
    pub message: Option<String>,
    /// How many replicas are ready.
    pub ready: u32,
    /// How many were asked for.
    pub wanted: u32,
    /// How many restarts there have been.
    pub restarts: u32,
    /// Where replicas answer: those that are ready, or all of them while none is.
    pub addresses: Vec<Address>,
    /// Since when it has been in this phase.
    pub since: Timestamp,
}

impl RevisionStatus {
    /// Whether every replica that was asked for answers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready && self.ready >= self.wanted
    }
}

/// Which lines of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LogQuery {
    /// Only the last so many; all that are kept without it.
    pub tail: Option<usize>,
}

impl LogQuery {
    /// Only the last `lines`.
    #[must_use]
    pub fn with_tail(self, lines: usize) -> Self {
        Self { tail: Some(lines) }
    }
}

/// One line that a replica has printed, on standard output or standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Which replica, from 0.
    pub replica: u32,
    /// The line, without its end.
    pub text: String,
}

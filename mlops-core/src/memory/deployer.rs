//! Revisions in memory: they become ready, unready, and fail when they are told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{lock, snapshot};
use crate::deploy::{
    Deployer, LogLine, LogQuery, Phase, RevisionRef, RevisionSpec, RevisionStatus,
};
use crate::error::{Error, Result};
use crate::id::{Address, Digest, EndpointName};
use crate::time::{Clock, Timestamp};

/// What becomes of a revision once it is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Script {
    /// It is ready at once.
    #[default]
    ReadyAtOnce,
    /// It starts, and waits for [`MemoryDeployer::become_ready`].
    WhenTold,
    /// It fails at once.
    Fails,
}

/// A [`Deployer`] in memory. Nothing runs: the host of a test says what becomes of a revision.
#[derive(Debug)]
pub struct MemoryDeployer {
    clock: Arc<dyn Clock>,
    fleet: Mutex<Fleet>,
}

#[derive(Debug, Default)]
struct Fleet {
    script: Script,
    started: u16,
    revisions: BTreeMap<RevisionRef, Held>,
}

#[derive(Debug)]
struct Held {
    spec: RevisionSpec,
    status: RevisionStatus,
    log: Vec<LogLine>,
}

impl MemoryDeployer {
    /// No revisions; those to come are ready at once.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, fleet: Mutex::default() }
    }

    /// Says what becomes of revisions that are applied from now on.
    pub fn follow(&self, script: Script) {
        lock(&self.fleet).script = script;
    }

    /// All replicas of a revision answer from now on.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn become_ready(&self, revision: &RevisionRef) -> Result<()> {
        self.change(revision, Phase::Ready, None)
    }

    /// One replica of a revision answers no more.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn become_unready(&self, revision: &RevisionRef) -> Result<()> {
        self.change(revision, Phase::Degraded, Some("a replica does not answer"))
    }

    /// A revision fails for good.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn fail(&self, revision: &RevisionRef) -> Result<()> {
        self.change(revision, Phase::Failed, Some("ended too often"))
    }

    /// A revision is gone, as after the machine that it ran on.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn die(&self, revision: &RevisionRef) -> Result<()> {
        let gone = lock(&self.fleet).revisions.remove(revision);
        gone.map(|_| ()).ok_or_else(|| Error::not_found("revision", revision))
    }

    fn change(&self, revision: &RevisionRef, phase: Phase, message: Option<&str>) -> Result<()> {
        let now = self.clock.now();
        self.with(revision, |held| held.enter(phase, message, now))
    }

    fn with<T>(&self, revision: &RevisionRef, f: impl FnOnce(&mut Held) -> T) -> Result<T> {
        let mut fleet = lock(&self.fleet);
        let held = fleet.revisions.get_mut(revision);
        held.map(f).ok_or_else(|| Error::not_found("revision", revision))
    }
}

impl Held {
    fn start(spec: RevisionSpec, digest: Digest, addresses: Vec<Address>, now: Timestamp) -> Self {
        let status = RevisionStatus {
            revision: spec.revision.clone(),
            model: spec.model.clone(),
            spec: digest,
            phase: Phase::Starting,
            message: None,
            ready: 0,
            wanted: spec.replicas.get(),
            restarts: 0,
            addresses,
            since: now,
        };
        let mut held = Self { spec, status, log: Vec::new() };
        held.enter(Phase::Starting, None, now);
        held
    }

    fn enter(&mut self, phase: Phase, message: Option<&str>, now: Timestamp) {
        self.status.phase = phase;
        self.status.message = message.map(str::to_owned);
        self.status.since = now;
        self.status.ready = match phase {
            Phase::Ready => self.status.wanted,
            Phase::Degraded => self.status.wanted - 1,
            _ => 0,
        };
        let text = format!("{phase:?}").to_lowercase();
        self.log.push(LogLine { replica: 0, text });
    }
}

#[async_trait]
impl Deployer for MemoryDeployer {
    async fn apply(&self, spec: RevisionSpec) -> Result<RevisionStatus> {
        let (now, digest) = (self.clock.now(), spec.digest()?);
        let mut fleet = lock(&self.fleet);
        if let Some(held) = fleet.revisions.get(&spec.revision) {
            return if held.spec == spec { Ok(held.status.clone()) } else { Err(spec.taken()) };
        }
        fleet.started += 1;
        let address = Address::new(format!("127.0.0.1:{}", 20_000 + fleet.started))?;
        let mut held = Held::start(spec, digest, vec![address], now);
        match fleet.script {
            Script::ReadyAtOnce => held.enter(Phase::Ready, None, now),
            Script::WhenTold => {}
            Script::Fails => held.enter(Phase::Failed, Some("told to fail"), now),
        }
        let status = held.status.clone();
        fleet.revisions.insert(status.revision.clone(), held);
        Ok(status)
    }

    async fn get(&self, revision: &RevisionRef) -> Result<RevisionStatus> {
        self.with(revision, |held| held.status.clone())
    }

    fn list(&self, endpoint: &EndpointName) -> BoxStream<'static, Result<RevisionStatus>> {
        let fleet = lock(&self.fleet);
        let of_endpoint = fleet.revisions.iter().filter(|(name, _)| name.endpoint == *endpoint);
        snapshot(Ok(of_endpoint.map(|(_, held)| held.status.clone()).collect()))
    }

    async fn delete(&self, revision: &RevisionRef) -> Result<()> {
        lock(&self.fleet).revisions.remove(revision);
        Ok(())
    }

    fn logs(&self, revision: &RevisionRef, query: LogQuery) -> BoxStream<'static, Result<LogLine>> {
        snapshot(self.with(revision, |held| {
            let skipped = query.tail.map_or(0, |tail| held.log.len().saturating_sub(tail));
            held.log[skipped..].to_vec()
        }))
    }
}

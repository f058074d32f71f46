//! Backends that die with their controller: before an effect, or after it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;

use super::harness::World;
use crate::deploy::{
    Deployer, Generation, LogLine, LogQuery, ObservedTraffic, Phase, RevisionCounts, RevisionRef,
    RevisionSpec, RevisionStatus, ServiceMetrics, Traffic, TrafficCapabilities, TrafficSpec,
};
use crate::error::{Error, ErrorKind, Result, RetryClass};
use crate::id::{EndpointName, LeaseOwner, RevisionName, StreamName};
use crate::journal::{Append, JournalStore, Lease, Recorded};
use crate::rollout::Parts;

/// Lets so many effects through, then dies: with the next one, before or after it has happened.
#[derive(Debug)]
pub(super) struct Fuse {
    left: AtomicI64,
    after: bool,
    blown: AtomicBool,
}

impl Fuse {
    pub(super) fn new(effects: i64, after: bool) -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(effects), after, blown: AtomicBool::new(false) })
    }

    pub(super) fn is_blown(&self) -> bool {
        self.blown.load(Ordering::SeqCst)
    }

    async fn around<T>(&self, effect: impl Future<Output = Result<T>>) -> Result<T> {
        let dead = || {
            // Never safe to repeat in this process: it is dead.
            Err(Error::new(ErrorKind::Cancelled, "killed").with_retry(RetryClass::Never))
        };
        if self.is_blown() {
            return dead();
        }
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 {
            return effect.await;
        }
        self.blown.store(true, Ordering::SeqCst);
        if self.after {
            effect.await.ok();
        }
        dead()
    }
}

/// The backends of a world, behind a fuse; every traffic set is checked as it passes.
#[derive(Debug)]
pub(super) struct Mortal {
    world: World,
    fuse: Arc<Fuse>,
}

/// `world` as a process sees it that dies when `fuse` blows.
pub(super) fn mortal(world: &World, fuse: &Arc<Fuse>) -> Parts {
    let mortal = Arc::new(Mortal { world: world.clone(), fuse: fuse.clone() });
    Parts::new(mortal.clone(), mortal.clone(), mortal.clone(), mortal, world.clock.clone())
}

#[async_trait]
impl JournalStore for Mortal {
    async fn append(&self, append: Append) -> Result<()> {
        self.fuse.around(self.world.journal.append(append)).await
    }

    fn read(&self, stream: &StreamName, from: u64) -> BoxStream<'static, Result<Recorded>> {
        self.world.journal.read(stream, from)
    }

    async fn last(&self, stream: &StreamName) -> Result<Option<Recorded>> {
        self.world.journal.last(stream).await
    }

    fn streams(&self, prefix: Option<&StreamName>) -> BoxStream<'static, Result<StreamName>> {
        self.world.journal.streams(prefix)
    }

    async fn acquire(&self, stream: &StreamName, by: &LeaseOwner, ttl: Duration) -> Result<Lease> {
        self.world.journal.acquire(stream, by, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Lease> {
        self.world.journal.renew(lease, ttl).await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.world.journal.release(lease).await
    }
}

#[async_trait]
impl Deployer for Mortal {
    async fn apply(&self, spec: RevisionSpec) -> Result<RevisionStatus> {
        self.world.check_recorded().await;
        self.fuse.around(self.world.deployer.apply(spec)).await
    }

    async fn get(&self, revision: &RevisionRef) -> Result<RevisionStatus> {
        self.world.deployer.get(revision).await
    }

    fn list(&self, endpoint: &EndpointName) -> BoxStream<'static, Result<RevisionStatus>> {
        self.world.deployer.list(endpoint).boxed()
    }

    async fn delete(&self, revision: &RevisionRef) -> Result<()> {
        self.world.check_delete(revision).await;
        self.fuse.around(self.world.deployer.delete(revision)).await
    }

    fn logs(&self, revision: &RevisionRef, query: LogQuery) -> BoxStream<'static, Result<LogLine>> {
        self.world.deployer.logs(revision, query)
    }
}

#[async_trait]
impl Traffic for Mortal {
    fn capabilities(&self) -> TrafficCapabilities {
        self.world.traffic.capabilities()
    }

    async fn set(&self, spec: TrafficSpec) -> Result<()> {
        self.world.check_set(&spec).await;
        self.fuse.around(self.world.traffic.set(spec)).await
    }

    async fn observed(&self, endpoint: &EndpointName) -> Result<ObservedTraffic> {
        self.world.traffic.observed(endpoint).await
    }

    async fn remove(&self, endpoint: &EndpointName, generation: Generation) -> Result<()> {
        self.fuse.around(self.world.traffic.remove(endpoint, generation)).await
    }
}

#[async_trait]
impl ServiceMetrics for Mortal {
    async fn counts(
        &self,
        endpoint: &EndpointName,
    ) -> Result<BTreeMap<RevisionName, RevisionCounts>> {
        self.world.traffic.counts(endpoint).await
    }
}

impl World {
    /// Journal before side effect: the state that the journal folds to is the one that acts.
    async fn check_recorded(&self) {
        let state = self.folded().await;
        assert!(state.is_open(), "an effect without a rollout on record: {state:?}");
    }

    /// No weight on a revision that is not ready: no share grows but that of a ready one. A data plane that
    /// has forgotten everything may be given back what was in effect, as long as somebody answers.
    async fn check_set(&self, spec: &TrafficSpec) {
        let state = self.folded().await;
        let asked = state.asked.expect("what is asked is on record first");
        assert_eq!(asked.generation, spec.generation);
        assert_eq!(asked.wish.split(), Some(&spec.split));
        let forgotten = self.traffic.observed(&spec.endpoint).await.is_err();
        let before = state.effective.filter(|_| forgotten);
        for (name, share) in spec.split.iter() {
            let held = self.share(name.as_str()).await;
            let had = before.as_ref().and_then(|before| before.wish.split());
            let had = had.is_some_and(|split| share <= split.share(name));
            let reference = RevisionRef { endpoint: spec.endpoint.clone(), revision: name.clone() };
            let status = self.deployer.get(&reference).await;
            let ready = status.as_ref().is_ok_and(|status| status.is_ready());
            let given_back = had && status.is_ok_and(|status| status.ready > 0);
            assert!(ready || share <= held || given_back, "{name} gets {share} and is not ready");
        }
    }

    /// No revision is ended that has a share in effect, or one that was asked for.
    async fn check_delete(&self, revision: &RevisionRef) {
        let name = &revision.revision;
        let state = self.folded().await;
        assert_eq!(self.share(name.as_str()).await.get(), 0, "{name} is ended with a share");
        let reached = state.asked.is_some_and(|asked| asked.wish.reaches(name));
        assert!(!reached, "{name} is ended and was asked to answer");
        let stable = state.stable.as_ref();
        let status = self.deployer.get(revision).await;
        let ending =
            status.is_ok_and(|status| status.phase == Phase::Ready) && stable == Some(name);
        assert!(!ending, "the stable revision is ended");
    }
}

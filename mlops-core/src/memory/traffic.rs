//! Traffic in memory: splits that take effect at once or when told, requests that are routed and counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::lock;
use crate::deploy::{
    Generation, ObservedTraffic, RevisionCounts, ServiceCounts, ServiceMetrics, Support, Traffic,
    TrafficCapabilities, TrafficSpec, check_generation, check_removal,
};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Digest, EndpointName, RevisionName};
use crate::time::{Clock, Timestamp};

/// When a split that was set takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effect {
    /// At once.
    #[default]
    AtOnce,
    /// At the next [`MemoryTraffic::take_effect`].
    WhenTold,
}

/// Requests to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Served {
    /// How many there were.
    pub requests: u64,
    /// How many of them failed.
    pub errors: u64,
    /// How many of them took longer than the bound.
    pub slow: u64,
}

/// A [`Traffic`] and its [`ServiceMetrics`] in memory.
#[derive(Debug)]
pub struct MemoryTraffic {
    clock: Arc<dyn Clock>,
    capabilities: TrafficCapabilities,
    plane: Mutex<Plane>,
}

#[derive(Debug, Default)]
struct Plane {
    effect: Effect,
    endpoints: BTreeMap<EndpointName, Endpoint>,
}

#[derive(Debug, Default)]
struct Endpoint {
    asked: Option<TrafficSpec>,
    removed: Option<Generation>,
    effective: Option<TrafficSpec>,
    in_flight: BTreeMap<RevisionName, u64>,
    counts: BTreeMap<RevisionName, RevisionCounts>,
    /// What each revision is owed, in hundredths of a request.
    owed: BTreeMap<RevisionName, i64>,
}

/// The bound above which [`MemoryTraffic`] is told that a request was slow.
const LATENCY_BOUND: Duration = Duration::from_millis(200);

impl MemoryTraffic {
    /// No endpoints, every capability; splits take effect at once.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, capabilities: TrafficCapabilities::full(), plane: Mutex::default() }
    }

    /// Offers only this.
    #[must_use]
    pub fn with_capabilities(self, capabilities: TrafficCapabilities) -> Self {
        Self { capabilities, ..self }
    }

    /// Says when splits take effect that are set from now on.
    pub fn follow(&self, effect: Effect) {
        lock(&self.plane).effect = effect;
    }

    /// What was asked for takes effect.
    pub fn take_effect(&self, endpoint: &EndpointName) {
        self.with(endpoint, |held| held.effective.clone_from(&held.asked));
    }

    /// Forgets every split and count, as a data plane that was started anew.
    pub fn restart(&self) {
        lock(&self.plane).endpoints.clear();
    }

    /// So many requests are under way at a revision.
    pub fn hold(&self, endpoint: &EndpointName, revision: &RevisionName, requests: u64) {
        self.with(endpoint, |held| held.in_flight.insert(revision.clone(), requests));
    }

    /// Counts requests that clients sent.
    pub fn feed(&self, endpoint: &EndpointName, revision: &RevisionName, served: Served) {
        let now = self.clock.now();
        self.with(endpoint, |held| served.add_to(&mut held.counts(revision, now).served, now));
    }

    /// Counts copies.
    pub fn feed_copies(&self, endpoint: &EndpointName, revision: &RevisionName, served: Served) {
        let now = self.clock.now();
        self.with(endpoint, |held| served.add_to(&mut held.counts(revision, now).copies, now));
    }

    /// Loses the counts of a revision: they start again at zero, from now.
    pub fn lose_counts(&self, endpoint: &EndpointName, revision: &RevisionName) {
        self.with(endpoint, |held| held.counts.remove(revision));
    }

    /// Which revision gets the next request; with a key and a sticky split, the key decides. The
    /// request is counted as answered in time.
    ///
    /// # Errors
    /// `NotFound` while no split is in effect.
    pub fn route(&self, endpoint: &EndpointName, key: Option<&str>) -> Result<RevisionName> {
        let now = self.clock.now();
        self.with(endpoint, |held| {
            let to = held.next(key).ok_or_else(|| Error::not_found("split", endpoint))?;
            let one = Served { requests: 1, ..Served::default() };
            one.add_to(&mut held.counts(&to, now).served, now);
            Ok(to)
        })
    }

    fn with<T>(&self, endpoint: &EndpointName, f: impl FnOnce(&mut Endpoint) -> T) -> T {
        f(lock(&self.plane).endpoints.entry(endpoint.clone()).or_default())
    }

    fn check_offered(&self, spec: &TrafficSpec) -> Result<()> {
        let refused = |what: &str| Err(Error::new(ErrorKind::Unsupported, what));
        if spec.mirror.is_some() && self.capabilities.mirror == Support::No {
            return refused("this data plane can't copy requests");
        }
        if spec.sticky.is_some() && self.capabilities.sticky == Support::No {
            return refused("this data plane can't keep requests together");
        }
        let smallest = self.capabilities.smallest_step;
        match spec.split.iter().find(|(_, share)| share.get() % smallest.get().max(1) != 0) {
            Some(_) => refused("this data plane can't keep a share as small"),
            None => Ok(()),
        }
    }
}

impl Served {
    fn add_to(self, counts: &mut ServiceCounts, now: Timestamp) {
        counts.requests += self.requests;
        counts.errors += self.errors;
        counts.slow += self.slow;
        if self.requests > 0 {
            counts.last = Some(now);
        }
    }
}

impl Endpoint {
    fn counts(&mut self, revision: &RevisionName, now: Timestamp) -> &mut RevisionCounts {
        let none = ServiceCounts {
            since: now,
            requests: 0,
            errors: 0,
            slow: 0,
            latency_bound: LATENCY_BOUND,
            last: None,
        };
        self.counts.entry(revision.clone()).or_insert(RevisionCounts { served: none, copies: none })
    }

    /// By key: its hash falls into the share of one revision. Without: whoever is owed most, so that
    /// each hundred requests hold exactly the shares.
    fn next(&mut self, key: Option<&str>) -> Option<RevisionName> {
        let spec = self.effective.as_ref()?;
        if let (Some(key), Some(_)) = (key, &spec.sticky) {
            let hash = Digest::of(key.as_bytes());
            let place = u16::from_be_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]) % 100;
            let mut below = 0;
            return spec.split.iter().find_map(|(revision, share)| {
                below += u16::from(share.get());
                (place < below).then(|| revision.clone())
            });
        }
        for (revision, share) in spec.split.iter() {
            *self.owed.entry(revision.clone()).or_default() += i64::from(share.get());
        }
        let owed = |revision: &RevisionName| self.owed.get(revision).copied().unwrap_or_default();
        let to = spec.split.iter().map(|(revision, _)| revision).max_by_key(|name| owed(name))?;
        let to = to.clone();
        *self.owed.entry(to.clone()).or_default() -= 100;
        Some(to)
    }
}

#[async_trait]
impl Traffic for MemoryTraffic {
    fn capabilities(&self) -> TrafficCapabilities {
        self.capabilities
    }

    async fn set(&self, spec: TrafficSpec) -> Result<()> {
        self.check_offered(&spec)?;
        let mut plane = lock(&self.plane);
        let effect = plane.effect;
        let held = plane.endpoints.entry(spec.endpoint.clone()).or_default();
        if !check_generation(held.asked.as_ref(), held.removed, &spec)? {
            return Ok(());
        }
        held.owed.clear();
        held.asked = Some(spec);
        if effect == Effect::AtOnce {
            held.effective.clone_from(&held.asked);
        }
        Ok(())
    }

    async fn observed(&self, endpoint: &EndpointName) -> Result<ObservedTraffic> {
        let plane = lock(&self.plane);
        let held = plane.endpoints.get(endpoint);
        let found = held.and_then(|held| Some((held, held.effective.as_ref()?)));
        let (held, spec) = found.ok_or_else(|| Error::not_found("split", endpoint))?;
        Ok(ObservedTraffic {
            generation: spec.generation,
            split: spec.split.clone(),
            mirror: spec.mirror.clone(),
            in_flight: held.in_flight.clone(),
        })
    }

    async fn remove(&self, endpoint: &EndpointName, generation: Generation) -> Result<()> {
        self.with(endpoint, |held| {
            if check_removal(endpoint, held.asked.as_ref(), held.removed, generation)? {
                *held = Endpoint { removed: Some(generation), ..Endpoint::default() };
            }
            Ok(())
        })
    }
}

#[async_trait]
impl ServiceMetrics for MemoryTraffic {
    async fn counts(
        &self,
        endpoint: &EndpointName,
    ) -> Result<BTreeMap<RevisionName, RevisionCounts>> {
        let plane = lock(&self.plane);
        Ok(plane.endpoints.get(endpoint).map(|held| held.counts.clone()).unwrap_or_default())
    }
}

//! The reference backends run every suite, and no rule is left out of its suite.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::deployer::DeployerFixture;
use super::traffic::TrafficFixture;
use crate::deploy::{
    Backend, Deployer, Process, RevisionRef, RevisionSpec, ServiceMetrics, Traffic,
    TrafficCapabilities, Workload,
};
use crate::id::{Address, EndpointName, RevisionName};
use crate::memory::{
    MemoryArtifacts, MemoryData, MemoryDeployer, MemoryJournal, MemoryRegistry, MemoryTracking,
    MemoryTraffic,
};
use crate::time::SystemClock;

mod tracking {
    use super::*;
    crate::tracking_suite!(|| ((), MemoryTracking::new(Arc::new(SystemClock))));
}
mod search {
    use super::*;
    crate::search_suite!(|| ((), MemoryTracking::new(Arc::new(SystemClock))));
}
mod registry {
    use super::*;
    crate::registry_suite!(|| ((), MemoryRegistry::new(Arc::new(SystemClock))));
}
mod data {
    use super::*;
    crate::data_suite!(|| ((), MemoryData::new(Arc::new(SystemClock))));
}
mod journal {
    use super::*;
    crate::journal_suite!(|| ((), MemoryJournal::new(Arc::new(SystemClock))));
}
mod artifact {
    use super::*;
    crate::artifact_suite!(|| ((), MemoryArtifacts::default()));
}
mod content {
    use super::*;
    crate::content_suite!(|| ((), MemoryArtifacts::default()));
}

mod deployer {
    use super::*;
    crate::deployer_suite!(|| ((), MemoryFleet(MemoryDeployer::new(Arc::new(SystemClock)))));
}
mod traffic {
    use super::*;
    crate::traffic_suite!(|| ((), MemoryPlane(MemoryTraffic::new(Arc::new(SystemClock)))));
}
mod traffic_by_weight_only {
    use super::*;
    crate::traffic_suite!(|| {
        let plane = MemoryTraffic::new(Arc::new(SystemClock));
        ((), MemoryPlane(plane.with_capabilities(TrafficCapabilities::weights_only())))
    });
}

struct MemoryFleet(MemoryDeployer);

#[async_trait]
impl DeployerFixture for MemoryFleet {
    fn deployer(&self) -> &dyn Deployer {
        &self.0
    }

    fn workable(&self, revision: RevisionRef) -> RevisionSpec {
        let process = super::ok(Process::new(["serve"]));
        RevisionSpec::new(revision, Workload::Process(process))
    }

    async fn settle(&self) {}
}

struct MemoryPlane(MemoryTraffic);

#[async_trait]
impl TrafficFixture for MemoryPlane {
    fn traffic(&self) -> &dyn Traffic {
        &self.0
    }

    fn metrics(&self) -> &dyn ServiceMetrics {
        &self.0
    }

    fn backend(&self, _: &RevisionName) -> Backend {
        Backend { addresses: vec![Address::new("127.0.0.1:1").unwrap()] }
    }

    async fn send(
        &self,
        endpoint: &EndpointName,
        requests: u32,
        key: Option<&str>,
    ) -> BTreeMap<RevisionName, u32> {
        let mut answered = BTreeMap::new();
        for _ in 0..requests {
            *answered.entry(self.0.route(endpoint, key).unwrap()).or_default() += 1;
        }
        answered
    }

    async fn settle(&self) {}
}

#[test]
fn every_rule_is_in_its_suite() {
    let tracking = [
        include_str!("tracking/mod.rs"),
        include_str!("tracking/experiments.rs"),
        include_str!("tracking/runs.rs"),
        include_str!("tracking/batches.rs"),
    ];
    let tracking = tracking.concat();
    for source in [
        tracking.as_str(),
        include_str!("search.rs"),
        include_str!("registry.rs"),
        include_str!("data.rs"),
        include_str!("journal.rs"),
        include_str!("artifact.rs"),
        include_str!("deployer.rs"),
        include_str!("traffic.rs"),
    ] {
        let listed: Vec<&str> =
            source.lines().filter(|line| line.starts_with("            ")).map(str::trim).collect();
        let rules = source
            .lines()
            .filter_map(|line| line.strip_prefix("pub async fn ")?.split_once('('))
            .map(|(name, _)| name);
        let rules: Vec<&str> = rules.collect();
        assert!(rules.len() > 5);
        for rule in rules {
            assert!(listed.contains(&rule), "{rule} is in no suite");
        }
    }
}

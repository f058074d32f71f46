//! The reference backends run every suite, and no rule is left out of its suite.

use std::sync::Arc;

use crate::memory::{MemoryArtifacts, MemoryData, MemoryJournal, MemoryRegistry, MemoryTracking};
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

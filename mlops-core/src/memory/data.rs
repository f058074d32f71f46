//! Data versions in memory.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{lock, snapshot};
use crate::data::{DataVersion, DataVersionStore, Manifest, NewDataVersion};
use crate::error::{Error, Result};
use crate::id::{DataVersionId, DatasetName};
use crate::time::Clock;

/// A [`DataVersionStore`] in memory.
#[derive(Debug)]
pub struct MemoryData {
    clock: Arc<dyn Clock>,
    versions: Mutex<Vec<(DataVersion, Manifest)>>,
}

impl MemoryData {
    /// An empty store whose time is `clock`'s.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, versions: Mutex::default() }
    }
}

#[async_trait]
impl DataVersionStore for MemoryData {
    async fn commit(&self, new: NewDataVersion) -> Result<DataVersion> {
        let id = new.manifest.id();
        if let Some(parent) = &new.parent {
            self.get(parent).await?;
        }
        let mut versions = lock(&self.versions);
        let known =
            versions.iter().find(|(version, _)| version.id == id && version.dataset == new.dataset);
        if let Some((known, _)) = known {
            return Ok(known.clone());
        }
        let version = new.to_version(self.clock.now());
        versions.push((version.clone(), new.manifest));
        Ok(version)
    }

    async fn get(&self, id: &DataVersionId) -> Result<DataVersion> {
        let versions = lock(&self.versions);
        let found = versions.iter().find(|(version, _)| version.id == *id);
        found
            .map(|(version, _)| version.clone())
            .ok_or_else(|| Error::not_found("data version", id))
    }

    async fn manifest(&self, id: &DataVersionId) -> Result<Manifest> {
        let versions = lock(&self.versions);
        let found = versions.iter().find(|(version, _)| version.id == *id);
        found
            .map(|(_, manifest)| manifest.clone())
            .ok_or_else(|| Error::not_found("data version", id))
    }

    fn list(&self, dataset: Option<&DatasetName>) -> BoxStream<'static, Result<DataVersion>> {
        let versions = lock(&self.versions);
        let wanted = versions.iter().rev().map(|(version, _)| version);
        snapshot(Ok(wanted
            .filter(|v| dataset.is_none_or(|name| v.dataset == *name))
            .cloned()
            .collect()))
    }
}

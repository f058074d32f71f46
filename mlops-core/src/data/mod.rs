//! Versions of data: a manifest of files by content, whose digest is the version's identity.

mod manifest;

use std::fmt;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use serde::{Deserialize, Serialize};

pub use manifest::{Entry, Manifest, ManifestDiff};

use crate::error::{ErrorKind, Result};
use crate::id::{DataVersionId, DatasetName};
use crate::time::Timestamp;

/// One version of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataVersion {
    /// Its identity: the digest of its manifest. The same content has the same id everywhere.
    pub id: DataVersionId,
    /// The data set.
    pub dataset: DatasetName,
    /// The version it was made from.
    pub parent: Option<DataVersionId>,
    /// What changed, for people.
    pub message: String,
    /// Number of files.
    pub files: u64,
    /// Bytes in all files.
    pub bytes: u64,
    /// When it was first committed.
    pub created: Timestamp,
}

/// A version to commit.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewDataVersion {
    /// The data set.
    pub dataset: DatasetName,
    /// Its files.
    pub manifest: Manifest,
    /// The version it is made from.
    pub parent: Option<DataVersionId>,
    /// What changed, for people.
    pub message: String,
}

impl NewDataVersion {
    /// A version without parent or message.
    #[must_use]
    pub fn new(dataset: DatasetName, manifest: Manifest) -> Self {
        Self { dataset, manifest, parent: None, message: String::new() }
    }

    /// Says what it is made from.
    #[must_use]
    pub fn with_parent(mut self, parent: DataVersionId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// The version that this becomes.
    #[must_use]
    pub fn to_version(&self, created: Timestamp) -> DataVersion {
        DataVersion {
            id: self.manifest.id(),
            dataset: self.dataset.clone(),
            parent: self.parent.clone(),
            message: self.message.clone(),
            files: self.manifest.len() as u64,
            bytes: self.manifest.bytes(),
            created,
        }
    }

    /// Says what changed.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}

/// Keeps versions of data sets: their manifests, not their bytes (those are in a
/// [`ContentStore`](crate::artifact::ContentStore)).
///
/// # Contract
/// - **Identity**: the id is the digest of the manifest. Committing the same content to the same data
///   set again returns the version that is there, with its first message and parent.
/// - **Atomic and durable**, as [`TrackingStore`](crate::tracking::TrackingStore).
/// - A parent must exist (`NotFound` otherwise), so that lineage never breaks and never loops.
#[async_trait]
pub trait DataVersionStore: Send + Sync + fmt::Debug {
    /// Records a version.
    async fn commit(&self, new: NewDataVersion) -> Result<DataVersion>;

    /// The version with this id.
    async fn get(&self, id: &DataVersionId) -> Result<DataVersion>;

    /// The files of a version.
    async fn manifest(&self, id: &DataVersionId) -> Result<Manifest>;

    /// Every version of a data set (of all, without one), newest first.
    fn list(&self, dataset: Option<&DatasetName>) -> BoxStream<'static, Result<DataVersion>>;

    /// What changed from one version to another.
    async fn diff(&self, from: &DataVersionId, to: &DataVersionId) -> Result<ManifestDiff> {
        Ok(self.manifest(from).await?.diff(&self.manifest(to).await?))
    }

    /// The version, its parent, the parent's parent … back to the first.
    async fn lineage(&self, id: &DataVersionId) -> Result<Vec<DataVersion>> {
        let mut line = vec![self.get(id).await?];
        while let Some(parent) = line.last().and_then(|version| version.parent.clone()) {
            line.push(self.get(&parent).await?);
        }
        Ok(line)
    }
}

/// The newest version of a data set; `None` when it has none.
///
/// # Errors
/// Those of the store.
pub async fn newest(
    store: &dyn DataVersionStore,
    dataset: &DatasetName,
) -> Result<Option<DataVersion>> {
    match store.list(Some(dataset)).next().await {
        Some(Err(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.transpose(),
    }
}

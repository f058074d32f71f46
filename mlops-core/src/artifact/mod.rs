//! Files that runs and pipelines leave behind: by path ([`ArtifactStore`]) and by content ([`ContentStore`]).

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::id::{ArtifactPath, Digest, RunId};

/// Bytes to store, in a form that can be read again when a write is retried.
#[derive(Debug, Clone)]
pub enum Body {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file, streamed so that its size does not matter. It must not change meanwhile.
    File(PathBuf),
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&Path> for Body {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

/// Some stored content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Blob {
    /// What it is.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
}

/// An artifact: a path and what lies there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Where it lies.
    pub path: ArtifactPath,
    /// What lies there.
    pub blob: Blob,
}

/// Keeps artifacts by path.
///
/// # Contract
/// - **Atomic**: a path holds the old content or the new, never a part. A failed put leaves the old.
/// - **Durable** once `put` has returned; readable at once from any handle.
/// - **Verified**: content that is not what was written is [`Corrupt`](crate::ErrorKind::Corrupt)
///   with its digest in the message, never returned.
/// - **Idempotent**: putting the same content at the same path again changes nothing; deleting what
///   is not there succeeds.
/// - Paths are opaque: nothing but [`list`](Self::list) gives `/` a meaning.
#[async_trait]
pub trait ArtifactStore: Send + Sync + fmt::Debug {
    /// Stores `body` at `path`, replacing what was there.
    async fn put(&self, path: &ArtifactPath, body: Body) -> Result<Artifact>;

    /// The bytes at `path`, or those of `range` cut to the artifact's end.
    async fn get(&self, path: &ArtifactPath, range: Option<Range<u64>>) -> Result<Vec<u8>>;

    /// What lies at `path`, without its bytes.
    async fn head(&self, path: &ArtifactPath) -> Result<Artifact>;

    /// Every artifact at or under `prefix` (all, without one), ordered by path.
    fn list(&self, prefix: Option<&ArtifactPath>) -> BoxStream<'static, Result<Artifact>>;

    /// Removes the artifact at `path`, or nothing.
    async fn delete(&self, path: &ArtifactPath) -> Result<()>;
}

/// Keeps content by its digest: what pipelines hand from step to step and data versions are made of.
///
/// # Contract
/// Atomicity, durability and verification as for [`ArtifactStore`]. Content never changes, so a
/// repeated put is free, and a reader can't see a half-written object.
#[async_trait]
pub trait ContentStore: Send + Sync + fmt::Debug {
    /// Stores `body` and says what it is.
    async fn put_content(&self, body: Body) -> Result<Blob>;

    /// The content with this digest.
    async fn get_content(&self, digest: &Digest) -> Result<Vec<u8>>;

    /// Writes the content with this digest to a new file at `to`, which appears whole or not at all.
    async fn fetch_content(&self, digest: &Digest, to: &Path) -> Result<()>;

    /// Whether the content is there. It is not read, so it may still turn out to be corrupt.
    async fn has_content(&self, digest: &Digest) -> Result<bool>;

    /// Reads the content with this digest and says whether it is whole: `NotFound` when it is not
    /// there, `Corrupt` when its bytes have changed. A store whose content may be large streams it.
    async fn verify_content(&self, digest: &Digest) -> Result<()> {
        self.get_content(digest).await.map(drop)
    }
}

/// Where the artifacts of a run lie: `runs/<id>/<path>`.
///
/// # Errors
/// `InvalidInput` for a path that leaves its root.
pub fn run_artifact(run: &RunId, path: &str) -> Result<ArtifactPath> {
    ArtifactPath::new(format!("runs/{run}/{path}"))
}

/// The part of `range` that an artifact of `size` bytes has.
#[must_use]
pub fn clamp_range(range: Option<Range<u64>>, size: u64) -> Range<u64> {
    let range = range.unwrap_or(0..size);
    let start = range.start.min(size);
    start..range.end.clamp(start, size)
}

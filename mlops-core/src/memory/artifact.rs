//! Artifacts and content in memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{lock, snapshot};
use crate::artifact::{Artifact, ArtifactStore, Blob, Body, ContentStore, clamp_range};
use crate::error::{Error, Result};
use crate::id::{ArtifactPath, Digest};

/// An [`ArtifactStore`] and [`ContentStore`] in memory.
#[derive(Debug, Default)]
pub struct MemoryArtifacts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    paths: BTreeMap<ArtifactPath, Blob>,
    content: BTreeMap<Digest, Arc<Vec<u8>>>,
}

impl MemoryArtifacts {
    fn keep(&self, body: Body) -> Result<Blob> {
        let bytes = match body {
            Body::Bytes(bytes) => bytes,
            Body::File(path) => {
                std::fs::read(&path).map_err(|source| Error::io("read a file", &path, source))?
            }
        };
        let blob = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64 };
        lock(&self.state).content.entry(blob.digest).or_insert_with(|| Arc::new(bytes));
        Ok(blob)
    }

    fn content(&self, digest: &Digest) -> Result<Arc<Vec<u8>>> {
        let state = lock(&self.state);
        state.content.get(digest).cloned().ok_or_else(|| Error::not_found("object", digest))
    }
}

#[async_trait]
impl ArtifactStore for MemoryArtifacts {
    async fn put(&self, path: &ArtifactPath, body: Body) -> Result<Artifact> {
        let blob = self.keep(body)?;
        lock(&self.state).paths.insert(path.clone(), blob);
        Ok(Artifact { path: path.clone(), blob })
    }

    async fn get(&self, path: &ArtifactPath, range: Option<Range<u64>>) -> Result<Vec<u8>> {
        let Artifact { blob, .. } = self.head(path).await?;
        let range = clamp_range(range, blob.size);
        let bytes = self.content(&blob.digest)?;
        Ok(bytes[range.start as usize..range.end as usize].to_vec())
    }

    async fn head(&self, path: &ArtifactPath) -> Result<Artifact> {
        let state = lock(&self.state);
        let blob = *state.paths.get(path).ok_or_else(|| Error::not_found("artifact", path))?;
        Ok(Artifact { path: path.clone(), blob })
    }

    fn list(&self, prefix: Option<&ArtifactPath>) -> BoxStream<'static, Result<Artifact>> {
        let state = lock(&self.state);
        let under = |path: &ArtifactPath| prefix.is_none_or(|prefix| path.is_under(prefix));
        let found = state.paths.iter().filter(|(path, _)| under(path));
        snapshot(Ok(found
            .map(|(path, blob)| Artifact { path: path.clone(), blob: *blob })
            .collect()))
    }

    async fn delete(&self, path: &ArtifactPath) -> Result<()> {
        lock(&self.state).paths.remove(path);
        Ok(())
    }
}

#[async_trait]
impl ContentStore for MemoryArtifacts {
    async fn put_content(&self, body: Body) -> Result<Blob> {
        self.keep(body)
    }

    async fn get_content(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.content(digest).map(|bytes| bytes.to_vec())
    }

    async fn fetch_content(&self, digest: &Digest, to: &Path) -> Result<()> {
        let bytes = self.content(digest)?;
        let partial = to.with_added_extension("partial");
        std::fs::write(&partial, &*bytes)
            .map_err(|source| Error::io("write a file", &partial, source))?;
        std::fs::rename(&partial, to).map_err(|source| Error::io("rename a file", to, source))
    }

    async fn has_content(&self, digest: &Digest) -> Result<bool> {
        Ok(lock(&self.state).content.contains_key(digest))
    }
}

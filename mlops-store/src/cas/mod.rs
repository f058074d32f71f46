//! Content on the local disk, by BLAKE3: artifacts, pipeline values, the bytes of data versions.
//!
//! ```text
//! objects/6f/1ed0…   one file per content, named by its digest
//! paths/d.runs/…     one small file per artifact: which content lies at its path
//! tmp/               files on their way
//! ```
//!
//! A file is written under `tmp/`, synced, renamed into place, and its folder is synced: it is there
//! whole or not at all, also after a power cut. Every read hashes what it reads: a flipped bit is an
//! error that names the object, never data. Names under `paths/` carry `d.` for a folder and `f.` for a
//! file, so that an artifact `a` can lie beside an artifact `a/b`.
//!
//! The work is done on tokio's threads for blocking work, so these methods need a tokio runtime.

mod disk;
mod tree;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};

use mlops_core::artifact::{Artifact, ArtifactStore, Blob, Body, ContentStore, clamp_range};
use mlops_core::error::{Error, ErrorKind, Result};
use mlops_core::id::{ArtifactPath, Digest};

use disk::{Temp, read_verified, remove, sync_folder, verify};

pub use tree::{add, checkout};

/// A content store in a folder.
#[derive(Debug, Clone)]
pub struct Cas {
    root: Arc<PathBuf>,
}

impl Cas {
    /// Opens the store in `root`, creating it as needed, and removes what a dead process left half
    /// written long ago.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref().to_owned();
        for folder in ["objects", "paths", "tmp"] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder)
                .map_err(|source| Error::io("create a folder", &folder, source))?;
        }
        sync_folder(&root)?;
        disk::sweep(&root.join("tmp"))?;
        Ok(Self { root: Arc::new(root) })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file that holds an object.
    #[must_use]
    pub fn object_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.to_hex();
        self.root.join("objects").join(&hex[..2]).join(&hex[2..])
    }

    fn pointer_path(&self, path: &ArtifactPath) -> PathBuf {
        let mut file = self.root.join("paths");
        let mut segments = path.as_str().split('/').peekable();
        while let Some(segment) = segments.next() {
            let kind = if segments.peek().is_some() { 'd' } else { 'f' };
            file.push(format!("{kind}.{segment}"));
        }
        file
    }

    fn put_body(&self, body: &Body) -> Result<Blob> {
        let mut temp = Temp::create(&self.root.join("tmp"))?;
        let blob = match body {
            Body::Bytes(bytes) => temp.write_all(bytes)?,
            Body::File(path) => temp.copy_from(path)?,
        };
        let place = self.object_path(&blob.digest);
        // What is there is read before it is relied upon: a damaged object is mended by storing it again.
        if verify(&place, &blob.digest).is_ok() {
            // Whoever wrote it may have died before its name was safe.
            sync_folder(place.parent().unwrap_or(&self.root))?;
        } else {
            temp.publish(&place)?;
        }
        Ok(blob)
    }

    fn head_now(&self, path: &ArtifactPath) -> Result<Artifact> {
        let file = self.pointer_path(path);
        let text = fs::read(&file).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                Error::not_found("artifact", path)
            }
            _ => Error::io("read an artifact's pointer", &file, source),
        })?;
        let blob = serde_json::from_slice(&text).map_err(|source| {
            let message =
                format!("an artifact's pointer is damaged: path={path} file={}", file.display());
            Error::new(ErrorKind::Corrupt, message).with_source(source)
        })?;
        Ok(Artifact { path: path.clone(), blob })
    }

    fn put_now(&self, path: &ArtifactPath, body: &Body) -> Result<Artifact> {
        let blob = self.put_body(body)?;
        let text = serde_json::to_vec(&blob).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write a pointer").with_source(source)
        })?;
        let mut temp = Temp::create(&self.root.join("tmp"))?;
        temp.write_all(&text)?;
        temp.publish(&self.pointer_path(path))?;
        Ok(Artifact { path: path.clone(), blob })
    }

    fn list_now(&self, prefix: Option<&ArtifactPath>) -> Result<Vec<Artifact>> {
        let mut paths = Vec::new();
        match prefix {
            None => disk::walk_pointers(&self.root.join("paths"), "", &mut paths)?,
            Some(prefix) => {
                let file = self.pointer_path(prefix);
                if file.is_file() {
                    paths.push(prefix.to_string());
                }
                let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let folder =
                    file.with_file_name(format!("d.{}", name.strip_prefix("f.").unwrap_or(name)));
                disk::walk_pointers(&folder, &format!("{prefix}/"), &mut paths)?;
            }
        }
        paths.sort();
        paths.iter().map(|path| self.head_now(&ArtifactPath::new(path)?)).collect()
    }

    /// Does `work` on a thread for blocking work.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        done.map_err(|source| {
            Error::new(ErrorKind::Internal, "a task of the store panicked").with_source(source)
        })?
    }
}

#[async_trait]
impl ArtifactStore for Cas {
    async fn put(&self, path: &ArtifactPath, body: Body) -> Result<Artifact> {
        let path = path.clone();
        self.blocking(move |store| store.put_now(&path, &body)).await
    }

    async fn get(&self, path: &ArtifactPath, range: Option<Range<u64>>) -> Result<Vec<u8>> {
        let path = path.clone();
        self.blocking(move |store| {
            let blob = store.head_now(&path)?.blob;
            // All of it is read, whatever the range: a part can't be verified.
            let object = store.object_path(&blob.digest);
            let mut bytes = read_verified(&object, &blob.digest).map_err(|error| {
                // The pointer is written after the object: without one the store is damaged.
                let lost = error.kind() == ErrorKind::NotFound;
                if lost { missing(&path, &blob.digest, &object) } else { error }
            })?;
            let range = clamp_range(range, bytes.len() as u64);
            bytes.truncate(range.end as usize);
            bytes.drain(..range.start as usize);
            Ok(bytes)
        })
        .await
    }

    async fn head(&self, path: &ArtifactPath) -> Result<Artifact> {
        let path = path.clone();
        self.blocking(move |store| store.head_now(&path)).await
    }

    fn list(&self, prefix: Option<&ArtifactPath>) -> BoxStream<'static, Result<Artifact>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listed =
            async move { store.blocking(move |store| store.list_now(prefix.as_ref())).await };
        stream::once(listed)
            .flat_map(|listed| match listed {
                Ok(artifacts) => stream::iter(artifacts.into_iter().map(Ok)).boxed(),
                Err(error) => stream::once(async { Err(error) }).boxed(),
            })
            .boxed()
    }

    async fn delete(&self, path: &ArtifactPath) -> Result<()> {
        let path = path.clone();
        self.blocking(move |store| remove(&store.pointer_path(&path))).await
    }
}

#[async_trait]
impl ContentStore for Cas {
    async fn put_content(&self, body: Body) -> Result<Blob> {
        self.blocking(move |store| store.put_body(&body)).await
    }

    async fn get_content(&self, digest: &Digest) -> Result<Vec<u8>> {
        let digest = *digest;
        self.blocking(move |store| read_verified(&store.object_path(&digest), &digest)).await
    }

    async fn fetch_content(&self, digest: &Digest, to: &Path) -> Result<()> {
        let (digest, to) = (*digest, to.to_owned());
        self.blocking(move |store| disk::copy_verified(&store.object_path(&digest), &digest, &to))
            .await
    }

    async fn has_content(&self, digest: &Digest) -> Result<bool> {
        let digest = *digest;
        self.blocking(move |store| Ok(store.object_path(&digest).is_file())).await
    }

    async fn verify_content(&self, digest: &Digest) -> Result<()> {
        let digest = *digest;
        self.blocking(move |store| verify(&store.object_path(&digest), &digest)).await
    }
}

fn missing(path: &ArtifactPath, digest: &Digest, file: &Path) -> Error {
    let file = file.display();
    let message = format!("an artifact's object is gone: path={path} object={digest} file={file}");
    Error::new(ErrorKind::Corrupt, message)
}

#[cfg(test)]
mod tests;

//! A backend of your own: implement the trait, then let the shared suite tell you what you missed.
//!
//! `cargo test -p mlops-examples --example custom_backend` runs the suite against this backend.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use mlops_core::artifact::{Artifact, ArtifactStore, Blob, Body, clamp_range};
use mlops_core::id::{ArtifactPath, Digest};
use mlops_core::{Error, ErrorKind, Result};

/// The same bytes, twice.
type Copies = (Vec<u8>, Vec<u8>);

/// Keeps artifacts in memory, twice, and notices when the two copies differ.
#[derive(Debug, Default)]
struct Mirrored {
    copies: Mutex<BTreeMap<ArtifactPath, Copies>>,
}

impl Mirrored {
    fn read<T>(&self, path: &ArtifactPath, with: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let (one, other) = copies.get(path).ok_or_else(|| Error::not_found("artifact", path))?;
        if one != other {
            return Err(Error::new(ErrorKind::Corrupt, format!("the copies differ: path={path}")));
        }
        Ok(with(one))
    }

    fn artifact(path: &ArtifactPath, bytes: &[u8]) -> Artifact {
        Artifact {
            path: path.clone(),
            blob: Blob { digest: Digest::of(bytes), size: bytes.len() as u64 },
        }
    }
}

#[async_trait]
impl ArtifactStore for Mirrored {
    async fn put(&self, path: &ArtifactPath, body: Body) -> Result<Artifact> {
        let bytes = match body {
            Body::Bytes(bytes) => bytes,
            Body::File(file) => {
                std::fs::read(&file).map_err(|source| Error::io("read a file", &file, source))?
            }
        };
        let artifact = Self::artifact(path, &bytes);
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.insert(path.clone(), (bytes.clone(), bytes));
        Ok(artifact)
    }

    async fn get(&self, path: &ArtifactPath, range: Option<Range<u64>>) -> Result<Vec<u8>> {
        self.read(path, |bytes| {
            let range = clamp_range(range, bytes.len() as u64);
            bytes[range.start as usize..range.end as usize].to_vec()
        })
    }

    async fn head(&self, path: &ArtifactPath) -> Result<Artifact> {
        self.read(path, |bytes| Self::artifact(path, bytes))
    }

    fn list(&self, prefix: Option<&ArtifactPath>) -> BoxStream<'static, Result<Artifact>> {
        let copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let under =
            copies.iter().filter(|(path, _)| prefix.is_none_or(|prefix| path.is_under(prefix)));
        let found: Vec<_> =
            under.map(|(path, (bytes, _))| Ok(Self::artifact(path, bytes))).collect();
        futures::stream::iter(found).boxed()
    }

    async fn delete(&self, path: &ArtifactPath) -> Result<()> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let store = Mirrored::default();
    let path = ArtifactPath::new("runs/1/model")?;
    store.put(&path, b"weights".to_vec().into()).await?;
    println!("{:?}", store.head(&path).await?);
    if let Some((one, _)) =
        store.copies.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&path)
    {
        one[0] ^= 1;
    }
    match store.get(&path, None).await {
        Err(error) => println!("after a flipped bit: {error}"),
        Ok(_) => {
            return Err(Error::new(ErrorKind::Internal, "a flipped bit went unnoticed"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    mlops_core::artifact_suite!(|| ((), Mirrored::default()));
}

//! The files of a data version, by path and content.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifact::Blob;
use crate::error::{Error, Result};
use crate::id::{ArtifactPath, DataVersionId, Digest};

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it lies, relative to the version's root.
    pub path: ArtifactPath,
    /// What lies there.
    pub blob: Blob,
}

/// The files of a version: at most one a path, ordered by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Entry>", into = "Vec<Entry>")]
pub struct Manifest(BTreeMap<ArtifactPath, Blob>);

impl Manifest {
    /// A manifest of these files.
    ///
    /// # Errors
    /// `InvalidInput` when a path is there twice, or is both a file and a folder.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Result<Self> {
        let mut files = BTreeMap::new();
        for Entry { path, blob } in entries {
            if files.insert(path.clone(), blob).is_some() {
                return Err(Error::invalid(format!("a path is there twice: path={path}")));
            }
        }
        for path in files.keys() {
            let mut folder = path.as_str();
            while let Some((above, _)) = folder.rsplit_once('/') {
                if files.contains_key(above) {
                    return Err(Error::invalid(format!(
                        "a path is both file and folder: path={above}"
                    )));
                }
                folder = above;
            }
        }
        Ok(Self(files))
    }

    /// The files, ordered by path.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.0.iter().map(|(path, blob)| Entry { path: path.clone(), blob: *blob })
    }

    /// The file at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Blob> {
        self.0.get(path).copied()
    }

    /// Number of files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes in all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.values().map(|blob| blob.size).sum()
    }

    /// The identity of this content: BLAKE3 over `<hex> <size> <length of path>:<path>\n` of each
    /// file in order. The length keeps two different lists from having the same bytes.
    #[must_use]
    pub fn id(&self) -> DataVersionId {
        let mut text = String::from("mlops-data-v1\n");
        for (path, blob) in &self.0 {
            let line =
                format!("{} {} {}:{path}\n", blob.digest.to_hex(), blob.size, path.as_str().len());
            text.push_str(&line);
        }
        let digest = Digest::of(text.as_bytes());
        DataVersionId::new(digest.to_string()).expect("a digest is a valid version id")
    }

    /// What changed from this manifest to `to`.
    #[must_use]
    pub fn diff(&self, to: &Self) -> ManifestDiff {
        let missing = |from: &Self, other: &Self| -> Vec<Entry> {
            from.entries().filter(|entry| !other.0.contains_key(&entry.path)).collect()
        };
        let changed = self.entries().filter_map(|before| {
            let after = *to.0.get(&before.path)?;
            (after.digest != before.blob.digest).then_some((before.path, before.blob, after))
        });
        ManifestDiff {
            added: missing(to, self),
            removed: missing(self, to),
            changed: changed.collect(),
        }
    }
}

impl TryFrom<Vec<Entry>> for Manifest {
    type Error = Error;
    fn try_from(entries: Vec<Entry>) -> Result<Self> {
        Self::new(entries)
    }
}

impl From<Manifest> for Vec<Entry> {
    fn from(manifest: Manifest) -> Self {
        manifest.entries().collect()
    }
}

/// What differs between two versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestDiff {
    /// Files only in the second.
    pub added: Vec<Entry>,
    /// Files only in the first.
    pub removed: Vec<Entry>,
    /// Files in both with other content: path, before, after.
    pub changed: Vec<(ArtifactPath, Blob, Blob)>,
}

impl ManifestDiff {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, content: &str) -> Entry {
        let blob = Blob { digest: Digest::of(content.as_bytes()), size: content.len() as u64 };
        Entry { path: ArtifactPath::new(path).unwrap(), blob }
    }

    #[test]
    fn identity_is_the_content_not_the_order() {
        let a = Manifest::new([entry("x", "1"), entry("y/z", "2")]).unwrap();
        let b = Manifest::new([entry("y/z", "2"), entry("x", "1")]).unwrap();
        assert_eq!(a.id(), b.id());
        assert_ne!(a.id(), Manifest::new([entry("x", "1")]).unwrap().id());
        assert_ne!(a.id(), Manifest::new([entry("x", "1"), entry("y/z", "3")]).unwrap().id());
    }

    #[test]
    fn a_path_cannot_be_twice_or_file_and_folder() {
        assert!(Manifest::new([entry("x", "1"), entry("x", "2")]).is_err());
        assert!(Manifest::new([entry("x", "1"), entry("x-y", "2"), entry("x/y/z", "2")]).is_err());
    }

    #[test]
    fn diff_names_what_was_added_removed_and_changed() {
        let a =
            Manifest::new([entry("gone", "1"), entry("same", "1"), entry("other", "1")]).unwrap();
        let b =
            Manifest::new([entry("new", "1"), entry("same", "1"), entry("other", "2")]).unwrap();
        let diff = a.diff(&b);
        assert_eq!(diff.added, [entry("new", "1")]);
        assert_eq!(diff.removed, [entry("gone", "1")]);
        assert_eq!(diff.changed.len(), 1);
        assert!(a.diff(&a).is_empty());
    }
}

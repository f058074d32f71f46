//! The digest of a source tree: of the contents of its files, not of the text of a diff, which
//! depends on the configuration of whoever made it.
//!
//! The hashed bytes are one line a file, `mode SP b3hex SP len(path) ":" path LF`, sorted by the
//! bytes of the path. The length makes every path unambiguous, whatever bytes it holds.
//!
//! | file | its content |
//! |---|---|
//! | regular | its bytes as they lie on disk |
//! | symbolic link | the text of its target, mode 120000 |
//! | notebook (`.ipynb`) | its code cells only, so that running it does not change the code |
//! | submodule | the digest of its own tree, mode 160000 |

mod disk;
mod git;
mod notebook;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use git::{Provenance, read_provenance};

use super::canonical::{Label, digest};
use super::key::KeyDigest;
use crate::error::{Error, Result};
use crate::id::Digest;

/// What kind of entry a tree has at a path, by git's modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A file: 100644.
    File,
    /// A file that its owner may execute: 100755. Windows knows no such bit.
    Executable,
    /// A symbolic link: 120000.
    Link,
    /// A tree of its own: 160000.
    Submodule,
}

impl Mode {
    /// The six octal digits.
    #[must_use]
    pub const fn digits(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Link => "120000",
            Self::Submodule => "160000",
        }
    }
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Where it lies, relative to the root, `/` between segments. Not always UTF-8.
    pub path: Vec<u8>,
    /// What it is.
    pub mode: Mode,
    /// The digest of its content: BLAKE3, or for a submodule that of its tree.
    pub content: Digest,
}

impl TreeEntry {
    /// An entry of a path that is UTF-8.
    pub fn new(path: impl Into<Vec<u8>>, mode: Mode, content: Digest) -> Self {
        Self { path: path.into(), mode, content }
    }

    /// The path for people; bytes that are not UTF-8 show as `\xff`.
    #[must_use]
    pub fn shown_path(&self) -> String {
        shown(&self.path)
    }
}

fn shown(path: &[u8]) -> String {
    let chunk = |chunk: std::str::Utf8Chunk<'_>| {
        let bad = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
        format!("{}{bad}", chunk.valid().escape_debug())
    };
    path.utf8_chunks().map(chunk).collect()
}

/// Something about a tree that may surprise, and does not change its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Two paths that are one on a file system that ignores case.
    SameWhenCaseIsIgnored(String, String),
    /// A pointer of git LFS lies there in place of the content: run `git lfs pull`.
    UnfetchedPointer(String),
    /// A notebook that can't be read as one; its bytes were taken.
    UnreadableNotebook(String),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameWhenCaseIsIgnored(a, b) => {
                write!(f, "two paths differ in case only: first={a} second={b}")
            }
            Self::UnfetchedPointer(path) => {
                write!(f, "git lfs has not fetched the content: path={path}")
            }
            Self::UnreadableNotebook(path) => {
                write!(f, "not a notebook, taken as it stands: path={path}")
            }
        }
    }
}

/// The files of a source tree, sorted by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    entries: Vec<TreeEntry>,
    notices: Vec<Notice>,
}

impl Tree {
    /// The tree of these entries, in any order.
    ///
    /// # Errors
    /// `InvalidInput` for an empty path, or one that occurs twice.
    pub fn new(entries: impl IntoIterator<Item = TreeEntry>) -> Result<Self> {
        let mut entries: Vec<TreeEntry> = entries.into_iter().collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        if entries.iter().any(|entry| entry.path.is_empty()) {
            return Err(Error::invalid("tree has an empty path"));
        }
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].path == pair[1].path) {
            let path = pair[0].shown_path();
            return Err(Error::invalid(format!("tree has a path twice: path={path}")));
        }
        let notices = case_clashes(&entries);
        Ok(Self { entries, notices })
    }

    /// The entries, sorted by the bytes of their paths.
    #[must_use]
    pub fn entries(&self) -> &[TreeEntry] {
        &self.entries
    }

    /// What may surprise about this tree.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The digest of the whole tree.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        let mut bytes = Vec::new();
        for TreeEntry { path, mode, content } in &self.entries {
            let head = format!("{} {} {}:", mode.digits(), content.to_hex(), path.len());
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(path);
            bytes.push(b'\n');
        }
        digest(Label::Tree, &bytes)
    }

    /// The paths whose entry differs between two trees, one lacking it included.
    #[must_use]
    pub fn changed_paths(&self, other: &Self) -> Vec<String> {
        let map = |tree: &Self| {
            let entries = tree.entries.iter().map(|e| (e.path.clone(), (e.mode, e.content)));
            entries.collect::<BTreeMap<_, _>>()
        };
        let (left, right) = (map(self), map(other));
        let mut paths: Vec<&Vec<u8>> = left.keys().chain(right.keys()).collect();
        paths.sort();
        paths.dedup();
        paths.retain(|path| left.get(*path) != right.get(*path));
        paths.into_iter().map(|path| shown(path)).collect()
    }
}

impl From<&Tree> for KeyDigest {
    fn from(tree: &Tree) -> Self {
        tree.digest()
    }
}

/// Paths that a file system without case would merge. Unicode composition is not looked at.
fn case_clashes(entries: &[TreeEntry]) -> Vec<Notice> {
    let mut seen: BTreeMap<String, &[u8]> = BTreeMap::new();
    let mut notices = Vec::new();
    for entry in entries {
        let Ok(path) = std::str::from_utf8(&entry.path) else {
            continue;
        };
        if let Some(first) = seen.insert(path.to_lowercase(), &entry.path) {
            notices.push(Notice::SameWhenCaseIsIgnored(shown(first), entry.shown_path()));
        }
    }
    notices
}

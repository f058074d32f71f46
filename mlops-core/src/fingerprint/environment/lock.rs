//! Lock files: which packages they name, and the digest of what they resolve to.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::packages::Package;
use super::{cargo, conda, requirements, uv};
use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::key::KeyDigest;

/// Largest lock file that is read. Real ones of large workspaces stay under 2 MiB.
const MAX_BYTES: u64 = 16 << 20;

/// The kinds of files that name packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LockKind {
    /// `Cargo.lock`.
    Cargo,
    /// `uv.lock`.
    Uv,
    /// `requirements.txt`, which locks only what it pins with `==`.
    Requirements,
    /// `conda.yaml`, which locks only what it pins with `==` or with version and build.
    Conda,
}

impl LockKind {
    /// The name of this kind in an env section.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Uv => "uv",
            Self::Requirements => "requirements",
            Self::Conda => "conda",
        }
    }

    /// The kind that a file of this name has: `Cargo.lock`, `uv.lock`, `*requirements*.txt`, and
    /// `conda` or `environment` with `.yaml` or `.yml`.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.file_name()?.to_str()? {
            "Cargo.lock" => Some(Self::Cargo),
            "uv.lock" => Some(Self::Uv),
            "conda.yaml" | "conda.yml" | "environment.yaml" | "environment.yml" => {
                Some(Self::Conda)
            }
            name if name.contains("requirements") && name.ends_with(".txt") => {
                Some(Self::Requirements)
            }
            _ => None,
        }
    }
}

/// SHA-256 of a lock file or an image; prints as `sha256:<64 hex>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Digest(KeyDigest);

impl Sha256Digest {
    /// The digest of `content`, without any label: what `sha256sum` prints.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(KeyDigest::from_bytes(Sha256::digest(content).into()))
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl FromStr for Sha256Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let hex = text.strip_prefix("sha256:").unwrap_or_default();
        let wrong = |_| Error::invalid(format!("not sha256: and 64 hex digits: text={text:?}"));
        hex.parse().map(Self).map_err(wrong)
    }
}

impl TryFrom<String> for Sha256Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Sha256Digest> for String {
    fn from(digest: Sha256Digest) -> Self {
        digest.to_string()
    }
}

/// A requirement that does not say one version: a range, an address, an included file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlocked {
    /// The package's name where it is known, else the text.
    pub name: String,
    /// The requirement, without comment and without user and password of an address.
    pub text: String,
    /// Where it stands, counted from 1.
    pub line: u64,
}

/// What a lock file says.
///
/// The digest of `Cargo.lock` and `uv.lock` is that of their bytes. The other two kinds are written
/// by hand, so that theirs is of the sorted requirements, one a line (`name==version` and what else
/// binds it: extras, marker, hashes, build), which comments and order don't change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Which kind of file.
    pub kind: LockKind,
    /// The digest of what it resolves to.
    pub digest: Sha256Digest,
    /// The packages with one version, sorted.
    pub packages: Vec<Package>,
    /// The requirements that are not locked, in the order of their lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlocked: Vec<Unlocked>,
}

impl Lock {
    /// A lock file of which only the digest is known.
    #[must_use]
    pub const fn from_digest(kind: LockKind, digest: Sha256Digest) -> Self {
        Self { kind, digest, packages: Vec::new(), unlocked: Vec::new() }
    }

    /// Reads the text of a lock file. `path` only names it in errors.
    ///
    /// # Errors
    /// `InvalidInput` with path and line for text that is not of this kind.
    pub fn parse(kind: LockKind, path: &Path, content: &[u8]) -> Result<Self> {
        let source = Source { path };
        let text = source.text(content)?;
        match kind {
            LockKind::Cargo => cargo::parse(source, text),
            LockKind::Uv => uv::parse(source, text),
            LockKind::Requirements => requirements::parse(source, text),
            LockKind::Conda => conda::parse(source, text),
        }
    }

    /// Reads a lock file, its kind told by its name.
    ///
    /// # Errors
    /// `Unsupported` for another name, `NotFound` and others from reading, `InvalidInput` with
    /// path and line for its text.
    pub fn read(path: &Path) -> Result<Self> {
        let kind = LockKind::of(path).ok_or_else(|| {
            let message = format!("not the name of a lock file: path={}", path.display());
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let failed = |error| Error::io("read lock file", path, error);
        let file = File::open(path).map_err(failed)?;
        let mut content = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut content).map_err(failed)?;
        if content.len() as u64 > MAX_BYTES {
            let message = format!("lock file is too large: path={} limit=16 MiB", path.display());
            return Err(Error::invalid(message));
        }
        Self::parse(kind, path, &content)
    }

    /// Whether each requirement says one version.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.unlocked.is_empty()
    }

    /// A lock whose digest is that of the file's bytes.
    pub(super) fn of_bytes(kind: LockKind, content: &str, mut packages: Vec<Package>) -> Self {
        packages.sort();
        let digest = Sha256Digest::of(content.as_bytes());
        Self { kind, digest, packages, unlocked: Vec::new() }
    }

    /// A lock whose digest is that of its requirements, sorted, each followed by a line feed.
    pub(super) fn of_requirements(kind: LockKind, requirements: Vec<Requirement>) -> Self {
        let mut lines: Vec<&str> = requirements.iter().map(|it| it.text.as_str()).collect();
        lines.sort_unstable();
        lines.dedup();
        let content: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        let mut lock = Self::from_digest(kind, Sha256Digest::of(content.as_bytes()));
        for Requirement { name, text, line, state } in requirements {
            match state {
                State::Locked(version) => lock.packages.push(Package { name, version }),
                State::Unlocked => lock.unlocked.push(Unlocked { name, text, line }),
                State::Option => {}
            }
        }
        lock.packages.sort();
        lock.packages.dedup();
        lock
    }
}

/// One requirement of a file that is written by hand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    /// The package's name, else the text.
    pub(super) name: String,
    /// What is hashed.
    pub(super) text: String,
    /// Counted from 1.
    pub(super) line: u64,
    /// What it says about the version.
    pub(super) state: State,
}

/// What a requirement says about the version.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// This one.
    Locked(String),
    /// Not one version.
    Unlocked,
    /// It names no package: an option that changes which files of a version are taken.
    Option,
}

/// The file that is being read: for errors that say where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    path: &'a Path,
}

impl Source<'_> {
    pub(super) fn error(self, line: u64, problem: impl fmt::Display) -> Error {
        let path = self.path.display();
        Error::invalid(format!("cannot read lock file: {problem}: path={path} line={line}"))
    }

    fn text(self, content: &[u8]) -> Result<&str> {
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        std::str::from_utf8(content).map_err(|error| {
            let line = line_at(content, error.valid_up_to());
            self.error(line, "text is not UTF-8")
        })
    }

    /// Reads TOML into `T`.
    pub(super) fn toml<T: serde::de::DeserializeOwned>(self, text: &str) -> Result<T> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_at(text.as_bytes(), span.start));
            self.error(line, error.message().replace('\n', " "))
        })
    }
}

/// The line, counted from 1, that holds the byte at `offset`.
pub(super) fn line_at(content: &[u8], offset: usize) -> u64 {
    let before = content.get(..offset).unwrap_or(content);
    before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
}

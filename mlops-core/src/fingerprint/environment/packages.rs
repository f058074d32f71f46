//! Packages with one version each, and what changed between two sets of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::lock::Lock;

/// A package at one version; prints as `name==version`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Package {
    /// Its name; a Python package's is normalised as PEP 503 says.
    pub name: String,
    /// Its version, as the lock file spells it.
    pub version: String,
}

impl Package {
    /// The package `name` at `version`.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into() }
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=={}", self.name, self.version)
    }
}

/// A package whose versions differ between two environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageChange {
    /// Its name.
    pub name: String,
    /// Its versions in the first environment, sorted as text; empty when it is not there.
    pub left: Vec<String>,
    /// Its versions in the second environment, sorted as text; empty when it is not there.
    pub right: Vec<String>,
}

impl fmt::Display for PackageChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |versions: &[String]| match versions {
            [] => "(absent)".to_owned(),
            versions => versions.join(", ").escape_debug().to_string(),
        };
        let name = self.name.escape_debug();
        write!(f, "{name}  {} -> {}", shown(&self.left), shown(&self.right))
    }
}

/// What changed from the packages of `left` to those of `right`, sorted by name.
///
/// Locks are compared kind by kind. A requirement that says no version counts as a version of its
/// own text, so that a change of it shows.
#[must_use]
pub fn package_changes<'a>(
    left: impl IntoIterator<Item = &'a Lock>,
    right: impl IntoIterator<Item = &'a Lock>,
) -> Vec<PackageChange> {
    let (left, right) = (versions(left), versions(right));
    let keys: BTreeSet<_> = left.keys().chain(right.keys()).collect();
    let mut changes = Vec::new();
    for key in keys {
        let side = |side: &Versions<'a>| -> Vec<String> {
            side.get(key).into_iter().flatten().map(|version| (*version).to_owned()).collect()
        };
        let (left, right) = (side(&left), side(&right));
        if left != right {
            changes.push(PackageChange { name: key.0.to_owned(), left, right });
        }
    }
    changes
}

/// Versions by package and kind of lock file.
type Versions<'a> = BTreeMap<(&'a str, super::LockKind), BTreeSet<&'a str>>;

fn versions<'a>(locks: impl IntoIterator<Item = &'a Lock>) -> Versions<'a> {
    let mut versions: Versions<'a> = BTreeMap::new();
    for lock in locks {
        let locked = lock.packages.iter().map(|package| (&*package.name, &*package.version));
        let unlocked = lock.unlocked.iter().map(|entry| (&*entry.name, &*entry.text));
        for (name, version) in locked.chain(unlocked) {
            versions.entry((name, lock.kind)).or_default().insert(version);
        }
    }
    versions
}

/// A Python package's name as PEP 503 normalises it: lower case, each run of `-`, `_` and `.` as
/// one `-`.
pub(super) fn normalised(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if !matches!(c, '-' | '_' | '.') {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    out
}

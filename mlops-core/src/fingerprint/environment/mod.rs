//! The environment of a run: lock files, toolchain, image, variables, hardware.
//!
//! ```
//! # use std::path::Path;
//! # use mlops_core::fingerprint::environment::{Environment, Lock, LockKind};
//! # fn main() -> mlops_core::Result<()> {
//! let text = b"numpy==2.1.0\nscipy>=1.14\n";
//! let lock = Lock::parse(LockKind::Requirements, Path::new("requirements.txt"), text)?;
//! assert_eq!(lock.packages[0].to_string(), "numpy==2.1.0");
//! assert_eq!(lock.unlocked[0].text, "scipy>=1.14");
//! let environment = Environment::default().with_lock(lock).with_python("3.13.1");
//! assert!(!environment.is_locked());
//! # Ok(())
//! # }
//! ```

mod cargo;
mod conda;
mod lock;
mod machine;
mod packages;
mod requirements;
mod toolchain;
mod uv;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use lock::{Lock, LockKind, Sha256Digest, Unlocked};
pub use machine::{HARDWARE_VARIABLES, Hardware};
pub use packages::{Package, PackageChange, package_changes};
pub use toolchain::{read_rustc, rustc_toolchain};

use super::diff::{EntryDifference, diff_values};
use super::section::Section;
use super::value::Value;
use crate::error::{Error, Result};

/// What a run ran in. Its [`Value`] is the env section of a run key: only what was given is in it.
///
/// | entry | what |
/// |---|---|
/// | `lock` | digest of the one lock file; of several, a map from kind to digest |
/// | `toolchain` | such as `rustc 1.95.0 (f2d3ce0bd)` |
/// | `python` | version of the interpreter |
/// | `image` | digest of the container image |
/// | `variables` | environment variables of an allow-list, when there are any |
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Environment {
    /// Lock files, one of each kind.
    pub locks: BTreeMap<LockKind, Lock>,
    /// The compiler.
    pub toolchain: Option<String>,
    /// The version of Python.
    pub python: Option<String>,
    /// `sha256:<hex>` of the container image; set by [`Environment::with_image`].
    pub image: Option<Sha256Digest>,
    /// Environment variables that matter; set by [`Environment::with_variables`].
    pub variables: BTreeMap<String, String>,
}

impl Environment {
    /// Adds a lock file; it replaces one of the same kind.
    #[must_use]
    pub fn with_lock(mut self, lock: Lock) -> Self {
        self.locks.insert(lock.kind, lock);
        self
    }

    /// Sets the compiler, as [`rustc_toolchain`] prints it.
    #[must_use]
    pub fn with_toolchain(mut self, toolchain: impl Into<String>) -> Self {
        self.toolchain = Some(toolchain.into());
        self
    }

    /// Sets the version of Python.
    #[must_use]
    pub fn with_python(mut self, version: impl Into<String>) -> Self {
        self.python = Some(version.into());
        self
    }

    /// Sets the container image: `sha256:<hex>`, or a reference that ends in `@sha256:<hex>`, of
    /// which only the digest is kept.
    ///
    /// # Errors
    /// `InvalidInput` for a tag, which may name another image tomorrow.
    pub fn with_image(mut self, image: &str) -> Result<Self> {
        let digest = image.rsplit_once('@').map_or(image, |(_, digest)| digest);
        let digest: Sha256Digest = digest.parse().map_err(|_| {
            Error::invalid(format!("image is not named by its digest: image={image:?}"))
        })?;
        self.image = Some(digest);
        Ok(self)
    }

    /// Takes those of `variables` that `allowed` names, and nothing else. Hand in
    /// `std::env::vars()` to take them from the process.
    #[must_use]
    pub fn with_variables<K, V>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
        allowed: &[&str],
    ) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        self.variables.extend(allow(variables, allowed));
        self
    }

    /// Whether each requirement of each lock file says one version.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.locks.values().all(Lock::is_locked)
    }

    /// What differs from `other`, and which packages have another version there.
    #[must_use]
    pub fn diff(&self, other: &Self) -> EnvironmentDifference {
        let (left, right) = (Value::from(self), Value::from(other));
        EnvironmentDifference {
            entries: diff_values(Section::Env.word(), Some(&left), Some(&right)),
            packages: package_changes(self.locks.values(), other.locks.values()),
        }
    }

    fn lock_value(&self) -> Option<Value> {
        let digest = |lock: &Lock| Value::from(lock.digest.to_string());
        let mut locks = self.locks.values();
        match (locks.next(), self.locks.len()) {
            (None, _) => None,
            (Some(lock), 1) => Some(digest(lock)),
            _ => {
                Some(Value::map(self.locks.iter().map(|(kind, lock)| (kind.word(), digest(lock)))))
            }
        }
    }
}

/// What differs between two environments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentDifference {
    /// The entries of the env section that differ.
    pub entries: Vec<EntryDifference>,
    /// The packages that one lacks, or that have another version.
    pub packages: Vec<PackageChange>,
}

impl From<&Environment> for Value {
    fn from(environment: &Environment) -> Self {
        let mut map = BTreeMap::new();
        let mut put = |name: &str, value: Option<Self>| {
            map.extend(value.map(|value| (name.to_owned(), value)));
        };
        let text = |text: &Option<String>| text.as_deref().map(Self::from);
        put("lock", environment.lock_value());
        put("toolchain", text(&environment.toolchain));
        put("python", text(&environment.python));
        put("image", environment.image.map(|digest| digest.to_string().into()));
        let variables = Self::from(environment.variables.clone());
        put("variables", (!environment.variables.is_empty()).then_some(variables));
        Self::Map(map)
    }
}

/// Those of `variables` whose name is allowed.
fn allow<K: Into<String>, V: Into<String>>(
    variables: impl IntoIterator<Item = (K, V)>,
    allowed: &[&str],
) -> BTreeMap<String, String> {
    let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
    let pairs = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
    pairs.filter(|(name, _): &(String, String)| allowed.contains(name.as_str())).collect()
}

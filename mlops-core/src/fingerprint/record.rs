//! The fingerprint of a run: its typed sections and the keys that follow from them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::builder::FingerprintBuilder;
use super::canonical::{Label, digest, write_object, write_text};
use super::environment::Lock;
use super::key::{KeyDigest, RunKey};
use super::section::{Level, Section};
use super::tree::Provenance;
use super::value::Value;
use crate::error::{Error, ErrorKind, Result};

/// Version of the rules, as it stands in a stored fingerprint.
const VERSION: &str = "v1";

/// What a run is made of, section by section, and the keys of its levels.
///
/// Serialised it holds the typed sections, their digests and the keys, so that it can be audited
/// with any JSON and SHA-256 library; reading it back recomputes the digests and the keys, and
/// refuses a record whose stored ones differ. Lock-file packages and provenance are beside the key:
/// they help to explain a difference and are not protected by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    pub(super) sections: BTreeMap<Section, Value>,
    pub(super) locks: Vec<Lock>,
    pub(super) provenance: Option<Provenance>,
}

/// Why a run can't be promised to give the same result again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Gap {
    /// The contents of the source are not recorded.
    NoCode,
    /// This source of randomness has no seed.
    NoSeed(String),
    /// This line of a lock file does not say one version.
    NotLocked(String),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCode => f.write_str("no digest of the source"),
            Self::NoSeed(name) => write!(f, "no seed: name={name:?}"),
            Self::NotLocked(text) => write!(f, "not locked: requirement={text:?}"),
        }
    }
}

impl Fingerprint {
    /// Starts an empty fingerprint.
    pub fn builder() -> FingerprintBuilder {
        FingerprintBuilder::default()
    }

    /// The typed content of `section`, if this run has it.
    #[must_use]
    pub fn section(&self, section: Section) -> Option<&Value> {
        self.sections.get(&section)
    }

    /// The sections this run has, with their content.
    pub fn sections(&self) -> impl Iterator<Item = (Section, &Value)> {
        self.sections.iter().map(|(section, value)| (*section, value))
    }

    /// The digest of `section`, if this run has it.
    #[must_use]
    pub fn section_digest(&self, section: Section) -> Option<KeyDigest> {
        let value = self.sections.get(&section)?;
        Some(digest(Label::Section(section), &value.canonical()))
    }

    /// The key of `level`; `None` where the run does not have every section that the level covers.
    #[must_use]
    pub fn key(&self, level: Level) -> Option<RunKey> {
        let digests = level
            .sections()
            .iter()
            .map(|section| Some((section.word(), self.section_digest(*section)?.to_hex())));
        let digests: Vec<(&str, String)> = digests.collect::<Option<_>>()?;
        Some(run_key(&digests))
    }

    /// The key of [`Level::Declared`], which every fingerprint has.
    #[must_use]
    pub fn declared_key(&self) -> RunKey {
        self.key(Level::Declared).expect("builder and reader give every declared section")
    }

    /// The keys of all levels that this run has.
    #[must_use]
    pub fn keys(&self) -> BTreeMap<Level, RunKey> {
        Level::ALL.into_iter().filter_map(|level| Some((level, self.key(level)?))).collect()
    }

    /// Commit, branch and dirty flag, where they were known.
    #[must_use]
    pub const fn provenance(&self) -> Option<&Provenance> {
        self.provenance.as_ref()
    }

    /// The lock files that the environment was read from.
    #[must_use]
    pub fn locks(&self) -> &[Lock] {
        &self.locks
    }

    /// What stands between this run and its repetition: unset seeds, unlocked packages, no code.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let tree = self.section(Section::Code).and_then(|code| code.get("tree"));
        if tree.is_none_or(|tree| *tree == Value::Null) {
            gaps.push(Gap::NoCode);
        }
        if let Some(Value::Map(seeds)) = self.section(Section::Seeds) {
            let unset = seeds.iter().filter(|(_, seed)| **seed == Value::Null);
            gaps.extend(unset.map(|(name, _)| Gap::NoSeed(name.clone())));
        }
        let unlocked = self.locks.iter().flat_map(|lock| &lock.unlocked);
        gaps.extend(unlocked.map(|entry| Gap::NotLocked(entry.text.clone())));
        gaps
    }

    /// Whether nothing stands between this run and its repetition.
    #[must_use]
    pub fn is_reproducible(&self) -> bool {
        self.gaps().is_empty()
    }
}

/// Digest over `{section: hex}`.
fn run_key(digests: &[(&str, String)]) -> RunKey {
    let mut out = Vec::new();
    let entries = digests.iter().map(|(name, hex)| (*name, hex.as_str()));
    write_object(&mut out, entries, write_text);
    RunKey::new(digest(Label::Run, &out))
}

/// A stored fingerprint.
#[derive(Serialize, Deserialize)]
struct Wire {
    version: String,
    sections: BTreeMap<Section, Value>,
    digests: BTreeMap<Section, KeyDigest>,
    keys: BTreeMap<Level, RunKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    locks: Vec<Lock>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provenance: Option<Provenance>,
}

impl Wire {
    fn of(record: &Fingerprint) -> Self {
        let digest = |section| Some((section, record.section_digest(section)?));
        Self {
            version: VERSION.to_owned(),
            sections: record.sections.clone(),
            digests: Section::ALL.into_iter().filter_map(digest).collect(),
            keys: record.keys(),
            locks: record.locks.clone(),
            provenance: record.provenance.clone(),
        }
    }

    fn check(self) -> Result<Fingerprint> {
        if self.version != VERSION {
            let message = format!("fingerprint has unknown rules: version={:?}", self.version);
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let record =
            Fingerprint { sections: self.sections, locks: self.locks, provenance: self.provenance };
        for section in Level::Declared.sections() {
            if !record.sections.contains_key(section) {
                return Err(Error::invalid(format!("fingerprint lacks a section: name={section}")));
            }
        }
        let actual = Self::of(&record);
        if actual.digests != self.digests || actual.keys != self.keys {
            let message = "stored keys do not follow from the stored sections";
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        Ok(record)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Wire::deserialize(deserializer)?.check().map_err(serde::de::Error::custom)
    }
}

//! What a model registry holds, and the requests that change it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::id::{
    Alias, ArtifactPath, DataVersionId, Digest, IdempotencyKey, ModelName, RunId, TagKey,
    VersionNumber,
};
use crate::time::Timestamp;

/// Where a version stands in its life. Several versions may hold the same stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Just registered.
    None,
    /// On trial.
    Staging,
    /// In use.
    Production,
    /// Out of use.
    Archived,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 4] = [Self::None, Self::Staging, Self::Production, Self::Archived];

    /// The machine word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Archived => "archived",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Stage {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|stage| stage.word() == text);
        found.ok_or_else(|| Error::invalid(format!("not a stage: value={text:?}")))
    }
}

/// A registered model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its name.
    pub name: ModelName,
    /// What it is for.
    pub description: String,
    /// Free labels.
    pub tags: BTreeMap<TagKey, String>,
    /// When it was created.
    pub created: Timestamp,
    /// Names of versions.
    pub aliases: BTreeMap<Alias, VersionNumber>,
}

/// A model to create.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewModel {
    /// Its name.
    pub name: ModelName,
    /// What it is for.
    pub description: String,
    /// Free labels.
    pub tags: BTreeMap<TagKey, String>,
}

impl NewModel {
    /// A model without description or labels.
    #[must_use]
    pub fn new(name: ModelName) -> Self {
        Self { name, description: String::new(), tags: BTreeMap::new() }
    }

    /// Says what it is for.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn with_tag(mut self, key: TagKey, value: impl Into<String>) -> Self {
        self.tags.insert(key, value.into());
        self
    }
}

/// One version of a model, with where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelVersion {
    /// The model.
    pub model: ModelName,
    /// The number.
    pub number: VersionNumber,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Where the bytes lie.
    pub artifact: ArtifactPath,
    /// What can load it.
    pub flavour: String,
    /// Inputs and outputs with their types, in whatever form the flavour has.
    pub signature: Option<String>,
    /// The run that trained it.
    pub run: Option<RunId>,
    /// The data it was trained on.
    pub data: Vec<DataVersionId>,
    /// The digest or commit of the code that trained it.
    pub code: Option<String>,
    /// Where it stands.
    pub stage: Stage,
    /// Free labels.
    pub tags: BTreeMap<TagKey, String>,
    /// When it was registered.
    pub created: Timestamp,
}

/// A version to create.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewVersion {
    /// Makes a repeat harmless.
    pub key: IdempotencyKey,
    /// The model.
    pub model: ModelName,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Where the bytes lie.
    pub artifact: ArtifactPath,
    /// What can load it.
    pub flavour: String,
    /// Inputs and outputs with their types.
    pub signature: Option<String>,
    /// The run that trained it.
    pub run: Option<RunId>,
    /// The data it was trained on.
    pub data: Vec<DataVersionId>,
    /// The digest or commit of the code that trained it.
    pub code: Option<String>,
    /// Free labels.
    pub tags: BTreeMap<TagKey, String>,
}

impl NewVersion {
    /// A version with the bytes at `artifact`.
    #[must_use]
    pub fn new(
        key: IdempotencyKey,
        model: ModelName,
        digest: Digest,
        artifact: ArtifactPath,
    ) -> Self {
        let flavour = "native".to_owned();
        let (signature, run, data, code, tags) = Default::default();
        Self { key, model, digest, artifact, flavour, signature, run, data, code, tags }
    }

    /// Says what can load it.
    #[must_use]
    pub fn with_flavour(mut self, flavour: impl Into<String>) -> Self {
        self.flavour = flavour.into();
        self
    }

    /// Says what goes in and comes out.
    #[must_use]
    pub fn with_signature(mut self, signature: impl Into<String>) -> Self {
        self.signature = Some(signature.into());
        self
    }

    /// Says where it came from.
    #[must_use]
    pub fn with_lineage(
        mut self,
        run: RunId,
        data: Vec<DataVersionId>,
        code: impl Into<String>,
    ) -> Self {
        self.run = Some(run);
        self.data = data;
        self.code = Some(code.into());
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn with_tag(mut self, key: TagKey, value: impl Into<String>) -> Self {
        self.tags.insert(key, value.into());
        self
    }
}

impl NewVersion {
    /// The version that this becomes.
    #[must_use]
    pub fn into_version(self, number: VersionNumber, created: Timestamp) -> ModelVersion {
        ModelVersion {
            model: self.model,
            number,
            digest: self.digest,
            artifact: self.artifact,
            flavour: self.flavour,
            signature: self.signature,
            run: self.run,
            data: self.data,
            code: self.code,
            stage: Stage::None,
            tags: self.tags,
            created,
        }
    }
}

/// One of the two ways to name a version of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionRef {
    /// By number.
    Number(VersionNumber),
    /// By alias.
    Alias(Alias),
}

impl fmt::Display for VersionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Alias(alias) => alias.fmt(f),
        }
    }
}

/// A compare-and-set of an alias: `expected -> next`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasChange {
    /// The model.
    pub model: ModelName,
    /// The alias.
    pub alias: Alias,
    /// What it must name now; `None` that it must not exist.
    pub expected: Option<VersionNumber>,
    /// What it names afterwards; `None` removes it.
    pub next: Option<VersionNumber>,
    /// Who changes it, for the audit.
    pub by: String,
    /// Why, for the audit.
    pub reason: String,
}

/// A compare-and-set of a version's stage: `expected -> next`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageChange {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: VersionNumber,
    /// Where it must stand now.
    pub expected: Stage,
    /// Where it stands afterwards.
    pub next: Stage,
    /// Who changes it, for the audit.
    pub by: String,
    /// Why, for the audit.
    pub reason: String,
}

impl AliasChange {
    /// Whether the alias, which names `held` now, has to be changed: not when it names the next
    /// version already, so that a repeat after an ambiguous failure is harmless.
    ///
    /// # Errors
    /// `Conflict` when it names something else than what was expected.
    pub fn applies_to(&self, held: Option<VersionNumber>) -> Result<bool> {
        let show = |v: Option<VersionNumber>| v.map_or("none".to_owned(), |v| v.to_string());
        if held == self.next {
            return Ok(false);
        }
        if held == self.expected {
            return Ok(true);
        }
        let (expected, held) = (show(self.expected), show(held));
        let (model, alias) = (&self.model, &self.alias);
        let message = format!(
            "the alias is not where it was expected: model={model} alias={alias} expected={expected} held={held}"
        );
        Err(Error::new(ErrorKind::Conflict, message))
    }
}

impl StageChange {
    /// The same for a version that stands at `held` now.
    ///
    /// # Errors
    /// `Conflict` when it stands elsewhere than expected.
    pub fn applies_to(&self, held: Stage) -> Result<bool> {
        if held == self.next {
            return Ok(false);
        }
        if held == self.expected {
            return Ok(true);
        }
        let (model, version, expected) = (&self.model, self.version, self.expected);
        let message = format!(
            "the version is not in the expected stage: model={model} version={version} expected={expected} held={held}"
        );
        Err(Error::new(ErrorKind::Conflict, message))
    }
}

/// Something that happened to a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AuditEvent {
    /// A version was registered.
    VersionCreated {
        /// Which.
        version: VersionNumber,
    },
    /// An alias moved.
    AliasChanged {
        /// Which.
        alias: Alias,
        /// What it named.
        from: Option<VersionNumber>,
        /// What it names.
        to: Option<VersionNumber>,
    },
    /// A version moved from stage to stage.
    StageChanged {
        /// Which.
        version: VersionNumber,
        /// Where it stood.
        from: Stage,
        /// Where it stands.
        to: Stage,
    },
}

/// One line of a model's audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// 1, 2, 3 … per model.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What.
    #[serde(flatten)]
    pub event: AuditEvent,
}

//! Registered models in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{lock, snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{IdempotencyKey, ModelName, VersionNumber};
use crate::registry::{
    AliasChange, AuditEntry, AuditEvent, Model, ModelRegistry, ModelVersion, NewModel, NewVersion,
    StageChange, VersionRef,
};
use crate::time::{Clock, Timestamp};

/// A [`ModelRegistry`] in memory.
#[derive(Debug)]
pub struct MemoryRegistry {
    clock: Arc<dyn Clock>,
    models: Mutex<BTreeMap<ModelName, Held>>,
}

#[derive(Debug)]
struct Held {
    model: Model,
    versions: Vec<(IdempotencyKey, ModelVersion)>,
    audit: Vec<AuditEntry>,
}

impl MemoryRegistry {
    /// An empty registry whose time is `clock`'s.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, models: Mutex::default() }
    }

    fn with<T>(&self, name: &ModelName, f: impl FnOnce(&mut Held) -> Result<T>) -> Result<T> {
        let mut models = lock(&self.models);
        f(models.get_mut(name).ok_or_else(|| Error::not_found("model", name))?)
    }
}

impl Held {
    fn version(&mut self, number: VersionNumber) -> Result<&mut ModelVersion> {
        let place = usize::try_from(number.0).ok().and_then(|n| n.checked_sub(1));
        let name = format!("{}/{number}", self.model.name);
        let found = place.and_then(|place| self.versions.get_mut(place));
        found.map(|(_, version)| version).ok_or_else(|| Error::not_found("model version", name))
    }

    fn note(&mut self, at: Timestamp, by: &str, reason: &str, event: AuditEvent) {
        let sequence = self.audit.len() as u64 + 1;
        self.audit.push(AuditEntry {
            sequence,
            at,
            by: by.to_owned(),
            reason: reason.to_owned(),
            event,
        });
    }

    fn add(&mut self, new: NewVersion, created: Timestamp) -> ModelVersion {
        if let Some((_, known)) = self.versions.iter().find(|(key, _)| *key == new.key) {
            return known.clone();
        }
        let number = VersionNumber(self.versions.len() as u32 + 1);
        let key = new.key.clone();
        let version = new.into_version(number, created);
        self.versions.push((key, version.clone()));
        self.note(
            created,
            "registry",
            "registered",
            AuditEvent::VersionCreated { version: number },
        );
        version
    }

    fn set_alias(&mut self, change: AliasChange, at: Timestamp) -> Result<()> {
        if let Some(next) = change.next {
            self.version(next)?;
        }
        let held = self.model.aliases.get(&change.alias).copied();
        if !change.applies_to(held)? {
            return Ok(());
        }
        match change.next {
            Some(next) => self.model.aliases.insert(change.alias.clone(), next),
            None => self.model.aliases.remove(&change.alias),
        };
        let event = AuditEvent::AliasChanged { alias: change.alias, from: held, to: change.next };
        self.note(at, &change.by, &change.reason, event);
        Ok(())
    }

    fn set_stage(&mut self, change: &StageChange, at: Timestamp) -> Result<ModelVersion> {
        let version = self.version(change.version)?;
        if !change.applies_to(version.stage)? {
            return Ok(version.clone());
        }
        version.stage = change.next;
        let after = version.clone();
        let event = AuditEvent::StageChanged {
            version: change.version,
            from: change.expected,
            to: change.next,
        };
        self.note(at, &change.by, &change.reason, event);
        Ok(after)
    }
}

#[async_trait]
impl ModelRegistry for MemoryRegistry {
    async fn create_model(&self, new: NewModel) -> Result<Model> {
        let mut models = lock(&self.models);
        if let Some(held) = models.get(&new.name) {
            let same = held.model.description == new.description && held.model.tags == new.tags;
            return if same {
                Ok(held.model.clone())
            } else {
                Err(Error::new(
                    ErrorKind::AlreadyExists,
                    format!("a model has this name: name={}", new.name),
                ))
            };
        }
        let (name, description, tags) = (new.name, new.description, new.tags);
        let model = Model {
            name: name.clone(),
            description,
            tags,
            created: self.clock.now(),
            aliases: BTreeMap::new(),
        };
        models.insert(name, Held { model: model.clone(), versions: Vec::new(), audit: Vec::new() });
        Ok(model)
    }

    async fn get_model(&self, name: &ModelName) -> Result<Model> {
        self.with(name, |held| Ok(held.model.clone()))
    }

    fn list_models(&self) -> BoxStream<'static, Result<Model>> {
        snapshot(Ok(lock(&self.models).values().map(|held| held.model.clone()).collect()))
    }

    async fn create_version(&self, new: NewVersion) -> Result<ModelVersion> {
        let now = self.clock.now();
        let name = new.model.clone();
        self.with(&name, |held| Ok(held.add(new, now)))
    }

    async fn get_version(&self, model: &ModelName, which: &VersionRef) -> Result<ModelVersion> {
        self.with(model, |held| {
            let number = match which {
                VersionRef::Number(number) => *number,
                VersionRef::Alias(alias) => {
                    let found = held.model.aliases.get(alias).copied();
                    found.ok_or_else(|| Error::not_found("alias", format!("{model}@{alias}")))?
                }
            };
            held.version(number).map(|version| version.clone())
        })
    }

    fn list_versions(&self, model: &ModelName) -> BoxStream<'static, Result<ModelVersion>> {
        snapshot(self.with(model, |held| {
            Ok(held.versions.iter().map(|(_, version)| version.clone()).collect())
        }))
    }

    async fn set_alias(&self, change: AliasChange) -> Result<()> {
        let now = self.clock.now();
        let name = change.model.clone();
        self.with(&name, |held| held.set_alias(change, now))
    }

    async fn set_stage(&self, change: StageChange) -> Result<ModelVersion> {
        let now = self.clock.now();
        self.with(&change.model, |held| held.set_stage(&change, now))
    }

    fn audit(&self, model: &ModelName) -> BoxStream<'static, Result<AuditEntry>> {
        snapshot(self.with(model, |held| Ok(held.audit.clone())))
    }
}

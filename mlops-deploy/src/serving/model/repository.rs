//! Which versions are loaded, and which one answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use mlops_core::id::{ModelName, VersionNumber};

use super::{LoadedModel, Pool, PoolOptions};
use crate::serving::error::{Result, ServeError, ServeErrorKind};
use crate::serving::serve::{Bind, Capacity, IndexEntry, ModelState, Serve, ServerMetadata};

/// What a repository says about itself, and its bounds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RepositoryOptions {
    /// What the server says about itself.
    pub server: ServerMetadata,
    /// How many predictions run and wait.
    pub pool: PoolOptions,
}

impl Default for RepositoryOptions {
    fn default() -> Self {
        let server = ServerMetadata {
            name: "mlops".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            // `model_repository` would promise that models can be loaded and unloaded; there is its index alone.
            extensions: vec!["binary_tensor_data".to_owned()],
        };
        Self { server, pool: PoolOptions::default() }
    }
}

impl RepositoryOptions {
    /// Sets what the server says about itself.
    #[must_use]
    pub fn with_server(mut self, server: ServerMetadata) -> Self {
        self.server = server;
        self
    }

    /// Sets how many predictions run and wait.
    #[must_use]
    pub fn with_pool(mut self, pool: PoolOptions) -> Self {
        self.pool = pool;
        self
    }
}

/// The models of a server.
///
/// # Contract
/// - A change is seen by every request that begins after it. One that has begun keeps the version that it began
///   with, whatever is swapped or unloaded meanwhile; the version is freed behind its last request.
/// - The first version of a model that is loaded becomes its default one.
/// - The lock is held for a look-up only, never for a prediction or a load.
#[derive(Debug)]
pub struct Repository {
    models: RwLock<BTreeMap<ModelName, Model>>,
    open: AtomicBool,
    pool: Pool,
    server: ServerMetadata,
}

#[derive(Debug, Default)]
struct Model {
    default: Option<VersionNumber>,
    versions: BTreeMap<VersionNumber, Slot>,
}

#[derive(Debug)]
enum Slot {
    Loading,
    Failed(String),
    Ready(Arc<LoadedModel>),
}

impl Repository {
    /// A repository without models.
    #[must_use]
    pub fn new(options: RepositoryOptions) -> Self {
        Self {
            models: RwLock::default(),
            open: AtomicBool::new(true),
            pool: Pool::new(&options.pool),
            server: options.server,
        }
    }

    /// Announces a version that is being loaded: until then it is known but not ready.
    ///
    /// One that is loaded already stays so.
    pub fn announce(&self, model: &ModelName, version: VersionNumber) {
        let mut models = self.write();
        let entry = models.entry(model.clone()).or_default();
        entry.default.get_or_insert(version);
        let slot = entry.versions.entry(version).or_insert(Slot::Loading);
        if matches!(slot, Slot::Failed(_)) {
            *slot = Slot::Loading;
        }
    }

    /// Notes that a version that was announced can't be loaded. One that is loaded stays so.
    pub fn fail(&self, model: &ModelName, version: VersionNumber, reason: impl Into<String>) {
        let mut models = self.write();
        let entry = models.entry(model.clone()).or_default();
        let slot = entry.versions.entry(version).or_insert(Slot::Loading);
        if !matches!(slot, Slot::Ready(_)) {
            *slot = Slot::Failed(reason.into());
        }
    }

    /// Adds a version, or replaces it; returns the one that was there.
    pub fn load(&self, model: LoadedModel) -> Option<Arc<LoadedModel>> {
        let mut models = self.write();
        let entry = models.entry(model.name().clone()).or_default();
        entry.default.get_or_insert(model.version());
        entry.put(model)
    }

    /// Adds a version, makes it the default one and unloads the one that was, in one step; returns it.
    pub fn swap(&self, model: LoadedModel) -> Option<Arc<LoadedModel>> {
        let mut models = self.write();
        let entry = models.entry(model.name().clone()).or_default();
        let version = model.version();
        let before = entry.default.replace(version).filter(|before| *before != version);
        let replaced = entry.put(model);
        before.map_or(replaced, |before| entry.take(before))
    }

    /// Makes a loaded version the default one.
    ///
    /// # Errors
    /// As [`Serve::resolve`]; the default is then as it was.
    pub fn set_default(&self, model: &ModelName, version: VersionNumber) -> Result<()> {
        let mut models = self.write();
        let unknown = || ServeError::unknown_model(model.as_str());
        let entry = models.get_mut(model.as_str()).ok_or_else(unknown)?;
        entry.get(model.as_str(), version)?;
        entry.default = Some(version);
        Ok(())
    }

    /// Unloads a version and forgets it; the model goes with its last one. Returns it if it was loaded.
    ///
    /// When it was the default one, the newest version that is left becomes it.
    pub fn unload(&self, model: &ModelName, version: VersionNumber) -> Option<Arc<LoadedModel>> {
        let mut models = self.write();
        let entry = models.get_mut(model.as_str())?;
        let taken = entry.take(version);
        if entry.default == Some(version) {
            entry.default = entry.newest();
        }
        if entry.versions.is_empty() {
            models.remove(model.as_str());
        }
        taken
    }

    /// Says that the server is about to stop: it is no longer ready, but answers who still asks.
    pub fn close(&self) {
        self.open.store(false, Ordering::Release);
    }

    /// Predictions that run or wait now.
    #[must_use]
    pub fn inside(&self) -> usize {
        self.pool.inside()
    }

    // A panic while the lock is held can't leave a half change: each is made of whole steps.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<ModelName, Model>> {
        self.models.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<ModelName, Model>> {
        self.models.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model {
    fn put(&mut self, model: LoadedModel) -> Option<Arc<LoadedModel>> {
        match self.versions.insert(model.version(), Slot::Ready(Arc::new(model))) {
            Some(Slot::Ready(before)) => Some(before),
            _ => None,
        }
    }

    fn take(&mut self, version: VersionNumber) -> Option<Arc<LoadedModel>> {
        match self.versions.remove(&version) {
            Some(Slot::Ready(before)) => Some(before),
            _ => None,
        }
    }

    fn newest(&self) -> Option<VersionNumber> {
        let ready = |slot: &Slot| matches!(slot, Slot::Ready(_));
        let newest = self.versions.iter().rev().find(|(_, slot)| ready(slot));
        newest.or_else(|| self.versions.iter().next_back()).map(|(version, _)| *version)
    }

    fn get(&self, model: &str, version: VersionNumber) -> Result<Arc<LoadedModel>> {
        match self.versions.get(&version) {
            Some(Slot::Ready(loaded)) => Ok(Arc::clone(loaded)),
            Some(_) => {
                let message = format!("the model is not ready: model={model} version={version}");
                Err(ServeError::new(ServeErrorKind::NotReady, message))
            }
            None => Err(ServeError::unknown_version(model, &version.to_string())),
        }
    }
}

#[async_trait]
impl Serve for Repository {
    fn resolve(&self, model: &str, asked: Option<&str>) -> Result<Arc<LoadedModel>> {
        let models = self.read();
        let entry = models.get(model).ok_or_else(|| ServeError::unknown_model(model))?;
        let version = match asked {
            Some(text) => number(text),
            None => entry.default,
        };
        let unknown = || ServeError::unknown_version(model, asked.unwrap_or("default"));
        entry.get(model, version.ok_or_else(unknown)?)
    }

    async fn run(&self, model: &Arc<LoadedModel>, bind: Bind<'_>) -> Result<RecordBatch> {
        let place = self.pool.enter()?;
        let batch = bind(model.binding())?;
        let (model, cost) = (Arc::clone(model), model.cost(batch.num_rows()));
        self.pool.run(place, cost, move || model.predict(&batch)).await
    }

    fn capacity(&self) -> Capacity {
        self.pool.capacity()
    }

    fn ready(&self) -> bool {
        let default_answers = |model: &Model| {
            let slot = model.default.and_then(|version| model.versions.get(&version));
            matches!(slot, Some(Slot::Ready(_)))
        };
        self.open.load(Ordering::Acquire) && self.read().values().all(default_answers)
    }

    fn server(&self) -> ServerMetadata {
        self.server.clone()
    }

    fn index(&self) -> Vec<IndexEntry> {
        let models = self.read();
        let entries = models.iter().flat_map(|(name, model)| {
            model.versions.iter().map(move |(version, slot)| {
                let (state, reason) = match slot {
                    Slot::Ready(_) => (ModelState::Ready, String::new()),
                    Slot::Loading => (ModelState::Loading, String::new()),
                    Slot::Failed(reason) => (ModelState::Unavailable, reason.clone()),
                };
                let (model, version) = (name.as_str().to_owned(), version.to_string());
                IndexEntry { model, version, state, reason }
            })
        });
        entries.collect()
    }

    fn loaded(&self) -> Vec<Arc<LoadedModel>> {
        let models = self.read();
        let slots = models.values().flat_map(|model| model.versions.values());
        let ready = slots.filter_map(|slot| match slot {
            Slot::Ready(loaded) => Some(Arc::clone(loaded)),
            _ => None,
        });
        ready.collect()
    }
}

/// A version as it is written, and in no other way.
fn number(text: &str) -> Option<VersionNumber> {
    let number = VersionNumber(text.parse().ok()?);
    (number.to_string() == text).then_some(number)
}

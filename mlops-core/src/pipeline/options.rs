//! How an executor works, and what it tells meanwhile.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::cache::CachePolicy;
use super::history::StepReport;
use crate::id::{LeaseOwner, StepName};

/// Something a run has to tell while it goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A step begins.
    Begins(&'a StepName),
    /// A step has ended.
    Ended(&'a StepName, &'a StepReport),
}

type Observer = Arc<dyn Fn(&Notice<'_>) + Send + Sync>;

/// How an [`Executor`](super::Executor) works.
#[derive(Clone)]
#[non_exhaustive]
pub struct ExecutorOptions {
    /// The folder under which steps get theirs; a relative one is below the folder that this process is
    /// in when a run begins. It should be on the content store's disk.
    pub work_folder: PathBuf,
    /// Steps that may run at once; 0 counts as 1.
    pub max_parallel: usize,
    /// Whether steps may be taken from the cache.
    pub cache: CachePolicy,
    /// Who runs this; `None` is somebody else each time. Another owner is kept out of the same run until
    /// the lease ends; the same one may take it over at once, and so must be sure that the last holder
    /// is gone.
    pub owner: Option<LeaseOwner>,
    /// For how long others are kept out when this executor dies.
    pub lease: Duration,
    pub(super) observer: Option<Observer>,
}

impl fmt::Debug for ExecutorOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutorOptions")
            .field("work_folder", &self.work_folder)
            .field("max_parallel", &self.max_parallel)
            .field("cache", &self.cache)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

impl ExecutorOptions {
    /// Two steps at once, cached, under this folder, each run by an owner like no other.
    #[must_use]
    pub fn new(work_folder: impl Into<PathBuf>) -> Self {
        let (max_parallel, cache, observer) = (2, CachePolicy::Use, None);
        let lease = Duration::from_secs(30);
        Self { work_folder: work_folder.into(), max_parallel, cache, owner: None, lease, observer }
    }

    /// Sets how many steps may run at once; at least one.
    #[must_use]
    pub fn with_max_parallel(mut self, max: usize) -> Self {
        self.max_parallel = max.max(1);
        self
    }

    /// Sets whether steps may be taken from the cache.
    #[must_use]
    pub fn with_cache(mut self, policy: CachePolicy) -> Self {
        self.cache = policy;
        self
    }

    /// Sets who runs this: a name that stays the same takes up a dead process's run at once.
    #[must_use]
    pub fn with_owner(mut self, owner: LeaseOwner) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Listens to what happens, for a progress display.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(&Notice<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

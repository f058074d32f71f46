//! The embedded default: one folder with a database and the content beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mlops_core::error::{Error, Result};

use crate::cas::Cas;
use crate::sqlite::{SqliteOptions, SqliteStore};

/// The database's name in the folder.
const DATABASE: &str = "mlops.db";

/// A folder that holds everything: no server, no account.
///
/// ```text
/// mlops.db             experiments, runs, models, data versions, journals
/// objects/ paths/ tmp/ content and artifacts
/// ```
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: PathBuf,
    meta: Arc<SqliteStore>,
    content: Arc<Cas>,
}

impl LocalStore {
    /// Opens the store in `folder`, creating it as needed.
    ///
    /// # Errors
    /// Those of [`SqliteStore::open`] and [`Cas::open`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(folder, SqliteOptions::default())
    }

    /// Opens the store in `folder` with these options, creating it as needed.
    ///
    /// # Errors
    /// As for [`LocalStore::open`].
    pub fn open_with(folder: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let root = folder.as_ref().to_owned();
        std::fs::create_dir_all(&root)
            .map_err(|source| Error::io("create a folder", &root, source))?;
        // The database first: it is the one that can refuse.
        let meta = Arc::new(SqliteStore::open(root.join(DATABASE), options)?);
        let content = Arc::new(Cas::open(&root)?);
        Ok(Self { root, meta, content })
    }

    /// Opens a store that must be there.
    ///
    /// # Errors
    /// `NotFound` when it is not; as for [`LocalStore::open`].
    pub fn open_existing(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        if folder.join(DATABASE).is_file() {
            Self::open(folder)
        } else {
            Err(Error::not_found("store", folder.display()))
        }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Tracking, registry, data versions and journals.
    #[must_use]
    pub fn meta(&self) -> Arc<SqliteStore> {
        Arc::clone(&self.meta)
    }

    /// Content and artifacts.
    #[must_use]
    pub fn content(&self) -> Arc<Cas> {
        Arc::clone(&self.content)
    }
}

//! What a model is to a server, and how files become one.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use mlops_core::{Error, ErrorKind};

use super::error::Result;
use super::signature::Signature;

/// Where a prediction should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Tens of microseconds: on the thread that took the request, as a hop costs more than the prediction.
    Inline,
    /// Longer: on the bounded pool for blocking work, so that other requests go on.
    Blocking,
}

/// A model that answers batches.
///
/// # Contract
/// - `predict` is given a batch of [`Signature::input_schema`], with at least one row and without nulls, and
///   answers a batch of as many rows, whose columns become the outputs.
/// - It is synchronous and bound by the processor, and may be called from many threads at once.
/// - An error is the client's fault only if its kind is `InvalidInput`. A panic is caught and answered as
///   `ModelFailed`; it must leave the predictor usable.
pub trait Predictor: Send + Sync + Debug {
    /// What goes in and what comes out; the same each time.
    fn signature(&self) -> &Signature;

    /// Answers each row.
    ///
    /// # Errors
    /// `InvalidInput` for values that the model can't take, otherwise `ModelFailed`.
    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch>;

    /// Where a prediction of so many rows should run. The default never blocks the thread that took the request.
    fn cost(&self, _rows: usize) -> Cost {
        Cost::Blocking
    }
}

/// The files of a model version, already on this machine and checked against their digest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelFiles {
    /// The file or the folder.
    pub path: PathBuf,
    /// The signature that the registry keeps, if it does.
    pub signature: Option<Signature>,
}

impl ModelFiles {
    /// The file or folder at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), signature: None }
    }

    /// Hands over the signature that the registry keeps.
    #[must_use]
    pub fn with_signature(mut self, signature: Signature) -> Self {
        self.signature = Some(signature);
        self
    }

    /// The file or the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes predictors of one flavour from files.
///
/// # Contract
/// Files are untrusted: a damaged one is an error of kind `Corrupt`, never a panic, and code in them is never
/// run. A load is synchronous and may take seconds.
pub trait Loader: Send + Sync + Debug {
    /// The flavour, as the registry keeps it.
    fn flavour(&self) -> &str;

    /// Reads a model.
    ///
    /// # Errors
    /// `NotFound` without the file, `Corrupt` for a damaged one, `Unsupported` for one that this loader can't take.
    fn load(&self, files: &ModelFiles) -> mlops_core::Result<Arc<dyn Predictor>>;
}

/// The loaders of a host, by flavour.
#[derive(Debug, Clone, Default)]
pub struct Loaders {
    by_flavour: BTreeMap<String, Arc<dyn Loader>>,
}

impl Loaders {
    /// No loader.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a loader; it replaces one of the same flavour.
    #[must_use]
    pub fn with(mut self, loader: Arc<dyn Loader>) -> Self {
        self.by_flavour.insert(loader.flavour().to_owned(), loader);
        self
    }

    /// The flavours that can be loaded, in order.
    pub fn flavours(&self) -> impl Iterator<Item = &str> {
        self.by_flavour.keys().map(String::as_str)
    }

    /// Reads a model of this flavour.
    ///
    /// # Errors
    /// `Unsupported` for a flavour that nobody loads, and what the loader says.
    pub fn load(
        &self,
        flavour: &str,
        files: &ModelFiles,
    ) -> mlops_core::Result<Arc<dyn Predictor>> {
        let Some(loader) = self.by_flavour.get(flavour) else {
            let known = self.flavours().collect::<Vec<_>>().join(", ");
            let message =
                format!("no loader for this flavour: flavour={flavour:?} known=[{known}]");
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        loader.load(files)
    }
}

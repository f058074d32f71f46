//! What REST and gRPC ask of a server: one trait, so that both give the same answers.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use async_trait::async_trait;

use super::error::{Result, ServeError, ServeErrorKind, shorten};
use super::model::LoadedModel;
use super::signature::Signature;
use super::tensor::{Binding, Tensor, tensors_of};

/// An inference request, whatever it came over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InferRequest {
    /// Goes back with the answer.
    pub id: Option<String>,
    /// What goes in.
    pub inputs: Vec<Tensor>,
    /// The outputs that are wanted, in this order; none means all.
    pub outputs: Vec<String>,
}

/// An answer to an inference request.
#[derive(Debug, Clone, PartialEq)]
pub struct InferResponse {
    /// The model that answered.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The request's.
    pub id: Option<String>,
    /// What came out.
    pub outputs: Vec<Tensor>,
}

/// What a server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerMetadata {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The protocol's extensions that it speaks.
    pub extensions: Vec<String>,
}

/// What a server says about a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelMetadata {
    /// Its name.
    pub name: String,
    /// The versions that answer.
    pub versions: Vec<String>,
    /// What runs it.
    pub platform: String,
    /// What goes in and what comes out.
    pub signature: Signature,
}

/// Whether a version answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelState {
    /// It answers.
    Ready,
    /// It will.
    Loading,
    /// It can't be loaded.
    Unavailable,
}

impl ModelState {
    /// The protocol's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Loading => "LOADING",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// One line of a server's index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The model.
    pub model: String,
    /// The version.
    pub version: String,
    /// Whether it answers.
    pub state: ModelState,
    /// Why not; empty when it does.
    pub reason: String,
}

/// Makes the batch of a request, once it is known which model it is for.
pub type Bind<'a> = Box<dyn FnOnce(&Binding) -> Result<RecordBatch> + Send + 'a>;

/// How much a server takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capacity {
    /// Predictions that run or wait at most.
    pub predictions: usize,
    /// When a client that is refused should come back.
    pub retry_after: Duration,
}

impl Default for Capacity {
    /// No bound; 1 s.
    fn default() -> Self {
        Self { predictions: usize::MAX, retry_after: Duration::from_secs(1) }
    }
}

impl Capacity {
    /// Sets how many predictions run or wait at most.
    #[must_use]
    pub fn with_predictions(mut self, predictions: usize) -> Self {
        self.predictions = predictions;
        self
    }

    /// Sets when a client that is refused should come back.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = retry_after;
        self
    }
}

/// A server of models, without its protocols.
///
/// # Contract
/// - [`resolve`](Self::resolve) decides which version answers; a request keeps it until its answer is written, so
///   that a swap in between changes nothing for it.
/// - [`run`](Self::run) either answers every row of the batch or fails as a whole. Dropping its future gives up the
///   answer; a prediction that has begun runs to its end and still counts against the bound.
/// - A version that is not given is the model's default one. One that is given is a number.
#[async_trait]
pub trait Serve: Send + Sync + Debug {
    /// The loaded model that a request is for.
    ///
    /// # Errors
    /// `UnknownModel`, `UnknownVersion`, or `NotReady` for one that is known but not loaded.
    fn resolve(&self, model: &str, version: Option<&str>) -> Result<Arc<LoadedModel>>;

    /// Makes the batch and has the model answer it.
    ///
    /// # Errors
    /// `Overloaded` before anything is begun, those of `bind`, and those of the model.
    async fn run(&self, model: &Arc<LoadedModel>, bind: Bind<'_>) -> Result<RecordBatch>;

    /// Whether requests will be answered; false as soon as the server is to stop.
    fn ready(&self) -> bool;

    /// What the server says about itself.
    fn server(&self) -> ServerMetadata;

    /// Every version that is known, ordered by model and version.
    fn index(&self) -> Vec<IndexEntry>;

    /// Every version that is loaded, ordered by model and version.
    fn loaded(&self) -> Vec<Arc<LoadedModel>>;

    /// How much is taken at once; protocols turn away, unread, what is far beyond it.
    fn capacity(&self) -> Capacity {
        Capacity::default()
    }

    /// Is told of a request that was refused before [`run`](Self::run), after its path was read: for who counts.
    fn refused(&self, _model: &str, _version: Option<&str>, _error: &ServeError) {}

    /// Whether this model answers.
    ///
    /// # Errors
    /// `UnknownModel`, `UnknownVersion`.
    fn model_ready(&self, model: &str, version: Option<&str>) -> Result<bool> {
        match self.resolve(model, version) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ServeErrorKind::NotReady => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the server says about a model.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    fn metadata(&self, model: &str, version: Option<&str>) -> Result<ModelMetadata> {
        let found = self.resolve(model, version)?;
        let name = found.name().as_str();
        let index = self.index().into_iter();
        let ready = index.filter(|entry| entry.model == name && entry.state == ModelState::Ready);
        Ok(ModelMetadata {
            name: name.to_owned(),
            versions: ready.map(|entry| entry.version).collect(),
            platform: found.platform().to_owned(),
            signature: found.binding().signature().clone(),
        })
    }

    /// Answers a request of the Open Inference Protocol.
    ///
    /// # Errors
    /// Those of [`resolve`](Self::resolve), [`Binding::bind`], [`run`](Self::run) and [`tensors_of`].
    async fn infer(
        &self,
        model: &str,
        version: Option<&str>,
        request: InferRequest,
    ) -> Result<InferResponse> {
        let InferRequest { id, inputs, outputs } = request;
        let found = self.resolve(model, version)?;
        let bind = |binding: &Binding| {
            check_outputs(binding.signature(), &outputs)?;
            binding.bind(inputs)
        };
        let batch = self.run(&found, Box::new(bind)).await?;
        let outputs = tensors_of(&batch, found.binding().signature(), &outputs)?;
        let (model, version) = (found.name().as_str().to_owned(), found.version_text().to_owned());
        Ok(InferResponse { model, version, id, outputs })
    }
}

/// An output that does not exist, or that is asked for twice, is refused before anything is computed: each is a
/// copy of its column, and a request may name many.
fn check_outputs(signature: &Signature, selection: &[String]) -> Result<()> {
    let known = signature.outputs();
    let mut asked = vec![false; known.len()];
    for name in selection {
        let Some(at) = known.iter().position(|spec| spec.name() == name) else {
            let name = shorten(name);
            let known: Vec<_> = known.iter().map(|spec| spec.name()).collect();
            return Err(ServeError::invalid(format!(
                "the model has no such output: tensor={name:?} known={known:?}"
            )));
        };
        if std::mem::replace(&mut asked[at], true) {
            let name = shorten(name);
            return Err(ServeError::invalid(format!(
                "an output is asked for twice: tensor={name:?}"
            )));
        }
    }
    Ok(())
}

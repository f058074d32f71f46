//! What the handlers share: the models, and what is counted.

use std::sync::Arc;

use crate::serving::error::{Result, ServeError, ServeErrorKind};
use crate::serving::metrics::{Metered, ServingMetrics};
use crate::serving::model::LoadedModel;
use crate::serving::serve::Serve;

/// The models of a server and its metrics. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct ServingState {
    serve: Arc<dyn Serve>,
    metrics: Arc<ServingMetrics>,
}

impl ServingState {
    /// Serves these models, and counts what is asked of them.
    pub fn new<S: Serve + 'static>(models: Arc<S>, metrics: ServingMetrics) -> Self {
        let metrics = Arc::new(metrics);
        let serve = Arc::new(Metered::<S>::new(models, Arc::clone(&metrics)));
        Self { serve, metrics }
    }

    /// The models.
    #[must_use]
    pub fn serve(&self) -> Arc<dyn Serve> {
        Arc::clone(&self.serve)
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &ServingMetrics {
        &self.metrics
    }

    /// The default version of the only model: for protocols that name none.
    ///
    /// # Errors
    /// `NotReady` without a model, `InvalidInput` when there are several.
    pub(in crate::serving) fn only(&self) -> Result<Arc<LoadedModel>> {
        let loaded = self.serve.loaded();
        let Some(first) = loaded.first() else {
            return Err(ServeError::new(ServeErrorKind::NotReady, "no model is loaded"));
        };
        if loaded.iter().any(|model| model.name() != first.name()) {
            let message = "several models are loaded, ask one of them under /v2/models/NAME/infer";
            return Err(ServeError::invalid(message));
        }
        self.serve.resolve(first.name().as_str(), None)
    }
}

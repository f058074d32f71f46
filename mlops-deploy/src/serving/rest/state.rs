//! What the handlers share: the models, and what is counted.

use std::sync::Arc;
use std::time::Duration;

use mlops_http::limit::{Gate, Permit};

use crate::serving::error::{Result, ServeError, ServeErrorKind};
use crate::serving::metrics::{Metered, ServingMetrics};
use crate::serving::model::LoadedModel;
use crate::serving::serve::{Capacity, Serve};

/// Requests for predictions that may be under way, for each prediction that may run or wait. Beyond that they are
/// refused before their bodies are read, which bounds what bodies and answers cost. It is more than one, so that
/// those whose bodies come slowly take the places of predictions from nobody before they are many.
const UNDER_WAY: usize = 4;

/// The models of a server and its metrics. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct ServingState {
    serve: Arc<dyn Serve>,
    metrics: Arc<ServingMetrics>,
    gate: Gate,
    retry_after: Duration,
}

impl ServingState {
    /// Serves these models, and counts what is asked of them.
    pub fn new<S: Serve + 'static>(models: Arc<S>, metrics: ServingMetrics) -> Self {
        let metrics = Arc::new(metrics);
        let Capacity { predictions, retry_after, .. } = models.capacity();
        let serve = Arc::new(Metered::<S>::new(models, Arc::clone(&metrics)));
        let gate = Gate::new(predictions.saturating_mul(UNDER_WAY), 0);
        Self { serve, metrics, gate, retry_after }
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

    /// Takes a place for a request for predictions, which is held until its answer is there.
    ///
    /// # Errors
    /// `Overloaded`, at once.
    pub(in crate::serving) async fn enter(&self) -> Result<Permit> {
        self.gate.enter().await.map_err(|_full| {
            let kind = ServeErrorKind::Overloaded { retry_after: self.retry_after };
            ServeError::new(kind, "too many requests are under way")
        })
    }

    /// Counts a request of which it is not known what model it is for.
    pub(in crate::serving) fn count_unknown(&self, error: &ServeError) {
        self.metrics.unknown(error.kind().word());
    }

    /// The default version of the only model: for protocols that name none.
    ///
    /// # Errors
    /// `NotReady` without a model, `InvalidInput` when there are several; they are counted.
    pub(in crate::serving) fn only(&self) -> Result<Arc<LoadedModel>> {
        let loaded = self.serve.loaded();
        let one = match loaded.first() {
            None => Err(ServeError::new(ServeErrorKind::NotReady, "no model is loaded")),
            Some(first) if loaded.iter().any(|model| model.name() != first.name()) => {
                let message =
                    "several models are loaded, ask one of them under /v2/models/NAME/infer";
                Err(ServeError::invalid(message))
            }
            Some(first) => Ok(first),
        };
        let one = one.inspect_err(|error| self.count_unknown(error))?;
        self.serve.resolve(one.name().as_str(), None)
    }
}

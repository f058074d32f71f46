//! A version of a model that answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use mlops_core::id::{ModelName, VersionNumber};
use mlops_core::time::Timestamp;

use crate::serving::error::{Result, ServeError};
use crate::serving::observe::{BatchObserver, Score};
use crate::serving::predictor::{Cost, Predictor};
use crate::serving::tensor::{Binding, check_answer};

/// A version of a model that answers, with who looks at its batches.
#[derive(Debug)]
pub struct LoadedModel {
    name: ModelName,
    version: VersionNumber,
    version_text: String,
    platform: String,
    run_key: Option<String>,
    binding: Binding,
    predictor: Arc<dyn Predictor>,
    observer: Option<Arc<dyn BatchObserver>>,
    /// The schema of what the observer sees, made with the first answer.
    observed: OnceLock<SchemaRef>,
}

impl LoadedModel {
    /// Makes a predictor ready for requests.
    #[must_use]
    pub fn new(name: ModelName, version: VersionNumber, predictor: Arc<dyn Predictor>) -> Self {
        Self {
            name,
            version,
            version_text: version.to_string(),
            platform: "mlops".to_owned(),
            run_key: None,
            binding: Binding::new(predictor.signature().clone()),
            predictor,
            observer: None,
            observed: OnceLock::new(),
        }
    }

    /// Attaches who looks at this version's batches.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn BatchObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Says what runs it, for metadata: its flavour, as a rule.
    #[must_use]
    pub fn with_platform(mut self, platform: impl Into<String>) -> Self {
        self.platform = platform.into();
        self
    }

    /// Says which run made it, for metrics.
    #[must_use]
    pub fn with_run_key(mut self, run_key: impl Into<String>) -> Self {
        self.run_key = Some(run_key.into());
        self
    }

    /// The model.
    #[must_use]
    pub fn name(&self) -> &ModelName {
        &self.name
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> VersionNumber {
        self.version
    }

    /// The version, as protocols write it.
    #[must_use]
    pub fn version_text(&self) -> &str {
        &self.version_text
    }

    /// What runs it.
    #[must_use]
    pub fn platform(&self) -> &str {
        &self.platform
    }

    /// The run that made it.
    #[must_use]
    pub fn run_key(&self) -> Option<&str> {
        self.run_key.as_deref()
    }

    /// Its signature, ready for requests.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// What the observer has seen; nothing without one.
    #[must_use]
    pub fn scores(&self) -> Vec<Score> {
        let Some(observer) = &self.observer else { return Vec::new() };
        let scores = catch_unwind(AssertUnwindSafe(|| observer.scores()));
        scores.unwrap_or_else(|_panic| {
            self.warn_of_observer();
            Vec::new()
        })
    }

    /// When the observer last came to a verdict; `None` when it does not say.
    #[must_use]
    pub fn reported_at(&self) -> Option<Timestamp> {
        let observer = self.observer.as_ref()?;
        let at = catch_unwind(AssertUnwindSafe(|| observer.reported_at()));
        at.unwrap_or_else(|_panic| {
            self.warn_of_observer();
            None
        })
    }

    /// Where a prediction of so many rows should run.
    #[must_use]
    pub fn cost(&self, rows: usize) -> Cost {
        self.predictor.cost(rows)
    }

    /// Answers each row on this thread, and shows inputs and answers to the observer.
    ///
    /// # Errors
    /// Those of the predictor; `ModelFailed` if it panics, answers another number of rows, or other outputs than
    /// its signature says.
    pub fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let answer = catch_unwind(AssertUnwindSafe(|| self.predictor.predict(batch)));
        let Ok(answer) = answer else {
            return Err(ServeError::model_failed(format!(
                "the model panicked: model={} version={}",
                self.name, self.version
            )));
        };
        let answer = answer?;
        if answer.num_rows() != batch.num_rows() {
            let (want, got) = (batch.num_rows(), answer.num_rows());
            return Err(ServeError::model_failed(format!(
                "the model answered another number of rows: want={want} got={got}"
            )));
        }
        check_answer(&answer, self.binding.signature())?;
        self.show(batch, &answer);
        Ok(answer)
    }

    fn show(&self, batch: &RecordBatch, answer: &RecordBatch) {
        let Some(observer) = &self.observer else { return };
        let seen = catch_unwind(AssertUnwindSafe(|| {
            let both = self.joined(batch, answer)?;
            observer.observe(&both);
            Some(())
        }));
        if !matches!(seen, Ok(Some(()))) {
            self.warn_of_observer();
        }
    }

    fn joined(&self, batch: &RecordBatch, answer: &RecordBatch) -> Option<RecordBatch> {
        let join = || {
            let fields = batch.schema_ref().fields().iter().chain(answer.schema_ref().fields());
            Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
        };
        let observed = self.observed.get_or_init(join);
        // Inputs are always those of the signature. A model whose answers change their types gets a schema a batch.
        let same = observed.fields()[batch.num_columns()..] == answer.schema_ref().fields()[..];
        let schema = if same { Arc::clone(observed) } else { join() };
        let columns = batch.columns().iter().chain(answer.columns()).cloned().collect();
        RecordBatch::try_new(schema, columns).ok()
    }

    fn warn_of_observer(&self) {
        tracing::warn!(model = %self.name, version = %self.version, "an observer failed");
    }
}

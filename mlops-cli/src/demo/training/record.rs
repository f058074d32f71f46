//! What a run keeps of a training: params, metrics, inputs, outputs, files, and its key.

use anyhow::{Context as _, Result};
use mlops_core::Error;
use mlops_core::artifact::{ArtifactStore as _, run_artifact};
use mlops_core::fingerprint::environment::{Environment, Lock, LockKind};
use mlops_core::fingerprint::{Fingerprint, Value, executable_digest};
use mlops_core::id::{DatasetName, IdempotencyKey, LoggedModelId, MetricKey, ParamKey, TagKey};
use mlops_core::pipeline::{PipelineRun, Plan};
use mlops_core::tracking::{
    DatasetInput, LogBatch, MetricPoint, ModelOutput, Run, TrackingStore as _,
};

use super::{Quality, Training, output, output_blob, read_json};
use crate::cmd::runs::FINGERPRINT;
use crate::demo::calendar::{Span, moment};
use crate::demo::model::Algorithm;
use crate::demo::session::Session;

impl Training {
    pub(super) async fn log(
        &self,
        session: &Session,
        run: &Run,
        plan: &Plan,
        done: &PipelineRun,
        quality: &Quality,
    ) -> Result<()> {
        let fingerprint = self.fingerprint(session, plan)?;
        let model = output_blob(done, "model")?;
        // One batch under a key of its own: a repeat after a crash changes nothing.
        let mut batch = LogBatch::new(IdempotencyKey::new("results")?);
        for (key, value) in self.typed_params()? {
            batch = batch.param(ParamKey::new(key)?, plain(&value));
        }
        let history: Vec<f64> = read_json(&output(session, done, "history").await?, "history")?;
        let at = session.now();
        for (step, loss) in history.iter().enumerate() {
            batch = batch.metric(
                MetricKey::new("train/log_loss")?,
                MetricPoint { step: step as i64, at, value: *loss },
            );
        }
        for (key, value) in [
            ("auc", Some(quality.auc)),
            ("brier", Some(quality.brier)),
            ("log_loss", Some(quality.log_loss)),
            ("f1", quality.f1),
        ] {
            let point = |value| MetricPoint { step: 0, at, value };
            batch.metrics.extend(
                value
                    .map(point)
                    .map(|point| Ok::<_, Error>((MetricKey::new(key)?, point)))
                    .transpose()?,
            );
        }
        for (level, key) in fingerprint.keys() {
            batch = batch.tag(TagKey::new(format!("mlops.run_key.{level}"))?, key.to_string());
        }
        batch = batch.tag(TagKey::new("training")?, serde_json::to_string(self)?);
        for (role, span) in [("train", self.train), ("evaluate", self.evaluate)] {
            batch = batch.input(self.input(session, role, span)?);
        }
        let (model_id, digest) = (LoggedModelId::new(format!("m-{}", run.id))?, Some(model.digest));
        batch = batch.output(ModelOutput { model: model_id, step: history.len() as i64, digest });
        session.store.meta().log_batch(&run.id, batch).await?;
        self.keep_files(session, run, done, &fingerprint).await
    }

    /// The parameters as they were used, each with its type.
    fn typed_params(&self) -> Result<Vec<(String, Value)>> {
        let (name, settings) = match &self.config.algorithm {
            Algorithm::Boosting(config) => ("boosting", serde_json::to_value(config)?),
            Algorithm::Logistic(config) => ("logistic", serde_json::to_value(config)?),
        };
        let mut params = vec![
            ("train_from".to_owned(), Value::from(moment(self.train.from).to_string())),
            ("train_to".to_owned(), Value::from(moment(self.train.to).to_string())),
            (
                "features".to_owned(),
                Value::from_json(serde_json::to_value(&self.config.features)?)?,
            ),
            ("algorithm".to_owned(), Value::from(name)),
        ];
        let settings = settings.as_object().context("settings are not an object")?.clone();
        for (key, value) in settings {
            params.push((key, Value::from_json(value)?));
        }
        Ok(params)
    }

    fn input(&self, session: &Session, role: &str, span: Span) -> Result<DatasetInput> {
        Ok(DatasetInput {
            name: DatasetName::new("nyc-flights")?,
            version: session.data.id.clone(),
            role: role.to_owned(),
            source: format!("{} to {}", moment(span.from), moment(span.to)),
            schema: None,
            tags: Default::default(),
        })
    }

    fn fingerprint(&self, session: &Session, plan: &Plan) -> Result<Fingerprint> {
        let lock = Lock::parse(
            LockKind::Cargo,
            std::path::Path::new("Cargo.lock"),
            include_bytes!(concat!(env!("OUT_DIR"), "/Cargo.lock")),
        )?;
        let environment =
            Environment::default().with_lock(lock).with_toolchain(env!("MLOPS_RUSTC"));
        let mut builder = Fingerprint::builder().code(executable_digest()?);
        for (name, value) in self.typed_params()? {
            builder = builder.param(name, value);
        }
        // A logistic regression draws nothing, so it has no seed to name.
        if let Algorithm::Boosting(config) = &self.config.algorithm {
            builder = builder.seed("training", config.seed);
        }
        Ok(builder
            .data("flights", session.data.id.as_str())
            .env(environment)
            .graph(plan.graph()?)
            .build())
    }

    async fn keep_files(
        &self,
        session: &Session,
        run: &Run,
        done: &PipelineRun,
        key: &Fingerprint,
    ) -> Result<()> {
        let content = session.store.content();
        content
            .put(&run_artifact(&run.id, FINGERPRINT)?, serde_json::to_vec_pretty(key)?.into())
            .await?;
        for (value, file) in [
            ("model", "model.json"),
            ("evaluation", "evaluation.json"),
            ("history", "history.json"),
        ] {
            // Read through the store, which verifies it: a damaged object is not copied on.
            let bytes = output(session, done, value).await?;
            content.put(&run_artifact(&run.id, file)?, bytes.into()).await?;
        }
        Ok(())
    }
}

/// A value as people read it in a list of parameters.
fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::List(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

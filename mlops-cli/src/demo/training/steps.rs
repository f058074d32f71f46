//! What the pipeline does, step by step.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use mlops_core::artifact::ArtifactStore as _;
use mlops_core::fingerprint::{Value, executable_digest};
use mlops_core::id::{ArtifactPath, IdempotencyKey, TagKey};
use mlops_core::pipeline::{Plan, PlanInput, Step, StepContext};
use mlops_core::registry::{ModelRegistry as _, NewVersion};
use mlops_core::{Error, ErrorKind};

use super::{Ending, Quality, Training, read_json, step_failed};
use crate::demo::calendar::Span;
use crate::demo::model::flights::Flights;
use crate::demo::model::serving::{FLAVOUR, signature};
use crate::demo::model::{Model, TrainConfig, metrics};
use crate::demo::session::Session;

/// Probability from which a flight is called late, for F1 alone.
const CUT: f64 = 0.25;
const PIPELINE: &str = "flight-delay";

impl Training {
    /// The steps.
    pub(crate) fn plan(&self, session: &Session) -> Result<Plan> {
        let (train, evaluate) = (self.train, self.evaluate);
        let span = |step: Step, name: &str, span: Span| {
            step.param(format!("{name}_from"), span.from).param(format!("{name}_to"), span.to)
        };
        let all = Span::new(train.from, evaluate.to);
        let preprocess =
            Step::blocking("preprocess", move |context| in_step(|| preprocess(context, all)))?;
        let preprocess = span(preprocess.input("flights")?.output("rows")?, "rows", all);
        let config = self.config.clone();
        let fit = Step::blocking("train", move |context| in_step(|| fit(context, train, &config)))?;
        let fit = fit.input("rows")?.output("model")?.output("history")?;
        let fit = span(fit, "train", train)
            .param("config", Value::from_json(serde_json::to_value(&self.config)?)?);
        let judge =
            Step::blocking("evaluate", move |context| in_step(|| judge(context, evaluate)))?;
        let judge = judge.input("rows")?.input("model")?.output("evaluation")?;
        let judge = span(judge, "evaluate", evaluate);
        let mut plan =
            Plan::builder(PIPELINE)?.input("flights", PlanInput::Content(session.content))?;
        plan = plan.step(preprocess).step(fit).step(judge);
        if self.ends == Ending::Registered {
            plan = plan.step(self.register_step(session)?);
        }
        Ok(plan.build()?)
    }

    fn register_step(&self, session: &Session) -> Result<Step> {
        let (store, model) = (session.store.clone(), session.model.clone());
        let (data, training) = (session.data.id.clone(), self.clone());
        let (run, code) = (self.run_id(session)?, executable_digest()?.to_hex());
        let lineage = run.clone();
        let step = Step::asynchronous("register", move |context: Arc<StepContext>| {
            let (store, model, data) = (store.clone(), model.clone(), data.clone());
            let (training, run, code) = (training.clone(), lineage.clone(), code.clone());
            async move {
                let bytes = context.read("model")?;
                let signature =
                    serde_json::to_string(&signature()?).map_err(|e| step_failed(e.into()))?;
                let path = ArtifactPath::new(format!("models/{model}/{}.json", training.name))?;
                let artifact = store.content().put(&path, bytes.into()).await?;
                let quality: Quality =
                    read_json(&context.read("evaluation")?, "evaluation").map_err(step_failed)?;
                let key = IdempotencyKey::new(context.key().to_hex())?;
                let spans = serde_json::to_string(&training).map_err(|source| {
                    Error::new(ErrorKind::Internal, "cannot write a training").with_source(source)
                })?;
                let new = NewVersion::new(key, model, artifact.blob.digest, path)
                    .with_flavour(FLAVOUR)
                    .with_signature(signature)
                    .with_lineage(run, vec![data], code)
                    .with_tag(TagKey::new("training")?, spans)
                    .with_tag(TagKey::new("auc")?, quality.auc.to_string());
                let version = store.meta().create_version(new).await?;
                context.write("version", version.number.to_string())
            }
        })?;
        let step = step.input("model")?.input("evaluation")?.output("version")?;
        // Registering is an effect in this lifecycle: its name is part of the key, so that another
        // lifecycle does not take it from the cache.
        Ok(step
            .param("lifecycle", session.name.as_str())
            .param("run", run.as_str())
            .param("name", self.name.as_str()))
    }
}

fn in_step(work: impl FnOnce() -> Result<()>) -> mlops_core::Result<()> {
    work().map_err(step_failed)
}

fn preprocess(context: &StepContext, span: Span) -> Result<()> {
    let bytes = context.read("flights")?;
    let rows = Flights::from_parquet_between(&bytes, span.from, span.to)?.labelled();
    context.write("rows", rows.to_parquet()?)?;
    Ok(())
}

fn fit(context: &StepContext, span: Span, config: &TrainConfig) -> Result<()> {
    let rows = Flights::from_parquet_between(&context.read("rows")?, span.from, span.to)?;
    let mut history = Vec::new();
    let model = Model::train(&rows, config, |_, loss| history.push(loss))?;
    context.write("model", model.to_bytes()?)?;
    context.write("history", serde_json::to_vec(&history)?)?;
    Ok(())
}

fn judge(context: &StepContext, span: Span) -> Result<()> {
    let rows = Flights::from_parquet_between(&context.read("rows")?, span.from, span.to)?;
    let model = Model::from_bytes(&context.read("model")?)?;
    let (labels, scores) = (rows.labels()?, model.score(&rows)?);
    let undefined = "a metric is not defined on the evaluation's rows";
    let quality = Quality {
        auc: metrics::auc(&labels, &scores).context(undefined)?,
        brier: metrics::brier(&labels, &scores).context(undefined)?,
        log_loss: metrics::log_loss(&labels, &scores).context(undefined)?,
        f1: metrics::f1(&labels, &scores, CUT),
        rows: rows.len(),
    };
    context.write("evaluation", serde_json::to_vec(&quality)?)?;
    Ok(())
}

//! One training: preprocess >> train >> evaluate >> register, as a pipeline and as a tracked run.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use mlops_core::artifact::{ArtifactStore, Blob, Body, ContentStore, run_artifact};
use mlops_core::fingerprint::environment::{Environment, Lock, LockKind};
use mlops_core::fingerprint::{Fingerprint, KeyDigest, Value};
use mlops_core::id::{
    ArtifactPath, DatasetName, Digest, IdempotencyKey, LoggedModelId, MetricKey, ParamKey,
    PipelineRunId, RunId, TagKey, VersionNumber,
};
use mlops_core::pipeline::{CachePolicy, Cancel, PipelineRun, Plan, PlanInput, Step, StepContext};
use mlops_core::registry::{ModelRegistry as _, NewVersion};
use mlops_core::tracking::{
    DatasetInput, LogBatch, MetricPoint, ModelOutput, NewRun, Run, RunChange, RunStatus, Source,
    SourceKind, TrackingStore as _,
};
use mlops_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use super::calendar::{Span, moment};
use super::model::flights::Flights;
use super::model::{Algorithm, Model, TrainConfig, metrics};
use super::session::Session;
use crate::cmd::runs::FINGERPRINT;

/// Probability from which a flight is called late, for F1 alone.
const CUT: f64 = 0.25;
const PIPELINE: &str = "flight-delay";

/// What to train, on what, and how to call it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Training {
    pub(crate) name: String,
    pub(crate) config: TrainConfig,
    pub(crate) train: Span,
    pub(crate) evaluate: Span,
    pub(crate) register: bool,
}

/// Quality on labels newer than those of the training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quality {
    pub(crate) auc: f64,
    pub(crate) brier: f64,
    pub(crate) log_loss: f64,
    pub(crate) f1: Option<f64>,
    pub(crate) rows: usize,
}

/// What a training gave.
#[derive(Debug, Clone)]
pub(crate) struct Trained {
    pub(crate) run: RunId,
    pub(crate) quality: Quality,
    pub(crate) version: Option<VersionNumber>,
    pub(crate) pipeline: PipelineRun,
}

/// Turns an error of this binary's own code into that of a step.
pub(crate) fn step_failed(error: anyhow::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(own) => own,
        Err(other) => Error::new(ErrorKind::Failed, format!("{other:#}")),
    }
}

fn in_step(work: impl FnOnce() -> Result<()>) -> mlops_core::Result<()> {
    work().map_err(step_failed)
}

fn read_json<T: for<'de> Deserialize<'de>>(bytes: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|source| {
        Error::new(
            ErrorKind::Corrupt,
            format!("cannot read a step's output: what={what}"),
        )
        .with_source(source)
        .into()
    })
}

impl Training {
    /// A name for the pipeline's run; the same training of the same demo is always the same run.
    pub(crate) fn id(&self, session: &Session) -> Result<PipelineRunId> {
        Ok(PipelineRunId::new(format!(
            "{}-{}",
            session.name, self.name
        ))?)
    }

    fn run_id(&self, session: &Session) -> Result<RunId> {
        let digest = Digest::of(format!("{}/{}", session.name, self.name).as_bytes());
        Ok(RunId::new(&digest.to_hex()[..32])?)
    }

    /// The steps.
    pub(crate) fn plan(&self, session: &Session) -> Result<Plan> {
        let (train, evaluate) = (self.train, self.evaluate);
        let span = |step: Step, name: &str, span: Span| {
            step.param(format!("{name}_from"), span.from)
                .param(format!("{name}_to"), span.to)
        };
        let all = Span::new(train.from, evaluate.to);
        let preprocess = Step::blocking("preprocess", move |context| {
            in_step(|| preprocess(context, all))
        })?;
        let preprocess = span(preprocess.input("flights")?.output("rows")?, "rows", all);
        let config = self.config.clone();
        let fit = Step::blocking("train", move |context| {
            in_step(|| fit(context, train, &config))
        })?;
        let fit = fit.input("rows")?.output("model")?.output("history")?;
        let fit = span(fit, "train", train).param(
            "config",
            Value::from_json(serde_json::to_value(&self.config)?)?,
        );
        let judge = Step::blocking("evaluate", move |context| {
            in_step(|| judge(context, evaluate))
        })?;
        let judge = judge.input("rows")?.input("model")?.output("evaluation")?;
        let judge = span(judge, "evaluate", evaluate);
        let mut plan =
            Plan::builder(PIPELINE)?.input("flights", PlanInput::Content(session.content))?;
        plan = plan.step(preprocess).step(fit).step(judge);
        if self.register {
            plan = plan.step(self.register_step(session)?);
        }
        Ok(plan.build()?)
    }

    fn register_step(&self, session: &Session) -> Result<Step> {
        let (store, model) = (session.store.clone(), session.model.clone());
        let (data, training) = (session.data.id.clone(), self.clone());
        let (run, code) = (self.run_id(session)?, code_digest()?.to_hex());
        let lineage = run.clone();
        let step = Step::asynchronous("register", move |context: Arc<StepContext>| {
            let (store, model, data) = (store.clone(), model.clone(), data.clone());
            let (training, run, code) = (training.clone(), lineage.clone(), code.clone());
            async move {
                let bytes = context.read("model")?;
                let signature = signature(&bytes).map_err(step_failed)?;
                let path = ArtifactPath::new(format!("models/{model}/{}.json", training.name))?;
                let artifact = store.content().put(&path, bytes.into()).await?;
                let quality: Quality =
                    read_json(&context.read("evaluation")?, "evaluation").map_err(step_failed)?;
                let key = IdempotencyKey::new(context.key().to_hex())?;
                let spans = serde_json::to_string(&training).map_err(|source| {
                    Error::new(ErrorKind::Internal, "cannot write a training").with_source(source)
                })?;
                let new = NewVersion::new(key, model, artifact.blob.digest, path)
                    .with_flavour("flight-delay/1")
                    .with_signature(signature)
                    .with_lineage(run, vec![data], code)
                    .with_tag(TagKey::new("training")?, spans)
                    .with_tag(TagKey::new("auc")?, quality.auc.to_string());
                let version = store.meta().create_version(new).await?;
                context.write("version", version.number.to_string())
            }
        })?;
        let step = step
            .input("model")?
            .input("evaluation")?
            .output("version")?;
        // Registering is an effect in this lifecycle: its name is part of the key, so that another
        // lifecycle does not take it from the cache.
        Ok(step
            .param("lifecycle", session.name.as_str())
            .param("run", run.as_str())
            .param("name", self.name.as_str()))
    }

    /// Runs it, tracked. One that was finished before is only read back.
    pub(crate) async fn run(&self, session: &Session, cancel: &Cancel) -> Result<Trained> {
        let run = self.start_run(session).await?;
        let plan = self.plan(session)?;
        let done = session
            .executor(CachePolicy::Use)
            .run(&plan, &self.id(session)?, cancel)
            .await?;
        let done = match done.into_result() {
            Ok(done) => done,
            Err(error) => {
                let status = if error.kind() == ErrorKind::Cancelled {
                    RunStatus::Killed
                } else {
                    RunStatus::Failed
                };
                session
                    .store
                    .meta()
                    .update_run(&run.id, RunChange::ended(status, session.now()))
                    .await?;
                return Err(error.into());
            }
        };
        let quality: Quality =
            read_json(&output(session, &done, "evaluation").await?, "evaluation")?;
        let version = match done.output("version") {
            Some(blob) => Some(read_version(
                &session.store.content().get_content(&blob.digest).await?,
            )?),
            None => None,
        };
        if run.status != RunStatus::Finished {
            self.log(session, &run, &plan, &done, &quality).await?;
            let ended = RunChange::ended(RunStatus::Finished, session.now());
            session.store.meta().update_run(&run.id, ended).await?;
        }
        Ok(Trained {
            run: run.id,
            quality,
            version,
            pipeline: done,
        })
    }

    async fn start_run(&self, session: &Session) -> Result<Run> {
        let (tracking, id) = (session.store.meta(), self.run_id(session)?);
        match tracking.get_run(&id).await {
            Ok(known) => Ok(known),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let version = Some(code_digest()?.to_string());
                let source = Source {
                    kind: SourceKind::Job,
                    name: "mlops demo".into(),
                    version,
                };
                let new = NewRun::new(id, session.experiment.clone(), session.now());
                Ok(tracking
                    .create_run(new.with_name(self.name.as_str()).with_source(source))
                    .await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn log(
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
        for (key, value) in self.params()? {
            batch = batch.param(ParamKey::new(key)?, value);
        }
        let history: Vec<f64> = read_json(&output(session, done, "history").await?, "history")?;
        let at = session.now();
        for (step, loss) in history.iter().enumerate() {
            batch = batch.metric(
                MetricKey::new("train/log_loss")?,
                MetricPoint {
                    step: step as i64,
                    at,
                    value: *loss,
                },
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
            batch = batch.tag(
                TagKey::new(format!("mlops.run_key.{level}"))?,
                key.to_string(),
            );
        }
        batch = batch.tag(TagKey::new("training")?, serde_json::to_string(self)?);
        for (role, span) in [("train", self.train), ("evaluate", self.evaluate)] {
            batch = batch.input(self.input(session, role, span)?);
        }
        let (model_id, digest) = (
            LoggedModelId::new(format!("m-{}", run.id))?,
            Some(model.digest),
        );
        batch = batch.output(ModelOutput {
            model: model_id,
            step: history.len() as i64,
            digest,
        });
        session.store.meta().log_batch(&run.id, batch).await?;
        self.keep_files(session, run, done, &fingerprint).await
    }

    fn params(&self) -> Result<Vec<(String, String)>> {
        let mut params = vec![
            ("train_from".to_owned(), moment(self.train.from).to_string()),
            ("train_to".to_owned(), moment(self.train.to).to_string()),
            (
                "features".to_owned(),
                self.config.features.len().to_string(),
            ),
        ];
        let (name, settings) = match &self.config.algorithm {
            Algorithm::Boosting(config) => ("boosting", serde_json::to_value(config)?),
            Algorithm::Logistic(config) => ("logistic", serde_json::to_value(config)?),
        };
        params.push(("algorithm".to_owned(), name.to_owned()));
        let settings = settings.as_object().context("settings are not an object")?;
        params.extend(
            settings
                .iter()
                .map(|(key, value)| (key.clone(), value.to_string())),
        );
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
            include_bytes!("../../../Cargo.lock"),
        )?;
        let environment = Environment::default()
            .with_lock(lock)
            .with_toolchain(env!("MLOPS_RUSTC"));
        let seed = match &self.config.algorithm {
            Algorithm::Boosting(config) => Some(config.seed),
            Algorithm::Logistic(_) => Some(0),
        };
        let params = self
            .params()?
            .into_iter()
            .map(|(key, value)| (key, Value::from(value)));
        Ok(Fingerprint::builder()
            .code(code_digest()?)
            .params(params)
            .data("flights", session.data.id.as_str())
            .seed("training", seed)
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
            .put(
                &run_artifact(&run.id, FINGERPRINT)?,
                serde_json::to_vec_pretty(key)?.into(),
            )
            .await?;
        for (value, file) in [
            ("model", "model.json"),
            ("evaluation", "evaluation.json"),
            ("history", "history.json"),
        ] {
            let body = Body::File(content.object_path(&output_blob(done, value)?.digest));
            content.put(&run_artifact(&run.id, file)?, body).await?;
        }
        Ok(())
    }
}

/// What goes into a model and what comes out, read from the model itself.
fn signature(model: &[u8]) -> Result<String> {
    let model = Model::from_bytes(model)?;
    let inputs: Vec<_> = model
        .encoder()
        .names()
        .into_iter()
        .map(|name| serde_json::json!({ "name": name, "type": "float32" }))
        .collect();
    let outputs = [serde_json::json!({ "name": "late", "type": "float64" })];
    Ok(serde_json::json!({ "inputs": inputs, "outputs": outputs }).to_string())
}

fn preprocess(context: &StepContext, span: Span) -> Result<()> {
    let flights = Flights::from_parquet(&context.read("flights")?)?;
    let rows = flights.between(span.from, span.to).labelled();
    context.write("rows", rows.to_parquet()?)?;
    Ok(())
}

fn fit(context: &StepContext, span: Span, config: &TrainConfig) -> Result<()> {
    let rows = Flights::from_parquet(&context.read("rows")?)?.between(span.from, span.to);
    let mut history = Vec::new();
    let model = Model::train(&rows, config, |_, loss| history.push(loss))?;
    context.write("model", model.to_bytes()?)?;
    context.write("history", serde_json::to_vec(&history)?)?;
    Ok(())
}

fn judge(context: &StepContext, span: Span) -> Result<()> {
    let rows = Flights::from_parquet(&context.read("rows")?)?.between(span.from, span.to);
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

fn output_blob(run: &PipelineRun, name: &str) -> Result<Blob> {
    run.output(name)
        .with_context(|| format!("the pipeline has no output: name={name}"))
}

async fn output(session: &Session, run: &PipelineRun, name: &str) -> Result<Vec<u8>> {
    Ok(session
        .store
        .content()
        .get_content(&output_blob(run, name)?.digest)
        .await?)
}

fn read_version(bytes: &[u8]) -> Result<VersionNumber> {
    let number = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok());
    number
        .map(VersionNumber)
        .context("a registered version is not a number")
}

/// The digest of this program, which is the code of every step.
fn code_digest() -> Result<KeyDigest> {
    static DIGEST: std::sync::OnceLock<KeyDigest> = std::sync::OnceLock::new();
    if let Some(digest) = DIGEST.get() {
        return Ok(*digest);
    }
    let path = std::env::current_exe().context("cannot find this program's own file")?;
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(&path)
        .map_err(|source| Error::io("read this program", &path, source))?;
    hasher
        .update_reader(file)
        .map_err(|source| Error::io("read this program", &path, source))?;
    Ok(*DIGEST.get_or_init(|| KeyDigest::from_bytes(*hasher.finalize().as_bytes())))
}

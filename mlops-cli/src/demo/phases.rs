//! The phases before and after watching: experiments, the pipeline, reproduction.

use std::time::Instant;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use mlops_core::id::{IdempotencyKey, PipelineRunId, TagKey};
use mlops_core::lifecycle::REPRODUCED_TAG;
use mlops_core::pipeline::{CachePolicy, Cancel, PipelineRun};
use mlops_core::tracking::{LogBatch, Run, RunQuery, RunStatus, TrackingStore as _};

use super::calendar::{DAY, JANUARY, MARCH, Span};
use super::model::boosting::BoostingConfig;
use super::model::logistic::LogisticConfig;
use super::model::{Algorithm, TrainConfig};
use super::progress;
use super::session::{Pace, Phase, Session};
use super::training::{Ending, Trained, Training};

/// Trainings that are executed again side by side.
const AT_ONCE: usize = 2;
/// Days that are kept back for judging.
pub(crate) const HELD_BACK: i64 = 14 * DAY;

/// January and the first half of February to train on, the last two weeks of February to judge.
fn winter(name: &str, config: TrainConfig, ends: Ending) -> Training {
    let cut = MARCH - HELD_BACK;
    let (train, evaluate) = (Span::new(JANUARY, cut), Span::new(cut, MARCH));
    Training { name: name.to_owned(), config, train, evaluate, ends }
}

fn candidates(pace: Pace) -> Vec<(&'static str, TrainConfig)> {
    let rounds = match pace {
        Pace::Fast => 40,
        Pace::Full => 100,
    };
    let base = BoostingConfig { rounds, ..BoostingConfig::default() };
    let boosting = |config: BoostingConfig| Algorithm::Boosting(config);
    let algorithms = [
        ("logistic", Algorithm::Logistic(LogisticConfig::default())),
        ("boosting", boosting(base.clone())),
        ("boosting-deep", boosting(BoostingConfig { depth: 5, ..base.clone() })),
        (
            "boosting-slow",
            boosting(BoostingConfig { rounds: rounds * 2, depth: 4, learning_rate: 0.05, ..base }),
        ),
    ];
    let with = |(name, algorithm)| (name, TrainConfig { algorithm, ..TrainConfig::default() });
    algorithms.into_iter().map(with).collect()
}

/// Trains the candidates; what is judged best out of time is what the pipeline will train.
pub(crate) async fn experiments(session: &mut Session, cancel: &Cancel) -> Result<TrainConfig> {
    let began = Instant::now();
    let candidates = candidates(session.pace);
    let bar = progress::bar(candidates.len() as u64, "experiments".to_owned());
    let mut results: Vec<(&str, TrainConfig, Trained)> = Vec::new();
    for (name, config) in candidates {
        let trained = winter(name, config.clone(), Ending::Evaluated).run(session, cancel).await?;
        results.push((name, config, trained));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let (name, config, best) = results
        .iter()
        .max_by(|a, b| a.2.quality.auc.total_cmp(&b.2.quality.auc))
        .context("there is no candidate")?;
    if !session.is_done(Phase::Experiments) {
        let auc = best.quality.auc;
        let summary = format!(
            "{} runs on January and February; best out of time: {name}, auc {auc:.4}",
            results.len()
        );
        let config = config.clone();
        session.done(Phase::Experiments, began, summary).await?;
        return Ok(config);
    }
    Ok(config.clone())
}

/// Runs the pipeline that registers the first version, then the same plan again.
pub(crate) async fn pipeline(
    session: &mut Session,
    config: TrainConfig,
    cancel: &Cancel,
) -> Result<Trained> {
    let began = Instant::now();
    let training = winter("first", config, Ending::Registered);
    let bar = progress::spinner("pipeline: preprocess >> train >> evaluate >> register");
    let first = training.run(session, cancel).await?;
    if !session.is_done(Phase::Pipeline) {
        let plan = training.plan(session)?;
        let again = PipelineRunId::new(format!("{}-again", training.id(session)?))?;
        let again =
            session.executor(CachePolicy::Use)?.run(&plan, &again, cancel).await?.into_result()?;
        anyhow::ensure!(
            again.cached() == plan.steps().len(),
            "the same plan ran a step again: {again:?}"
        );
        let version = first.version.context("the pipeline registered no version")?;
        let summary = format!(
            "{} steps ran, {} from the cache; the same plan again: {} of {} cached; version {version} registered",
            first.pipeline.ran(),
            first.pipeline.cached(),
            again.cached(),
            plan.steps().len(),
        );
        session.done(Phase::Pipeline, began, summary).await?;
    }
    bar.finish_and_clear();
    Ok(first)
}

/// Executes every finished training again with the cache off, and compares all outputs.
pub(crate) async fn reproduce(session: &mut Session, cancel: &Cancel) -> Result<()> {
    if session.is_done(Phase::Reproduce) {
        return Ok(());
    }
    let began = Instant::now();
    let runs = RunQuery::default().in_experiment(session.experiment.clone());
    let runs: Vec<Run> = session.store.meta().search_runs(runs).try_collect().await?;
    let tag = TagKey::new(REPRODUCED_TAG)?;
    let finished: Vec<&Run> = runs.iter().filter(|run| run.status == RunStatus::Finished).collect();
    let bar = progress::bar(finished.len() as u64, "reproduce".to_owned());
    let (shared, tag) = (&*session, &tag);
    let verdicts = futures::stream::iter(&finished).map(|run| async {
        let verdict = match run.tags.get(tag) {
            Some(known) => known.clone(),
            None => reproduce_one(shared, run, tag, cancel).await?,
        };
        bar.inc(1);
        anyhow::Ok(verdict)
    });
    let verdicts: Vec<String> = verdicts.buffer_unordered(AT_ONCE).try_collect().await?;
    let same = verdicts.iter().filter(|verdict| *verdict == "bitwise").count();
    bar.finish_and_clear();
    let summary =
        format!("{same} of {} runs gave the same digests with the cache off", finished.len());
    session.done(Phase::Reproduce, began, summary).await
}

async fn reproduce_one(
    session: &Session,
    run: &Run,
    tag: &TagKey,
    cancel: &Cancel,
) -> Result<String> {
    let text = run.tags.get("training").context("a run does not say what it trained")?;
    // Registering again would be an effect, not a reproduction.
    let training = Training { ends: Ending::Evaluated, ..serde_json::from_str(text)? };
    let plan = training.plan(session)?;
    let id = training.id(session)?;
    let original = PipelineRun::load(&*session.store.meta(), plan.name(), &id).await?;
    let again = PipelineRunId::new(format!("{id}-reproduced"))?;
    let again =
        session.executor(CachePolicy::Off)?.run(&plan, &again, cancel).await?.into_result()?;
    let values = ["rows", "model", "history", "evaluation"];
    let differing =
        values.into_iter().filter(|value| original.output(value) != again.output(value));
    let differing: Vec<&str> = differing.collect();
    let verdict = if differing.is_empty() {
        "bitwise".to_owned()
    } else {
        format!("differs: {}", differing.join(", "))
    };
    let batch =
        LogBatch::new(IdempotencyKey::new("reproduced")?).tag(tag.clone(), verdict.as_str());
    session.store.meta().log_batch(&run.id, batch).await?;
    Ok(verdict)
}

/// Steps that ran, and that came from the cache, over the whole demo; re-executions do not count.
pub(crate) async fn step_counts(session: &Session) -> Result<(usize, usize)> {
    let journal = session.store.meta();
    let mut counts = (0, 0);
    for (pipeline, id) in mlops_core::pipeline::pipeline_runs(&*journal).await? {
        let own = id.as_str().strip_prefix(&session.name).is_some_and(|rest| rest.starts_with('-'));
        if own && !id.as_str().ends_with("-reproduced") {
            let run = PipelineRun::load(&*journal, &pipeline, &id).await?;
            counts.0 += run.ran();
            counts.1 += run.cached();
        }
    }
    Ok(counts)
}

//! What a demo says at its end: one JSON object, or words.

use anyhow::Result;
use futures::TryStreamExt as _;
use mlops_core::lifecycle::{Event, Kpis, Signal};
use mlops_core::tracking::{Run, RunQuery, TrackingStore as _};
use serde_json::{Value, json};

use super::live::{self, Requests};
use super::session::Session;
use super::{phases, timeline};
use crate::cmd::kpi;
use crate::output;

/// Everything that is known at the end.
pub(crate) struct Summary {
    pub(crate) seconds: f64,
    pub(crate) runs: usize,
    pub(crate) ran: usize,
    pub(crate) cached: usize,
    pub(crate) events: Vec<Event>,
    pub(crate) kpis: Kpis,
    pub(crate) requests: Requests,
    pub(crate) rollouts: Vec<Value>,
}

impl Summary {
    pub(crate) async fn of(session: &Session, events: Vec<Event>, seconds: f64) -> Result<Self> {
        let meta = session.store.meta();
        let query = RunQuery::default().in_experiment(session.experiment.clone());
        let runs: Vec<Run> = meta.search_runs(query).try_collect().await?;
        let (ran, cached) = phases::step_counts(session).await?;
        let kpis = session.kpis().await?;
        let requests = live::requests(&*meta, &session.name).await?;
        let rollouts = live::rollouts(session).await?;
        Ok(Self { seconds, runs: runs.len(), ran, cached, events, kpis, requests, rollouts })
    }

    /// `mlops.demo/1`.
    pub(crate) fn json(&self, session: &Session) -> Value {
        json!({
            "schema": "mlops.demo/1",
            "ok": session.is_ok(),
            "seconds": output::number(self.seconds),
            "store": session.store.root().display().to_string(),
            "lifecycle": session.name,
            "resumed": session.resumed,
            "phases": session.phases,
            "runs": self.runs,
            "pipeline": { "ran": self.ran, "cached": self.cached },
            "alarms": self.events.iter().filter_map(alarm).collect::<Vec<_>>(),
            "retrainings": retrainings(&self.events),
            "failures": self.events.iter().filter_map(failure).collect::<Vec<_>>(),
            "evaluations": evaluations(&self.events),
            "reviews": self.events.iter().filter_map(review).collect::<Vec<_>>(),
            "rollouts": self.rollouts,
            "requests": { "sent": self.requests.sent, "failed": self.requests.failed },
            "kpis": kpi::as_json(&self.kpis, &self.requests),
        })
    }

    /// The same in words.
    pub(crate) fn text(&self, session: &Session) -> String {
        let phases = session.phases.iter().map(|phase| {
            [phase.name.word().to_owned(), output::span(Some(phase.seconds)), phase.summary.clone()]
        });
        let story: Vec<String> = self.events.iter().filter_map(timeline::line).collect();
        let root = session.store.root().display();
        format!(
            "{}\n\n{}\n\n{}\n\n{}, {} runs, {} steps ran and {} came from the cache, {}\n{} requests, {} failed; {} rollouts\n\n\
             store  {root}\npage   {root}/{}.html\n\ntry\n  \
             mlops --store {root} runs --experiment flight-delay-{} --by auc\n  \
             mlops --store {root} runs diff boosting boosting-deep\n  \
             mlops --store {root} models show {}\n  \
             mlops --store {root} gateway {}        (brings the endpoint up again)\n  \
             mlops --store {root} pipeline\n  \
             mlops demo --dir {root}        (again: a new lifecycle on the same cache)",
            output::table(["PHASE", "TOOK", ""], phases),
            story.join("\n"),
            kpi::table(&self.kpis, &self.requests),
            session.name,
            self.runs,
            self.ran,
            self.cached,
            output::span(Some(self.seconds)),
            self.requests.sent,
            self.requests.failed,
            self.rollouts.len(),
            session.name,
            session.name,
            session.model,
            session.model,
        )
    }
}

fn alarm(event: &Event) -> Option<Value> {
    let Event::Raised(Signal { at, subject, kind, statistic, value, threshold, p_value, clusters }) =
        event
    else {
        return None;
    };
    Some(json!({
        "at": at.to_string(), "subject": subject, "kind": kind, "statistic": statistic,
        "value": output::number(*value), "threshold": output::number(*threshold),
        "p_value": output::maybe(*p_value), "clusters": clusters,
    }))
}

/// A retraining or a review that could not be made.
fn failure(event: &Event) -> Option<&str> {
    match event {
        Event::RetrainingFailed { error } | Event::ReviewFailed { error } => Some(error),
        _ => None,
    }
}

fn retrainings(events: &[Event]) -> Vec<Value> {
    let mut open = None;
    let mut done = Vec::new();
    for event in events {
        match event {
            Event::RetrainingStarted(retraining) => open = Some(retraining),
            Event::ChallengerTrained(challenger) => done.extend(open.take().map(|retraining| {
                let (at, cause) = (retraining.at.to_string(), &retraining.cause);
                json!({ "at": at, "cause": cause, "run_id": challenger.run, "model_version": challenger.version })
            })),
            _ => {}
        }
    }
    done
}

fn comparison(evaluation: &mlops_core::lifecycle::Evaluation) -> Value {
    json!({
        "at": evaluation.contest.at.to_string(),
        "champion": evaluation.contest.champion,
        "challenger": evaluation.contest.challenger,
        "metric": evaluation.metric,
        "champion_value": output::number(evaluation.champion_value),
        "challenger_value": output::number(evaluation.challenger_value),
        "interval": evaluation.interval.map(output::number),
        "labels_from": evaluation.labels_from.to_string(),
        "labels_to": evaluation.labels_to.to_string(),
        "rows": evaluation.rows,
    })
}

fn evaluations(events: &[Event]) -> Vec<Value> {
    let judged = timeline::judged(events).into_iter().map(|judged| {
        let mut object = comparison(judged.evaluation);
        object["verdict"] = judged.outcome.word().into();
        object["reason"] = judged.reason.into();
        object
    });
    judged.collect()
}

/// A promoted version against its predecessor, after its probation.
fn review(event: &Event) -> Option<Value> {
    match event {
        Event::Reviewed(evaluation) => Some(comparison(evaluation)),
        _ => None,
    }
}

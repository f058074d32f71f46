//! A version takes over from another while requests are answered, or is taken back.

use std::time::Duration;

use anyhow::{Context as _, Result};
use mlops_core::Error;
use mlops_core::deploy::{Probe, Process, RevisionRef, RevisionSpec, Stickiness, Workload};
use mlops_core::id::{EndpointName, IdempotencyKey, RevisionName, VersionNumber};
use mlops_core::rollout::analysis::AnalysisOptions;
use mlops_core::rollout::machine::{Aborting, Draining, Entry, Event, Phase, Stage, State};
use mlops_core::rollout::{
    Command, Deadlines, Hold, OnNoData, Order, OrderNumber, RolloutSpec, Strategy, history, send,
};
use mlops_core::time::{Clock as _, Timestamp};
use serde_json::{Value, json};

use super::Endpoint;
use super::client::KEY;
use crate::demo::calendar::{DAY, END, HOUR, moment, seconds};
use crate::demo::session::Session;

/// Between two looks at a rollout.
const PIECE: i64 = 6 * HOUR;
/// The shares of a canary.
const STEPS: [u8; 3] = [25, 50, 100];
/// Requests that each revision must have answered in a step: three airports, six hours.
const SAMPLES: u64 = 15;

/// How a rollout ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rolled {
    Out,
    Back { reason: String },
}

impl Endpoint<'_> {
    /// Puts a version into service while requests are answered. The same call after a crash goes on.
    pub(crate) async fn roll_out(
        &self,
        from: Option<VersionNumber>,
        to: VersionNumber,
        asked: Timestamp,
        why: &str,
    ) -> Result<Rolled> {
        let spec = self.spec(from, to)?;
        let key = format!("roll-to-{to}-at-{asked}");
        let number = self.order(&key, why, Command::Roll(Box::new(spec))).await?;
        loop {
            self.settle().await?;
            let entries = history(&*self.session.store.meta(), &self.name).await?;
            if let Some(rolled) = outcome(&entries, number)? {
                return Ok(rolled);
            }
            let at = self.answers.lock().await.to();
            if at < END {
                self.answer_until((at + PIECE).min(END)).await?;
            } else {
                // The data ends before the evidence is in: nothing is decided without it.
                self.order(&format!("{key}-end"), "the data has ended", Command::Abort).await?;
                let now = seconds(self.clock.now());
                self.clock.set(moment(now + DAY));
            }
        }
    }

    async fn order(&self, key: &str, why: &str, command: Command) -> Result<OrderNumber> {
        let (by, why) = ("demo".to_owned(), why.to_owned());
        let order = Order { key: IdempotencyKey::new(key)?, by, why, command };
        Ok(send(&*self.session.store.meta(), &self.name, &order).await?)
    }

    fn spec(&self, from: Option<VersionNumber>, to: VersionNumber) -> Result<RolloutSpec> {
        let stable = from.map(revision).transpose()?;
        let hour = |hours: i64| Duration::from_secs((hours * HOUR) as u64);
        let hold = Hold { min: hour(6), max: hour(10 * 24), samples: SAMPLES };
        let analysis = AnalysisOptions::default().with_look_every(hour(6)).with_stale(hour(48));
        let deadlines = Deadlines::default().with_drain(hour(6), hour(24));
        let new = revision_spec(self.session, &self.name, to)?;
        Ok(RolloutSpec::new(stable, new, Strategy::canary(&STEPS)?)?
            .with_hold(hold)
            .with_analysis(analysis)
            .with_deadlines(deadlines)
            .with_on_no_data(OnNoData::Abort)
            .with_stickiness(Stickiness { header: KEY.to_owned() }))
    }
}

fn revision(version: VersionNumber) -> Result<RevisionName> {
    Ok(RevisionName::new(format!("v{version}"))?)
}

/// This program, serving one version.
fn revision_spec(
    session: &Session,
    endpoint: &EndpointName,
    version: VersionNumber,
) -> Result<RevisionSpec> {
    let program = std::env::current_exe().context("this program has no file")?;
    let program = program.to_str().context("this program's path is not UTF-8")?;
    let root = std::path::absolute(session.store.root()).context("the store has no path")?;
    let root = root.to_str().context("the store's path is not UTF-8")?;
    let target = format!("{}/{version}", session.model);
    let argv = [program, "--store", root, "serve", &target, "--port", "{port}"];
    let name = RevisionRef { endpoint: endpoint.clone(), revision: revision(version)? };
    let interval = Duration::from_millis(50);
    let probe = Probe { interval, deadline: Duration::from_secs(60), ..Probe::default() };
    Ok(RevisionSpec::new(name, Workload::Process(Process::new(argv)?))
        .with_probe(probe)
        .with_model(session.model.clone(), u64::from(version.0)))
}

/// Whether what comes next is up to processes and traffic, not to the data's time.
pub(super) fn waits_for_the_world(state: &State) -> bool {
    let phase = state.rollout.as_ref().map(|rollout| &rollout.phase);
    let moving = match phase {
        Some(Phase::Applying | Phase::Warming(_)) => true,
        Some(Phase::Step { stage, .. } | Phase::Shadowing(stage)) => *stage == Stage::Shifting,
        Some(Phase::Draining(draining)) => *draining == Draining::Ending,
        Some(Phase::Aborting { stage, .. }) => *stage != Aborting::Emptying,
        _ => false,
    };
    moving || !state.is_settled() || !state.orphans.is_empty()
}

/// How the rollout that an order asked for has ended; `None` while it is open.
fn outcome(entries: &[Entry], order: OrderNumber) -> Result<Option<Rolled>> {
    let answers = |entry: &&Entry| entry.answers.as_ref().is_some_and(|it| it.order == order);
    let Some(begun) = entries.iter().position(|entry| answers(&entry)) else { return Ok(None) };
    if let Event::Refused { reason } = &entries[begun].event {
        return Err(Error::invalid(format!("a rollout was refused: {reason}")).into());
    }
    let mut why = String::new();
    for entry in &entries[begun..] {
        match &entry.event {
            Event::Aborted { reason } => why.clone_from(reason),
            Event::Done => return Ok(Some(Rolled::Out)),
            Event::RolledBack => return Ok(Some(Rolled::Back { reason: why })),
            _ => {}
        }
    }
    Ok(None)
}

/// Every rollout of a demo that took over from another version, as `mlops.demo/1` has them.
pub(crate) async fn rollouts(session: &Session) -> Result<Vec<Value>> {
    let endpoint = EndpointName::new(session.model.as_str())?;
    let entries = history(&*session.store.meta(), &endpoint).await?;
    let mut all = Vec::new();
    let mut open: Option<Value> = None;
    let mut reason = None;
    for entry in &entries {
        match &entry.event {
            Event::Started { spec } => {
                let number =
                    |name: &RevisionName| name.as_str().trim_start_matches('v').parse::<u64>().ok();
                reason = entry.answers.as_ref().map(|answered| answered.why.clone());
                open = spec.stable.as_ref().map(|stable| {
                    json!({
                        "at": entry.at.to_string(), "model_version": number(spec.canary()),
                        "from": number(stable), "strategy": "canary",
                    })
                });
            }
            Event::Aborted { reason: why } => reason = Some(why.clone()),
            Event::Done | Event::RolledBack => {
                let verdict = if entry.event == Event::Done { "promoted" } else { "rolled_back" };
                if let Some(mut rollout) = open.take() {
                    rollout["verdict"] = verdict.into();
                    rollout["reason"] = reason.take().unwrap_or_default().into();
                    all.push(rollout);
                }
            }
            _ => {}
        }
    }
    Ok(all)
}

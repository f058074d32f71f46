//! `mlops deploy apply`: a rollout from the command line's words.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use mlops_core::deploy::{
    Percent, Probe, Process, RevisionRef, RevisionSpec, Stickiness, Workload,
};
use mlops_core::fingerprint::{Label, Value, digest};
use mlops_core::id::{EndpointName, RevisionName};
use mlops_core::rollout::{
    Command, Deadlines, Hold, OnNoData, RolloutSpec, Shadow, Strategy, send, status,
};
use mlops_core::{Error, ErrorKind};
use mlops_store::LocalStore;

use super::wait::{Fate, wait};
use super::{accepted, answered, order, tell};
use crate::args::{ApplyArgs, NoDataArg, StrategyArg};
use crate::cmd::serve::models;
use crate::{exit, output};

pub(super) async fn run(store: &LocalStore, args: ApplyArgs, json: bool) -> Result<ExitCode> {
    let endpoint = EndpointName::new(&args.endpoint)?;
    let now = status(&*store.meta(), &endpoint).await?;
    let new = revision(store, &endpoint, &args).await?;
    let name = new.revision.revision.clone();
    if now.stable.as_ref() == Some(&name) {
        let message = format!("the revision serves already: endpoint={endpoint} revision={name}");
        return Err(Error::new(ErrorKind::Conflict, message).into());
    }
    if let (Some(first), None) = (&now.reconciling, &now.stable) {
        let message = format!(
            "the endpoint's first revision is not out yet, wait for it: endpoint={endpoint} revision={}",
            first.revision
        );
        return Err(Error::new(ErrorKind::Conflict, message).into());
    }
    let limit = seconds("time to wait", args.wait_for)?;
    let spec = rollout(now.stable, new, &args)?;
    let order = order(&args.why, Command::Roll(Box::new(spec)));
    let number = send(&*store.meta(), &endpoint, &order).await?;
    let event = answered(store, &endpoint, number).await?;
    if !args.wait {
        tell(&endpoint, number, event.as_ref(), json)?;
        return Ok(ExitCode::SUCCESS);
    }
    accepted(&endpoint, event.as_ref())?;
    if event.is_none() {
        output::say(&format!("waiting for `mlops gateway {endpoint}` to carry it out"));
    }
    let fate = wait(store, &endpoint, (number, &name), limit).await?;
    output::read_or_not(super::show::show(store, &endpoint, json).await)?;
    Ok(match fate {
        Fate::Out => ExitCode::SUCCESS,
        Fate::Paused { reason } => {
            output::say(&format!(
                "{name} is paused ({reason}): `mlops deploy resume {endpoint}` goes on"
            ));
            ExitCode::from(exit::NOT_FOUND_OR_CONFLICT)
        }
        _ => ExitCode::from(exit::BAD_INPUT),
    })
}

/// What is to run: a command as it is given, or this program serving a model.
async fn revision(
    store: &LocalStore,
    endpoint: &EndpointName,
    args: &ApplyArgs,
) -> Result<RevisionSpec> {
    let named = |name: &str| {
        Ok::<_, Error>(RevisionRef {
            endpoint: endpoint.clone(),
            revision: RevisionName::new(name)?,
        })
    };
    let probe = Probe { path: args.ready.clone(), ..Probe::default() };
    let spec = match &args.model {
        None => {
            let name = args.name.as_deref().context("a command needs a name for its revision")?;
            let folder = std::env::current_dir().context("there is no current folder")?;
            let process = Process::new(args.command.clone())?.with_folder(folder);
            RevisionSpec::new(named(name)?, Workload::Process(process))
        }
        Some(model) => {
            let found = models::resolve(&*store.meta(), &model.parse()?).await?.version;
            let root = std::path::absolute(store.root()).context("the store has no path")?;
            let root = root.to_str().context("the store's path is not UTF-8")?;
            let program = std::env::current_exe().context("this program has no file")?;
            let program = program.to_str().context("this program's path is not UTF-8")?;
            let target = format!("{}/{}", found.model, found.number);
            let argv = [program, "--store", root, "serve", &target, "--port", "{port}"];
            let process = Process::new(argv)?;
            let content = Value::map([("argv", Value::from(process.argv.clone()))]).canonical();
            let hex = digest(Label::Step, &content).to_string();
            let name = format!("v{}-{}", found.number, &hex[hex.len() - 8..]);
            let name = args.name.clone().unwrap_or(name);
            RevisionSpec::new(named(&name)?, Workload::Process(process))
                .with_model(found.model, u64::from(found.number.0))
        }
    };
    Ok(spec.with_replicas(args.replicas).with_probe(probe))
}

fn rollout(
    stable: Option<RevisionName>,
    new: RevisionSpec,
    args: &ApplyArgs,
) -> Result<RolloutSpec> {
    let strategy = match args.strategy {
        StrategyArg::Canary => Strategy::canary(&args.steps)?,
        StrategyArg::BlueGreen => Strategy::BlueGreen,
    };
    let min = seconds("hold", args.hold)?;
    let max = min.saturating_mul(10).max(Duration::from_secs(600));
    let hold = Hold { min, max, samples: args.samples };
    let delay = seconds("drain delay", args.drain_delay)?;
    let deadlines = Deadlines::default().with_drain(delay, delay + Duration::from_secs(300));
    let on_no_data = match args.on_no_data {
        NoDataArg::Pause => OnNoData::Pause,
        NoDataArg::Abort => OnNoData::Abort,
        NoDataArg::Advance => OnNoData::Advance,
    };
    let mut spec = RolloutSpec::new(stable, new, strategy)?
        .with_hold(hold)
        .with_deadlines(deadlines)
        .with_on_no_data(on_no_data);
    // Looks often enough for short steps.
    let every = (min / 10).clamp(Duration::from_millis(500), Duration::from_secs(10));
    spec.analysis = spec.analysis.with_look_every(every);
    if let Some(percent) = args.shadow {
        spec = spec.with_shadow(Shadow { percent: Percent::new(percent)?, hold, quality: None });
    }
    if let Some(header) = &args.sticky {
        spec = spec.with_stickiness(Stickiness { header: header.to_lowercase() });
    }
    spec.check()?;
    Ok(spec)
}

fn seconds(what: &str, seconds: f64) -> Result<Duration> {
    let wrong = |_| Error::invalid(format!("not a {what} in seconds: {seconds}"));
    Ok(Duration::try_from_secs_f64(seconds).map_err(wrong)?)
}

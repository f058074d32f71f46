//! `mlops deploy`: orders to the controller of an endpoint, and what became of them.

mod apply;
mod show;
mod wait;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use mlops_core::deploy::{LogLine, RevisionRef};
use mlops_core::id::{Address, EndpointName, Ids as _, RandomIds, RevisionName};
use mlops_core::rollout::machine::{Event, Pause};
use mlops_core::rollout::{
    Command, EndpointStatus, Order, OrderNumber, answer, orders_after, send, status,
};
use mlops_core::{Error, ErrorKind};
use mlops_deploy::gateway::RemoteGateway;
use mlops_deploy::process::kept_logs;
use mlops_store::LocalStore;
use serde_json::{Value, json};

use super::control::{Controlled, REVISIONS};
use crate::args::{DeployAction, DeployArgs, OrderArgs};
use crate::context::Stop;
use crate::{context, output};

/// How long an order's answer is waited for.
const ANSWER: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);

pub(crate) async fn run(store: &Path, args: DeployArgs) -> Result<ExitCode> {
    let json = args.json;
    match args.action {
        DeployAction::Apply(apply) => {
            // A model is in a store that is there; a command may be the first thing in a new one.
            let store = match apply.model {
                Some(_) => context::open(store)?,
                None => LocalStore::open(store)?,
            };
            return apply::run(&store, *apply, json).await;
        }
        DeployAction::Control { endpoint, gateway } => {
            let endpoint = EndpointName::new(endpoint)?;
            control(store, endpoint, Address::new(gateway)?, json).await?;
        }
        DeployAction::Status { endpoint } => {
            show::show(&context::open(store)?, &EndpointName::new(endpoint)?, json).await?;
        }
        DeployAction::Pause(order) => give(store, order, Command::Pause, json).await?,
        DeployAction::Resume(order) => give(store, order, Command::Resume, json).await?,
        DeployAction::Promote(order) => give(store, order, Command::Promote, json).await?,
        DeployAction::Abort(order) => give(store, order, Command::Abort, json).await?,
        DeployAction::Logs { endpoint, revision, tail } => {
            let endpoint = EndpointName::new(endpoint)?;
            let store = context::open(store)?;
            known(&store, &endpoint).await?;
            logs(&store, &endpoint, revision.as_deref(), tail, json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Controls an endpoint whose gateway is another process.
async fn control(store: &Path, endpoint: EndpointName, address: Address, json: bool) -> Result<()> {
    let mut stop = Stop::listen()?;
    let remote = Arc::new(RemoteGateway::new(address.clone()));
    let store = LocalStore::open(store)?;
    let parts = (Arc::clone(&remote) as _, remote as _);
    let Some(controlled) = Controlled::open(&store, endpoint.clone(), parts, &mut stop).await?
    else {
        return Ok(());
    };
    output::say(&format!("{endpoint}: controlled here, requests by {address}"));
    if json {
        let object =
            json!({ "schema": "mlops.deploy.control/1", "endpoint": endpoint, "gateway": address });
        // It is controlled whether or not somebody reads so.
        if let Err(error) = output::read_or_not(output::json(&object)) {
            controlled.stop().await;
            return Err(error);
        }
    }
    controlled.run(&mut stop).await.close().await
}

/// Refuses an endpoint that nobody has ever asked anything of.
async fn known(store: &LocalStore, endpoint: &EndpointName) -> Result<(EndpointStatus, usize)> {
    let journal = store.meta();
    let now = status(&*journal, endpoint).await?;
    let waiting = orders_after(&*journal, endpoint, now.answered).await?.len();
    if now.answered == OrderNumber(0) && waiting == 0 {
        return Err(Error::not_found("endpoint", endpoint).into());
    }
    Ok((now, waiting))
}

/// Who gives orders: the person at the terminal.
fn order(why: &str, command: Command) -> Order {
    let by = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let by = by.unwrap_or_else(|| "unknown".to_owned());
    Order { key: RandomIds.idempotency_key(), by, why: why.to_owned(), command }
}

async fn give(store: &Path, args: OrderArgs, command: Command, json: bool) -> Result<()> {
    let store = context::open(store)?;
    let endpoint = EndpointName::new(&args.endpoint)?;
    known(&store, &endpoint).await?;
    let number = send(&*store.meta(), &endpoint, &order(&args.why, command)).await?;
    let event = answered(&store, &endpoint, number).await?;
    tell(&endpoint, number, event.as_ref(), json)
}

/// Waits a little for what an order led to.
async fn answered(
    store: &LocalStore,
    endpoint: &EndpointName,
    number: OrderNumber,
) -> Result<Option<Event>> {
    let until = tokio::time::Instant::now() + ANSWER;
    loop {
        let event = answer(&*store.meta(), endpoint, number).await?;
        if event.is_some() || tokio::time::Instant::now() >= until {
            return Ok(event);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A refusal is an error.
fn accepted(endpoint: &EndpointName, event: Option<&Event>) -> Result<()> {
    let Some(Event::Refused { reason }) = event else { return Ok(()) };
    let message = format!("the order was refused: endpoint={endpoint} reason={reason}");
    Err(Error::new(ErrorKind::Conflict, message).into())
}

/// Says what an order led to.
fn tell(
    endpoint: &EndpointName,
    number: OrderNumber,
    event: Option<&Event>,
    json: bool,
) -> Result<()> {
    accepted(endpoint, event)?;
    if json {
        let object = json!({
            "schema": "mlops.deploy.order/1", "endpoint": endpoint, "order": number,
            "answered": event.is_some(), "event": event.map(brief).transpose()?,
        });
        return output::json(&object);
    }
    match event {
        Some(_) => output::text(&format!("order {number} is being carried out")),
        None => output::text(&format!(
            "order {number} is recorded; `mlops gateway {endpoint}` carries it out, and does not run now"
        )),
    }
}

/// What an event is and why; the rest of it is the journal's own.
fn brief(event: &Event) -> Result<Value> {
    let kind = serde_json::to_value(event)?["kind"].take();
    let reason = match event {
        Event::Dropped { reason } | Event::Aborted { reason } | Event::Stuck { reason } => {
            Some(reason.clone())
        }
        Event::Paused(reason) => Some(why(reason)?),
        _ => None,
    };
    Ok(json!({ "kind": kind, "reason": reason }))
}

/// Why a rollout waits, in one word.
fn why(reason: &Pause) -> Result<String> {
    Ok(match serde_json::to_value(reason)? {
        Value::String(word) => word,
        other => other.as_object().and_then(|it| it.keys().next()).cloned().unwrap_or_default(),
    })
}

fn logs(
    store: &LocalStore,
    endpoint: &EndpointName,
    revision: Option<&str>,
    tail: usize,
    json: bool,
) -> Result<()> {
    let folder = store.root().join(REVISIONS).join(endpoint.as_str());
    let revision = revision.map(RevisionName::new).transpose()?;
    let lines: Vec<(RevisionRef, LogLine)> = kept_logs(&folder, endpoint, revision.as_ref(), tail)?;
    if json {
        let line = |(name, line): &(RevisionRef, LogLine)| json!({ "revision": name.revision, "replica": line.replica, "text": line.text });
        let lines: Vec<_> = lines.iter().map(line).collect();
        let object =
            json!({ "schema": "mlops.deploy.logs/1", "endpoint": endpoint, "lines": lines });
        return output::json(&object);
    }
    let line = |(name, line): &(RevisionRef, LogLine)| {
        format!("{} {} | {}", name.revision, line.replica, line.text)
    };
    output::text(&lines.iter().map(line).collect::<Vec<_>>().join("\n"))
}

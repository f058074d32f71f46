//! `mlops deploy`: orders to the controller of an endpoint, and what became of them.

mod apply;
mod status;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use mlops_core::deploy::{LogLine, RevisionRef};
use mlops_core::id::{Address, EndpointName, Ids as _, RandomIds, RevisionName};
use mlops_core::rollout::machine::Event;
use mlops_core::rollout::{Command, Order, OrderNumber, answer, send};
use mlops_core::{Error, ErrorKind};
use mlops_deploy::gateway::RemoteGateway;
use mlops_deploy::process::kept_logs;
use mlops_store::LocalStore;
use serde_json::json;

use super::gateway;
use crate::args::{DeployAction, DeployArgs, OrderArgs};
use crate::{context, output};

/// How long an order's answer is waited for.
const ANSWER: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);

pub(crate) async fn run(store: &Path, args: DeployArgs) -> Result<ExitCode> {
    let json = args.json;
    match args.action {
        DeployAction::Apply(apply) => {
            let store = LocalStore::open(store)?;
            return apply::run(&store, *apply, json).await;
        }
        DeployAction::Control { endpoint, gateway: address } => {
            let remote = Arc::new(RemoteGateway::new(Address::new(address)?));
            let store = LocalStore::open(store)?;
            let endpoint = EndpointName::new(endpoint)?;
            gateway::control(&store, endpoint, remote.clone(), remote).await?;
        }
        DeployAction::Status { endpoint } => {
            status::show(&context::open(store)?, &EndpointName::new(endpoint)?, json).await?;
        }
        DeployAction::Pause(order) => give(store, order, Command::Pause, json).await?,
        DeployAction::Resume(order) => give(store, order, Command::Resume, json).await?,
        DeployAction::Promote(order) => give(store, order, Command::Promote, json).await?,
        DeployAction::Abort(order) => give(store, order, Command::Abort, json).await?,
        DeployAction::Logs { endpoint, revision, tail } => {
            let endpoint = EndpointName::new(endpoint)?;
            logs(&context::open(store)?, &endpoint, revision.as_deref(), tail, json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
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

/// Says what an order led to; a refusal is an error.
fn tell(
    endpoint: &EndpointName,
    number: OrderNumber,
    event: Option<&Event>,
    json: bool,
) -> Result<()> {
    if let Some(Event::Refused { reason }) = event {
        let message = format!("the order was refused: endpoint={endpoint} reason={reason}");
        return Err(Error::new(ErrorKind::Conflict, message).into());
    }
    if json {
        let object = json!({
            "schema": "mlops.deploy.order/1", "endpoint": endpoint, "order": number,
            "answered": event.is_some(), "event": event,
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

fn logs(
    store: &LocalStore,
    endpoint: &EndpointName,
    revision: Option<&str>,
    tail: usize,
    json: bool,
) -> Result<()> {
    let folder = store.root().join(gateway::REVISIONS).join(endpoint.as_str());
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

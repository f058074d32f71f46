//! `mlops deploy status`: what serves, apart from what is being changed.

use anyhow::Result;
use mlops_core::id::EndpointName;
use mlops_core::rollout::{EndpointStatus, Reconciling, history};
use mlops_store::LocalStore;
use serde_json::{Value, json};

use crate::output;

pub(super) async fn show(store: &LocalStore, endpoint: &EndpointName, json: bool) -> Result<()> {
    let journal = store.meta();
    let (now, waiting) = super::known(store, endpoint).await?;
    if json {
        let object = json!({
            "schema": "mlops.deploy/1", "endpoint": endpoint, "serving": now.serving, "stable": now.stable,
            "reconciling": now.reconciling.as_ref().map(change), "last": now.last, "orders_waiting": waiting,
        });
        return output::json(&object);
    }
    let mut lines = text(endpoint, &now);
    if waiting > 0 {
        lines.push(format!("waiting      {waiting} orders: no controller has answered them"));
    }
    for entry in history(&*journal, endpoint).await?.iter().rev().take(10).rev() {
        let event = serde_json::to_value(&entry.event)?;
        let by = entry.answers.as_ref().map(|it| format!("  by {} {}", it.by, it.why));
        let (kind, by) = (event["kind"].as_str().unwrap_or("-"), by.unwrap_or_default());
        lines.push(format!("  {}  {kind}{by}", entry.at));
    }
    output::text(&lines.join("\n"))
}

/// A change that is going on; its time as people and machines write it.
fn change(change: &Reconciling) -> Value {
    json!({
        "rollout": change.rollout, "revision": change.revision, "phase": change.phase,
        "since": change.since.to_string(), "awaiting": change.awaiting,
    })
}

fn text(endpoint: &EndpointName, now: &EndpointStatus) -> Vec<String> {
    let serving = match &now.serving {
        None => "nothing".to_owned(),
        Some(serving) => {
            let share = |(name, share): (&_, &_)| format!("{name} {share}");
            serving.shares.iter().map(share).collect::<Vec<_>>().join(", ")
        }
    };
    let mut lines = vec![format!("endpoint     {endpoint}"), format!("serving      {serving}")];
    if let Some(change) = &now.reconciling {
        lines.push(format!(
            "changing     rollout {} to {}: {} since {}",
            change.rollout, change.revision, change.phase, change.since
        ));
    }
    if let Some(last) = &now.last {
        let reason = last.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let (rollout, revision, phase) = (last.rollout, &last.revision, &last.phase);
        lines.push(format!("last         rollout {rollout} to {revision}: {phase}{reason}"));
    }
    lines
}

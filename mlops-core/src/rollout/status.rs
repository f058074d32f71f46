//! How an endpoint is, told from its journal alone: what serves, apart from what is being changed.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::command::{OrderNumber, journal_stream};
use super::machine::{Entry, Event, Phase, State, replay};
use crate::deploy::{Generation, Percent};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EndpointName, RevisionName, StreamName};
use crate::journal::{Journal, JournalStore, Recorded};
use crate::time::Timestamp;

/// How an endpoint is, as far as it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointStatus {
    /// What answers requests: the split that was seen in effect last. None before the first.
    pub serving: Option<Serving>,
    /// What is being changed; none when nothing is.
    pub reconciling: Option<Reconciling>,
    /// The revision that answers when nothing is being rolled out.
    pub stable: Option<RevisionName>,
    /// How the last rollout ended, or that it has not: its phase's word, and why.
    pub last: Option<Outcome>,
    /// The last order that was answered.
    pub answered: OrderNumber,
}

/// What answers requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// Which asking this was.
    pub generation: Generation,
    /// The shares above 0.
    pub shares: BTreeMap<RevisionName, Percent>,
}

/// What is being changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciling {
    /// Which rollout.
    pub rollout: u64,
    /// The revision that is to take over.
    pub revision: RevisionName,
    /// Where it stands.
    pub phase: String,
    /// Since when.
    pub since: Timestamp,
    /// A generation that was asked for and is not seen in effect yet.
    pub awaiting: Option<Generation>,
}

/// How a rollout ended, or where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which rollout.
    pub rollout: u64,
    /// The revision that was to take over.
    pub revision: RevisionName,
    /// Its phase.
    pub phase: String,
    /// Why, where there is something to say.
    pub reason: Option<String>,
}

/// How an endpoint is, without a controller. Nothing was recorded of an endpoint that is unknown.
///
/// # Errors
/// Those of the store; `Corrupt` for a journal that makes no sense.
pub async fn status(store: &dyn JournalStore, endpoint: &EndpointName) -> Result<EndpointStatus> {
    let entries = history(store, endpoint).await?;
    Ok(EndpointStatus::of(&replay(&entries)?))
}

/// Everything recorded of an endpoint, oldest first.
///
/// # Errors
/// Those of the store; `Corrupt` for an entry that can't be read.
pub async fn history(store: &dyn JournalStore, endpoint: &EndpointName) -> Result<Vec<Entry>> {
    let recorded = Journal::<Entry>::history(store, &journal_stream(endpoint)?).await?;
    Ok(recorded.into_iter().map(|(_, entry)| entry).collect())
}

/// What an order led to; `None` while no controller has answered it.
///
/// # Errors
/// Those of the store; `Corrupt` for an answer that can't be read.
pub async fn answer(
    store: &dyn JournalStore,
    endpoint: &EndpointName,
    order: OrderNumber,
) -> Result<Option<Event>> {
    let stream = journal_stream(endpoint)?;
    // Backwards, in growing parts: who asks has mostly just given the order.
    let mut end = store.last(&stream).await?.map_or(0, |last| last.sequence) + 1;
    let mut size = 64;
    while end > 1 {
        let from = end.saturating_sub(size).max(1);
        let part = usize::try_from(end - from).unwrap_or(usize::MAX);
        let part: Vec<Recorded> = store.read(&stream, from).take(part).try_collect().await?;
        let answers = |it: &Recorded| it.entry["answers"]["order"].as_u64() == Some(order.0);
        if let Some(found) = part.into_iter().rev().find(answers) {
            return read_event(&stream, found).map(Some);
        }
        (end, size) = (from, size.saturating_mul(2));
    }
    Ok(None)
}

fn read_event(stream: &StreamName, recorded: Recorded) -> Result<Event> {
    let sequence = recorded.sequence;
    let entry: Entry = serde_json::from_value(recorded.entry).map_err(|source| {
        let message = format!("cannot read a journal entry: stream={stream} sequence={sequence}");
        Error::new(ErrorKind::Corrupt, message).with_source(source)
    })?;
    Ok(entry.event)
}

impl EndpointStatus {
    /// As the state says.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let serving = state.effective.as_ref().and_then(|effective| {
            let shares = effective.wish.split()?.iter();
            let shares = shares.map(|(name, share)| (name.clone(), share)).collect();
            Some(Serving { generation: effective.generation, shares })
        });
        let awaiting = state.asked.as_ref().filter(|_| !state.is_settled());
        let awaiting = awaiting.map(|asked| asked.generation);
        let rollout = state.rollout.as_ref();
        let changing = rollout.filter(|_| state.is_open() || awaiting.is_some());
        let reconciling = changing.map(|rollout| Reconciling {
            rollout: rollout.number,
            revision: rollout.spec.canary().clone(),
            phase: rollout.phase.word().to_owned(),
            since: rollout.since,
            awaiting,
        });
        let last = rollout.map(|rollout| Outcome {
            rollout: rollout.number,
            revision: rollout.spec.canary().clone(),
            phase: rollout.phase.word().to_owned(),
            reason: match &rollout.phase {
                Phase::RolledBack { reason }
                | Phase::Aborting { reason, .. }
                | Phase::Stuck { reason, .. } => Some(reason.clone()),
                Phase::Paused { reason, .. } => Some(format!("{reason:?}")),
                _ => None,
            },
        });
        Self { serving, reconciling, stable: state.stable.clone(), last, answered: state.answered }
    }
}

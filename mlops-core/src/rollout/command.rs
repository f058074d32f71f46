//! What people ask of a rollout, whichever process holds its controller.

use std::fmt;

use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use super::spec::RolloutSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EndpointName, IdempotencyKey, StreamName};
use crate::journal::{Append, JournalStore, Recorded};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Roll this out. While another rollout is open: end that one first.
    Roll(Box<RolloutSpec>),
    /// Stay where it is.
    Pause,
    /// Go on after a pause, or through a gate.
    Resume,
    /// Skip what remains to be judged.
    Promote,
    /// Back to the stable revision.
    Abort,
}

/// A command, who gave it, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Makes a repeat harmless: the second order with the same key is the first one.
    pub key: IdempotencyKey,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// What.
    pub command: Command,
}

/// Which order this is: 1, 2, 3 … for each endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct OrderNumber(pub u64);

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The stream in which the controller of an endpoint records what it does.
///
/// # Errors
/// `InvalidInput` for a name that is too long together with its prefix.
pub fn journal_stream(endpoint: &EndpointName) -> Result<StreamName> {
    StreamName::new(format!("rollouts/{endpoint}"))
}

/// The stream of its orders. Nobody holds a lease on it, so that anyone may write.
///
/// # Errors
/// As for [`journal_stream`].
pub fn order_stream(endpoint: &EndpointName) -> Result<StreamName> {
    journal_stream(endpoint)?.join("commands")
}

/// How often another writer may be quicker.
const ATTEMPTS: usize = 100;

/// Puts an order behind those that were given before. The controller reads them in order, and records its
/// answer; see [`answer`](super::answer).
///
/// # Errors
/// `InvalidInput` for a spec that makes no sense or is for another endpoint; those of the store.
pub async fn send(
    store: &dyn JournalStore,
    endpoint: &EndpointName,
    order: &Order,
) -> Result<OrderNumber> {
    if let Command::Roll(spec) = &order.command {
        spec.check()?;
        if spec.endpoint() != endpoint {
            let other = spec.endpoint();
            let message = format!("a rollout of another endpoint: given={other} want={endpoint}");
            return Err(Error::invalid(message));
        }
    }
    let stream = order_stream(endpoint)?;
    let entry = serde_json::to_value(order)
        .map_err(|source| Error::invalid("an order can't be written").with_source(source))?;
    let mut given = Vec::new();
    for _ in 0..ATTEMPTS {
        let from = given.len() as u64 + 1;
        given.extend(read(store, &stream, from).await?);
        let same = |other: &Result<Order>| other.as_ref().is_ok_and(|it| it.key == order.key);
        if let Some((number, _)) = given.iter().find(|(_, other)| same(other)) {
            return Ok(*number);
        }
        let sequence = given.len() as u64 + 1;
        let append = Append { stream: stream.clone(), sequence, epoch: None, entry: entry.clone() };
        match store.append(append).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            outcome => return outcome.map(|()| OrderNumber(sequence)),
        }
    }
    let message = format!("others were quicker each time: stream={stream}");
    Err(Error::new(ErrorKind::Unavailable, message))
}

/// The orders of an endpoint after `last`, oldest first; `Corrupt` in the place of one that can't be
/// read, which is no reason to leave those behind it unheard.
///
/// # Errors
/// Those of the store.
pub async fn orders_after(
    store: &dyn JournalStore,
    endpoint: &EndpointName,
    last: OrderNumber,
) -> Result<Vec<(OrderNumber, Result<Order>)>> {
    read(store, &order_stream(endpoint)?, last.0 + 1).await
}

async fn read(
    store: &dyn JournalStore,
    stream: &StreamName,
    from: u64,
) -> Result<Vec<(OrderNumber, Result<Order>)>> {
    let recorded: Vec<Recorded> = store.read(stream, from).try_collect().await?;
    let parse = |recorded: Recorded| {
        let number = recorded.sequence;
        let order = serde_json::from_value(recorded.entry).map_err(|source| {
            let message = format!("cannot read an order: stream={stream} sequence={number}");
            Error::new(ErrorKind::Corrupt, message).with_source(source)
        });
        (OrderNumber(number), order)
    };
    Ok(recorded.into_iter().map(parse).collect())
}

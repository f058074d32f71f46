//! What the controller can see now.

use futures::TryStreamExt as _;

use super::Controller;
use super::heartbeat::with_heartbeat;
use crate::deploy::RevisionStatus;
use crate::error::{ErrorKind, Result};
use crate::rollout::command::orders_after;
use crate::rollout::machine::{Observation, Seen};

impl Controller {
    /// Asks every backend. One that does not answer leaves its part unknown.
    pub(super) async fn observe(&mut self) -> Result<Observation> {
        let parts = self.parts.clone();
        let orders = orders_after(&*parts.journal, &self.endpoint, self.state.answered);
        let order = orders.await?.into_iter().next();
        let order = order.map(|(number, order)| (number, order.map_err(|error| error.chain())));
        let asking = async {
            let listed = parts.deployer.list(&self.endpoint);
            futures::join!(
                listed.try_collect::<Vec<RevisionStatus>>(),
                parts.traffic.observed(&self.endpoint),
                parts.metrics.counts(&self.endpoint),
            )
        };
        let answers = with_heartbeat(&mut self.journal, self.beat, asking).await?;
        let (revisions, traffic, counts) = answers;
        let revisions = note("revisions", revisions).map(|listed| {
            listed.into_iter().map(|status| (status.revision.revision.clone(), status)).collect()
        });
        let traffic = match traffic {
            Err(error) if error.kind() == ErrorKind::NotFound => Seen::Absent,
            traffic => note("traffic", traffic).map_or(Seen::Unknown, Seen::There),
        };
        Ok(Observation {
            revisions,
            traffic,
            capabilities: parts.traffic.capabilities(),
            counts: note("counts", counts),
            order,
        })
    }
}

fn note<T>(what: &'static str, answer: Result<T>) -> Option<T> {
    answer
        .inspect_err(|error| tracing::warn!(what, error = error.chain(), "rollout: can't be seen"))
        .ok()
}

//! What a deployment rests on: something that runs revisions ([`Deployer`]), something that splits requests
//! between them ([`Traffic`]), and something that says how they are served ([`ServiceMetrics`]).

mod revision;
mod traffic;

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;

pub use revision::{
    Listen, LogLine, LogQuery, Phase, Probe, Process, RestartPolicy, RevisionRef, RevisionSpec,
    RevisionStatus, ServedModel, Workload,
};
pub use traffic::{
    Backend, Generation, Mirror, ObservedTraffic, Percent, RevisionCounts, ServiceCounts, Split,
    Stickiness, Support, TrafficCapabilities, TrafficSpec, check_generation, check_removal,
};

use crate::error::Result;
use crate::id::{EndpointName, RevisionName};

/// Starts, lists and ends revisions.
///
/// # Contract
/// - **A revision never changes**: applying the same spec again changes nothing and starts nothing;
///   another spec under the same name is `AlreadyExists`.
/// - **`apply` does not wait for readiness**: it returns once the start is under way. What becomes of
///   it is in the status; a revision that can't start is `Failed` there, with the reason.
/// - **Ready means answering**: a replica counts as ready only while its probe succeeds.
/// - **`delete` returns when nothing of the revision runs any more**; requests in flight get the
///   spec's drain time first. Deleting what is not there succeeds. While something of it can't be ended the
///   answer is `Unavailable`, and nothing is started beside it.
/// - **No orphans, no doubles**: a deployer that is opened after another one died takes over what that
///   one left running, or ends it, before it starts anything; of what it took over it says nothing
///   that it has not found out: what answers is ready from the first status on.
/// - **Cancel safety**: dropping a call leaves either state; the next `apply` or `delete` completes it.
#[async_trait]
pub trait Deployer: Send + Sync + fmt::Debug {
    /// Makes the revision exist as its spec says.
    async fn apply(&self, spec: RevisionSpec) -> Result<RevisionStatus>;

    /// How a revision is; `NotFound` when there is none.
    async fn get(&self, revision: &RevisionRef) -> Result<RevisionStatus>;

    /// The revisions of an endpoint, ordered by name; none for an unknown endpoint.
    fn list(&self, endpoint: &EndpointName) -> BoxStream<'static, Result<RevisionStatus>>;

    /// Ends a revision.
    async fn delete(&self, revision: &RevisionRef) -> Result<()>;

    /// What a revision has printed, oldest first; `NotFound` when there is none.
    fn logs(&self, revision: &RevisionRef, query: LogQuery) -> BoxStream<'static, Result<LogLine>>;
}

/// Splits the requests of an endpoint between its revisions.
///
/// # Contract
/// - **Set is a wish, observed is the truth**: a split holds from the moment [`Traffic::observed`]
///   reports its generation, and not before.
/// - **Generations only grow**: a set with a lower generation than the last is `Fenced` and changes
///   nothing; the same generation with the same spec changes nothing; with another spec it is
///   `Conflict`. So a controller that was replaced can't move traffic.
/// - **Atomic**: all of a set takes effect, or nothing does. At no moment do the weights in effect sum
///   to anything but 100.
/// - **0 means none, 100 means all**: a revision without weight is sent no request whose answer a
///   client sees; its mirrored requests are answered by nobody.
/// - **Requests under way** stay with the revision that they began with.
#[async_trait]
pub trait Traffic: Send + Sync + fmt::Debug {
    /// What this data plane can do.
    fn capabilities(&self) -> TrafficCapabilities;

    /// Asks for a split.
    async fn set(&self, spec: TrafficSpec) -> Result<()>;

    /// The split in effect; `NotFound` for an endpoint that was never set.
    async fn observed(&self, endpoint: &EndpointName) -> Result<ObservedTraffic>;

    /// Forgets an endpoint. Its generation stays known, so that a late set is still refused.
    async fn remove(&self, endpoint: &EndpointName, generation: Generation) -> Result<()>;
}

/// Says how the revisions of an endpoint have been served.
///
/// # Contract
/// - Counts only grow while `since` stays the same; a source that has lost its counts starts again
///   with a later `since`, so that nobody takes the difference for evidence.
/// - A revision without counts is absent, which is not the same as zero requests.
#[async_trait]
pub trait ServiceMetrics: Send + Sync + fmt::Debug {
    /// The counts of each revision so far.
    async fn counts(
        &self,
        endpoint: &EndpointName,
    ) -> Result<BTreeMap<RevisionName, RevisionCounts>>;
}

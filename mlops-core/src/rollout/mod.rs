//! A new revision takes over from the stable one, step by step, judged while traffic flows.
//!
//! ```text
//! idle -> applying -> warming -> [shadowing] -> step 0 .. n {shifting, baking, judging}
//!      -> promoting -> draining -> done
//! any open state -> aborting -> rolled back;   paused, stuck: to the side
//! ```
//!
//! Everything that happens is an entry of a journal, and [`State`](machine::State) is the fold of it. Two
//! pure functions hold all the rules: [`apply`](machine::apply) is the only way on, [`decide`](machine::decide)
//! says what is next. A [`Controller`] looks, decides, records, and only then acts, so one that was
//! killed anywhere is continued by the next. People give orders ([`send`]) to whichever process holds the
//! endpoint, and read from the journal how it is ([`status`]).
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use mlops_core::deploy::{Process, RevisionRef, RevisionSpec, Traffic as _, Workload};
//! use mlops_core::id::{CountingIds, EndpointName, Ids as _, LeaseOwner, RevisionName};
//! use mlops_core::memory::{MemoryDeployer, MemoryJournal, MemoryTraffic};
//! use mlops_core::rollout::{Command, Controller, Order, Parts, RolloutSpec, Strategy, send, status};
//! use mlops_core::time::{ManualClock, Timestamp};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mlops_core::Result<()> {
//! let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
//! let journal = Arc::new(MemoryJournal::new(clock.clone()));
//! let deployer = Arc::new(MemoryDeployer::new(clock.clone()));
//! let traffic = Arc::new(MemoryTraffic::new(clock.clone()));
//! let parts = Parts::new(journal.clone(), deployer, traffic.clone(), traffic.clone(), clock);
//!
//! // Anyone may order a rollout: here the first revision of an endpoint, so nothing is compared.
//! let (endpoint, revision) = (EndpointName::new("flights")?, RevisionName::new("v1")?);
//! let name = RevisionRef { endpoint: endpoint.clone(), revision: revision.clone() };
//! let process = Process::new(["mlops", "serve", "flights/1", "--port", "{port}"])?;
//! let new = RevisionSpec::new(name, Workload::Process(process));
//! let spec = RolloutSpec::new(None, new, Strategy::canary(&[5, 25, 100])?)?;
//! let command = Command::Roll(Box::new(spec));
//! let key = CountingIds::default().idempotency_key();
//! let order = Order { key, by: "anna".to_owned(), why: "first version".to_owned(), command };
//! send(&*journal, &endpoint, &order).await?;
//!
//! // One process holds the endpoint and carries it out.
//! let owner = LeaseOwner::new("controller-1")?;
//! let ttl = Duration::from_secs(30);
//! let mut controller = Controller::open(parts, endpoint.clone(), &owner, ttl).await?;
//! controller.settle().await?;
//! assert_eq!(traffic.observed(&endpoint).await?.split.share(&revision).get(), 100);
//!
//! // Anyone may read how it is, whether a controller runs or not.
//! let status = status(&*journal, &endpoint).await?;
//! assert_eq!(status.stable, Some(revision));
//! assert!(status.reconciling.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! | part | pure? |
//! |---|---|
//! | [`machine`] | yes: tables and random orders of events test it |
//! | [`analysis`] | yes: simulated rollouts test it |
//! | [`RolloutSpec`] | yes: what is to be done |
//! | [`Controller`] | calls deployer, traffic, counts; writes the journal |
//! | [`send`], [`answer`], [`status`], [`history`] | read and write the journal alone |
//!
//! # Rules
//! 1. No weight on a revision that is not ready. 2. The stable one keeps its capacity until the new
//!    split is seen in effect and the old one is drained. 3. Abort wins from every open state, until the old revision's
//!    end has begun. 4. Rolled back is terminal. 5. A share of 0 is no request, 100 is all. 6. A
//!    series that can't be trusted is no data. 7. Zero measurements are never success. 8. The journal
//!    comes before the effect. 9. What serves is told apart from what is being changed. 10. One
//!    controller an endpoint. 11. The split seen is the split asked for. Each is a test of that name
//!    (`invariant_01_...`), with the fault of another system behind it.
//!
//! An endpoint that was rolled out here belongs to its controller: revisions of it that have no place
//! in a rollout and are not stable are ended.

pub mod analysis;
mod command;
mod engine;
pub mod machine;
mod spec;
mod status;

pub use command::{Command, Order, OrderNumber, journal_stream, order_stream, orders_after, send};
pub use engine::{Controller, NoScores, Parts, Preflight, Progress, ReadyIsEnough, ShadowScores};
pub use spec::{Deadlines, Gate, Hold, OnNoData, RolloutSpec, Shadow, Steps, Strategy};
pub use status::{EndpointStatus, Outcome, Reconciling, Serving, answer, history, status};

#[cfg(test)]
mod tests;

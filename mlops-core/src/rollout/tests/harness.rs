//! An endpoint in memory, its controller, and a clock that moves only when told to.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::deploy::{
    Deployer as _, Percent, Process, RevisionRef, RevisionSpec, Traffic as _, Workload,
};
use crate::id::{CountingIds, EndpointName, Ids as _, LeaseOwner, RevisionName};
use crate::memory::{MemoryDeployer, MemoryJournal, MemoryTraffic, Served};
use crate::rollout::machine::{Entry, Event, State, replay};
use crate::rollout::{
    Command, Controller, Deadlines, Hold, Order, OrderNumber, Parts, RolloutSpec, Strategy,
    analysis::AnalysisOptions, history, send,
};
use crate::time::{ManualClock, Timestamp};

pub(super) const TTL: Duration = Duration::from_secs(30);

pub(super) fn revision(name: &str) -> RevisionName {
    RevisionName::new(name).unwrap()
}

pub(super) fn endpoint() -> EndpointName {
    EndpointName::new("flights").unwrap()
}

pub(super) fn revision_ref(name: &str) -> RevisionRef {
    RevisionRef { endpoint: endpoint(), revision: revision(name) }
}

pub(super) fn revision_spec(name: &str) -> RevisionSpec {
    let argv = vec!["serve".to_owned(), name.to_owned()];
    let process = Process::new(argv).unwrap();
    RevisionSpec::new(revision_ref(name), Workload::Process(process))
        .with_replicas(NonZeroU32::new(2).unwrap())
}

/// 10 %, 50 %, 100 %, each watched for a minute with at least 100 requests an arm.
pub(super) fn canary(stable: Option<&str>, new: &str) -> RolloutSpec {
    let strategy = Strategy::canary(&[10, 50, 100]).unwrap();
    let hold = Hold { min: Duration::from_secs(60), max: Duration::from_secs(600), samples: 100 };
    let drain = (Duration::from_secs(30), Duration::from_secs(300));
    RolloutSpec::new(stable.map(revision), revision_spec(new), strategy)
        .unwrap()
        .with_hold(hold)
        .with_deadlines(Deadlines::default().with_drain(drain.0, drain.1))
        .with_analysis(AnalysisOptions::default().with_look_every(Duration::from_secs(10)))
}

/// What a revision does with requests: out of each thousand, so many fail or are slow.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Manners {
    pub(super) errors: u64,
    pub(super) slow: u64,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) journal: Arc<MemoryJournal>,
    pub(super) deployer: Arc<MemoryDeployer>,
    pub(super) traffic: Arc<MemoryTraffic>,
    ids: Arc<CountingIds>,
}

impl World {
    /// Nothing is deployed.
    pub(super) fn empty() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
        Self {
            journal: Arc::new(MemoryJournal::new(clock.clone())),
            deployer: Arc::new(MemoryDeployer::new(clock.clone())),
            traffic: Arc::new(MemoryTraffic::new(clock.clone())),
            ids: Arc::default(),
            clock,
        }
    }

    /// The revision `old` runs and is ready.
    pub(super) async fn with_old() -> Self {
        let world = Self::empty();
        world.deployer.apply(revision_spec("old")).await.unwrap();
        world
    }

    pub(super) fn parts(&self) -> Parts {
        Parts::new(
            self.journal.clone(),
            self.deployer.clone(),
            self.traffic.clone(),
            self.traffic.clone(),
            self.clock.clone(),
        )
    }

    pub(super) async fn controller(&self) -> Controller {
        let owner = LeaseOwner::new("test").unwrap();
        Controller::open(self.parts(), endpoint(), &owner, TTL).await.unwrap()
    }

    pub(super) async fn order(&self, command: Command) -> OrderNumber {
        let key = self.ids.idempotency_key();
        let order = Order { key, by: "anna".to_owned(), why: "a test".to_owned(), command };
        send(&*self.journal, &endpoint(), &order).await.unwrap()
    }

    pub(super) async fn roll(&self, spec: RolloutSpec) -> OrderNumber {
        self.order(Command::Roll(Box::new(spec))).await
    }

    pub(super) fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(super) async fn share(&self, name: &str) -> Percent {
        let observed = self.traffic.observed(&endpoint()).await;
        observed.map_or(Percent::NONE, |observed| observed.split.share(&revision(name)))
    }

    /// A thousand requests, split as the traffic is.
    pub(super) async fn serve(&self, old: Manners, new: Manners) {
        for (name, manners) in [("old", old), ("new", new)] {
            let requests = 10 * u64::from(self.share(name).await.get());
            let part = |share: u64| requests * share / 1_000;
            let served =
                Served { requests, errors: part(manners.errors), slow: part(manners.slow) };
            self.traffic.feed(&endpoint(), &revision(name), served);
        }
    }

    /// Five hundred copies, while there are any.
    pub(super) async fn copy(&self, new: Manners) {
        let observed = self.traffic.observed(&endpoint()).await;
        if observed.is_ok_and(|observed| observed.mirror.is_some()) {
            let copies = Served { requests: 500, errors: new.errors / 2, slow: new.slow / 2 };
            self.traffic.feed_copies(&endpoint(), &revision("new"), copies);
        }
    }

    /// Ten seconds at a time: a thousand requests, then whatever the controller does.
    pub(super) async fn turn(&self, controller: &mut Controller, old: Manners, new: Manners) {
        self.wait(10);
        self.serve(old, new).await;
        controller.settle().await.unwrap();
    }

    /// Turns until the rollout has ended; panics when it does not.
    pub(super) async fn finish(&self, controller: &mut Controller, old: Manners, new: Manners) {
        for _ in 0..500 {
            self.turn(controller, old, new).await;
            if !controller.state().is_open() {
                return;
            }
        }
        panic!("the rollout does not end: {:?}", controller.state().rollout);
    }

    pub(super) async fn revisions(&self) -> Vec<String> {
        use futures::TryStreamExt as _;
        let listed: Vec<_> = self.deployer.list(&endpoint()).try_collect().await.unwrap();
        listed.into_iter().map(|status| status.revision.revision.to_string()).collect()
    }

    pub(super) async fn entries(&self) -> Vec<Entry> {
        history(&*self.journal, &endpoint()).await.unwrap()
    }

    pub(super) async fn events(&self) -> Vec<Event> {
        self.entries().await.into_iter().map(|entry| entry.event).collect()
    }

    /// Where the rollouts stand, by the journal alone.
    pub(super) async fn folded(&self) -> State {
        replay(&self.entries().await).unwrap()
    }
}

pub(super) fn phase(controller: &Controller) -> &'static str {
    controller.state().rollout.as_ref().map_or("idle", |rollout| rollout.phase.word())
}

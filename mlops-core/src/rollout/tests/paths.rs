//! The ways through, one by one.

use std::sync::Arc;

use super::harness::{Manners, TTL, World, canary, endpoint, phase, revision};
use crate::deploy::{Percent, RevisionStatus};
use crate::id::LeaseOwner;
use crate::memory::{Script, Served};
use crate::pipeline::Cancel;
use crate::rollout::analysis::{PairedLoss, QualityRule};
use crate::rollout::machine::{Event, Phase};
use crate::rollout::{
    Command, Controller, Gate, OnNoData, Order, Preflight, RolloutSpec, Shadow, ShadowScores,
    Strategy, answer, send, status,
};

const FINE: Manners = Manners { errors: 10, slow: 10 };

#[tokio::test]
async fn a_good_canary_takes_over_step_by_step() {
    let world = World::with_old().await;
    let mut controller = world.controller().await;
    world.roll(canary(Some("old"), "new")).await;
    world.finish(&mut controller, FINE, FINE).await;
    assert_eq!(phase(&controller), "done", "{:#?}", world.events().await);
    assert_eq!(controller.state().stable, Some(revision("new")));
    assert_eq!(world.revisions().await, ["new"]);
    assert_eq!(world.share("new").await.get(), 100);
}

#[tokio::test]
async fn a_canary_that_errs_is_taken_back() {
    let world = World::with_old().await;
    let mut controller = world.controller().await;
    world.roll(canary(Some("old"), "new")).await;
    world.finish(&mut controller, FINE, Manners { errors: 200, slow: 10 }).await;
    let Phase::RolledBack { reason } = &controller.state().rollout.as_ref().unwrap().phase else {
        panic!("{:?}", controller.state());
    };
    assert!(reason.starts_with("worse: "), "{reason}");
    assert_eq!(world.revisions().await, ["old"]);
    assert_eq!(world.share("old").await.get(), 100);
    let status = status(&*world.journal, &endpoint()).await.unwrap();
    assert!(status.reconciling.is_none() && status.serving.is_some());
}

#[tokio::test]
async fn the_first_revision_of_an_endpoint_gets_everything() {
    let world = World::empty();
    let mut controller = world.controller().await;
    world.roll(canary(None, "new")).await;
    world.finish(&mut controller, FINE, FINE).await;
    assert_eq!(phase(&controller), "done");
    assert_eq!(world.share("new").await.get(), 100);
}

#[tokio::test]
async fn blue_green_waits_at_nothing_and_takes_all() {
    let world = World::with_old().await;
    let mut controller = world.controller().await;
    let mut spec = canary(Some("old"), "new");
    spec.strategy = Strategy::BlueGreen;
    world.roll(spec).await;
    controller.settle().await.unwrap();
    assert_eq!(world.share("new").await.get(), 0);
    world.finish(&mut controller, FINE, FINE).await;
    assert_eq!(phase(&controller), "done", "{:#?}", world.events().await);
}

#[tokio::test]
async fn blue_green_that_errs_at_once_goes_back_to_the_old_one() {
    let world = World::with_old().await;
    let mut controller = world.controller().await;
    let mut spec = canary(Some("old"), "new");
    spec.strategy = Strategy::BlueGreen;
    world.roll(spec).await;
    world.finish(&mut controller, FINE, Manners { errors: 300, slow: 0 }).await;
    assert_eq!(phase(&controller), "rolled_back");
    assert_eq!(world.share("old").await.get(), 100);
}

#[tokio::test]
async fn a_gate_opens_when_somebody_says_so_and_an_order_by_another_process_is_heard() {
    let world = World::with_old().await;
    let mut controller = world.controller().await;
    world.roll(canary(Some("old"), "new").with_gate(Gate::Step(1))).await;
    for _ in 0..20 {
        world.turn(&mut controller, FINE, FINE).await;
    }
    assert_eq!((phase(&controller), world.share("new").await.get()), ("paused", 10));
    let order = world.order(Command::Resume).await;
    world.finish(&mut controller, FINE, FINE).await;
    assert_eq!(phase(&controller), "done");
    let given = answer(&*world.journal, &endpoint(), order).await.unwrap();
    assert_eq!(given, Some(Event::Resumed));
}

#[tokio::test]
async fn a_newer_spec_sends_the_open_one_back_first() {
    let world = World::with_old().await;
    let mut controller = world.controller().await;
    world.roll(canary(Some("old"), "new")).await;
    world.turn(&mut controller, FINE, FINE).await;
    assert_eq!(world.share("new").await.get(), 10);
    let mut spec = canary(Some("old"), "newer");
    spec.strategy = Strategy::BlueGreen;
    spec.on_no_data = OnNoData::Advance;
    world.roll(spec).await;
    controller.settle().await.unwrap();
    assert_eq!((phase(&controller), world.share("old").await.get()), ("aborting", 100));
    for _ in 0..100 {
        world.turn(&mut controller, FINE, FINE).await;
    }
    assert_eq!(controller.state().rollout.as_ref().unwrap().number, 2);
    assert!(!world.revisions().await.contains(&"new".to_owned()));
}

#[tokio::test]
async fn a_revision_that_never_becomes_ready_is_ended_and_nothing_was_moved() {
    let world = World::with_old().await;
    let mut controller = world.controller().await;
    world.deployer.follow(Script::WhenTold);
    world.roll(canary(Some("old"), "new")).await;
    controller.settle().await.unwrap();
    assert_eq!(phase(&controller), "applying");
    world.wait(601);
    world.finish(&mut controller, FINE, FINE).await;
    assert_eq!(phase(&controller), "rolled_back");
    assert!(controller.state().asked.is_none());
    assert_eq!(world.revisions().await, ["old"]);
}

#[tokio::test]
async fn a_shadow_is_judged_by_copies_and_by_rows() {
    #[derive(Debug)]
    struct Rows(f64);
    #[async_trait::async_trait]
    impl ShadowScores for Rows {
        async fn losses(&self, _: &RolloutSpec) -> crate::Result<Vec<PairedLoss>> {
            let row = |n: i64| PairedLoss {
                cluster: n % 14,
                stable: 1.0,
                canary: 1.0 + self.0 + 0.01 * (n % 5) as f64,
            };
            Ok((0..700).map(row).collect())
        }
    }
    for (difference, ends) in [(-0.5, "done"), (0.5, "rolled_back")] {
        let world = World::with_old().await;
        let parts = world.parts().with_scores(Arc::new(Rows(difference)));
        let owner = LeaseOwner::new("test").unwrap();
        let mut controller = Controller::open(parts, endpoint(), &owner, TTL).await.unwrap();
        let spec = canary(Some("old"), "new");
        let quality = Some(QualityRule::default());
        let percent = Percent::new(50).unwrap();
        world.roll(spec.clone().with_shadow(Shadow { percent, hold: spec.hold, quality })).await;
        for _ in 0..100 {
            world.wait(10);
            world.serve(FINE, FINE).await;
            if phase(&controller) == "shadowing" {
                let copies = Served { requests: 500, errors: 5, slow: 5 };
                world.traffic.feed_copies(&endpoint(), &revision("new"), copies);
                assert_eq!(world.share("new").await.get(), 0);
            }
            controller.settle().await.unwrap();
        }
        assert_eq!(phase(&controller), ends, "{:#?}", world.events().await);
    }
}

/// A delete that takes longer than the lease: the heartbeat keeps it. Time is the runtime's own.
#[tokio::test(start_paused = true)]
async fn a_slow_call_does_not_lose_the_lease() {
    #[derive(Debug)]
    struct Slow(World);
    #[async_trait::async_trait]
    impl Preflight for Slow {
        async fn check(&self, _: &RevisionStatus) -> crate::Result<()> {
            for _ in 0..100 {
                tokio::time::sleep(TTL / 10).await;
                self.0.clock.advance(TTL / 10);
            }
            Ok(())
        }
    }
    let world = World::with_old().await;
    let parts = world.parts().with_preflight(Arc::new(Slow(world.clone())));
    let owner = LeaseOwner::new("test").unwrap();
    let mut controller = Controller::open(parts, endpoint(), &owner, TTL).await.unwrap();
    world.roll(canary(Some("old"), "new")).await;
    controller.settle().await.unwrap();
    assert_eq!(phase(&controller), "step");
    let cancel = Cancel::new();
    let running = tokio::spawn({
        let cancel = cancel.clone();
        async move { controller.run(&cancel, TTL * 10).await }
    });
    tokio::time::sleep(TTL * 5).await;
    cancel.cancel();
    running.await.unwrap().unwrap();
    let other = LeaseOwner::new("other").unwrap();
    Controller::open(world.parts(), endpoint(), &other, TTL).await.unwrap();
}

#[tokio::test]
async fn the_same_order_twice_is_one() {
    let world = World::with_old().await;
    let key = crate::id::IdempotencyKey::new("k").unwrap();
    let (by, why) = ("anna".to_owned(), "a test".to_owned());
    let order = Order { key, by, why, command: Command::Abort };
    let first = send(&*world.journal, &endpoint(), &order).await.unwrap();
    assert_eq!(send(&*world.journal, &endpoint(), &order).await.unwrap(), first);
    let mut controller = world.controller().await;
    controller.settle().await.unwrap();
    let given = answer(&*world.journal, &endpoint(), first).await.unwrap();
    assert!(matches!(given, Some(Event::Refused { .. })), "{given:?}");
}

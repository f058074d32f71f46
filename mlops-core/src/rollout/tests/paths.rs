//! The ways through, one by one.

use super::harness::{Manners, World, canary, phase, revision};
use crate::rollout::machine::Phase;
use crate::rollout::status;

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
    let status = status(&*world.journal, &super::harness::endpoint()).await.unwrap();
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

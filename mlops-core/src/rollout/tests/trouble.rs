//! The ways through trouble: revisions that are down, pauses, data planes that forget.

use super::harness::{Manners, World, canary, endpoint, phase, revision, revision_ref};
use super::random::FINE;
use crate::deploy::{Percent, Traffic as _};
use crate::error::ErrorKind;
use crate::memory::{Effect, Served};
use crate::rollout::analysis::{AnalysisOptions, Arms, QualityRule};
use crate::rollout::machine::{Event, Pause, Phase};
use crate::rollout::{
    Command, Controller, Hold, OnNoData, OrderNumber, RolloutSpec, Shadow, answer,
};

const BAD: Manners = Manners { errors: 300, slow: 10 };

fn paused(controller: &Controller) -> Option<Pause> {
    match &controller.state().rollout.as_ref()?.phase {
        Phase::Paused { reason, .. } => Some(*reason),
        _ => None,
    }
}

fn shadowed(quality: Option<QualityRule>) -> RolloutSpec {
    let spec = canary(Some("old"), "new");
    let hold = Hold { samples: 50, ..spec.hold };
    spec.with_shadow(Shadow { percent: Percent::ALL, hold, quality })
}

/// What both revisions were seen to do so far.
fn figures(controller: &Controller) -> String {
    let service = &controller.state().rollout.as_ref().unwrap().service;
    service.judge(Arms::Both, 1, &AnalysisOptions::default()).reason
}

/// Turns until the rollout is in this phase.
async fn until(world: &World, controller: &mut Controller, wanted: &str) {
    for _ in 0..200 {
        if phase(controller) == wanted {
            return;
        }
        world.copy(FINE).await;
        world.turn(controller, FINE, FINE).await;
    }
    panic!("never {wanted}: {:?}", controller.state().rollout);
}

#[tokio::test]
async fn a_degraded_stable_revision_gets_its_traffic_back_from_a_gateway_that_was_started_anew() {
    let world = World::with_old().await;
    let mut controller = world.controller().await;
    world.roll(canary(Some("old"), "new")).await;
    world.finish(&mut controller, FINE, FINE).await;
    world.deployer.become_unready(&revision_ref("new")).unwrap();
    world.traffic.restart();
    controller.settle().await.unwrap();
    assert_eq!(world.share("new").await.get(), 100);
    // With no replica left there is nobody to give it to.
    world.deployer.fail(&revision_ref("new")).unwrap();
    world.traffic.restart();
    controller.settle().await.unwrap();
    assert_eq!(world.share("new").await.get(), 0);
}

#[tokio::test]
async fn a_pause_for_want_of_quality_is_followed_by_another_hold_when_it_is_resumed() {
    let world = World::with_old().await;
    let mut controller = world.controller().await;
    world.roll(shadowed(Some(QualityRule::default()))).await;
    until(&world, &mut controller, "paused").await;
    assert_eq!(paused(&controller), Some(Pause::NoData));
    world.order(Command::Resume).await;
    for _ in 0..5 {
        world.copy(FINE).await;
        world.turn(&mut controller, FINE, FINE).await;
        assert_eq!(phase(&controller), "shadowing");
    }
    until(&world, &mut controller, "paused").await;
}

#[tokio::test]
async fn a_stable_revision_that_stays_down_is_no_data_and_what_mends_it_may_take_over() {
    for (on_no_data, ends) in [(OnNoData::Pause, "paused"), (OnNoData::Advance, "done")] {
        let world = World::with_old().await;
        let mut controller = world.controller().await;
        world.roll(canary(Some("old"), "new").with_on_no_data(on_no_data)).await;
        world.turn(&mut controller, FINE, FINE).await;
        assert_eq!(phase(&controller), "step");
        world.deployer.become_unready(&revision_ref("old")).unwrap();
        for _ in 0..300 {
            world.turn(&mut controller, FINE, FINE).await;
        }
        assert_eq!(phase(&controller), ends, "{:#?}", world.events().await);
        let reason = "the stable revision is not ready";
        let judged = |event: &Event| matches!(event, Event::Judged(it) if it.reason == reason);
        assert!(world.events().await.iter().any(judged));
    }
}

#[tokio::test]
async fn a_pause_before_the_watch_has_begun_does_not_hold_on_to_what_is_bad() {
    let world = World::with_old().await;
    let mut controller = world.controller().await;
    world.traffic.follow(Effect::WhenTold);
    world.roll(canary(Some("old"), "new")).await;
    controller.settle().await.unwrap();
    world.order(Command::Pause).await;
    controller.settle().await.unwrap();
    assert_eq!(paused(&controller), Some(Pause::Manual));
    world.traffic.take_effect(&endpoint());
    world.traffic.follow(Effect::AtOnce);
    world.finish(&mut controller, FINE, BAD).await;
    assert_eq!(phase(&controller), "rolled_back");
    assert_eq!(world.share("old").await.get(), 100);
}

#[tokio::test]
async fn copies_are_not_taken_from_the_requests_that_follow_them() {
    let world = World::with_old().await;
    let mut controller = world.controller().await;
    world.roll(shadowed(None)).await;
    let mut copies = 0;
    while phase(&controller) != "step" {
        let served = Served { requests: 90, errors: 0, slow: 0 };
        if phase(&controller) == "shadowing" {
            world.traffic.feed_copies(&endpoint(), &revision("new"), served);
            copies += 90;
        }
        world.turn(&mut controller, FINE, FINE).await;
    }
    // Ten more requests than there were copies, ten of which fail: no block of ten out of ten.
    world.wait(10);
    world.serve(FINE, Manners::default()).await;
    let before = 10 * u64::from(world.share("new").await.get());
    let served = Served { requests: copies + 10 - before, errors: 10, slow: 0 };
    world.traffic.feed(&endpoint(), &revision("new"), served);
    controller.settle().await.unwrap();
    assert!(
        figures(&controller).contains(&format!("new {copies}/0/0,")),
        "{}",
        figures(&controller)
    );
    world.turn(&mut controller, FINE, FINE).await;
    let more = format!("new {}/1/1,", copies + 100);
    assert!(figures(&controller).contains(&more), "{}", figures(&controller));
}

#[tokio::test]
async fn a_pause_that_lasts_leaves_a_short_journal() {
    let world = World::with_old().await;
    let mut controller = world.controller().await;
    let first = world.roll(canary(Some("old"), "new")).await;
    world.turn(&mut controller, FINE, FINE).await;
    let order = world.order(Command::Pause).await;
    controller.settle().await.unwrap();
    let begun = world.entries().await.len();
    for _ in 0..2_000 {
        world.turn(&mut controller, FINE, FINE).await;
    }
    // Five and a half hours: 2,000 looks at the usual interval, one in five minutes at the rarest.
    let looked = world.entries().await.len() - begun;
    assert!((67..120).contains(&looked), "{looked}");
    for _ in 0..2_000 {
        world.wait(10);
        controller.settle().await.unwrap();
    }
    assert!(world.entries().await.len() - begun - looked <= 1, "nothing moves, nothing is told");
    // Answers are found from the end, however far back.
    assert_eq!((first, order), (OrderNumber(1), OrderNumber(2)));
    let given = async |order| answer(&*world.journal, &endpoint(), order).await.unwrap();
    assert!(matches!(given(first).await, Some(Event::Started { .. })));
    assert_eq!(given(order).await, Some(Event::Paused(Pause::Manual)));
    assert_eq!(given(OrderNumber(3)).await, None);
    // What turns bad is still found out.
    world.finish(&mut controller, FINE, BAD).await;
    assert_eq!(phase(&controller), "rolled_back");
}

#[tokio::test]
async fn an_abort_of_the_first_rollout_leaves_nothing_and_another_may_begin() {
    let world = World::empty();
    let mut controller = world.controller().await;
    world.traffic.follow(Effect::WhenTold);
    world.roll(canary(None, "new")).await;
    controller.settle().await.unwrap();
    assert_eq!(phase(&controller), "promoting");
    world.traffic.take_effect(&endpoint());
    let order = world.order(Command::Abort).await;
    world.finish(&mut controller, FINE, FINE).await;
    let given = answer(&*world.journal, &endpoint(), order).await.unwrap();
    assert!(matches!(given, Some(Event::Aborted { .. })), "{given:?}");
    assert_eq!((phase(&controller), &controller.state().stable), ("rolled_back", &None));
    assert!(world.revisions().await.is_empty());
    let observed = world.traffic.observed(&endpoint()).await;
    assert_eq!(observed.unwrap_err().kind(), ErrorKind::NotFound);
    world.traffic.follow(Effect::AtOnce);
    world.roll(canary(None, "newer")).await;
    world.finish(&mut controller, FINE, FINE).await;
    assert_eq!((phase(&controller), world.share("newer").await.get()), ("done", 100));
}

#[tokio::test]
async fn a_revision_that_dies_while_the_old_one_is_drained_is_gone_or_taken_back() {
    for (dies, ends, stays) in [("old", "done", "new"), ("new", "rolled_back", "old")] {
        let world = World::with_old().await;
        let mut controller = world.controller().await;
        world.roll(canary(Some("old"), "new")).await;
        until(&world, &mut controller, "draining").await;
        world.deployer.die(&revision_ref(dies)).unwrap();
        world.finish(&mut controller, FINE, FINE).await;
        assert_eq!(phase(&controller), ends);
        assert_eq!(
            (world.share(stays).await.get(), world.revisions().await),
            (100, vec![stays.to_owned()])
        );
    }
}

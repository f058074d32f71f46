//! The eleven invariants, each over random orders of events and random deaths of the controller.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::faults::{Fuse, mortal};
use super::harness::{Manners, TTL, World, canary, endpoint, revision, revision_ref};
use super::random::{FINE, Start, come_to_rest, happenings, live_through, open};
use crate::deploy::Traffic as _;
use crate::error::ErrorKind;
use crate::id::LeaseOwner;
use crate::memory::{Script, Served};
use crate::rollout::machine::{Event, Phase};
use crate::rollout::{
    Command, Controller, OnNoData, Progress, RolloutSpec, Strategy as How, answer, status,
};

fn config(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(4), failure_persistence: None, ..Config::default() }
}

/// Runs a future to its end on a runtime of its own; nothing here sleeps.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(config(150))]

    /// 1 (KServe #5983), with a negative control in [`a_set_on_an_unready_revision_is_noticed`].
    #[test]
    fn invariant_01_no_weight_on_a_revision_that_is_not_ready(all in happenings()) {
        block_on(live_through(&all, async |_| {}));
    }

    /// 2 (argo-rollouts #4534, #3586, #587, #2050).
    #[test]
    fn invariant_02_stable_keeps_its_capacity_until_the_new_split_is_seen(all in happenings()) {
        block_on(live_through(&all, async |world| {
            let state = world.folded().await;
            // Whoever may still be asked by a split that is, or may come into, effect is there.
            let retired = world.events().await.contains(&Event::Retiring);
            let revisions = world.revisions().await;
            let none = all.start == Start::First;
            assert!(none || retired || revisions.contains(&"old".to_owned()), "{state:?}");
        }));
    }

    /// 3 (argo-rollouts #4461): an order to abort is carried out from every open phase, until the old
    /// revision's end has begun.
    #[test]
    fn invariant_03_abort_wins_from_every_open_state(all in happenings()) {
        block_on(async {
            let world = live_through(&all, async |_| {}).await;
            let before = world.folded().await;
            let can = before.rollout.as_ref().is_some_and(|rollout| rollout.phase.can_abort());
            let order = world.order(Command::Abort).await;
            let mut controller = open(&world, &Fuse::new(i64::MAX, false)).await;
            controller.settle().await.unwrap();
            let given = answer(&*world.journal, &endpoint(), order).await.unwrap().unwrap();
            assert_eq!(matches!(given, Event::Aborted { .. }), can, "{given:?} {before:?}");
            if can {
                let controller = come_to_rest(&world).await;
                let rollout = controller.state().rollout.as_ref().unwrap();
                assert_eq!(rollout.phase.word(), "rolled_back");
                assert_eq!(controller.state().stable, rollout.spec.stable);
            }
        });
    }

    /// 4 (argo-rollouts #3078, #4973, #1337).
    #[test]
    fn invariant_04_rolled_back_is_terminal(all in happenings()) {
        block_on(async {
            let world = live_through(&all, async |_| {}).await;
            let mut controller = come_to_rest(&world).await;
            let before = controller.state().rollout.clone();
            for command in [Command::Resume, Command::Promote, Command::Abort, Command::Pause] {
                let order = world.order(command).await;
                world.wait(1_000);
                world.serve(FINE, Manners { errors: 500, slow: 500 }).await;
                controller.settle().await.unwrap();
                let given = answer(&*world.journal, &endpoint(), order).await.unwrap();
                assert!(matches!(given, Some(Event::Refused { .. })), "{given:?}");
            }
            assert_eq!(controller.state().rollout, before);
        });
    }

    /// 5 (Seldon #4067: 100:0 became 50:50): by the requests themselves.
    #[test]
    fn invariant_05_weight_0_is_no_request_and_100_is_all(all in happenings()) {
        block_on(live_through(&all, async |world| {
            let Ok(observed) = world.traffic.observed(&endpoint()).await else { return };
            let total: u32 = observed.split.iter().map(|(_, share)| u32::from(share.get())).sum();
            assert_eq!(total, 100);
            for _ in 0..50 {
                let to = world.traffic.route(&endpoint(), None).unwrap();
                assert!(observed.split.share(&to).get() > 0, "{to} has no share");
            }
        }));
    }

    /// 8: wherever the controller dies, the next one ends in a state allowed from there, and
    /// nothing is left over.
    #[test]
    fn invariant_08_a_controller_killed_anywhere_leaves_no_orphan(all in happenings()) {
        block_on(async {
            let world = live_through(&all, async |_| {}).await;
            let mut controller = come_to_rest(&world).await;
            controller.settle().await.unwrap();
            // The stable one itself may have died: that is the deployer's to mend.
            let stable = controller.state().stable.clone().map(|name| name.to_string());
            assert!(world.revisions().await.iter().all(|name| Some(name) == stable.as_ref()));
            let observed = world.traffic.observed(&endpoint()).await;
            if let (Ok(observed), Some(stable)) = (observed, &controller.state().stable) {
                assert_eq!(observed.split.share(stable).get(), 100);
            }
        });
    }

    /// 9 (KServe #5443): what serves is what was seen in effect, not what was asked for.
    #[test]
    fn invariant_09_status_tells_serving_from_reconciling(all in happenings()) {
        block_on(live_through(&all, async |world| {
            let status = status(&*world.journal, &endpoint()).await.unwrap();
            let state = world.folded().await;
            assert_eq!(status.reconciling.is_some(), state.is_open() || !state.is_settled());
            if let (Some(serving), Ok(there)) =
                (&status.serving, world.traffic.observed(&endpoint()).await)
                && serving.generation == there.generation
            {
                let shares: Vec<_> =
                    there.split.iter().map(|(name, share)| (name.clone(), share)).collect();
                assert_eq!(serving.shares.clone().into_iter().collect::<Vec<_>>(), shares);
            }
            if let Some(awaiting) = status.reconciling.and_then(|changing| changing.awaiting) {
                assert!(status.serving.is_none_or(|serving| serving.generation < awaiting));
            }
        }));
    }

    /// 10: of two controllers that take turns in stealing the endpoint, one acts at a time.
    #[test]
    fn invariant_10_one_controller_acts_at_a_time(turns in proptest::collection::vec(0_u8..4, 10..80)) {
        block_on(async {
            let world = World::with_old().await;
            let fuse = Fuse::new(i64::MAX, false);
            let mut controllers = [open(&world, &fuse).await, open(&world, &fuse).await];
            let mut current = 1;
            world.roll(canary(Some("old"), "new")).await;
            for turn in turns {
                let who = usize::from(turn % 2);
                if turn >= 2 {
                    controllers[who] = open(&world, &fuse).await;
                    current = who;
                }
                world.wait(5);
                world.serve(FINE, FINE).await;
                let before = world.entries().await.len();
                let outcome = controllers[who].tick().await;
                if who == current {
                    outcome.unwrap();
                } else {
                    // Until the next beat it may go on waiting: that records nothing, and does nothing.
                    match outcome {
                        Ok(progress) => assert!(matches!(progress, Progress::Waiting(_))),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Fenced),
                    }
                    assert_eq!(world.entries().await.len(), before);
                }
            }
            let other = LeaseOwner::new("other").unwrap();
            let refused = Controller::open(world.parts(), endpoint(), &other, TTL).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
        });
    }

    /// 11: within the binomial bound (here within one request in a hundred), and sticky by key.
    #[test]
    fn invariant_11_the_split_seen_is_the_split_asked_for(share in 0_u8..=100, keys in 1_usize..50) {
        block_on(async {
            let world = World::with_old().await;
            let steps = [share, 100];
            let steps = if share == 100 { &steps[1..] } else { &steps[..] };
            let sticky = crate::deploy::Stickiness { header: "x-user".to_owned() };
            let mut spec = canary(Some("old"), "new").with_stickiness(sticky);
            spec.strategy = How::canary(steps).unwrap();
            let mut controller = open(&world, &Fuse::new(i64::MAX, false)).await;
            world.roll(spec).await;
            controller.settle().await.unwrap();
            assert_eq!(world.share("new").await.get(), share);
            let requests = 1_000;
            let routed = (0..requests).map(|_| world.traffic.route(&endpoint(), None).unwrap());
            let to_new = routed.filter(|to| *to == revision("new")).count();
            assert_eq!(to_new, requests * usize::from(share) / 100);
            for key in 0..keys {
                let key = key.to_string();
                let route = || world.traffic.route(&endpoint(), Some(&key)).unwrap();
                assert_eq!(route(), route());
            }
        });
    }
}

fn quick(on_no_data: OnNoData) -> RolloutSpec {
    canary(Some("old"), "new").with_on_no_data(on_no_data)
}

/// A series that can't be trusted.
#[derive(Debug, Clone, Copy)]
enum Broken {
    Empty,
    Stale,
    BegunAnew,
    Absurd,
}

proptest! {
    #![proptest_config(config(60))]

    /// 6 (argo-rollouts #180, flagger #1098 and #1095, kayenta #377).
    #[test]
    fn invariant_06_a_series_that_can_not_be_trusted_is_no_data(
        broken in prop_oneof![
            Just(Broken::Empty), Just(Broken::Stale), Just(Broken::BegunAnew), Just(Broken::Absurd)
        ],
        good_turns in 0_usize..3,
    ) {
        block_on(async {
            let world = World::with_old().await;
            let mut controller = open(&world, &Fuse::new(i64::MAX, false)).await;
            let mut spec = quick(OnNoData::Pause);
            spec.analysis.stale = std::time::Duration::from_secs(15);
            world.roll(spec).await;
            for _ in 0..good_turns {
                world.turn(&mut controller, FINE, FINE).await;
            }
            for _ in 0..80 {
                world.wait(10);
                let feed = |name: &str, served| {
                    world.traffic.feed(&endpoint(), &revision(name), served);
                };
                let fine = Served { requests: 100, errors: 1, slow: 1 };
                match broken {
                    Broken::Empty => feed("old", fine),
                    Broken::Stale => {}
                    Broken::BegunAnew => {
                        feed("old", fine);
                        world.traffic.lose_counts(&endpoint(), &revision("new"));
                        feed("new", fine);
                    }
                    Broken::Absurd => {
                        feed("old", fine);
                        feed("new", Served { requests: 1, errors: 5, slow: 0 });
                    }
                }
                controller.settle().await.unwrap();
            }
            let Phase::Paused { reason, .. } = &controller.state().rollout.as_ref().unwrap().phase
            else {
                panic!("{broken:?} {:?}", controller.state().rollout);
            };
            assert_eq!(*reason, crate::rollout::machine::Pause::NoData);
            assert_eq!(world.share("new").await.get(), 10);
        });
    }

    /// 7 (Argo calls a run that ended before its first measurement successful).
    #[test]
    fn invariant_07_zero_measurements_are_never_success(
        seconds in 1_u64..5_000,
        abort in any::<bool>(),
        samples in 0_u64..3,
    ) {
        block_on(async {
            let world = World::with_old().await;
            let mut controller = open(&world, &Fuse::new(i64::MAX, false)).await;
            let how = if abort { OnNoData::Abort } else { OnNoData::Pause };
            let mut spec = quick(how);
            spec.hold.samples = samples;
            world.roll(spec).await;
            for _ in 0..30 {
                world.wait(seconds);
                controller.settle().await.unwrap();
            }
            let state = controller.state();
            assert_eq!(state.stable, Some(revision("old")));
            let events = world.events().await;
            let passed = events.iter().any(|event| matches!(
                event, Event::Judged(judged) if judged.verdict == crate::rollout::analysis::Verdict::Pass
            ));
            assert!(!passed, "{events:?}");
            assert!(world.share("new").await.get() <= 10);
        });
    }
}

/// The random orders do get everywhere: a test that never leaves the first phase shows nothing.
#[test]
fn random_events_reach_every_phase() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::new(config(1));
    let phases = std::sync::Mutex::new(std::collections::BTreeSet::new());
    for _ in 0..150 {
        let all = happenings().new_tree(&mut runner).unwrap().current();
        block_on(live_through(&all, async |world| {
            let entries = world.entries().await;
            let mut state = crate::rollout::machine::State::default();
            for entry in entries {
                state = crate::rollout::machine::apply(&state, &entry).unwrap();
                let word = state.rollout.as_ref().map_or("idle", |rollout| rollout.phase.word());
                phases.lock().unwrap().insert(word);
            }
        }));
    }
    let reached = phases.into_inner().unwrap();
    let all = [
        "aborting",
        "applying",
        "done",
        "draining",
        "paused",
        "promoting",
        "rolled_back",
        "shadowing",
        "step",
        "stuck",
        "warming",
    ];
    assert!(all.iter().all(|word| reached.contains(word)), "{reached:?}");
}

/// The checks of [`mortal`] do fail when they should.
#[tokio::test]
#[should_panic(expected = "is not ready")]
async fn a_set_on_an_unready_revision_is_noticed() {
    let world = World::with_old().await;
    let mut controller = open(&world, &Fuse::new(i64::MAX, false)).await;
    world.roll(canary(Some("old"), "new")).await;
    while !matches!(world.events().await.last(), Some(Event::Shifted { .. })) {
        controller.tick().await.unwrap();
    }
    let asked = world.folded().await.asked.unwrap();
    world.deployer.follow(Script::WhenTold);
    world.deployer.become_unready(&revision_ref("new")).unwrap();
    let crate::rollout::machine::Wish::Split { split, backends, .. } = asked.wish else { return };
    let spec =
        crate::deploy::TrafficSpec::new(endpoint(), asked.generation, split, backends).unwrap();
    mortal(&world, &Fuse::new(i64::MAX, false)).traffic.set(spec).await.unwrap();
}

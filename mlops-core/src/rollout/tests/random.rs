//! Lives of a rollout: random orders of events and random deaths of the controller.

use proptest::prelude::*;

use super::faults::{Fuse, mortal};
use super::harness::{Manners, TTL, World, canary, endpoint, revision, revision_ref};
use crate::deploy::Percent;
use crate::id::LeaseOwner;
use crate::memory::Effect;
use crate::rollout::machine::{Phase, replay};
use crate::rollout::{Command, Controller, RolloutSpec, Shadow, Strategy as How};

pub(super) const FINE: Manners = Manners { errors: 10, slow: 10 };

pub(super) async fn open(world: &World, fuse: &std::sync::Arc<Fuse>) -> Controller {
    let owner = LeaseOwner::new("test").unwrap();
    Controller::open(mortal(world, fuse), endpoint(), &owner, TTL).await.unwrap()
}

/// How a rollout begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Canary,
    /// Nothing is stable.
    First,
    Shadow,
    BlueGreen,
}

impl Start {
    fn stable(self) -> Option<&'static str> {
        (self != Self::First).then_some("old")
    }

    fn spec(self) -> RolloutSpec {
        let mut spec = canary(self.stable(), "new");
        match self {
            Self::Canary | Self::First => spec,
            Self::Shadow => {
                let (percent, hold) = (Percent::ALL, spec.hold);
                spec.with_shadow(Shadow { percent, hold, quality: None })
            }
            Self::BlueGreen => {
                spec.strategy = How::BlueGreen;
                spec
            }
        }
    }
}

/// A rollout and what happens to it.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) start: Start,
    pub(super) happenings: Vec<Happening>,
}

/// Something that happens to a rollout.
#[derive(Debug, Clone, Copy)]
pub(super) enum Happening {
    Serve(u64),
    Pause,
    Resume,
    Promote,
    Abort,
    Newer,
    NewReady,
    NewUnready,
    NewFails,
    NewDies,
    OldUnready,
    OldReady,
    Lag,
    CatchUp,
    LoseCounts,
    Silence,
    PlaneRestarts,
    /// The controller dies after so many effects, before or after the next.
    Die(u8, bool),
}

pub(super) fn happenings() -> impl Strategy<Value = Life> {
    use Happening as H;
    let one = prop_oneof![
        8 => (0_u64..3).prop_map(|bad| H::Serve([10, 15, 300][bad as usize])),
        1 => Just(H::Pause),
        2 => Just(H::Resume),
        1 => Just(H::Promote),
        1 => Just(H::Abort),
        1 => Just(H::Newer),
        2 => Just(H::NewReady),
        1 => Just(H::NewUnready),
        1 => Just(H::NewFails),
        1 => Just(H::NewDies),
        1 => Just(H::OldUnready),
        2 => Just(H::OldReady),
        1 => Just(H::Lag),
        2 => Just(H::CatchUp),
        1 => Just(H::LoseCounts),
        1 => Just(H::Silence),
        1 => Just(H::PlaneRestarts),
        4 => (0_u8..6, any::<bool>()).prop_map(|(effects, after)| H::Die(effects, after)),
    ];
    let start = prop_oneof![
        3 => Just(Start::Canary), 1 => Just(Start::First), 1 => Just(Start::Shadow), 1 => Just(Start::BlueGreen)
    ];
    let all = proptest::collection::vec(one, 5..60);
    (start, all).prop_map(|(start, happenings)| Life { start, happenings })
}

/// A rollout to which all of it happens. Each set and each delete is checked as it passes
/// ([`mortal`]); after each happening the journal is folded and compared.
pub(super) async fn live_through(life: &Life, after_each: impl AsyncFn(&World)) -> World {
    use Happening as H;
    let world = match life.start {
        Start::First => World::empty(),
        _ => World::with_old().await,
    };
    let mut fuse = Fuse::new(i64::MAX, false);
    let mut controller = open(&world, &fuse).await;
    world.roll(life.start.spec()).await;
    for happening in &life.happenings {
        let (old, new) = (revision_ref("old"), revision_ref("new"));
        match happening {
            H::Serve(errors) => {
                let manners = Manners { errors: *errors, slow: 10 };
                world.serve(FINE, manners).await;
                world.copy(manners).await;
            }
            H::Pause => drop(world.order(Command::Pause).await),
            H::Resume => drop(world.order(Command::Resume).await),
            H::Promote => drop(world.order(Command::Promote).await),
            H::Abort => drop(world.order(Command::Abort).await),
            H::Newer => drop(world.roll(canary(life.start.stable(), "newer")).await),
            H::NewReady => drop(world.deployer.become_ready(&new)),
            H::NewUnready => drop(world.deployer.become_unready(&new)),
            H::NewFails => drop(world.deployer.fail(&new)),
            H::NewDies => drop(world.deployer.die(&new)),
            H::OldUnready => drop(world.deployer.become_unready(&old)),
            H::OldReady => drop(world.deployer.become_ready(&old)),
            H::Lag => world.traffic.follow(Effect::WhenTold),
            H::CatchUp => {
                world.traffic.take_effect(&endpoint());
                world.traffic.follow(Effect::AtOnce);
            }
            H::LoseCounts => world.traffic.lose_counts(&endpoint(), &revision("new")),
            H::Silence => {}
            H::PlaneRestarts => world.traffic.restart(),
            H::Die(effects, after) => fuse = Fuse::new(i64::from(*effects), *after),
        }
        if matches!(happening, H::Die(..)) {
            controller = open(&world, &fuse).await;
        }
        world.wait(10);
        if controller.settle().await.is_err() {
            assert!(fuse.is_blown(), "only the dead fail");
            fuse = Fuse::new(i64::MAX, false);
            controller = open(&world, &fuse).await;
            controller.settle().await.unwrap();
        }
        let folded = replay(&world.entries().await).unwrap();
        assert_eq!(folded, *controller.state(), "memory and journal have parted");
        after_each(&world).await;
    }
    world
}

/// Lets everything become well again and the rollout come to its end.
pub(super) async fn come_to_rest(world: &World) -> Controller {
    world.traffic.follow(Effect::AtOnce);
    world.traffic.take_effect(&endpoint());
    world.deployer.become_ready(&revision_ref("old")).ok();
    let mut controller = open(world, &Fuse::new(i64::MAX, false)).await;
    for _ in 0..200 {
        controller.settle().await.unwrap();
        if !controller.state().is_open() && controller.state().queued.is_none() {
            break;
        }
        for name in ["new", "newer"] {
            world.deployer.become_ready(&revision_ref(name)).ok();
        }
        if matches!(controller.state().rollout.as_ref().unwrap().phase, Phase::Paused { .. }) {
            world.order(Command::Abort).await;
        }
        world.wait(10);
        world.serve(FINE, FINE).await;
    }
    assert!(!controller.state().is_open(), "{:?}", controller.state().rollout);
    controller
}

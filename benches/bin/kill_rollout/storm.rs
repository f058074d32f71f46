//! Rollout after rollout, whose controllers are killed until the kills are used up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mlops_benches::BoxError;
use mlops_core::rollout::machine::{Event, Phase, replay};
use mlops_deploy::process::{ProcessDeployer, ProcessOptions};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::PATIENCE;
use super::controller::{End, Life, Side};
use super::world::World;

/// Where the controller is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// At its records.
    Records,
    /// At random moments.
    Moments,
}

/// How the kills went.
#[derive(Debug, Default)]
struct Deaths {
    at_records: BTreeMap<(String, Side), u32>,
    at_random: u32,
    restarts: u32,
    rolled_out: u32,
    rolled_back: u32,
    records: u64,
    violations: Vec<String>,
}

impl Deaths {
    fn count(&self) -> u32 {
        self.at_random + self.at_records.values().sum::<u32>()
    }
}

#[tokio::main(worker_threads = 2)]
pub(crate) async fn storm(kills: u32, seed: u64) -> Result<(), BoxError> {
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let stride = if kills < 50 { 4 } else { 1 };
    let world = World::new()?;
    let mut deaths = Deaths::default();
    let mut stable = "good-0".to_owned();
    world.order(None, &stable, "good").await?;
    let end = Life::begin(world.folder.path(), &world.admin, "never")?.end(None).await?;
    if end != End::Finished {
        return Err(format!("the first rollout did not end: {end:?}").into());
    }
    let clients = world.ask();
    for number in 1.. {
        let kind = if number % 2 == 1 { "good" } else { "bad" };
        let name = format!("{kind}-{number}");
        world.order(Some(&stable), &name, kind).await?;
        let plan = if number <= 2 { Plan::Records } else { Plan::Moments };
        roll(&world, &mut deaths, plan, (kills, stride), &mut random).await?;
        let state = replay(&world.entries().await?)?;
        deaths.records = state.sequence;
        match state.rollout.map(|rollout| rollout.phase) {
            Some(Phase::Done) if kind == "good" => {
                deaths.rolled_out += 1;
                stable.clone_from(&name);
            }
            Some(Phase::RolledBack { .. }) if kind == "bad" => deaths.rolled_back += 1,
            phase => deaths.violations.push(format!("{name} ended otherwise: {phase:?}")),
        }
        let left: Vec<String> = world.running()?.into_keys().collect();
        if left != [stable.clone()] {
            deaths.violations.push(format!("at the end of {name} there run {left:?}"));
        }
        if !deaths.violations.is_empty() || (deaths.count() >= kills && number >= 2) {
            break;
        }
    }
    world.watch.stop.store(true, Ordering::Release);
    clients.join_all().await;
    report(world, deaths).await
}

/// One rollout through all its lives.
async fn roll(
    world: &World,
    deaths: &mut Deaths,
    plan: Plan,
    (kills, stride): (u32, u64),
    random: &mut SmallRng,
) -> Result<(), BoxError> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let before = world.entries().await?.len() as u64;
        let number = deaths.count();
        let at_random = plan == Plan::Moments && number < kills;
        let mut until = None;
        // Before a record nothing was recorded: the next life gets as far, and dies behind it.
        let (side, death) = match number {
            _ if at_random => {
                until = Some(Instant::now() + Duration::from_millis(random.random_range(1..250)));
                (Side::Before, "never".to_owned())
            }
            _ if number >= kills => (Side::Before, "never".to_owned()),
            _ if number.is_multiple_of(2) => (Side::Before, format!("before-{}", before + stride)),
            _ => (Side::After, format!("after-{}", before + stride)),
        };
        let end = Life::begin(world.folder.path(), &world.admin, &death)?.end(until).await?;
        deaths.violations.extend(world.check_processes().await?);
        match end {
            End::Finished => return Ok(()),
            End::GaveUp => deaths.restarts += 1,
            End::Killed if at_random => deaths.at_random += 1,
            End::Killed => {
                let entries = world.entries().await?;
                let last =
                    entries.last().map_or("nothing".to_owned(), |entry| word_of(&entry.event));
                *deaths.at_records.entry((last, side)).or_default() += 1;
            }
        }
        if !deaths.violations.is_empty() {
            return Ok(());
        }
    }
    Err("a rollout does not come to an end".into())
}

/// The machine word of an event.
fn word_of(event: &Event) -> String {
    let json = serde_json::to_value(event).unwrap_or_default();
    json["kind"].as_str().unwrap_or("unknown").to_owned()
}

async fn report(world: World, deaths: Deaths) -> Result<(), BoxError> {
    let (front, control) = (world.front.drain().await, world.control.drain().await);
    let answers = std::mem::take(&mut *world.watch.lock());
    // What still runs would outlive this program.
    let deployer =
        ProcessDeployer::open(world.folder.path().join("revisions"), ProcessOptions::default());
    deployer.await?.shutdown().await?;
    println!("| the last record when it died | before the next | right after it |");
    println!("|---|---|---|");
    let words: BTreeSet<&String> = deaths.at_records.keys().map(|(word, _)| word).collect();
    for word in words {
        let at = |side| deaths.at_records.get(&(word.clone(), side)).copied().unwrap_or(0);
        println!("| {word} | {} | {} |", at(Side::Before), at(Side::After));
    }
    let sum = |status: u16| {
        let fitting = answers.by_revision.iter().filter(|((_, its), _)| *its == status);
        fitting.map(|(_, count)| count).sum::<u64>()
    };
    println!(
        "{} kills ({} at random moments), {} records; {} rolled out, {} rolled back; {} starts in vain",
        deaths.count(),
        deaths.at_random,
        deaths.records,
        deaths.rolled_out,
        deaths.rolled_back,
        deaths.restarts
    );
    println!(
        "{} good answers, {} of bad revisions, {} failures; {} looks at the shares; {} requests cut",
        sum(200),
        sum(500),
        answers.failures.len(),
        world.watch.looks.load(Ordering::Relaxed),
        front.cut + control.cut
    );
    let wrong: Vec<&String> = deaths.violations.iter().chain(&answers.failures).collect();
    for what in wrong.iter().take(20) {
        println!("{what}");
    }
    if wrong.is_empty() && front.cut == 0 { Ok(()) } else { Err("something was noticed".into()) }
}

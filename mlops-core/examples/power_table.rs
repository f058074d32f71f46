//! How often service analysis ends a rollout: of a revision that is no worse (A/A), and of one that is.
//!
//! ```text
//! cargo run --release -p mlops-core --example power_table
//! ```
//!
//! Prints a row a case: both revisions' error rates, looks and requests a look of each, and the
//! share of seeded rollouts that were ended. Fails when more than alpha of the A/A ones were.

#![allow(clippy::print_stdout, reason = "a program talks to its terminal")]

use std::process::ExitCode;
use std::time::Duration;

use mlops_core::deploy::ServiceCounts;
use mlops_core::rollout::analysis::{AnalysisOptions, Arms, EventRule, Reading, Service, Verdict};
use mlops_core::time::Timestamp;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

const ROLLOUTS: u64 = 2_000;
const ALPHA: f64 = 0.01;

/// Looks, then requests a look of the stable and of the new revision.
const SIZES: [(u64, u64, u64); 5] =
    [(10, 50, 50), (10, 200, 200), (10, 1_000, 1_000), (30, 900, 100), (100, 190, 10)];
const STABLE: f64 = 0.01;
const CANARY: [f64; 5] = [0.005, 0.01, 0.02, 0.03, 0.05];

fn main() -> ExitCode {
    println!("{ROLLOUTS} rollouts a row, errors alone, alpha {ALPHA}");
    println!("looks  stable/look  new/look  stable rate  new rate  ended");
    let mut kept = true;
    for (looks, stable, canary) in SIZES {
        for rate in CANARY {
            let ended = |seed: &u64| is_ended(*seed, looks, [(stable, STABLE), (canary, rate)]);
            let share = (0..ROLLOUTS).filter(ended).count() as f64 / ROLLOUTS as f64;
            println!(
                "{looks:>5}  {stable:>11}  {canary:>8}  {STABLE:>11.3}  {rate:>8.3}  {share:>5.3}"
            );
            kept &= rate > STABLE || share <= ALPHA;
        }
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn is_ended(seed: u64, looks: u64, [stable, canary]: [(u64, f64); 2]) -> bool {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let options = AnalysisOptions::default()
        .with_alpha(ALPHA)
        .with_errors(Some(EventRule::default()))
        .with_slow(None);
    let at = Timestamp::from_millis(0);
    let none = ServiceCounts {
        since: at,
        requests: 0,
        errors: 0,
        slow: 0,
        latency_bound: Duration::from_millis(200),
        last: Some(at),
    };
    let (mut old, mut new, mut service) = (none, none, Service::default());
    let mut look = |old, new| {
        service.look(Reading { at, stable: Some(old), canary: Some(new) }, Arms::Both, &options);
        service.judge(Arms::Both, 1, &options).verdict == Verdict::Fail
    };
    look(old, new);
    (0..looks).any(|_| {
        for (counts, (requests, rate)) in [(&mut old, stable), (&mut new, canary)] {
            counts.requests += requests;
            counts.errors += (0..requests).filter(|_| random.random::<f64>() < rate).count() as u64;
        }
        look(old, new)
    })
}

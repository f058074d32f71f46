//! What the measurements share.
//!
//! | program | shows | how to run it |
//! |---|---|---|
//! | bench `tracking` | a `log` call, durable points and search, each beside its floor | `cargo bench -p mlops-benches --bench tracking` |
//! | `serving_cost` | CPU a request of the model server beside a bare handler, drift on and off; beside FastAPI | `serving_cost [--rounds N] [--check] [--peer PYTHON]` |
//! | `overload` | 1, 2 and 10 times the capacity: accepted is answered, the rest is told to come back, memory is bounded | `overload [SECONDS] [RUNNING] [WAITING]` |
//! | `drain` | SIGTERM under load cuts nobody | `drain [TIMES] [SEED]` |
//! | `kill_rollout` | a controller killed at every record of its journal is continued; nobody notices | `kill_rollout [KILLS] [SEED]` |
//! | `kill_demo` | the demo killed at random moments ends as an undisturbed one | `kill_demo BINARY [KILLS] [SEED]` |
//! | `false_alarms` | the rate of drift alarms on exchangeable days | `false_alarms` |
//! | `calibration` | the rate of drift alarms where nothing has changed, by size and kind of column | `calibration [--fast] [SEED]` |
//! | `power` | the change that the value test finds, beside single tests | `power [PAIRS] [SEED]` |
//! | `drift_speed` | what counting, comparing and fitting cost, each beside its floor or a peer, as ratios | `drift_speed [--fast] [--check] [FILTER]` |
//! | `report_time` | what a drift report costs a column | `report_time [REPORTS] [SEED]` |
//! | `joint_null` | makes the table of the value test's joint law, and checks it at other sizes | `joint_null [DRAWS] [CHECKS] [SEED]` |
//!
//! The programs are built by `cargo build --release -p mlops-benches --bins`. Figures are comparable within
//! one run only, as ratios: compare those, never figures of two runs.
//!
//! | module | holds |
//! |---|---|
//! | [`child`] | a copy of the program that serves, in a process whose time and memory can be read |
//! | [`client`] | a strict client: each request is sent once |
//! | [`drift`] | a drift monitor as an observer of a model server |
//! | [`store`] | stores in temporary folders, with runs in them |

#![allow(clippy::print_stdout)]

pub mod child;
pub mod client;
pub mod drift;
pub mod store;

/// What a program fails with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a program ends: 0 when what it measured is as it should be, 1 when not, 2 when it failed.
pub fn end(outcome: Result<bool, BoxError>) -> std::process::ExitCode {
    match outcome {
        Ok(true) => std::process::ExitCode::SUCCESS,
        Ok(false) => std::process::ExitCode::FAILURE,
        Err(error) => {
            println!("failed: {error}");
            std::process::ExitCode::from(2)
        }
    }
}

/// The value in the middle; the upper one of two. NaN without values.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value that the share `q` of all values does not pass (nearest rank). NaN without values.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// The smallest k with P(X <= k) >= `level` for X binomial; up to about 10,000 trials.
#[must_use]
pub fn binomial_quantile(trials: u64, p: f64, level: f64) -> u64 {
    let mut term = (trials as f64 * (-p).ln_1p()).exp();
    let mut below = term;
    let mut k = 0;
    while below < level && k < trials {
        term *= (trials - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
        k += 1;
        below += term;
    }
    k
}

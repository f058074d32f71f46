//! A controller killed at every record of its journal, and at random moments: the next one goes on, and no client notices.
//!
//! `kill_rollout [KILLS] [SEED]`. This process is the data plane: a gateway with its admin interface, clients that
//! never stop asking, and whoever looks for orphans. The controller is a process of its own over a SQLite journal,
//! with revisions as processes. Good revisions must take over, those that answer 500 must be rolled back, in turn. In
//! the first rollout of each kind the controller is killed with SIGKILL right before and right after each record
//! (with fewer than 50 kills: each fourth), in all others at random moments until the kills are used up; each time it
//! is started again on the same folder.
//!
//! Ends with 1 when a rollout ends otherwise, the shares in effect do not sum to 100, a process runs that the
//! journal has no place for, a replica runs twice, or a client gets anything but a whole answer of a stable revision (or
//! of a good new one, or the very 500 of a bad one).

#![allow(clippy::print_stdout)]

mod controller;
mod revision;
mod storm;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use mlops_benches::BoxError;

const ENDPOINT: &str = "flights";
/// How long one rollout may take in all its lives.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["revision", name, kind] => revision::revision(name, kind),
        ["control", folder, gateway, death] => {
            return controller::control(Path::new(folder), gateway, death);
        }
        _ => {
            let argument = |at: usize, default| arguments.get(at).copied().unwrap_or(default);
            let numbers = argument(0, "100")
                .parse()
                .and_then(|kills: u32| Ok((kills, argument(1, "1").parse()?)));
            numbers.map_err(BoxError::from).and_then(|(kills, seed)| storm::storm(kills, seed))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

//! What counting, comparing and fitting cost, each beside its floor or a peer in the same run, as a ratio.
//!
//! `drift_speed [--fast] [--check] [FILTER]`. Each row is timed in turns with its floor, in CPU time of this
//! thread, and shows the median of the ratios of the turns; `--fast` takes columns a tenth as long, `--check` fails
//! where an aim is missed. Seven turns, so a ratio is good to about a tenth. Only ratios mean anything.

#![allow(clippy::print_stdout, reason = "a program talks to its terminal")]

mod data;
mod rows;
mod turns;

use std::process::ExitCode;

use mlops_benches::BoxError;

use turns::Table;

fn main() -> ExitCode {
    mlops_benches::end(run())
}

fn run() -> Result<bool, BoxError> {
    let (mut fast, mut check, mut filter) = (false, false, String::new());
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--fast" => fast = true,
            "--check" => check = true,
            other => other.clone_into(&mut filter),
        }
    }
    let long = if fast { 1_000_000 } else { 10_000_000 };
    let mut table = Table::new(filter);
    rows::psi(&mut table, long)?;
    rows::exact(&mut table, 1_000_000)?;
    if !fast {
        rows::exact(&mut table, long)?;
    }
    rows::certified(&mut table, long)?;
    rows::inline(&mut table)?;
    rows::sliding(&mut table)?;
    rows::fit(&mut table, if fast { 1_000_000 } else { 4_000_000 })?;
    rows::law(&mut table);
    rows::threads(&mut table, long / 10)?;
    Ok(table.met() || !check)
}

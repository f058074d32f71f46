//! Rollouts over the backends in memory.

mod faults;
mod harness;
mod invariants;
mod paths;

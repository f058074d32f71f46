//! Rollouts over the backends in memory.

mod controller;
mod faults;
mod harness;
mod invariants;
mod paths;
mod random;
mod trouble;

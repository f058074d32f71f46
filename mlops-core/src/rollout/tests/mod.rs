//! Rollouts over the backends in memory.

mod harness;
mod paths;

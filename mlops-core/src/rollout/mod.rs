//! A new revision takes over from the stable one, step by step, judged while traffic flows.

pub mod analysis;
mod command;
mod engine;
pub mod machine;
mod spec;
mod status;

pub use command::{Command, Order, OrderNumber, journal_stream, order_stream, orders_after, send};
pub use engine::{Controller, NoScores, Parts, Preflight, Progress, ReadyIsEnough, ShadowScores};
pub use spec::{Deadlines, Gate, Hold, OnNoData, RolloutSpec, Shadow, Steps, Strategy};
pub use status::{EndpointStatus, Outcome, Reconciling, Serving, answer, history, status};

#[cfg(test)]
mod tests;

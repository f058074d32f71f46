//! The loop that closes: signals in, policy, actions out, with nobody at the keyboard.
//!
//! Watching raises [`Signal`]s. A [`Policy`] decides, from a [`State`] that is nothing but the fold of
//! the journal, what has to be done next: retrain, evaluate the challenger against the champion,
//! promote it, keep the champion, or roll back. A [`Lifecycle`] does it through the host's
//! [`Actions`] and the model registry, and records each outcome before it goes on. Killed anywhere, it
//! reads its journal and continues with the very action that was open.
//!
//! | module part | pure? |
//! |---|---|
//! | [`Policy::decide`], [`judge`], [`State::apply`] | yes: tables test them |
//! | [`Lifecycle`] | reads and writes journal and registry, calls the host |
//! | [`Kpis::compute`] | reads the stores |

mod controller;
mod event;
mod kpi;
mod policy;
mod state;

pub use controller::{Actions, Lifecycle, Names, RollOut};
pub use event::{Challenger, Contest, Evaluation, Event, Retraining, Signal, SignalKind, Window};
pub use kpi::{Clock as KpiClock, KpiClocks, KpiInputs, Kpis, Quality, REPRODUCED_TAG, is_within};
pub use policy::{Action, Policy, Verdict, judge};
pub use state::{Phase, State};

#[cfg(test)]
mod tests;

//! The rollout as a pure state machine: [`apply`] is the only way on, [`decide`] says where to.

mod apply;
mod decide;
mod event;
mod observe;
mod order;
mod state;
mod traffic;
mod watch;

pub use apply::{apply, replay};
pub use decide::{Action, Decision, decide};
pub use event::{Answered, Entry, Event, Shift, Wish};
pub use observe::{Observation, Seen};
pub use state::{Aborting, Asked, Draining, Pause, Phase, Rollout, Stage, State, Warming};

#[cfg(test)]
mod tests;

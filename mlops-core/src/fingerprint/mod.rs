//! The run key: one digest that says what a run was made of, and which part of it differs from
//! another run's.
//!
//! A run is described in [`Section`]s (code, params, data, seeds, graph, env, hw), each a typed
//! [`Value`]. Every section is hashed on its own with SHA-256 over canonical bytes, and a
//! [`RunKey`] is the digest of the section digests. Three [`Level`]s of strictness give three keys,
//! all of which a [`Fingerprint`] holds. Time, host, user, absolute paths, addresses, the run's
//! name and secrets are never part of a key.
//!
//! ```
//! # use mlops_core::fingerprint::{Fingerprint, Level, diff};
//! # fn main() -> mlops_core::Result<()> {
//! let run = |lr: f64| {
//!     Fingerprint::builder()
//!         .param("lr", lr)
//!         .param("epochs", 10)
//!         .data("train", "b3:1111")
//!         .seed("torch", 7)
//!         .build()
//! };
//! let (first, second) = (run(0.001), run(0.01));
//! assert_eq!(first.key(Level::Declared), run(0.001).key(Level::Declared));
//! assert_eq!(diff(&first, &second).sections[0].entries[0].path, "params.lr");
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`environment`] | lock-file readers, toolchain, image, allow-listed variables, hardware |
//! | [`tree`] | the digest of the source's contents, and the commit beside it |
//!
//! Everything here is pure except the functions named `read*`, which open files or run `git` and
//! `rustc` and block while they do: call them outside an async executor's threads.
//!
//! The canonical form is RFC 8785 restricted to strings, arrays and objects, so that no number is
//! ever printed by a JSON library. A change of any rule is a new version tag, never silent.

mod builder;
mod canonical;
mod diff;
pub mod environment;
mod executable;
mod graph;
mod key;
mod outcome;
mod record;
mod secret;
mod section;
pub mod tree;
mod value;
mod wire;

#[cfg(test)]
mod tests;

pub use builder::FingerprintBuilder;
pub use canonical::{Label, digest};
pub use diff::{Difference, EntryDifference, SectionDifference, diff, diff_values};
pub use executable::executable_digest;
pub use graph::{Graph, StepInput, step_key};
pub use key::{KeyDigest, RunKey};
pub use outcome::{Outcome, Tolerance, Verdict, compare, result_key};
pub use record::{Fingerprint, Gap};
pub use secret::ProjectKey;
pub use section::{Level, Section};
pub use value::{Int, Value};

//! Pipelines: steps that turn named values into others, run once for each new content.
//!
//! A [`Plan`] links [`Step`]s by the names of the values they read and write, and is checked when it is
//! built. An [`Executor`] runs it: independent steps side by side, each step only if no step with the
//! same code, params and inputs has run before. Values are files: a step reads its inputs from, and
//! leaves its outputs in, a folder of its own; an output exists for others only once the whole step
//! has succeeded.
//!
//! ```
//! # use std::sync::Arc;
//! # use mlops_core::memory::{MemoryArtifacts, MemoryJournal};
//! # use mlops_core::pipeline::{Cancel, Executor, ExecutorOptions, Plan, PlanInput, Step};
//! # use mlops_core::time::SystemClock;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mlops_core::Result<()> {
//! let count = Step::blocking("count", |context| {
//!     let words = context.read("text")?.split(|byte| *byte == b' ').count();
//!     context.write("words", words.to_string())
//! })?
//! .input("text")?
//! .output("words")?;
//! let plan = Plan::builder("words")?
//!     .input("text", PlanInput::Bytes(b"to be or not".to_vec()))?
//!     .step(count)
//!     .build()?;
//!
//! let clock = Arc::new(SystemClock);
//! let (content, journal) = (Arc::new(MemoryArtifacts::default()), Arc::new(MemoryJournal::new(clock)));
//! let work = std::env::temp_dir().join("mlops-doc-words");
//! let executor = Executor::new(content, journal, ExecutorOptions::new(work));
//! let first = executor.run(&plan, &"first".parse()?, &Cancel::new()).await?;
//! let again = executor.run(&plan, &"again".parse()?, &Cancel::new()).await?;
//! assert_eq!((first.ran(), again.ran(), again.cached()), (1, 0, 1));
//! # Ok(())
//! # }
//! ```
//!
//! **What a crash leaves**: a run is journalled. Started again with the same id, it takes up finished
//! steps from the journal, ends commands that the dead process left running, and goes on. A step that
//! was running is run again: its outputs are published once, but its side effects may happen twice.

mod attempt;
mod cache;
mod cancel;
mod command;
mod context;
mod executor;
mod history;
mod options;
mod plan;
mod preview;
mod process;
mod step;

pub use cache::{CachePolicy, StepInputs};
pub use cancel::Cancel;
pub use command::Command;
pub use context::StepContext;
pub use executor::Executor;
pub use history::{Event, PipelineRun, StepReport, StepState, pipeline_runs, run_stream};
pub use options::{ExecutorOptions, Notice};
pub use plan::{Plan, PlanBuilder, PlanInput};
pub use preview::{Decision, Planned, Reason};
pub use step::{RetryPolicy, Step};

#[cfg(test)]
mod tests;

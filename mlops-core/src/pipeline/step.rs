//! One step of a pipeline: what it reads, what it writes, what it does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::command::Command;
use super::context::StepContext;
use crate::error::{Error, Result};
use crate::fingerprint::Value;
use crate::id::{StepName, ValueName};

type Blocking = Arc<dyn Fn(&StepContext) -> Result<()> + Send + Sync>;
type Asynchronous = Arc<dyn Fn(Arc<StepContext>) -> BoxFuture<'static, Result<()>> + Send + Sync>;
type Predicate = Arc<dyn Fn(&StepContext) -> Result<bool> + Send + Sync>;

/// What a step does.
#[derive(Clone)]
pub(super) enum Action {
    Blocking(Blocking),
    Asynchronous(Asynchronous),
    Command(Command),
}

/// Whether a step runs at all.
#[derive(Clone)]
pub(super) struct When {
    pub(super) reason: String,
    pub(super) holds: Predicate,
}

/// How often a failing step is tried, and how long it rests between two tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all; at least one.
    pub attempts: u32,
    /// Longest rest before the second try; it doubles with each, and the rest is drawn between its half
    /// and its whole.
    pub first: Duration,
    /// Longest rest.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    /// One try.
    fn default() -> Self {
        Self { attempts: 1, first: Duration::from_secs(1), cap: Duration::from_secs(60) }
    }
}

/// A step: a function of this program, or a command.
///
/// Its key is made of the code, the params and the contents of the inputs. For a function the code
/// is, unless [`Step::code`] says otherwise, the digest of the running executable with the names of the
/// pipeline and the step: any new build runs it again. What a closure captures is no part of that, so
/// a captured value that its result depends on must be declared as a param too. For a command the code
/// is the command line and the contents of the files it declares.
#[derive(Clone)]
pub struct Step {
    pub(super) name: StepName,
    pub(super) action: Action,
    pub(super) inputs: BTreeSet<ValueName>,
    pub(super) outputs: BTreeSet<ValueName>,
    pub(super) params: BTreeMap<String, Value>,
    pub(super) code: Option<String>,
    pub(super) retry: RetryPolicy,
    pub(super) timeout: Option<Duration>,
    pub(super) when: Option<When>,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("name", &self.name)
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

impl Step {
    fn new(name: &str, action: Action) -> Result<Self> {
        let (inputs, outputs, params) = Default::default();
        let name = StepName::new(name)?;
        let (code, timeout, when, retry) = (None, None, None, RetryPolicy::default());
        Ok(Self { name, action, inputs, outputs, params, code, retry, timeout, when })
    }

    /// A step that computes; it runs on a thread for blocking work.
    ///
    /// It can't be stopped from outside: after a timeout or a cancellation its result is thrown away,
    /// but the thread runs on until the function returns. Long ones ask
    /// [`StepContext::is_cancelled`] now and then.
    ///
    /// # Errors
    /// `InvalidInput` for a bad name.
    pub fn blocking(
        name: &str,
        run: impl Fn(&StepContext) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::new(name, Action::Blocking(Arc::new(run)))
    }

    /// A step that waits; it runs on the executor's runtime and is dropped when it is stopped.
    ///
    /// # Errors
    /// `InvalidInput` for a bad name.
    pub fn asynchronous<F, Fut>(name: &str, run: F) -> Result<Self>
    where
        F: Fn(Arc<StepContext>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        Self::new(name, Action::Asynchronous(Arc::new(move |context| Box::pin(run(context)))))
    }

    /// A step that runs a command in a process group of its own, which is ended as a whole when the
    /// step is stopped.
    ///
    /// # Errors
    /// `InvalidInput` for a bad name.
    pub fn command(name: &str, command: Command) -> Result<Self> {
        Self::new(name, Action::Command(command))
    }

    /// Reads a value.
    ///
    /// # Errors
    /// `InvalidInput` for a bad name, or one that is declared already.
    pub fn input(mut self, name: &str) -> Result<Self> {
        self.declare(name, |step| &mut step.inputs)?;
        Ok(self)
    }

    /// Writes a value.
    ///
    /// # Errors
    /// `InvalidInput` for a bad name, or one that is declared already.
    pub fn output(mut self, name: &str) -> Result<Self> {
        self.declare(name, |step| &mut step.outputs)?;
        Ok(self)
    }

    fn declare(
        &mut self,
        name: &str,
        side: fn(&mut Self) -> &mut BTreeSet<ValueName>,
    ) -> Result<()> {
        let value = ValueName::new(name)?;
        if !side(self).insert(value) {
            return Err(Error::invalid(format!(
                "a step declares a value twice: step={} value={name}",
                self.name
            )));
        }
        Ok(())
    }

    /// Sets a parameter; it is part of the key.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.params.insert(name.into(), value.into());
        self
    }

    /// Names the version of the code, instead of the digest of the executable or the declared files.
    /// Whoever sets it must change it whenever the code's meaning changes.
    #[must_use]
    pub fn code(mut self, version: impl Into<String>) -> Self {
        self.code = Some(version.into());
        self
    }

    /// Tries again after a failure.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Fails a try that takes longer.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Runs only when `holds`, which may read the inputs. Steps that need a skipped step's outputs
    /// are skipped too. `reason` says, for people, what is asked.
    #[must_use]
    pub fn when(
        mut self,
        reason: impl Into<String>,
        holds: impl Fn(&StepContext) -> Result<bool> + Send + Sync + 'static,
    ) -> Self {
        self.when = Some(When { reason: reason.into(), holds: Arc::new(holds) });
        self
    }

    /// The step's name.
    #[must_use]
    pub fn name(&self) -> &StepName {
        &self.name
    }
}

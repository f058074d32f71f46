//! What holds for one route: its scope, and what a request of it may cost.

use std::time::Duration;

use crate::auth::Scope;
use crate::body::BodyLimits;
use crate::limit::Gate;

/// What holds for one route. It is made from a [`Scope`], which may stand in its place.
#[derive(Debug, Clone)]
pub struct Rule {
    scope: Scope,
    pub(super) body: Option<BodyLimits>,
    pub(super) deadline: Option<Duration>,
    pub(super) gate: Option<Gate>,
}

impl From<Scope> for Rule {
    fn from(scope: Scope) -> Self {
        Self { scope, body: None, deadline: None, gate: None }
    }
}

impl Rule {
    /// A route of this scope, with the server's limits.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        scope.into()
    }

    /// What the route does.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Replaces the server's limits of a request's body.
    #[must_use]
    pub fn with_body(mut self, limits: BodyLimits) -> Self {
        self.body = Some(limits);
        self
    }

    /// Sets how long the handler may take to begin its answer. Beyond it, it is dropped and the
    /// answer is 503.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Lets requests in through a gate, which may be shared with other routes. A place is held until
    /// the handler has begun its answer.
    #[must_use]
    pub fn with_gate(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }
}

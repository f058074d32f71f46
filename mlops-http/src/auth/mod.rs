//! Who may do what: scopes, and the one question that every guarded route asks.

mod token;

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, header};

pub use token::{BearerToken, SHORTEST, TokenError, bearer};

use crate::error::HttpError;

/// What a route does, seen from whoever guards it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Nothing worth guarding (health); asks nobody.
    Public,
    /// Looks at things.
    Read,
    /// Makes and changes things.
    Write,
    /// Removes things.
    Delete,
    /// Rules over the server and over who else may use it.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [Self::Public, Self::Read, Self::Write, Self::Delete, Self::Admin];

    /// The machine word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A set of scopes; `Public` is always in it. None implies another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub const ALL: Self = Self(0b1_1111);

    /// These scopes.
    #[must_use]
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(Scope::Public.bit(), |bits, scope| bits | scope.bit()))
    }

    /// Whether it holds this one.
    #[must_use]
    pub fn holds(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Scope::ALL.into_iter().filter(|scope| self.holds(*scope))).finish()
    }
}

/// Whoever a request comes from. Stands in the extensions of every request that was let through to a
/// guarded route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal(Arc<str>);

impl Principal {
    /// A principal of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Why a request is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// It shows no token, or one that is not known: 401.
    #[error("a valid token is needed")]
    Unknown,
    /// It comes from somebody who does not hold the scope: 403.
    #[error("the token does not hold the scope: scope={scope}")]
    Scope {
        /// The scope that is needed.
        scope: Scope,
    },
}

impl From<Denied> for HttpError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unknown => {
                let status = http::StatusCode::UNAUTHORIZED;
                Self::new(status, "unauthenticated", denied.to_string())
                    .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            Denied::Scope { .. } => Self::forbidden(denied.to_string()),
        }
    }
}

/// Decides who may do what.
///
/// # Contract
/// - It looks at the head alone, does no I/O and does not block.
/// - It is not asked about [`Scope::Public`]; asked nevertheless, it lets the request through.
/// - The answer, its error and its `Debug` text never hold a secret.
pub trait Authorize: Send + Sync + fmt::Debug {
    /// Whether a request with this head may enter a route of this scope, and who sends it.
    ///
    /// # Errors
    /// See [`Denied`].
    fn authorize(&self, head: &Parts, scope: Scope) -> Result<Principal, Denied>;

    /// Whether it keeps anybody out. Without that, a server listens on a loopback address only.
    fn guards(&self) -> bool {
        true
    }
}

/// Lets everyone do everything: for a server that only this machine can reach.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anyone;

impl Authorize for Anyone {
    fn authorize(&self, _head: &Parts, _scope: Scope) -> Result<Principal, Denied> {
        Ok(Principal::new("anyone"))
    }

    fn guards(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scope_implies_another() {
        for scope in Scope::ALL {
            let held = Scopes::of(&[scope]);
            for other in Scope::ALL {
                let expected = other == scope || other == Scope::Public;
                assert_eq!(held.holds(other), expected, "{scope} {other}");
                assert!(Scopes::ALL.holds(other));
            }
        }
        assert_eq!(format!("{:?}", Scopes::of(&[Scope::Read])), "{Public, Read}");
    }
}

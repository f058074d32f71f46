//! The one error of every contract here: what happened, and what the caller should do about it.

use std::error::Error as StdError;
use std::fmt;

/// What every fallible operation of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, seen from the caller's chair.
///
/// Each kind has one machine word ([`ErrorKind::word`]) that may be logged, counted or sent over a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request itself is wrong; sending it again can't help.
    InvalidInput,
    /// The thing named does not exist.
    NotFound,
    /// Another thing already has that name or id.
    AlreadyExists,
    /// The state is not the one that the caller expected (a lost race, a stale compare-and-set).
    Conflict,
    /// A newer holder of the lease has taken over; this one may write nothing more.
    Fenced,
    /// This backend does not offer the operation.
    Unsupported,
    /// Stored bytes are not what was written.
    Corrupt,
    /// No room is left where the data should go.
    Full,
    /// The backend can't be reached, or is too busy to answer in time.
    Unavailable,
    /// The operation was stopped on request.
    Cancelled,
    /// A command, a step or a host's own code failed.
    Failed,
    /// A defect of this library.
    Internal,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::InvalidInput,
        Self::NotFound,
        Self::AlreadyExists,
        Self::Conflict,
        Self::Fenced,
        Self::Unsupported,
        Self::Corrupt,
        Self::Full,
        Self::Unavailable,
        Self::Cancelled,
        Self::Failed,
        Self::Internal,
    ];

    /// The kind with this machine word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The machine word of this kind.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::Fenced => "fenced",
            Self::Unsupported => "unsupported",
            Self::Corrupt => "corrupt",
            Self::Full => "full",
            Self::Unavailable => "unavailable",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Internal => "internal",
        }
    }

    const fn default_retry(self) -> RetryClass {
        match self {
            Self::Unavailable => RetryClass::Safe,
            _ => RetryClass::Never,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Whether the same call may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryClass {
    /// Nothing happened: the same call may simply be sent again.
    Safe,
    /// The same call will fail again.
    Never,
    /// It may have happened. Only a call with an idempotency key, or one that is idempotent by
    /// nature, may be sent again.
    Ambiguous,
}

/// An error with a kind, a retry class, a message and, where there is one, its source.
///
/// Messages are lower case, without a full stop, with values last as `key=value`. The source is not
/// repeated in the message: walk [`std::error::Error::source`], or print [`Error::chain`].
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: RetryClass,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind, with the kind's usual retry class.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            retry: kind.default_retry(),
            message: message.into(),
            source: None,
        }))
    }

    /// Shorthand for the most frequent kind.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// The thing `what` called `name` does not exist.
    pub fn not_found(what: &str, name: impl fmt::Display) -> Self {
        Self::new(ErrorKind::NotFound, format!("{what} not found: name={name}"))
    }

    /// The thing `what` called `name` is deleted, and takes no writes until it is restored.
    pub fn deleted(what: &str, name: impl fmt::Display) -> Self {
        let message = format!("{what} is deleted, restore it first: name={name}");
        Self::new(ErrorKind::Conflict, message)
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Overrides the retry class of the kind.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryClass) -> Self {
        self.0.retry = retry;
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may be sent again.
    #[must_use]
    pub fn retry(&self) -> RetryClass {
        self.0.retry
    }

    /// The message and those of all sources, joined by `: `.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.0.message.clone();
        let mut next = self.source();
        while let Some(source) = next {
            text.push_str(": ");
            text.push_str(&source.to_string());
            next = source.source();
        }
        text
    }

    /// Maps an I/O error on `path`: a missing file, a full disk and a refused access keep their meaning.
    pub fn io(action: &str, path: &std::path::Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match source.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::AlreadyExists => ErrorKind::AlreadyExists,
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::Full,
            Io::InvalidData | Io::UnexpectedEof => ErrorKind::Corrupt,
            Io::PermissionDenied
            | Io::ReadOnlyFilesystem
            | Io::NotADirectory
            | Io::IsADirectory => ErrorKind::InvalidInput,
            _ => ErrorKind::Unavailable,
        };
        Self::new(kind, format!("cannot {action}: path={}", path.display()))
            .with_retry(RetryClass::Never)
            .with_source(source)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}, retry {:?}]", self.chain(), self.0.kind, self.0.retry)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_joins_sources_and_display_does_not_repeat_them() {
        let io = std::io::Error::new(std::io::ErrorKind::StorageFull, "no space left");
        let error = Error::io("write object", std::path::Path::new("/x/y"), io);
        assert_eq!(error.kind(), ErrorKind::Full);
        assert_eq!(error.to_string(), "cannot write object: path=/x/y");
        assert_eq!(error.chain(), "cannot write object: path=/x/y: no space left");
    }

    #[test]
    fn only_an_unreachable_backend_is_safe_to_retry_by_default() {
        assert_eq!(Error::new(ErrorKind::Unavailable, "busy").retry(), RetryClass::Safe);
        for kind in
            [ErrorKind::InvalidInput, ErrorKind::Conflict, ErrorKind::Corrupt, ErrorKind::Full]
        {
            assert_eq!(Error::new(kind, "x").retry(), RetryClass::Never, "{kind}");
        }
    }

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}

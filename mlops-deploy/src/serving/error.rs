//! The one error of serving, and what it is called over HTTP and over gRPC.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// What every fallible operation on a request returns.
pub type Result<T, E = ServeError> = std::result::Result<T, E>;

/// What went wrong with a request, seen from the client's chair.
///
/// | kind | word | HTTP | gRPC |
/// |---|---|---|---|
/// | `InvalidInput` | `invalid_input` | 400 | `INVALID_ARGUMENT` (3) |
/// | `UnknownModel` | `unknown_model` | 404 | `NOT_FOUND` (5) |
/// | `UnknownVersion` | `unknown_version` | 404 | `NOT_FOUND` (5) |
/// | `NotReady` | `not_ready` | 503 | `UNAVAILABLE` (14) |
/// | `Overloaded` | `overloaded` | 503 | `RESOURCE_EXHAUSTED` (8) |
/// | `ModelFailed` | `model_failed` | 500 | `INTERNAL` (13) |
/// | `Internal` | `internal` | 500 | `INTERNAL` (13) |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServeErrorKind {
    /// The request itself is wrong; sending it again can't help.
    InvalidInput,
    /// No model has that name.
    UnknownModel,
    /// The model has no such version.
    UnknownVersion,
    /// The model is known but can't answer yet, or no longer.
    NotReady,
    /// More requests wait than may wait; nothing was begun.
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The model refused, failed or panicked on a valid input.
    ModelFailed,
    /// A defect of this library.
    Internal,
}

impl ServeErrorKind {
    /// The machine words of all kinds: what may be counted.
    pub const WORDS: [&'static str; 7] = [
        "invalid_input",
        "unknown_model",
        "unknown_version",
        "not_ready",
        "overloaded",
        "model_failed",
        "internal",
    ];

    /// The machine word, the HTTP status and the number of the gRPC code: the one table of all three.
    const fn row(self) -> (&'static str, u16, i32) {
        match self {
            Self::InvalidInput => (Self::WORDS[0], 400, 3),
            Self::UnknownModel => (Self::WORDS[1], 404, 5),
            Self::UnknownVersion => (Self::WORDS[2], 404, 5),
            Self::NotReady => (Self::WORDS[3], 503, 14),
            Self::Overloaded { .. } => (Self::WORDS[4], 503, 8),
            Self::ModelFailed => (Self::WORDS[5], 500, 13),
            Self::Internal => (Self::WORDS[6], 500, 13),
        }
    }

    /// The machine word of this kind, for logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// The number of the gRPC code to answer with.
    #[must_use]
    pub const fn code(self) -> i32 {
        self.row().2
    }
}

/// An error with a kind, a message and, where there is one, its source.
///
/// Messages are lower case, without a full stop, with values last as `key=value`, and may be shown to
/// the client: neither paths nor sources are in them.
#[derive(Debug)]
pub struct ServeError {
    kind: ServeErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ServeError {
    /// An error of this kind.
    pub fn new(kind: ServeErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Shorthand for [`ServeErrorKind::InvalidInput`].
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ServeErrorKind::InvalidInput, message)
    }

    /// Shorthand for [`ServeErrorKind::ModelFailed`].
    pub fn model_failed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ServeErrorKind::ModelFailed, message)
    }

    /// Shorthand for [`ServeErrorKind::Internal`].
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ServeErrorKind::Internal, message)
    }

    /// No model is called `model`.
    #[must_use]
    pub fn unknown_model(model: &str) -> Self {
        let message = format!("model not found: model={:?}", shorten(model));
        Self::new(ServeErrorKind::UnknownModel, message)
    }

    /// The model has no version `version`.
    #[must_use]
    pub fn unknown_version(model: &str, version: &str) -> Self {
        let (model, version) = (shorten(model), shorten(version));
        let message = format!("model version not found: model={model:?} version={version:?}");
        Self::new(ServeErrorKind::UnknownVersion, message)
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ServeErrorKind {
        self.kind
    }

    /// When the client should try again, in whole seconds and at least one; only when overloaded.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self.kind {
            ServeErrorKind::Overloaded { retry_after } => {
                Some(retry_after.as_millis().div_ceil(1000).clamp(1, 3600) as u64)
            }
            _ => None,
        }
    }

    /// The body of an error over REST: `{"error": message}`.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::json!({ "error": self.message }).to_string().into_bytes()
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for ServeError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A client's word for an error's message: 80 characters at most.
pub(crate) fn shorten(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(80) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_word_status_and_code() {
        let retry_after = Duration::from_millis(1500);
        let table = [
            (ServeErrorKind::InvalidInput, "invalid_input", 400, 3),
            (ServeErrorKind::UnknownModel, "unknown_model", 404, 5),
            (ServeErrorKind::UnknownVersion, "unknown_version", 404, 5),
            (ServeErrorKind::NotReady, "not_ready", 503, 14),
            (ServeErrorKind::Overloaded { retry_after }, "overloaded", 503, 8),
            (ServeErrorKind::ModelFailed, "model_failed", 500, 13),
            (ServeErrorKind::Internal, "internal", 500, 13),
        ];
        assert_eq!(table.len(), ServeErrorKind::WORDS.len());
        for (kind, word, status, code) in table {
            assert_eq!((kind.word(), kind.status(), kind.code()), (word, status, code));
        }
    }

    #[test]
    fn only_overload_says_when_to_come_back_and_never_at_once() {
        for (wait, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (u64::MAX, 3600)] {
            let kind = ServeErrorKind::Overloaded { retry_after: Duration::from_millis(wait) };
            assert_eq!(ServeError::new(kind, "x").retry_after_seconds(), Some(seconds), "{wait}");
        }
        assert_eq!(ServeError::invalid("x").retry_after_seconds(), None);
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_quoted() {
        let error = ServeError::unknown_model(&"é".repeat(500));
        assert!(error.to_string().len() < 250, "{error}");
        let body = ServeError::unknown_model("a\"b\n").to_json();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"], "model not found: model=\"a\\\"b\\n\"");
    }
}

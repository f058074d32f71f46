//! The one error of this crate: what happened, and what the caller should do about it.

use std::error::Error as StdError;
use std::fmt;

/// What every fallible operation of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, seen from the caller's chair.
///
/// No kind but [`ErrorKind::Unavailable`] is worth a retry with the same input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request itself is wrong.
    InvalidInput,
    /// A column that was named does not exist; the message names the nearest ones that do.
    UnknownColumn,
    /// A column of the reference is missing from the data, or has another type there.
    SchemaChanged,
    /// A file does not exist.
    NotFound,
    /// A file's bytes are not what was written.
    Corrupt,
    /// A file asks for more than the limits allow.
    TooLarge,
    /// A file can't be read just now.
    Unavailable,
}

impl ErrorKind {
    /// The machine word of this kind.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::UnknownColumn => "unknown_column",
            Self::SchemaChanged => "schema_changed",
            Self::NotFound => "not_found",
            Self::Corrupt => "corrupt",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
        }
    }

    /// Whether the same call may succeed later. No call of this crate leaves anything half done.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// An error with a kind, a message and, where there is one, its source.
///
/// Messages are lower case, without a full stop, with values last as `key=value`.
#[derive(thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    pub(crate) fn unknown_column<'a>(name: &str, existing: impl Iterator<Item = &'a str>) -> Self {
        let nearest = nearest(name, existing);
        let hint = if nearest.is_empty() { "none".to_owned() } else { nearest.join(",") };
        Self::new(ErrorKind::UnknownColumn, format!("no such column: column={name} nearest={hint}"))
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [{}]", self.kind)?;
        let mut next = self.source();
        while let Some(source) = next {
            write!(f, ": {source}")?;
            next = source.source();
        }
        Ok(())
    }
}

/// The up to three names that take the fewest edits to become `name`.
fn nearest<'a>(name: &str, existing: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut ranked: Vec<(usize, &str)> =
        existing.map(|other| (edits(name, other), other)).collect();
    ranked.sort_unstable();
    ranked.into_iter().take(3).map(|(_, other)| other).collect()
}

/// Levenshtein distance without regard to case.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().flat_map(char::to_lowercase).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        let names = ["temp", "dewp", "humid", "wind_speed"];
        assert_eq!(nearest("Tmep", names.into_iter())[0], "temp");
        let error = Error::unknown_column("windspeed", names.into_iter());
        assert_eq!(error.kind(), ErrorKind::UnknownColumn);
        assert!(error.to_string().contains("nearest=wind_speed,"), "{error}");
    }
}

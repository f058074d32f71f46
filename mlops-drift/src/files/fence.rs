//! The fence around decoders: what goes wrong behind it is one error with path and reason.

use std::cell::Cell;
use std::error::Error as StdError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow::error::ArrowError;

use crate::error::{Error, ErrorKind, Result};

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread is decoding a file behind the fence just now.
///
/// A decoder that panics there is caught, and its file reported as an error. The standard panic hook
/// prints a line all the same; a program that wants none asks here:
///
/// ```
/// let previous = std::panic::take_hook();
/// std::panic::set_hook(Box::new(move |panic| {
///     if !mlops_drift::files::is_fenced() {
///         previous(panic);
///     }
/// }));
/// ```
#[must_use]
pub fn is_fenced() -> bool {
    DEPTH.try_with(|depth| depth.get() > 0).unwrap_or(false)
}

/// What is wrong with a file, before its path is known.
#[derive(Debug)]
pub(super) struct Broken {
    kind: ErrorKind,
    what: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Broken {
    fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), source: None }
    }

    /// The bytes are not what a writer wrote.
    pub(super) fn corrupt(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, what)
    }

    /// The file is what somebody meant, and can't be read here.
    pub(super) fn unusable(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, what)
    }

    /// More than the limits allow.
    pub(super) fn too_large(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::TooLarge, what)
    }

    fn caused(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The error that a caller sees.
    pub(super) fn at(self, path: &Path) -> Error {
        let joint = if self.what.contains('=') { " " } else { ": " };
        let error = Error::new(self.kind, format!("{}{joint}path={}", self.what, path.display()));
        match self.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::InvalidInput,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => ErrorKind::Corrupt,
            _ => ErrorKind::Unavailable,
        };
        Self::new(kind, "a file can't be read").caused(error)
    }
}

impl From<ArrowError> for Broken {
    fn from(error: ArrowError) -> Self {
        Self::corrupt("a file can't be decoded").caused(error)
    }
}

#[cfg(feature = "parquet")]
impl From<::parquet::errors::ParquetError> for Broken {
    fn from(error: ::parquet::errors::ParquetError) -> Self {
        Self::corrupt("a parquet file can't be decoded").caused(error)
    }
}

/// Does the work of a decoder; its panic becomes an error like any other of its errors.
pub(super) fn fenced<T>(path: &Path, work: impl FnOnce() -> Result<T, Broken>) -> Result<T> {
    let inside = Inside::enter();
    let done = catch_unwind(AssertUnwindSafe(work));
    drop(inside);
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(broken)) => Err(broken.at(path)),
        Err(_) => Err(Broken::corrupt("a file can't be decoded, its decoder gave up").at(path)),
    }
}

struct Inside;

impl Inside {
    fn enter() -> Self {
        DEPTH.with(|depth| depth.set(depth.get() + 1));
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get().saturating_sub(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_names_the_file_and_the_fence_ends_with_it() {
        assert!(!is_fenced());
        let path = Path::new("odd.file");
        let error = fenced(path, || -> Result<(), Broken> {
            assert!(is_fenced());
            let empty: [u8; 0] = [];
            Err(Broken::corrupt(format!("never said: {}", empty[path.as_os_str().len() - 8])))
        });
        let error = error.expect_err("the decoder panicked");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().ends_with("gave up: path=odd.file"), "{error}");
        assert!(!is_fenced());
        assert_eq!(fenced(path, || Ok(7)).expect("no error"), 7);
    }
}

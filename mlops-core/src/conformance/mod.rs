//! Public suites that every backend runs: one named test a rule (feature `conformance`).
//!
//! Each suite is a macro that is given a way to make an empty store (with whatever has to live as
//! long as it does) and expands to one `#[test]` for each rule of the contract:
//!
//! ```
//! # use std::sync::Arc;
//! # use mlops_core::memory::MemoryTracking;
//! # use mlops_core::time::SystemClock;
//! mlops_core::tracking_suite!(|| ((), MemoryTracking::new(Arc::new(SystemClock))));
//! # fn main() {}
//! ```
//!
//! A rule about something that a backend does not declare in its capabilities checks instead that the
//! backend answers `Unsupported`: nothing passes by being skipped.

pub mod artifact;
pub mod data;
pub mod deployer;
pub mod journal;
pub mod registry;
pub mod search;
pub mod tracking;
pub mod traffic;

use std::future::Future;
use std::time::Duration;

use crate::error::{ErrorKind, Result};

/// Runs a rule on a small runtime of its own. A rule that hangs fails after a minute.
///
/// # Panics
/// When the rule does, or when it takes too long.
pub fn run(rule: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be started");
    let ended =
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), rule).await });
    assert!(ended.is_ok(), "the rule did not end within a minute");
}

/// The value of a call that must succeed.
#[track_caller]
fn ok<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("unexpected error: {error:?}"),
    }
}

/// Asserts that a call fails in this way.
#[track_caller]
fn fails<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) {
    match result {
        Ok(value) => panic!("expected {kind}, got {value:?}"),
        Err(error) => assert_eq!(error.kind(), kind, "{error:?}"),
    }
}

/// Expands to one test for each named rule of a suite.
#[doc(hidden)]
#[macro_export]
macro_rules! suite_tests {
    ($suite:ident, $make:expr; $($rule:ident)*) => {
        $(
            #[test]
            fn $rule() {
                $crate::conformance::run(async {
                    // Dropped in reverse: the store first, then what it needs to live.
                    let (_guard, store) = ($make)();
                    $crate::conformance::$suite::$rule(&store).await;
                });
            }
        )*
    };
}

#[cfg(test)]
mod tests;

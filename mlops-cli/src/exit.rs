//! Exit codes: what a script needs to know of an error.

use std::process::ExitCode;

use anyhow::Error;
use mlops_core::ErrorKind as Core;
use mlops_drift::ErrorKind as Drift;

/// Drift was found, and that was to count as a failure.
pub(crate) const DRIFT: u8 = 1;
/// Wrong usage.
pub(crate) const USAGE: u8 = 2;
/// Bad input or data.
pub(crate) const BAD_INPUT: u8 = 3;
/// Not found, or in conflict with what is there.
pub(crate) const NOT_FOUND_OR_CONFLICT: u8 = 4;
/// Unavailable: a retry may help.
pub(crate) const UNAVAILABLE: u8 = 5;
/// A defect of this program.
pub(crate) const DEFECT: u8 = 70;

/// Prints an error with all its causes on standard error, and says how to exit.
pub(crate) fn report(error: &Error) -> ExitCode {
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    crate::output::say(&format!("error: {}", chain(error)));
    ExitCode::from(code(error))
}

/// All messages, outermost first, without repetitions.
fn chain(error: &Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

/// Whoever read our output has had enough. No other pipe of ours reports its end as a plain I/O error.
fn is_closed_pipe(error: &Error) -> bool {
    error.downcast_ref::<crate::output::Closed>().is_some()
}

fn code(error: &Error) -> u8 {
    for cause in error.chain() {
        if let Some(core) = cause.downcast_ref::<mlops_core::Error>() {
            return core_code(core.kind());
        }
        if let Some(drift) = cause.downcast_ref::<mlops_drift::Error>() {
            return drift_code(drift.kind());
        }
    }
    match error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()) {
        Some(io) => {
            core_code(mlops_core::Error::io("", std::path::Path::new(""), io.kind().into()).kind())
        }
        None => DEFECT,
    }
}

fn core_code(kind: Core) -> u8 {
    match kind {
        Core::InvalidInput | Core::Corrupt | Core::Unsupported | Core::Failed => BAD_INPUT,
        Core::NotFound | Core::AlreadyExists | Core::Conflict | Core::Fenced => {
            NOT_FOUND_OR_CONFLICT
        }
        Core::Unavailable | Core::Full | Core::Cancelled => UNAVAILABLE,
        _ => DEFECT,
    }
}

fn drift_code(kind: Drift) -> u8 {
    match kind {
        Drift::NotFound => NOT_FOUND_OR_CONFLICT,
        Drift::Unavailable => UNAVAILABLE,
        _ => BAD_INPUT,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn each_kind_has_its_code_however_deep_it_lies() {
        for (kind, expected) in [
            (Core::InvalidInput, 3),
            (Core::Corrupt, 3),
            (Core::Unsupported, 3),
            (Core::NotFound, 4),
            (Core::Conflict, 4),
            (Core::Full, 5),
            (Core::Unavailable, 5),
            (Core::Internal, 70),
        ] {
            let error: anyhow::Result<()> = Err(mlops_core::Error::new(kind, "x").into());
            assert_eq!(code(&error.context("while trying").unwrap_err()), expected, "{kind}");
        }
        assert_eq!(code(&anyhow::anyhow!("who knows")), 70);
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert_eq!(code(&missing.into()), 4);
    }
}

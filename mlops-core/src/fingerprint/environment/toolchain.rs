//! The compiler that built the code.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::error::{Error, ErrorKind, Result};

/// Digits of the commit that are shown, as many as `rustc -V` shows.
const COMMIT_DIGITS: usize = 9;

/// `rustc <release> (<commit>)` from what `rustc -vV` prints. The date in its first line is left
/// out: it follows from the commit. A compiler that knows no commit of its own gives the release
/// alone.
///
/// # Errors
/// `InvalidInput` when the text has no `release:` line.
pub fn rustc_toolchain(verbose: &str) -> Result<String> {
    let field = |name: &str| {
        let value =
            |line: &str| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned());
        verbose.lines().find_map(value)
    };
    let release = field("release")
        .filter(|release| !release.is_empty())
        .ok_or_else(|| Error::invalid("output of rustc -vV has no release line"))?;
    let is_hex = |hash: &String| {
        hash.len() >= COMMIT_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    Ok(match field("commit-hash").filter(is_hex) {
        Some(hash) => format!("rustc {release} ({})", &hash[..COMMIT_DIGITS]),
        None => format!("rustc {release}"),
    })
}

/// Runs `<rustc> -vV` and gives [`rustc_toolchain`] of it. `rustc` is the compiler's name or path.
///
/// # Errors
/// `NotFound` and others when it can't be started, `Failed` when it fails or prints something else.
pub fn read_rustc(rustc: impl AsRef<OsStr>) -> Result<String> {
    let rustc = rustc.as_ref();
    let output = Command::new(rustc)
        .arg("-vV")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::io("run compiler", rustc.as_ref(), error))?;
    if !output.status.success() {
        let message = format!("compiler failed: command={:?} status={}", rustc, output.status);
        return Err(Error::new(ErrorKind::Failed, message));
    }
    rustc_toolchain(&String::from_utf8_lossy(&output.stdout))
        .map_err(|error| Error::new(ErrorKind::Failed, error.to_string()))
}

//! Finds what `scripts/peers` has installed, and runs it for a bounded time.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// Longer than anything here takes on a slow and busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A program of a peer; panics with what to do when it is not there.
pub(crate) fn program(peer: &str, name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = root.join(".peers").join(peer).join("bin").join(name);
    assert!(path.exists(), "{} is missing: run scripts/peers {peer}", path.display());
    path
}

/// The folder of the scripts.
pub(crate) fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("mlops-deploy/tests/peers")
}

/// Runs a command to its end; panics with all that it has said when it fails or takes absurdly long.
pub(crate) async fn run(command: &mut Command) -> String {
    let command = command.kill_on_drop(true);
    let ended = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = ended.unwrap_or_else(|_| panic!("no end of {command:?}")).unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    print!("{out}");
    out.into_owned()
}

/// Runs one of our scripts, without these of its checks, with the Python of the peer `serving`.
pub(crate) async fn script(name: &str, address: &str, without: &[&str]) {
    let mut python = Command::new(program("serving", "python"));
    let python = python.arg(here().join(name)).arg(address).args(without).stdin(Stdio::null());
    let said = run(python.env("PYTHONDONTWRITEBYTECODE", "1")).await;
    // A script that checks nothing passes nothing.
    assert!(said.contains("checks passed") && !said.contains("\n0 checks"), "{said}");
}

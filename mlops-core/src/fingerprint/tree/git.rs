//! What git knows: which files belong to a work tree, and where it stands in its history.

use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Where a source tree stands in its history. It is kept beside a run key and is no part of it: the
/// contents are, and one commit with uncommitted changes is many sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The commit that is checked out; `None` before the first one.
    pub commit: Option<String>,
    /// The branch that is checked out; `None` when none is.
    pub branch: Option<String>,
    /// Whether there are changes, or new files, that are not committed.
    pub dirty: bool,
}

/// Reads where the work tree at `root` stands; `None` when there is none, or no git. Runs `git`.
///
/// # Errors
/// `Failed` with git's own words when it can't read the work tree.
pub fn read_provenance(root: &Path) -> Result<Option<Provenance>> {
    if !has_work_tree(root) {
        return Ok(None);
    }
    let args = ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal"];
    Ok(run(root, &args)?.map(|status| parse_status(&status)))
}

/// Whether `root` or a folder above it holds a `.git`.
pub(super) fn has_work_tree(root: &Path) -> bool {
    // Resolved as git resolves it: a link may lead into a work tree.
    let absolute = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    absolute.ancestors().any(|folder| folder.join(".git").exists())
}

/// Paths below `root` that are tracked, or new and not ignored; relative, as git spells them.
pub(super) fn list_files(root: &Path) -> Result<Vec<Vec<u8>>> {
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listing = run(root, &args)?.ok_or_else(|| {
        let message = "git is needed to list a git work tree and is not installed";
        Error::new(ErrorKind::Failed, format!("{message}: path={}", root.display()))
    })?;
    let mut paths: Vec<Vec<u8>> = split_nul(&listing).map(<[u8]>::to_vec).collect();
    paths.sort();
    // An unmerged path is listed once a side.
    paths.dedup();
    Ok(paths)
}

fn split_nul(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty())
}

/// Reads `git status --porcelain=v2 --branch -z`.
fn parse_status(status: &[u8]) -> Provenance {
    let mut provenance = Provenance { commit: None, branch: None, dirty: false };
    for line in split_nul(status) {
        let line = String::from_utf8_lossy(line);
        let known = |text: &str| (!text.starts_with('(')).then(|| text.to_owned());
        if let Some(oid) = line.strip_prefix("# branch.oid ") {
            provenance.commit = known(oid);
        } else if let Some(head) = line.strip_prefix("# branch.head ") {
            provenance.branch = known(head);
        } else if !line.starts_with("# ") {
            provenance.dirty = true;
        }
    }
    provenance
}

/// Runs git in `root` and gives what it printed; `None` when git is not installed.
fn run(root: &Path, args: &[&str]) -> Result<Option<Vec<u8>>> {
    let mut command = Command::new("git");
    // A repository may name a program as its file monitor; reading a tree must not start one.
    command.args(["-c", "core.fsmonitor=false"]).args(args).current_dir(root);
    command.env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null());
    // Set inside a git hook, where they would point at another repository.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"] {
        command.env_remove(variable);
    }
    match command.output() {
        Ok(output) if output.status.success() => Ok(Some(output.stdout)),
        Ok(output) => Err(failed(root, args, &output)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && root.is_dir() => Ok(None),
        Err(error) => Err(Error::io("run git in folder", root, error)),
    }
}

fn failed(root: &Path, args: &[&str], output: &Output) -> Error {
    let words = String::from_utf8_lossy(&output.stderr);
    let message = format!(
        "git cannot read the work tree: command={:?} path={} stderr={:?}",
        args.first().unwrap_or(&""),
        root.display(),
        words.trim()
    );
    Error::new(ErrorKind::Failed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_gives_commit_branch_and_dirt() {
        let clean = b"# branch.oid 0a1b\0# branch.head main\0# branch.ab +0 -0\0";
        let commit = Some("0a1b".to_owned());
        let branch = Some("main".to_owned());
        let expected = Provenance { commit, branch, dirty: false };
        assert_eq!(parse_status(clean), expected);
        let new = b"# branch.oid (initial)\0# branch.head (detached)\0? a b\0";
        assert_eq!(parse_status(new), Provenance { commit: None, branch: None, dirty: true });
    }
}

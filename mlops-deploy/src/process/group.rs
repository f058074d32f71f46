//! Processes of a replica, found again after whoever started them has died.
//!
//! Every replica carries a mark in its environment, which its children inherit. `/proc` shows it, so
//! that a process is recognised even when its start was never written down.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

/// The variable that carries the mark.
pub(super) const MARK: &str = "MLOPS_REPLICA";
/// How often the end of a group is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// How long the system may take to end what was killed.
const KILLED: Duration = Duration::from_secs(10);

/// The leader of a process group, told from a later process of the same id by its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leader {
    /// Its process id, which is that of the group.
    pub(super) pid: i32,
    /// When it started, in clock ticks since boot.
    pub(super) started: u64,
}

impl Leader {
    /// The leader with this id; `None` when it has ended.
    pub(super) fn find(pid: i32) -> Option<Self> {
        let (state, started) = stat(pid)?;
        (!matches!(state, 'Z' | 'X')).then_some(Self { pid, started })
    }

    pub(super) fn is_alive(self) -> bool {
        Self::find(self.pid) == Some(self)
    }
}

/// The state letter of a process and its start time: fields 3 and 22 of `/proc/PID/stat`; the name
/// before them may hold anything.
fn stat(pid: i32) -> Option<(char, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// Whether processes can be told apart on this system.
pub(super) fn is_supported() -> bool {
    Path::new("/proc/self/stat").exists()
}

/// The live processes whose mark begins with `prefix`, each with its whole mark. Those of other users
/// can't be seen.
pub(super) fn marked(prefix: &str) -> Vec<(i32, String)> {
    let wanted = format!("{MARK}={prefix}");
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let mark = environment.split(|byte| *byte == 0).find_map(|entry| {
            let entry = std::str::from_utf8(entry).ok()?;
            entry.starts_with(&wanted).then(|| entry[MARK.len() + 1..].to_owned())
        })?;
        Some((pid, mark))
    })
    .collect()
}

/// Whether a process leads a group of its own.
pub(super) fn leads(pid: i32) -> bool {
    let group = Pid::from_raw(pid).and_then(|pid| rustix::process::getpgid(Some(pid)).ok());
    group.is_some_and(|group| group.as_raw_nonzero().get() == pid)
}

/// Ends everything that carries `mark`: asks its group first, kills what is left after `drain`.
/// Returns whether nothing runs any more.
pub(super) async fn end(mark: &str, leader: Option<Leader>, drain: Duration) -> bool {
    signal_all(mark, leader, Signal::TERM);
    if !gone_within(mark, leader, drain).await {
        tracing::warn!(mark, "a replica did not end in time and is killed");
    }
    // Also what has cleared its environment, and so carries no mark.
    signal_all(mark, leader, Signal::KILL);
    gone_within(mark, leader, KILLED).await
}

async fn gone_within(mark: &str, leader: Option<Leader>, limit: Duration) -> bool {
    let gone = async {
        while leader.is_some_and(Leader::is_alive) || !marked(mark).is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(limit, gone).await.is_ok()
}

fn signal_all(mark: &str, leader: Option<Leader>, signal: Signal) {
    let marked = marked(mark);
    if let Some(leader) = leader
        && let Some(group) = Pid::from_raw(leader.pid)
    {
        // The id of a group is not given to another while one of its members lives: with the leader
        // dead, it is ours only as long as somebody with the mark is in it.
        let in_it = |pid: i32| Pid::from_raw(pid).and_then(group_of) == Some(leader.pid);
        if leader.is_alive() || marked.iter().any(|(pid, _)| in_it(*pid)) {
            check(kill_process_group(group, signal), group);
        }
    }
    for (pid, _) in marked {
        if let Some(pid) = Pid::from_raw(pid) {
            // A group that was just asked may be asked twice: SIGTERM and SIGKILL do not add up.
            let led = leader.is_some_and(|leader| group_of(pid) == Some(leader.pid));
            if !led {
                check(kill_process(pid, signal), pid);
            }
        }
    }
}

fn group_of(pid: Pid) -> Option<i32> {
    rustix::process::getpgid(Some(pid)).ok().map(|group| group.as_raw_nonzero().get())
}

fn check(sent: rustix::io::Result<()>, to: Pid) {
    if let Err(error) = sent
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(to = to.as_raw_nonzero().get(), %error, "cannot signal a process");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command};

    use super::*;

    fn sleeper(mark: Option<&str>) -> (Child, i32) {
        let mut command = Command::new("sleep");
        command.arg("1003").process_group(0);
        if let Some(mark) = mark {
            command.env(MARK, mark);
        }
        let child = command.spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        (child, pid)
    }

    #[tokio::test]
    async fn a_group_whose_id_belongs_to_others_by_now_is_left_alone() {
        let mark = format!("group-test-{}", std::process::id());
        let ((mut ours, _), (mut other, pid)) = (sleeper(Some(&mark)), sleeper(None));
        // What was written down is a leader of that id that has long died.
        let died = Leader { pid, started: 0 };
        while marked(&mark).is_empty() {
            tokio::time::sleep(LOOK).await;
        }
        assert!(end(&mark, Some(died), Duration::from_secs(5)).await);
        assert!(ours.wait().unwrap().code().is_none());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}

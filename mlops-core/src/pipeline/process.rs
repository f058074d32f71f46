//! Runs a command as a process group of its own, and ends the whole group when it has to stop.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::context::StepContext;
use crate::error::{Error, ErrorKind, Result};

/// How long a group may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// How much of a command's output is kept for the error message.
const TAIL_BYTES: usize = 2_000;

/// A process group, recognisable after the process that started it has died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Group {
    /// The id of the group and of its leader.
    pub id: i32,
    /// When the leader started, in clock ticks since boot; tells it from a later process with the
    /// same id. 0 where the system does not say.
    pub started: u64,
}

impl Group {
    fn of(id: u32) -> Self {
        let id = i32::try_from(id).unwrap_or(0);
        Self { id, started: started(id).unwrap_or(0) }
    }

    /// Kills a group that a dead executor has left behind. A group whose leader is gone, or is
    /// somebody else by now, is left alone.
    pub(super) fn kill_leftover(self) {
        if self.started != 0 && started(self.id) == Some(self.started) {
            signal(self.id, Signal::KILL);
        }
    }
}

/// The start time of a process, field 22 of `/proc/<id>/stat`; the name before it may hold anything.
fn started(id: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn signal(id: i32, signal: Signal) {
    let Some(pid) = Pid::from_raw(id) else { return };
    if let Err(error) = kill_process_group(pid, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(group = id, %error, "cannot signal a process group");
    }
}

fn is_alive(id: i32) -> bool {
    Pid::from_raw(id).is_some_and(|pid| test_kill_process_group(pid).is_ok())
}

/// Kills the group when it is dropped, unless everything in it has ended.
struct Guard(Group);

impl Drop for Guard {
    fn drop(&mut self) {
        signal(self.0.id, Signal::KILL);
    }
}

/// Runs the command to its end, or until `stop` comes, which ends its group.
///
/// Its output goes to `log` in the step's folder; the last lines are in the error.
pub(super) async fn run(
    mut command: tokio::process::Command,
    context: &StepContext,
    started: impl FnOnce(Group),
    stop: impl Future<Output = Error>,
) -> Result<()> {
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| {
        let message = format!("cannot start a command: step={}", context.step());
        Error::new(ErrorKind::Failed, message).with_source(source)
    })?;
    let group = Group::of(child.id().unwrap_or(0));
    let guard = Guard(group);
    started(group);
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let log = context.folder().join("log");
    let ended = async {
        let (tail, status) = tokio::join!(collect(out, err, &log), child.wait());
        (tail, status)
    };
    let (tail, status) = tokio::select! {
        ended = ended => ended,
        reason = stop => {
            end_group(group.id, &mut child).await;
            drop(guard);
            return Err(reason);
        }
    };
    let status = status.map_err(|source| {
        Error::new(ErrorKind::Failed, "cannot wait for a command").with_source(source)
    })?;
    if status.success() {
        return Ok(());
    }
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit={code}"),
        (None, Some(signal)) => format!("signal={signal}"),
        (None, None) => "exit=unknown".to_owned(),
    };
    let step = context.step();
    Err(Error::new(
        ErrorKind::Failed,
        format!("a command failed: step={step} {how} output={:?}", tail.trim_end()),
    ))
}

/// Asks the group to end, kills it when it takes too long, and reaps its leader.
async fn end_group(id: i32, leader: &mut tokio::process::Child) {
    signal(id, Signal::TERM);
    let gone = async {
        // A leader that nobody has reaped keeps its group alive.
        while leader.try_wait().is_ok_and(|ended| ended.is_none()) || is_alive(id) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(GRACE, gone).await.is_err() {
        signal(id, Signal::KILL);
        if let Err(error) = leader.wait().await {
            tracing::warn!(group = id, %error, "cannot reap a process");
        }
    }
}

/// Copies both streams into the log and returns the end of what they said.
async fn collect(
    out: Option<tokio::process::ChildStdout>,
    err: Option<tokio::process::ChildStderr>,
    log: &std::path::Path,
) -> String {
    let (Some(mut out), Some(mut err)) = (out, err) else {
        return String::new();
    };
    let mut file = tokio::fs::File::create(log).await.ok();
    let mut tail: Vec<u8> = Vec::new();
    let (mut from_out, mut from_err) = ([0_u8; 4096], [0_u8; 4096]);
    let (mut out_open, mut err_open) = (true, true);
    while out_open || err_open {
        let chunk: &[u8] = tokio::select! {
            read = out.read(&mut from_out), if out_open => match read {
                Ok(n) if n > 0 => &from_out[..n],
                _ => { out_open = false; &[] }
            },
            read = err.read(&mut from_err), if err_open => match read {
                Ok(n) if n > 0 => &from_err[..n],
                _ => { err_open = false; &[] }
            },
        };
        // The log is a convenience: when it can't be written, the command's own result still counts.
        if let Some(open) = &mut file
            && open.write_all(chunk).await.is_err()
        {
            file = None;
        }
        tail.extend_from_slice(chunk);
        let surplus = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..surplus);
    }
    String::from_utf8_lossy(&tail).into_owned()
}

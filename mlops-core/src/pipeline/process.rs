//! Runs a command as a process group of its own, and ends the whole group when it has to stop.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::FusedFuture;
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

/// Kills the group when the step is dropped before its command has ended.
struct Guard(Option<Group>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            signal(group.id, Signal::KILL);
        }
    }
}

/// How long output may still come from a group that has been killed.
const DRAIN: Duration = Duration::from_secs(2);

/// Runs the command to its end, or until `stop` comes, which ends its group. What the command leaves
/// running behind it is ended with it.
///
/// Its output goes to `log` in the step's folder; the last lines are in the error. A command that
/// `started` can't note is killed.
pub(super) async fn run<F: Future<Output = Result<()>>>(
    mut command: tokio::process::Command,
    context: &StepContext,
    started: impl FnOnce(Group) -> F,
    stop: impl Future<Output = Error>,
) -> Result<()> {
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| {
        let message = format!("cannot start a command: step={}", context.step());
        Error::new(ErrorKind::Failed, message).with_source(source)
    })?;
    let group = Group::of(child.id().unwrap_or(0));
    let mut guard = Guard(Some(group));
    started(group).await?;
    let (out, err, log) = (child.stdout.take(), child.stderr.take(), context.folder().join("log"));
    let mut tail = Vec::new();
    let ended = {
        // Read until the end also of a command that is being stopped: one that can't write any more
        // dies of that before it has tidied up.
        let mut output = std::pin::pin!(collect(out, err, &log, &mut tail).fuse());
        let ended = tokio::select! {
            status = beside(child.wait(), &mut output) => Ok(status),
            reason = stop => Err(reason),
        };
        match ended {
            Ok(_) => signal(group.id, Signal::KILL),
            Err(_) => end_group(group.id, &mut child, &mut output).await,
        }
        if !output.is_terminated() {
            // Its pipes close with the last process that holds them; one that has left the group may
            // hold them for ever.
            tokio::time::timeout(DRAIN, output).await.ok();
        }
        ended
    };
    guard.0 = None;
    match ended {
        Ok(status) => judge(status, &tail, context),
        Err(reason) => Err(with_output(reason, &tail)),
    }
}

/// Awaits `work` while the output is collected.
async fn beside<T>(
    work: impl Future<Output = T>,
    output: &mut (impl FusedFuture<Output = ()> + Unpin),
) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            () = &mut *output, if !output.is_terminated() => {}
            done = &mut work => return done,
        }
    }
}

/// A failure with what the command said last; a stop from outside needs no such explanation.
fn with_output(reason: Error, tail: &[u8]) -> Error {
    if reason.kind() != ErrorKind::Failed || tail.is_empty() {
        return reason;
    }
    let output = String::from_utf8_lossy(tail);
    Error::new(ErrorKind::Failed, format!("{reason} output={:?}", output.trim_end()))
}

fn judge(status: std::io::Result<ExitStatus>, tail: &[u8], context: &StepContext) -> Result<()> {
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
    let (step, output) = (context.step(), String::from_utf8_lossy(tail));
    let message = format!("a command failed: step={step} {how} output={:?}", output.trim_end());
    Err(Error::new(ErrorKind::Failed, message))
}

/// Asks the group to end, kills it when it takes too long, and reaps its leader.
async fn end_group(
    id: i32,
    leader: &mut tokio::process::Child,
    output: &mut (impl FusedFuture<Output = ()> + Unpin),
) {
    signal(id, Signal::TERM);
    let gone = async {
        // A leader that nobody has reaped keeps its group alive.
        while leader.try_wait().is_ok_and(|ended| ended.is_none()) || is_alive(id) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if beside(tokio::time::timeout(GRACE, gone), output).await.is_err() {
        signal(id, Signal::KILL);
        if let Err(error) = leader.wait().await {
            tracing::warn!(group = id, %error, "cannot reap a process");
        }
    }
}

/// Copies both streams into the log, and keeps the end of what they said.
async fn collect(
    out: Option<tokio::process::ChildStdout>,
    err: Option<tokio::process::ChildStderr>,
    log: &std::path::Path,
    tail: &mut Vec<u8>,
) {
    let (Some(mut out), Some(mut err)) = (out, err) else { return };
    let mut file = tokio::fs::File::create(log).await.ok();
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
}

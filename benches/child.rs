//! A copy of this program that serves, in a process of its own: its time and its memory are not the client's.
//!
//! The child says `at ADDRESS` on its standard output, then answers one line with one line until its standard
//! input ends, which it takes for the end of its parent.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use mlops_http::server::ServerHandle;
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

use crate::BoxError;

/// A server in a process of its own. It is killed with its handle.
#[derive(Debug)]
pub struct Server {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// Where it answers.
    pub address: String,
}

impl Server {
    /// Starts this program with these arguments and waits until it listens.
    ///
    /// # Errors
    /// When it can't be started, or ends before it listens.
    pub fn start(arguments: &[&str]) -> Result<Self, BoxError> {
        let mut command = Command::new(std::env::current_exe()?);
        Self::spawn(command.args(arguments))
    }

    /// Starts a command that keeps to the rules of this module.
    ///
    /// # Errors
    /// As for [`Server::start`].
    pub fn spawn(command: &mut Command) -> Result<Self, BoxError> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("a child without an output")?);
        let mut server = Self { child, questions, answers, address: String::new() };
        let first = server.line()?;
        server.address = first.strip_prefix("at ").ok_or("a child does not listen")?.to_owned();
        Ok(server)
    }

    /// One question, one answer.
    ///
    /// # Errors
    /// When the child has ended.
    pub fn ask(&mut self, question: &str) -> Result<String, BoxError> {
        let questions = self.questions.as_mut().ok_or("the child is asked no more")?;
        writeln!(questions, "{question}")?;
        self.line()
    }

    /// The next line that the child prints.
    ///
    /// # Errors
    /// When the child has ended.
    pub fn line(&mut self) -> Result<String, BoxError> {
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => Err("the child has ended".into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    /// The time that all of its threads have had on a processor, user and system together.
    ///
    /// # Errors
    /// When the child has ended.
    pub fn cpu(&mut self) -> Result<Duration, BoxError> {
        Ok(Duration::from_nanos(self.ask("cpu")?.parse()?))
    }

    /// Its resident memory in bytes.
    ///
    /// # Errors
    /// When the child has ended.
    pub fn resident(&self) -> Result<u64, BoxError> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id()))?;
        let pages: u64 = statm.split_whitespace().nth(1).ok_or("no size")?.parse()?;
        Ok(pages * rustix::param::page_size() as u64)
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// When the child has ended.
    pub fn terminate(&self) -> Result<(), BoxError> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).ok_or("no process id")?;
        Ok(kill_process(pid, Signal::TERM)?)
    }

    /// Waits until the child has ended.
    ///
    /// # Errors
    /// When it can't be waited for.
    pub fn wait(&mut self) -> Result<ExitStatus, BoxError> {
        Ok(self.child.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A child that has ended by itself can't be killed any more, which is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The child's side: says where it listens, and answers its parent on a thread of its own. `cpu` is
/// answered here, everything else by `answer`. The process ends with the parent's end of the line.
#[allow(clippy::print_stdout)]
pub fn attend(server: &ServerHandle, answer: impl Fn(&str) -> String + Send + 'static) {
    println!("at {}", server.local_addr());
    std::thread::spawn(move || {
        for question in std::io::stdin().lines() {
            let Ok(question) = question else { break };
            match question.as_str() {
                "cpu" => println!("{}", processor_time().as_nanos()),
                question => println!("{}", answer(question)),
            }
        }
        std::process::exit(0);
    });
}

fn processor_time() -> Duration {
    to_duration(clock_gettime(ClockId::ProcessCPUTime))
}

/// Keeps this thread's processor busy for so long: the same work on a loaded machine as on an idle one.
pub fn burn(time: Duration) {
    let begun = to_duration(clock_gettime(ClockId::ThreadCPUTime));
    while to_duration(clock_gettime(ClockId::ThreadCPUTime)).saturating_sub(begun) < time {
        for _ in 0..1_000 {
            std::hint::spin_loop();
        }
    }
}

fn to_duration(time: rustix::time::Timespec) -> Duration {
    Duration::try_from(time).unwrap_or_default()
}

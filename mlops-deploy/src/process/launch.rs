//! Starts one replica: a port, an environment, a process group of its own.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;

use command_fds::{CommandFdExt as _, FdMapping};
use mlops_core::deploy::{Listen, Process};
use mlops_core::{Error, ErrorKind, Result};
use tokio::process::{Child, Command};

use super::group::MARK;
use super::log;

/// A place to answer.
pub(super) struct Port {
    pub(super) number: u16,
    /// Bound already, for a process that inherits it.
    listener: Option<TcpListener>,
}

impl Port {
    /// `last` when it is still free, so that an address stays what it was; any free one otherwise.
    ///
    /// # Errors
    /// `Unavailable` when no port can be bound.
    pub(super) fn reserve(last: Option<u16>, listen: Listen) -> Result<Self> {
        let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let again = last.and_then(|port| bind(port).ok());
        let listener = again.map_or_else(|| bind(0), Ok).map_err(no_port)?;
        let number = listener.local_addr().map_err(no_port)?.port();
        let listener = (listen == Listen::Inherited).then_some(listener);
        Ok(Self { number, listener })
    }
}

fn no_port(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "no port is free for a replica").with_source(source)
}

/// Everything that one start takes.
pub(super) struct Launch<'a> {
    pub(super) process: &'a Process,
    pub(super) port: Port,
    pub(super) mark: &'a str,
    /// What every process of this deployer sees.
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) folder: PathBuf,
    pub(super) log: PathBuf,
}

impl Launch<'_> {
    /// Starts it.
    ///
    /// # Errors
    /// `Failed` naming the program when it can't be started.
    pub(super) fn start(self) -> Result<Child> {
        let argv: Vec<String> = self.process.argv.iter().map(|arg| self.fill(arg)).collect();
        let (program, arguments) =
            argv.split_first().ok_or_else(|| Error::invalid("a process needs a program"))?;
        let out = log::open(&self.log)?;
        let wrong = |source| Error::io("share a replica's log", &self.log, source);
        let err = out.try_clone().map_err(wrong)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.process.folder.as_ref().unwrap_or(&self.folder))
            .env_clear()
            .envs(self.environment)
            .envs(&self.process.environment)
            .env("PORT", self.port.number.to_string())
            .env("MLOPS_ADDRESS", self.address())
            .env(MARK, self.mark)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        if let Some(listener) = self.port.listener {
            command.env("LISTEN_FDS", "1");
            let mapping = FdMapping { parent_fd: listener.into(), child_fd: 3 };
            command
                .as_std_mut()
                .fd_mappings(vec![mapping])
                .map_err(|_| Error::new(ErrorKind::Internal, "a descriptor was handed on twice"))?;
        }
        command.spawn().map_err(|source| {
            let folder = self.process.folder.as_ref().unwrap_or(&self.folder).display();
            let message = format!("cannot start a process: program={program} folder={folder}");
            Error::new(ErrorKind::Failed, message).with_source(source)
        })
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number)
    }

    fn fill(&self, argument: &str) -> String {
        argument
            .replace("{port}", &self.port.number.to_string())
            .replace("{address}", &self.address())
    }
}

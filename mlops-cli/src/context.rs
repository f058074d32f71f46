//! What every command needs: the store, ids given in short, logging.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use futures::TryStreamExt as _;
use mlops_core::id::RunId;
use mlops_core::tracking::{LifecycleFilter, Run, RunQuery, TrackingStore};
use mlops_core::{Error, ErrorKind};
use mlops_http::auth::{Anyone, Authorize, BearerToken, TokenError};
use mlops_http::host::Hosts;
use mlops_http::listen::{self, ListenError};
use mlops_http::route::RouteService;
use mlops_http::server::{ServerHandle, ServerOptions, serve as serve_on};
use mlops_store::LocalStore;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Logs warnings to standard error; `MLOPS_LOG` sets another filter.
pub(crate) fn init_logging() -> Result<()> {
    let filter = std::env::var("MLOPS_LOG").unwrap_or_else(|_| "warn".to_owned());
    let filter = EnvFilter::try_new(&filter).map_err(|source| {
        Error::invalid(format!("MLOPS_LOG is not a log filter: value={filter:?}"))
            .with_source(source)
    })?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Only a test that runs two commands in one process has a subscriber already.
    subscriber.try_init().ok();
    Ok(())
}

/// Opens the store that a command reads.
pub(crate) fn open(store: &Path) -> Result<LocalStore> {
    LocalStore::open_existing(store).map_err(|error| {
        let missing = error.kind() == ErrorKind::NotFound;
        let error = anyhow::Error::from(error);
        if !missing {
            return error;
        }
        error.context("there is no store to read; `mlops demo` makes one, `--store DIR` names one")
    })
}

/// The run whose id is `text`, or begins with it, or else the newest run of this name.
pub(crate) async fn find_run(store: &dyn TrackingStore, text: &str) -> Result<Run> {
    if let Ok(id) = RunId::new(text) {
        match store.get_run(&id).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            found => return Ok(found?),
        }
    }
    // Newest first, so the first of a name is the newest.
    let all = RunQuery::default().with_lifecycle(LifecycleFilter::Any);
    let runs: Vec<Run> = store.search_runs(all).try_collect().await?;
    let mut fits = runs.iter().filter(|run| run.id.as_str().starts_with(text));
    match (fits.next(), fits.next()) {
        (Some(run), None) => Ok(run.clone()),
        (Some(a), Some(b)) => {
            let message = format!(
                "several runs fit, give more of the id: given={text} fits={}, {}",
                a.id, b.id
            );
            Err(Error::invalid(message).into())
        }
        (None, _) => {
            let named = runs.iter().find(|run| run.name == text);
            Ok(named.cloned().ok_or_else(|| Error::not_found("run", text))?)
        }
    }
}

/// What this process sees of its environment, as far as it is text: others can't be handed on.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text)
}

/// Serves on the socket that was inherited, or else on the port that is asked for.
pub(crate) fn serve(
    listen: &crate::args::Listen,
    port: u16,
    service: impl FnOnce(Arc<dyn Authorize>) -> RouteService,
) -> Result<ServerHandle> {
    let guard: Arc<dyn Authorize> = match &listen.token_file {
        Some(path) => Arc::new(BearerToken::from_file(path).map_err(no_token)?),
        None => Arc::new(Anyone),
    };
    let inherited = listenfd::ListenFd::from_env().take_tcp_listener(0)?;
    let listener = match inherited {
        Some(listener) => listen::inherit(listener, &*guard),
        None => listen::bind(&listen.host, port, &*guard),
    };
    let names = listen.allow_host.iter();
    let hosts = names.fold(Hosts::default(), |hosts, name| hosts.with_name(name));
    let options = ServerOptions::default().with_hosts(hosts);
    Ok(serve_on(listener.map_err(no_socket)?, service(guard), options)?)
}

/// What keeps a server from listening is for the person to mend; a port that is taken, for whoever has it.
pub(crate) fn no_socket(error: ListenError) -> Error {
    let kind = match error {
        ListenError::Busy { .. } => ErrorKind::Conflict,
        _ => ErrorKind::InvalidInput,
    };
    Error::new(kind, error.to_string()).with_source(error)
}

fn no_token(error: TokenError) -> Error {
    match error {
        TokenError::Io { path, source } => Error::io("read the token file", &path, source),
        other => Error::invalid(other.to_string()).with_source(other),
    }
}

/// Hears that the process is told to stop: from when it is made, so it is made before anything is started.
#[derive(Debug)]
pub(crate) struct Stop {
    terminated: Signal,
    interrupted: Signal,
}

impl Stop {
    pub(crate) fn listen() -> Result<Self> {
        let terminated = signal(SignalKind::terminate())?;
        Ok(Self { terminated, interrupted: signal(SignalKind::interrupt())? })
    }

    /// Returns once the process is told to stop. Can be dropped and called again: nothing is missed.
    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminated.recv() => {}
            _ = self.interrupted.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_a_conflict_and_a_host_that_is_none_is_wrong_input() {
        let first = listen::bind(listen::DEFAULT_HOST, 0, &Anyone).unwrap();
        let port = first.local_addr().unwrap().port();
        let kind = |host: &str, port: u16| {
            no_socket(listen::bind(host, port, &Anyone).unwrap_err()).kind()
        };
        assert_eq!(kind(listen::DEFAULT_HOST, port), ErrorKind::Conflict);
        assert_eq!(kind("example.org", 0), ErrorKind::InvalidInput);
        assert_eq!(kind("0.0.0.0", 0), ErrorKind::InvalidInput);
    }
}

//! What every command needs: the store, ids given in short, logging.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use futures::TryStreamExt as _;
use mlops_core::id::RunId;
use mlops_core::tracking::{LifecycleFilter, Run, RunQuery, TrackingStore};
use mlops_core::{Error, ErrorKind};
use mlops_http::auth::{Anyone, Authorize, BearerToken};
use mlops_http::host::Hosts;
use mlops_http::listen;
use mlops_http::route::RouteService;
use mlops_http::server::{ServerHandle, ServerOptions, serve as serve_on};
use mlops_store::LocalStore;
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

/// Serves on the socket that was inherited, or else on the port that is asked for.
pub(crate) fn serve(
    listen: &crate::args::Listen,
    port: u16,
    service: impl FnOnce(Arc<dyn Authorize>) -> RouteService,
) -> Result<ServerHandle> {
    let guard: Arc<dyn Authorize> = match &listen.token_file {
        Some(path) => Arc::new(BearerToken::from_file(path).map_err(usable)?),
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
    Ok(serve_on(listener.map_err(usable)?, service(guard), options)?)
}

/// What keeps a server from starting is for the person to mend.
fn usable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidInput, error.to_string())
}

/// Returns when the process is told to stop.
pub(crate) async fn stopped() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminated.recv() => Ok(()),
    }
}

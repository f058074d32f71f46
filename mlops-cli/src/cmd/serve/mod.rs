//! `mlops serve`: a model server over the store's registry.

mod drift;
mod follow;
pub(crate) mod models;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use mlops_deploy::serving::metrics::ServingMetrics;
use mlops_deploy::serving::model::{PoolOptions, RepositoryOptions};
use mlops_deploy::serving::rest::{ServingState, routes};
use mlops_deploy::serving::{LoadedModel, Repository};
use mlops_store::LocalStore;
use serde_json::json;

use crate::args::ServeArgs;
use crate::context::Stop;
use crate::{context, output};
use drift::Watch;
use follow::{Served, refuse_twice};
use models::{ModelRef, Resolved};

pub(crate) async fn run(store: &Path, args: ServeArgs) -> Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let store = context::open(store)?;
    let watch = match &args.reference {
        Some(path) => Some(Watch::new(path, Duration::from_secs(args.drift_window))?),
        None => None,
    };
    let pool = PoolOptions::default().with_waiting(args.max_waiting);
    let repository = Arc::new(Repository::new(RepositoryOptions::default().with_pool(pool)));
    let served = tokio::select! {
        served = load_all(&store, &repository, &args, watch.as_ref()) => served?,
        () = stop.asked() => return Ok(ExitCode::SUCCESS),
    };
    let state = ServingState::new(Arc::clone(&repository), ServingMetrics::default());
    let routes = routes(&state, args.max_bytes);
    let server =
        context::serve(&args.listen, args.port, |guard| routes.into_service(state, guard))?;
    // Requests are answered whether or not somebody reads where.
    output::read_or_not(announce(&server.local_addr().to_string(), &served, args.json))?;
    tokio::select! {
        () = follow::follow(&store, &repository, served, watch.as_ref()), if args.follow => {}
        () = drift::windows(watch.as_ref()), if watch.is_some() => {}
        () = stop.asked() => {}
    }
    repository.close();
    output::say("answering what is under way");
    let drained = server.drain().await;
    if drained.cut > 0 {
        output::say(&format!("requests that took too long were cut: count={}", drained.cut));
    }
    Ok(ExitCode::SUCCESS)
}

/// Loads what is asked for. The first argument of a model is the version that answers unless another is named.
async fn load_all(
    store: &LocalStore,
    repository: &Repository,
    args: &ServeArgs,
    watch: Option<&Watch>,
) -> Result<Vec<Served>> {
    let mut served = Vec::new();
    for text in &args.models {
        let asked: ModelRef = text.parse()?;
        let Resolved { version } = models::resolve(&*store.meta(), &asked).await?;
        served.push(Served::new(asked, version));
    }
    refuse_twice(&served, args.follow)?;
    for it in &served {
        let resolved = Resolved { version: it.version.clone() };
        repository.load(load(store, &resolved, watch).await?);
    }
    Ok(served)
}

async fn load(
    store: &LocalStore,
    resolved: &Resolved,
    watch: Option<&Watch>,
) -> Result<LoadedModel> {
    let loaded = models::load(store, resolved).await?;
    Ok(match watch {
        Some(watch) => {
            let signature = loaded.binding().signature().clone();
            loaded.with_observer(watch.observer(&signature)?)
        }
        None => loaded,
    })
}

fn announce(address: &str, served: &[Served], json: bool) -> Result<()> {
    let models: Vec<_> = served
        .iter()
        .map(|it| json!({ "model": it.version.model, "version": it.version.number.0, "flavour": it.version.flavour }))
        .collect();
    for it in served {
        let (model, version) = (&it.version.model, it.version.number);
        output::say(&format!("{model} version {version}: http://{address}/v2/models/{model}"));
    }
    if json {
        let address = format!("http://{address}");
        return output::json(
            &json!({ "schema": "mlops.serve/1", "address": address, "models": models }),
        );
    }
    Ok(())
}

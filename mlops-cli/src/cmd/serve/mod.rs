//! `mlops serve`: a model server over the store's registry.

mod drift;
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
use crate::{context, output};
use drift::Watch;
use models::{ModelRef, Resolved};

/// How often it is looked where an alias points.
const FOLLOW: Duration = Duration::from_secs(1);

pub(crate) async fn run(store: &Path, args: ServeArgs) -> Result<ExitCode> {
    let store = context::open(store)?;
    let asked: Vec<ModelRef> =
        args.models.iter().map(|text| text.parse()).collect::<Result<_>>()?;
    let pool = PoolOptions::default().with_waiting(args.max_waiting);
    let repository = Arc::new(Repository::new(RepositoryOptions::default().with_pool(pool)));
    let watch = match &args.reference {
        Some(path) => Some(Watch::new(path, Duration::from_secs(args.drift_window))?),
        None => None,
    };
    let mut served = Vec::new();
    for model in asked {
        let resolved = models::resolve(&*store.meta(), &model).await?;
        repository.load(load(&store, &resolved, watch.as_ref()).await?);
        served.push((model, resolved));
    }
    let state = ServingState::new(Arc::clone(&repository), ServingMetrics::default());
    let routes = routes(&state, args.max_bytes);
    let server =
        context::serve(&args.listen, args.port, |guard| routes.into_service(state, guard))?;
    announce(&server.local_addr().to_string(), &served, args.json)?;
    tokio::select! {
        () = follow(&store, &repository, served, watch.as_ref()), if args.follow => {}
        stopped = context::stopped() => stopped?,
    }
    repository.close();
    output::say("answering what is under way");
    let drained = server.drain().await;
    if drained.cut > 0 {
        output::say(&format!("requests that took too long were cut: count={}", drained.cut));
    }
    Ok(ExitCode::SUCCESS)
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

fn announce(address: &str, served: &[(ModelRef, Resolved)], json: bool) -> Result<()> {
    let models: Vec<_> = served
        .iter()
        .map(|(_, it)| json!({ "model": it.version.model, "version": it.version.number.0, "flavour": it.version.flavour }))
        .collect();
    for (_, it) in served {
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

/// Changes models when their alias points elsewhere. One that can't be loaded leaves the old one.
async fn follow(
    store: &LocalStore,
    repository: &Repository,
    mut served: Vec<(ModelRef, Resolved)>,
    watch: Option<&Watch>,
) {
    loop {
        tokio::time::sleep(FOLLOW).await;
        for (model, current) in &mut served {
            let next = match models::resolve(&*store.meta(), model).await {
                Ok(next) if next.version.number != current.version.number => next,
                Ok(_) => continue,
                Err(error) => {
                    output::say(&format!("cannot look where {model} points: {error:#}"));
                    continue;
                }
            };
            let (name, number) = (next.version.model.clone(), next.version.number);
            match load(store, &next, watch).await {
                Ok(loaded) => {
                    repository.swap(loaded);
                    output::say(&format!("{name} version {number} serves now"));
                }
                Err(error) => {
                    output::say(&format!("{name} version {number} can't be loaded: {error:#}"));
                }
            }
            // Also after a failure: the same version is not tried each second.
            *current = next;
        }
    }
}

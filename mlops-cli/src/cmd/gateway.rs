//! `mlops gateway`: the data plane of an endpoint, and, unless it is elsewhere, its controller.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use mlops_core::Error;
use mlops_core::deploy::{ServiceMetrics, Traffic};
use mlops_core::id::{EndpointName, IdSource as _, LeaseOwner, RandomIds};
use mlops_core::pipeline::Cancel;
use mlops_core::rollout::{Controller, Parts};
use mlops_core::time::SystemClock;
use mlops_deploy::gateway::{Gateway, GatewayOptions, admin};
use mlops_deploy::process::{ProcessDeployer, ProcessOptions};
use mlops_http::auth::{Anyone, Authorize, Scope};
use mlops_http::body::BodyLimits;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::route::{Routes, Rule};
use mlops_http::server::{ServerHandle, ServerOptions, serve};
use mlops_store::LocalStore;
use serde_json::json;

use crate::args::{Control, GatewayArgs};
use crate::{context, output};

/// For how long others are kept out when a controller dies.
const LEASE: Duration = Duration::from_secs(15);
/// How often a controller looks when nothing happens.
const TICK: Duration = Duration::from_millis(250);
/// The folder of the revisions, in the store's.
pub(crate) const REVISIONS: &str = "revisions";

pub(crate) async fn run(store: &Path, args: GatewayArgs) -> Result<ExitCode> {
    let endpoint = EndpointName::new(&args.endpoint)?;
    let bound = Duration::try_from_secs_f64(args.latency_bound)
        .map_err(|_| Error::invalid(format!("not a latency bound: {}", args.latency_bound)))?;
    let gateway = Gateway::new(&GatewayOptions::default().with_latency_bound(bound));
    // Everything that can be refused is refused before anything is started.
    let limits = BodyLimits::default().with_max_bytes(1 << 40).with_total(None);
    let routes = Routes::<()>::new().fallback_service(
        Rule::new(Scope::Read).with_body(limits),
        gateway.service(endpoint.clone()),
    );
    let server = context::serve(&args.listen, args.port, |guard| routes.into_service((), guard))?;
    let admin = args.admin_port.map(|port| serve_admin(&gateway, port)).transpose()?;
    announce(&endpoint, &server, admin.as_ref(), args.json)?;
    let outcome = match args.control {
        Control::Elsewhere => context::stopped().await,
        Control::Here => {
            let store = LocalStore::open(store)?;
            control(&store, endpoint, Arc::new(gateway.clone()), Arc::new(gateway)).await
        }
    };
    output::say("answering what is under way");
    server.drain().await;
    if let Some(admin) = admin {
        admin.drain().await;
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

fn serve_admin(gateway: &Gateway, port: u16) -> Result<ServerHandle> {
    let anyone: Arc<dyn Authorize> = Arc::new(Anyone);
    let listener = bind(DEFAULT_HOST, port, &*anyone)?;
    let service = admin::routes().into_service(gateway.clone(), anyone);
    let options = ServerOptions::default().with_error_shape(admin::error_shape);
    Ok(serve(listener, service, options)?)
}

fn announce(
    endpoint: &EndpointName,
    server: &ServerHandle,
    admin: Option<&ServerHandle>,
    json: bool,
) -> Result<()> {
    let address = format!("http://{}", server.local_addr());
    let admin = admin.map(|admin| admin.local_addr().to_string());
    output::say(&format!("{endpoint}: {address}"));
    if let Some(admin) = &admin {
        output::say(&format!("control: {admin}"));
    }
    if json {
        let object = json!({ "schema": "mlops.gateway/1", "endpoint": endpoint, "address": address, "admin": admin });
        return output::json(&object);
    }
    Ok(())
}

/// Runs an endpoint's revisions and rollouts until the process is told to stop. The revisions are then
/// ended, and started again by whoever comes next.
pub(crate) async fn control(
    store: &LocalStore,
    endpoint: EndpointName,
    traffic: Arc<dyn Traffic>,
    metrics: Arc<dyn ServiceMetrics>,
) -> Result<()> {
    let options = ProcessOptions::default().with_environment(std::env::vars());
    let folder = store.root().join(REVISIONS).join(endpoint.as_str());
    let deployer = ProcessDeployer::open(folder, options).await?;
    let parts = Parts::new(
        store.meta(),
        Arc::new(deployer.clone()),
        traffic,
        metrics,
        Arc::new(SystemClock),
    );
    let owner = LeaseOwner::new(format!("gateway-{}", RandomIds.next_hex()))?;
    let cancel = Cancel::new();
    let run = async {
        let controller = open(parts, endpoint, &owner).await?;
        controller.run(&cancel, TICK).await
    };
    tokio::pin!(run);
    let outcome = tokio::select! {
        ended = &mut run => ended.map_err(anyhow::Error::from),
        stopped = context::stopped() => {
            cancel.cancel();
            stopped.and(run.await.map_err(anyhow::Error::from))
        }
    };
    deployer.stop().await;
    outcome
}

/// Takes the endpoint over; one whose controller has just died is held for the rest of its lease.
async fn open(
    parts: Parts,
    endpoint: EndpointName,
    owner: &LeaseOwner,
) -> mlops_core::Result<Controller> {
    let until = tokio::time::Instant::now() + 2 * LEASE;
    loop {
        match Controller::open(parts.clone(), endpoint.clone(), owner, LEASE).await {
            Err(error)
                if error.kind() == mlops_core::ErrorKind::Conflict
                    && tokio::time::Instant::now() < until =>
            {
                output::say(&format!("waiting for the endpoint: {error}"));
                tokio::time::sleep(LEASE / 3).await;
            }
            opened => return opened,
        }
    }
}

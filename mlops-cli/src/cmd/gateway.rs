//! `mlops gateway`: the data plane of an endpoint, and, unless it is elsewhere, its controller.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use mlops_core::Error;
use mlops_core::id::EndpointName;
use mlops_deploy::gateway::{Gateway, GatewayOptions, admin};
use mlops_http::auth::{Anyone, Authorize, Scope};
use mlops_http::body::BodyLimits;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::route::{Routes, Rule};
use mlops_http::server::{ServerHandle, ServerOptions, serve};
use mlops_store::LocalStore;
use serde_json::json;

use super::control::Controlled;
use crate::args::{Control, GatewayArgs};
use crate::context::Stop;
use crate::{context, output};

pub(crate) async fn run(store: &Path, args: GatewayArgs) -> Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let endpoint = EndpointName::new(&args.endpoint)?;
    let bound = Duration::try_from_secs_f64(args.latency_bound)
        .map_err(|_| Error::invalid(format!("not a latency bound: {}", args.latency_bound)))?;
    let gateway = Gateway::new(&GatewayOptions::default().with_latency_bound(bound));
    let limits = BodyLimits::default().with_max_bytes(1 << 40).with_total(None);
    let routes = Routes::<()>::new().fallback_service(
        Rule::new(Scope::Read).with_body(limits),
        gateway.service(endpoint.clone()),
    );
    let server = context::serve(&args.listen, args.port, |guard| routes.into_service((), guard))?;
    let admin = args.admin_port.map(|port| serve_admin(&gateway, port)).transpose()?;
    let controlled = match args.control {
        Control::Elsewhere => None,
        Control::Here => {
            let parts = (Arc::new(gateway.clone()) as _, Arc::new(gateway) as _);
            match Controlled::open(&LocalStore::open(store)?, endpoint.clone(), parts, &mut stop)
                .await?
            {
                Some(controlled) => Some(controlled),
                None => return Ok(ExitCode::SUCCESS),
            }
        }
    };
    // Requests are answered whether or not somebody reads where.
    let announced = announce(&endpoint, &server, admin.as_ref(), args.json);
    if let Err(error) = output::read_or_not(announced) {
        if let Some(controlled) = controlled {
            controlled.stop().await;
        }
        return Err(error);
    }
    let ended = match controlled {
        Some(controlled) => Some(controlled.run(&mut stop).await),
        None => {
            stop.asked().await;
            None
        }
    };
    output::say("answering what is under way");
    server.drain().await;
    if let Some(admin) = admin {
        admin.drain().await;
    }
    // The last: what is under way is answered by the revisions.
    if let Some(ended) = ended {
        ended.close().await?;
    }
    Ok(ExitCode::SUCCESS)
}

fn serve_admin(gateway: &Gateway, port: u16) -> Result<ServerHandle> {
    let anyone: Arc<dyn Authorize> = Arc::new(Anyone);
    let listener = bind(DEFAULT_HOST, port, &*anyone).map_err(context::no_socket)?;
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

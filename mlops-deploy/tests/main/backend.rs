//! Revisions in this process: small servers that answer with their version.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{Method, Request, StatusCode};
use mlops_core::deploy::{
    Backend, Generation, ObservedTraffic, Percent, Split, Traffic as _, TrafficSpec,
};
use mlops_core::id::{Address, EndpointName, RevisionName};
use mlops_deploy::gateway::Gateway;
use mlops_http::auth::{Anyone, Scope};
use mlops_http::body::BodyLimits;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::route::Routes;
use mlops_http::server::{ServerHandle, ServerOptions, serve};

/// A revision's server under a name that is made at run time.
pub(crate) fn start_named(version: String) -> ServerHandle {
    let routes =
        Routes::new().route(Method::GET, "/", Scope::Public, move || async move { version });
    let listener = bind(DEFAULT_HOST, 0, &Anyone).unwrap();
    serve(listener, routes.into_service((), Arc::new(Anyone)), ServerOptions::default()).unwrap()
}

/// A revision's server.
pub(crate) fn start(version: &'static str) -> ServerHandle {
    start_with(version, ServerOptions::default())
}

/// The same with these options.
pub(crate) fn start_with(version: &'static str, options: ServerOptions) -> ServerHandle {
    let slow = move || async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        version
    };
    let headers = |request: Request<Body>| async move {
        let lines = request.headers().iter();
        let lines = lines.map(|(name, value)| format!("{name}={}\n", value.to_str().unwrap()));
        format!("{:?}\n{}", request.version(), lines.collect::<String>())
    };
    let length = |body: Bytes| async move { body.len().to_string() };
    let echo = |request: Request<Body>| async move {
        Body::from_stream(request.into_body().into_data_stream())
    };
    let break_off = || async {
        let parts = [Ok("half"), Err(std::io::Error::other("broken on purpose"))];
        Body::from_stream(futures::stream::iter(parts).then(|part| async {
            tokio::task::yield_now().await;
            part
        }))
    };
    let routes = Routes::new()
        .route(Method::GET, "/", Scope::Public, move || async move { version })
        .route(Method::POST, "/", Scope::Public, move || async move { version })
        .route(Method::GET, "/slow", Scope::Public, slow)
        .route(Method::GET, "/headers", Scope::Public, headers)
        .route(Method::POST, "/echo", Scope::Public, echo)
        .route(Method::POST, "/length", Scope::Public, length)
        .route(Method::GET, "/never", Scope::Public, std::future::pending::<()>)
        .route(Method::GET, "/break", Scope::Public, break_off)
        .route(Method::GET, "/fail", Scope::Public, || async { StatusCode::INTERNAL_SERVER_ERROR });
    let listener = bind(DEFAULT_HOST, 0, &Anyone).unwrap();
    let limits = BodyLimits::default().with_max_bytes(64 << 20);
    serve(listener, routes.into_service((), Arc::new(Anyone)), options.with_body(limits)).unwrap()
}

pub(crate) fn endpoint() -> EndpointName {
    EndpointName::new("flights").unwrap()
}

pub(crate) fn revision(name: &str) -> RevisionName {
    RevisionName::new(name).unwrap()
}

/// A gateway behind a server of its own.
pub(crate) fn front(gateway: &Gateway) -> ServerHandle {
    front_with(gateway, BodyLimits::default().with_max_bytes(64 << 20))
}

/// The same with these limits of a body.
pub(crate) fn front_with(gateway: &Gateway, limits: BodyLimits) -> ServerHandle {
    let listener = bind(DEFAULT_HOST, 0, &Anyone).unwrap();
    let options = ServerOptions::default().with_body(limits);
    serve(listener, gateway.service(endpoint()), options).unwrap()
}

/// A spec from names, addresses and shares.
pub(crate) fn spec(generation: u64, shares: &[(&str, String, u8)]) -> TrafficSpec {
    let split =
        shares.iter().map(|(name, _, share)| (revision(name), Percent::new(*share).unwrap()));
    let split = Split::new(split).unwrap();
    let backends: BTreeMap<_, _> = shares
        .iter()
        .map(|(name, address, _)| {
            (revision(name), Backend { addresses: vec![Address::new(address).unwrap()] })
        })
        .collect();
    TrafficSpec::new(endpoint(), Generation(generation), split, backends).unwrap()
}

pub(crate) fn address(server: &ServerHandle) -> String {
    server.local_addr().to_string()
}

/// Waits until no request is under way at `name`; panics when that takes absurdly long.
pub(crate) async fn idle(gateway: &Gateway, name: &str) -> ObservedTraffic {
    under_way(gateway, name, 0).await
}

/// Waits until so many requests are under way at `name`; panics when that takes absurdly long.
pub(crate) async fn under_way(gateway: &Gateway, name: &str, count: u64) -> ObservedTraffic {
    for _ in 0..3_000 {
        let observed = gateway.observed(&endpoint()).await.unwrap();
        if observed.in_flight.get(&revision(name)).copied().unwrap_or_default() == count {
            return observed;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never {count} requests under way at {name}")
}

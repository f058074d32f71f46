//! A revision: a small server of its own.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use mlops_benches::BoxError;
use mlops_http::auth::{Anyone, Scope};
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::route::Routes;
use mlops_http::server::{ServerOptions, serve};
use tokio::signal::unix::{SignalKind, signal};

/// A revision: answers its name, whether it is ready, and 500 if it is bad.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn revision(name: &str, kind: &str) -> Result<(), BoxError> {
    let status = match kind {
        "good" => StatusCode::OK,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let name = name.to_owned();
    let answer = move || async move {
        // Long enough that a switch meets requests under way.
        tokio::time::sleep(Duration::from_millis(5)).await;
        (status, name)
    };
    let routes = Routes::new().route(Method::GET, "/", Scope::Public, answer).route(
        Method::GET,
        "/ready",
        Scope::Public,
        || async {},
    );
    let port = std::env::var("PORT")?.parse()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let service = routes.into_service((), Arc::new(Anyone));
    let server = serve(bind(DEFAULT_HOST, port, &Anyone)?, service, ServerOptions::default())?;
    terminate.recv().await;
    match server.drain().await.cut {
        0 => Ok(()),
        cut => Err(format!("requests were cut: {cut}").into()),
    }
}

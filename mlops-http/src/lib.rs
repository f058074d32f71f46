//! What every HTTP server needs, once: deadlines and caps, an ordered drain, routes that carry a scope by type, errors as JSON.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::extract::Path;
//! use http::Method;
//! use mlops_http::auth::{Anyone, Scope};
//! use mlops_http::error::HttpError;
//! use mlops_http::listen::{DEFAULT_HOST, bind};
//! use mlops_http::route::Routes;
//! use mlops_http::server::{ServerOptions, serve};
//!
//! async fn model(Path(name): Path<String>) -> Result<String, HttpError> {
//!     match name.as_str() {
//!         "iris" => Ok("ready".to_owned()),
//!         _ => Err(HttpError::not_found(format!("no such model: name={name}"))),
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let routes = Routes::new()
//!     .route(Method::GET, "/health", Scope::Public, || async { "live" })
//!     .route(Method::GET, "/models/{name}", Scope::Read, model);
//! let authorize = Arc::new(Anyone);
//! let listener = bind(DEFAULT_HOST, 0, authorize.as_ref())?;
//! let service = routes.into_service((), authorize);
//! let server = serve(listener, service, ServerOptions::default())?;
//! assert_ne!(server.local_addr().port(), 0);
//! let drained = server.drain().await;
//! assert_eq!(drained.cut, 0);
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`server`] | the accept loop, deadlines and caps of a connection, the drain |
//! | [`listen`] | the socket: this machine alone unless a token is asked for |
//! | [`route`] | routes with a scope, limits of their own, and their list |
//! | [`auth`] | scopes, who holds them, the token of a file |
//! | [`host`] | the names that a server answers to |
//! | [`body`] | request bodies that end: size, pace, time in all |
//! | [`limit`] | so many at once, so many waiting, an immediate refusal for the rest |
//! | [`error`] | the error that clients see, in the shape of their protocol |
//!
//! This crate knows nothing of models and stores. It does not speak TLS (a proxy in front does), does
//! not upgrade connections, does not compress, serves no files, and trusts no header that names
//! another client (`Forwarded`, `X-Forwarded-For`).

pub mod auth;
pub mod body;
pub mod error;
pub mod host;
pub mod limit;
pub mod listen;
pub mod route;
pub mod server;

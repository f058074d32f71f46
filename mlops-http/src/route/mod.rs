//! Routes that can't be made without saying what they do: the scope is an argument of the route.

mod guard;
mod path;
mod rule;
mod service;

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, any, any_service, on};
use axum::{Router, middleware};
use http::Method;
use tower::Service;

pub use path::Path;
pub use rule::Rule;
pub use service::RouteService;

use crate::auth::{Authorize, Scope};
use guard::Guard;

/// A router in which every route has a scope.
///
/// The router inside can't be reached: a route comes in through the methods here, each of which
/// takes a [`Scope`] (or a [`Rule`] made from one), and goes out as a whole with
/// [`into_service`](Self::into_service), which takes the [`Authorize`] that they are guarded by.
/// A list of guarded paths that somebody may forget to extend does not exist.
///
/// ```
/// use http::Method;
/// use mlops_http::route::Routes;
/// use mlops_http::auth::Scope;
///
/// let routes: Routes = Routes::new().route(Method::GET, "/v2", Scope::Public, || async { "here" });
/// ```
///
/// ```compile_fail
/// use http::Method;
/// use mlops_http::route::Routes;
/// use mlops_http::auth::Scope;
///
/// let routes: Routes = Routes::new().route(Method::GET, "/v2", || async { "here" });
/// ```
///
/// Paths are those of axum: `/models/{model}` names a segment, `/files/{*rest}` the rest of a path.
/// Handlers are axum's as well; what they return as an [`HttpError`](crate::error::HttpError) is
/// answered in the server's shape. A `GET` route answers `HEAD` too.
pub struct Routes<S = ()> {
    entries: Vec<Entry<S>>,
    fallback: Option<Entry<S>>,
}

struct Entry<S> {
    method: Option<Method>,
    path: String,
    rule: Rule,
    handler: MethodRouter<S>,
}

/// One route, as [`Routes::routes`] lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The method; none where every method is served.
    pub method: Option<Method>,
    /// The path; `*` for whatever no other route has.
    pub path: String,
    /// What it does.
    pub scope: Scope,
}

impl<S> Default for Routes<S> {
    fn default() -> Self {
        Self { entries: Vec::new(), fallback: None }
    }
}

impl<S> Routes<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// No routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler for one method on a path.
    ///
    /// # Panics
    /// When the method is not one that HTTP itself defines. Paths are looked at in
    /// [`into_service`](Self::into_service).
    #[must_use]
    pub fn route<H, T>(
        mut self,
        method: Method,
        path: &str,
        rule: impl Into<Rule>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("a route has a method of HTTP");
        let handler = on(filter, handler);
        self.entries.push(Entry {
            method: Some(method),
            path: path.to_owned(),
            rule: rule.into(),
            handler,
        });
        self
    }

    /// Adds a service for every method on a path: a protocol of its own, such as gRPC.
    #[must_use]
    pub fn service<V>(mut self, path: &str, rule: impl Into<Rule>, service: V) -> Self
    where
        V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        V::Response: IntoResponse + 'static,
        V::Future: Send + 'static,
    {
        let handler = any_service(service);
        self.entries.push(Entry {
            method: None,
            path: path.to_owned(),
            rule: rule.into(),
            handler,
        });
        self
    }

    /// Adds a handler for every method on every path that no route has. It replaces the one that was
    /// there.
    #[must_use]
    pub fn fallback<H, T>(mut self, rule: impl Into<Rule>, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.fallback = Some(Entry::rest(rule.into(), any(handler)));
        self
    }

    /// Adds a service for every method on every path that no route has: what a gateway sends on.
    #[must_use]
    pub fn fallback_service<V>(mut self, rule: impl Into<Rule>, service: V) -> Self
    where
        V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        V::Response: IntoResponse + 'static,
        V::Future: Send + 'static,
    {
        self.fallback = Some(Entry::rest(rule.into(), any_service(service)));
        self
    }

    /// Adds the routes of another, each with its own scope. Its fallback counts if there is none here.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.nest("", other)
    }

    /// Adds the routes of another below a path, such as `/api`. Its fallback counts if there is none
    /// here, and for all paths.
    #[must_use]
    pub fn nest(mut self, prefix: &str, other: Self) -> Self {
        let below = |entry: Entry<S>| Entry { path: format!("{prefix}{}", entry.path), ..entry };
        self.entries.extend(other.entries.into_iter().map(below));
        self.fallback = self.fallback.or(other.fallback);
        self
    }

    /// Every route with its scope, in the order in which they were added, the fallback last: for a
    /// test that walks them.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        let all = self.entries.iter().chain(&self.fallback);
        all.map(|entry| Route {
            method: entry.method.clone(),
            path: entry.path.clone(),
            scope: entry.rule.scope(),
        })
        .collect()
    }

    /// The service that these routes are, guarded by `authorize`.
    ///
    /// A path without a route is answered with 404, a method without one with 405 and `Allow`, both
    /// as JSON.
    ///
    /// # Panics
    /// When a path does not begin with `/`, is malformed, or conflicts with another of the same
    /// method: defects of the program that its first start shows.
    #[must_use]
    pub fn into_service(self, state: S, authorize: Arc<dyn Authorize>) -> RouteService {
        let mut router = Router::new();
        for entry in self.entries {
            let guard = Guard::new(entry.rule, &authorize);
            let layer = middleware::from_fn_with_state(guard, guard::check);
            // The layer of a method's route must not cover the answer to other methods.
            let handler = match entry.method {
                Some(_) => entry.handler.route_layer(layer),
                None => entry.handler.layer(layer),
            };
            router = router.route(&entry.path, handler);
        }
        router = match self.fallback {
            Some(entry) => {
                let guard = Guard::new(entry.rule, &authorize);
                let layer = middleware::from_fn_with_state(guard, guard::check);
                router.fallback_service(entry.handler.layer(layer).with_state(state.clone()))
            }
            None => router.fallback(service::unknown_path),
        };
        let router = router
            .method_not_allowed_fallback(service::unknown_method)
            // Bodies are limited by the rules; axum's own limit would stand beside them.
            .layer(DefaultBodyLimit::disable())
            .with_state(state);
        RouteService::new(router)
    }
}

impl<S> Entry<S> {
    fn rest(rule: Rule, handler: MethodRouter<S>) -> Self {
        Self { method: None, path: "*".to_owned(), rule, handler }
    }
}

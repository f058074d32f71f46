//! What stands before every handler: who asks, how much, and for how long.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};

use super::Rule;
use crate::auth::{Authorize, Scope};
use crate::body::{BodyControl, check_declared};
use crate::error::HttpError;

/// The guard of one route.
#[derive(Clone)]
pub(super) struct Guard(Arc<Guarded>);

struct Guarded {
    rule: Rule,
    authorize: Arc<dyn Authorize>,
}

impl Guard {
    pub(super) fn new(rule: Rule, authorize: &Arc<dyn Authorize>) -> Self {
        Self(Arc::new(Guarded { rule, authorize: Arc::clone(authorize) }))
    }
}

/// Lets a request through to its handler: who may not come in learns nothing else.
pub(super) async fn check(
    State(Guard(guarded)): State<Guard>,
    request: Request,
    next: Next,
) -> Result<Response, HttpError> {
    let rule = &guarded.rule;
    let (mut head, body) = request.into_parts();
    if rule.scope() != Scope::Public {
        let principal = guarded.authorize.authorize(&head, rule.scope())?;
        head.extensions.insert(principal);
    }
    let control = head.extensions.get::<BodyControl>().cloned();
    if let (Some(limits), Some(control)) = (rule.body, &control) {
        control.set(limits);
    }
    let limit = rule.body.map(|limits| limits.max_bytes);
    if let Some(limit) = limit.or(control.map(|control| control.max_bytes())) {
        check_declared(&head, limit)?;
    }
    let place = match &rule.gate {
        Some(gate) => Some(gate.enter().await?),
        None => None,
    };
    let answer = next.run(Request::from_parts(head, body));
    let response = match rule.deadline {
        None => answer.await,
        Some(deadline) => match tokio::time::timeout(deadline, answer).await {
            Ok(response) => response,
            Err(_) => return Err(late(deadline)),
        },
    };
    drop(place);
    Ok(response)
}

fn late(deadline: std::time::Duration) -> HttpError {
    let message = format!("the answer took too long: deadline_ms={}", deadline.as_millis());
    HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "deadline", message).with_retry_after(deadline)
}

/// 404, without the path: it may be anything.
pub(super) fn unknown_path() -> HttpError {
    HttpError::not_found("there is nothing at this path")
}

/// 405; the router adds the methods that there are.
pub(super) fn unknown_method(method: &Method) -> HttpError {
    let message = format!("this path does not serve the method: method={method}");
    HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

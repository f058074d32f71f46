//! Routes: who may enter, what is not there, and the walk over all of them.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Extension, State};
use http::{Method, Request, Response};
use mlops_http::auth::{BearerToken, Principal, Scope, Scopes};
use mlops_http::limit::Gate;
use mlops_http::route::{Path, Routes, Rule};
use mlops_http::server::ServerHandle;
use tokio::sync::Notify;

use super::{Client, hello, open, patient, start, until};

const TOKEN: &str = "0123456789abcdef";

fn token(scopes: &[Scope]) -> Arc<BearerToken> {
    Arc::new(BearerToken::new(TOKEN).unwrap().with_scopes(Scopes::of(scopes)))
}

fn models() -> Routes {
    let who = |Extension(who): Extension<Principal>| async move { who.name().to_owned() };
    Routes::new()
        .route(Method::GET, "/health", Scope::Public, || async { "live" })
        .route(Method::GET, "/models/{model}", Scope::Read, who)
        .route(Method::POST, "/models/{model}", Scope::Write, || async {})
        .route(Method::DELETE, "/models/{model}", Scope::Delete, || async {})
        .nest("/admin", Routes::new().route(Method::PUT, "/users", Scope::Admin, || async {}))
}

async fn ask(server: &ServerHandle, method: &Method, path: &str, extra: &str) -> super::Answer {
    let mut client = Client::connect(server).await;
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n")).await;
    client.answer().await.unwrap()
}

#[tokio::test]
async fn the_walk_over_all_routes_finds_none_open_but_the_public_ones() {
    let routes = models().fallback(Scope::Read, || async { "rest" });
    let all = routes.routes();
    assert_eq!(all.len(), 6);
    let server = start(routes.into_service((), token(&[])), patient());
    let (right, wrong) =
        (format!("Authorization: Bearer {TOKEN}\r\n"), "Authorization: Bearer x\r\n");
    for route in all {
        let method = route.method.unwrap_or(Method::PATCH);
        let path = route.path.replace("{model}", "iris").replace('*', "/anything");
        let (none, scope) = (ask(&server, &method, &path, "").await, route.scope);
        if scope == Scope::Public {
            assert_eq!(none.status, 200, "{method} {path}");
            continue;
        }
        assert_eq!(none.status, 401, "{method} {path}");
        assert!(none.head.contains("www-authenticate: bearer"), "{none:?}");
        none.error();
        assert_eq!(ask(&server, &method, &path, wrong).await.status, 401, "{method} {path}");
        let forbidden = ask(&server, &method, &path, &right).await;
        assert_eq!(forbidden.status, 403, "{method} {path}");
        assert!(forbidden.error().contains(scope.word()), "{forbidden:?}");
        assert!(!forbidden.body.contains(TOKEN));
    }
}

#[tokio::test]
async fn the_token_opens_what_it_holds() {
    let server = start(models().into_service((), token(&[Scope::Read])), patient());
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    let read = ask(&server, &Method::GET, "/models/iris", &right).await;
    assert_eq!((read.status, read.body.as_str()), (200, "token"));
    let mut head = Client::connect(&server).await;
    let request = "HEAD /models/iris HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    head.send(request).await;
    assert!(
        head.rest().await.starts_with("HTTP/1.1 401"),
        "a GET route answers HEAD, guarded alike"
    );
    assert_eq!(ask(&server, &Method::POST, "/models/iris", &right).await.status, 403);
    assert_eq!(ask(&server, &Method::DELETE, "/models/iris", &right).await.status, 403);
}

#[tokio::test]
async fn an_unknown_path_is_404_and_a_wrong_method_405() {
    let server = start(models().into_service((), token(&[])), patient());
    let unknown = ask(&server, &Method::GET, "/none", "").await;
    assert_eq!(unknown.status, 404);
    unknown.error();
    let wrong = ask(&server, &Method::PATCH, "/models/iris", "").await;
    assert_eq!(wrong.status, 405);
    assert!(wrong.error().contains("PATCH"));
    let allow = wrong.head.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap();
    let mut methods: Vec<&str> = allow.split(',').map(str::trim).collect();
    methods.sort_unstable();
    assert_eq!(methods, ["delete", "get", "head", "post"], "{wrong:?}");
}

#[tokio::test]
async fn routes_that_were_merged_keep_their_scopes_and_share_the_state() {
    let name = |State(name): State<&'static str>| async move { name };
    let part = |Path(part): Path<String>, State(name): State<&'static str>| async move {
        format!("{name} {part}")
    };
    let one = Routes::new().route(Method::GET, "/name", Scope::Public, name);
    let two = Routes::new().route(Method::GET, "/part/{part}", Scope::Read, part);
    let routes = one.merge(two);
    let scopes: Vec<Scope> = routes.routes().iter().map(|route| route.scope).collect();
    assert_eq!(scopes, [Scope::Public, Scope::Read]);
    let server = start(routes.into_service("mlops", token(&[Scope::Read])), patient());
    assert_eq!(ask(&server, &Method::GET, "/name", "").await.body, "mlops");
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(ask(&server, &Method::GET, "/part/a%20b", &right).await.body, "mlops a b");
}

#[tokio::test]
async fn a_service_takes_every_method_and_is_guarded() {
    let echo = tower::service_fn(|request: Request<axum::body::Body>| async move {
        let text = format!("{} {}", request.method(), request.uri().path());
        Ok::<_, Infallible>(Response::new(axum::body::Body::from(text)))
    });
    let routes =
        models().service("/rpc/{*call}", Scope::Write, echo).fallback_service(Scope::Read, echo);
    let server = start(routes.into_service((), token(&[Scope::Read, Scope::Write])), patient());
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    for path in ["/rpc/a/b", "/elsewhere", "/"] {
        assert_eq!(ask(&server, &Method::PUT, path, "").await.status, 401, "{path}");
        let answer = ask(&server, &Method::PUT, path, &right).await;
        assert_eq!(answer.body, format!("PUT {path}"));
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_read_is_400_in_the_shape_of_errors() {
    let text = |Path(name): Path<String>| async move { name };
    let number =
        |Path((name, number)): Path<(String, u64)>| async move { format!("{name}{number}") };
    let routes = Routes::new().route(Method::GET, "/text/{name}", Scope::Public, text).route(
        Method::GET,
        "/number/{name}/{number}",
        Scope::Public,
        number,
    );
    let server = start(open(routes), patient());
    assert_eq!(ask(&server, &Method::GET, "/number/a/7", "").await.body, "a7");
    for (path, said) in [("/text/%FF", "not UTF-8"), ("/number/a/b", "b"), ("/number/a/-1", "-1")] {
        let answer = ask(&server, &Method::GET, path, "").await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.error().contains(said), "{answer:?}");
    }
}

#[tokio::test]
async fn a_full_gate_refuses_at_once_and_answers_whom_it_took() {
    let (go, gate) = (Arc::new(Notify::new()), Gate::new(1, 1));
    let wait = Arc::clone(&go);
    let handler = move || {
        let wait = Arc::clone(&wait);
        async move { wait.notified().await }
    };
    let rule = Rule::new(Scope::Public).with_gate(gate.clone());
    let server = start(open(Routes::new().route(Method::GET, "/", rule, handler)), patient());
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let (mut first, mut second) = (Client::connect(&server).await, Client::connect(&server).await);
    first.send(request).await;
    until("the first is in", || server.in_flight() == 1).await;
    second.send(request).await;
    until("the second waits", || gate.waiting() == 1).await;
    let third = ask(&server, &Method::GET, "/", "").await;
    assert_eq!(third.status, 503);
    assert!(third.head.contains("retry-after: "), "{third:?}");
    third.error();
    go.notify_one();
    assert_eq!(first.answer().await.unwrap().status, 200);
    go.notify_one();
    assert_eq!(second.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn a_panicking_service_is_a_500_without_routes_as_well() {
    let panics = tower::service_fn(|_: Request<mlops_http::body::RequestBody>| async {
        if true {
            panic!("inside");
        }
        Ok::<_, Infallible>(Response::new(http_body_util::Full::new(bytes::Bytes::new())))
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = mlops_http::server::serve(listener, panics, patient()).unwrap();
    assert_eq!(ask(&server, &Method::GET, "/", "").await.status, 500);
    let other = start(hello(), patient());
    assert_eq!(ask(&other, &Method::GET, "/", "").await.status, 200);
}

//! The drain under load: strict clients, which send each request once and count what fails.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::Method;
use mlops_http::auth::Scope;
use mlops_http::route::{RouteService, Routes};
use mlops_http::server::{Handover, ServerHandle, ServerOptions, serve};
use tokio::task::JoinSet;

use super::{Answer, Client, open, patient, start, until};

/// A server that says which one it is, at once and after 100 ms.
fn version(number: usize) -> RouteService {
    let text = number.to_string();
    let slow = text.clone();
    let routes = Routes::new()
        .route(Method::GET, "/fast", Scope::Public, move || std::future::ready(text.clone()))
        .route(Method::GET, "/slow", Scope::Public, move || {
            let text = slow.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                text
            }
        });
    open(routes)
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    KeepAlive,
    NewEachTime,
}

#[derive(Default)]
struct Load {
    stop: AtomicBool,
    ok: AtomicUsize,
    failed: AtomicUsize,
    newest: AtomicUsize,
}

impl Load {
    async fn run(&self, address: SocketAddr, path: &str, mode: Mode) {
        let mut kept = None;
        while !self.stop.load(Ordering::SeqCst) {
            match once(&mut kept, address, path).await {
                Ok(answer) if answer.status == 200 => {
                    self.newest.fetch_max(answer.body.parse().unwrap(), Ordering::SeqCst);
                    self.ok.fetch_add(1, Ordering::SeqCst);
                    if answer.closes() || mode == Mode::NewEachTime {
                        kept = None;
                    }
                }
                _ => {
                    self.failed.fetch_add(1, Ordering::SeqCst);
                    kept = None;
                }
            }
        }
    }
}

async fn once(
    kept: &mut Option<Client>,
    address: SocketAddr,
    path: &str,
) -> std::io::Result<Answer> {
    let client = match kept {
        Some(client) => client,
        None => kept.insert(Client::try_connect(address).await?),
    };
    client.try_send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await?;
    client.answer().await
}

/// Clients of every kind against the address, for as long as the set lives.
fn clients(address: SocketAddr) -> (Arc<Load>, JoinSet<()>) {
    let (load, mut tasks) = (Arc::new(Load::default()), JoinSet::new());
    for path in ["/fast", "/slow"] {
        for mode in [Mode::KeepAlive, Mode::NewEachTime] {
            for _ in 0..4 {
                let load = Arc::clone(&load);
                tasks.spawn(async move { load.run(address, path, mode).await });
            }
        }
    }
    (load, tasks)
}

fn shared() -> ServerOptions {
    ServerOptions::default().with_handover(Handover::Shared)
}

fn serve_version(listener: &TcpListener, number: usize, options: ServerOptions) -> ServerHandle {
    serve(listener.try_clone().unwrap(), version(number), options).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_switches_on_a_shared_socket_lose_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut server = serve_version(&listener, 0, shared());
    let (load, tasks) = clients(server.local_addr());
    for number in 1..=20 {
        let next = serve_version(&listener, number, shared());
        let drained = std::mem::replace(&mut server, next).drain().await;
        assert_eq!(drained.cut, 0);
        let before = load.ok.load(Ordering::SeqCst);
        until("the new version answers", || load.newest.load(Ordering::SeqCst) == number).await;
        until("all goes on", || load.ok.load(Ordering::SeqCst) > before).await;
    }
    load.stop.store(true, Ordering::SeqCst);
    tasks.join_all().await;
    let (ok, failed) = (load.ok.load(Ordering::SeqCst), load.failed.load(Ordering::SeqCst));
    assert_eq!(failed, 0, "of {}", ok + failed);
    assert!(ok > 1_000, "{ok}");
    assert_eq!(server.drain().await.cut, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_dropped_instead_loses_requests() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut server = serve_version(&listener, 0, shared());
    let (load, tasks) = clients(server.local_addr());
    for number in 1..=5 {
        let next = serve_version(&listener, number, shared());
        drop(std::mem::replace(&mut server, next));
        until("the new version answers", || load.newest.load(Ordering::SeqCst) == number).await;
    }
    load.stop.store(true, Ordering::SeqCst);
    tasks.join_all().await;
    assert!(load.failed.load(Ordering::SeqCst) > 0, "the clients see what is lost");
}

#[tokio::test]
async fn the_last_server_answers_what_waits_to_be_accepted() {
    let options = ServerOptions::default().with_max_connections(1);
    let server = start(version(7), options);
    let mut first = Client::connect(&server).await;
    first.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    until("the first is under way", || server.in_flight() == 1).await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(&server).await;
        client.send("GET /fast HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        waiting.push(client);
    }
    assert_eq!(server.connections(), 1);
    let address = server.local_addr();
    let drained = server.drain().await;
    assert_eq!((drained.served, drained.cut), (21, 0));
    for mut client in waiting.into_iter().chain([first]) {
        let answer = client.answer().await.unwrap();
        assert!(answer.status == 200 && answer.closes(), "{answer:?}");
    }
    assert!(Client::try_connect(address).await.is_err(), "the socket is closed");
}

#[tokio::test]
async fn a_connection_that_was_accepted_but_not_yet_read_is_answered() {
    let server = start(version(7), ServerOptions::default());
    let mut client = Client::connect(&server).await;
    until("it is accepted", || server.connections() == 1).await;
    let drain = tokio::spawn(server.drain());
    tokio::task::yield_now().await;
    let answer = client.get("/fast").await;
    assert!(answer.status == 200 && answer.closes(), "{answer:?}");
    assert_eq!(drain.await.unwrap().served, 1);
}

#[tokio::test]
async fn a_request_of_which_a_part_has_come_is_answered() {
    let server = start(version(7), patient());
    let mut client = Client::connect(&server).await;
    assert!(!client.get("/fast").await.closes());
    client.send("GET /fast HT").await;
    // The answer to another connection shows that the server has been reading meanwhile.
    Client::connect(&server).await.get("/slow").await;
    let mut drain = tokio::spawn(server.drain());
    let early = tokio::time::timeout(Duration::from_millis(200), &mut drain).await;
    assert!(early.is_err(), "it waits for the rest");
    client.send("TP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = client.answer().await.unwrap();
    assert!(answer.status == 200 && answer.closes(), "{answer:?}");
    assert_eq!(drain.await.unwrap().cut, 0);
}

#[tokio::test]
async fn a_drain_ends_at_its_deadline_and_says_what_it_cut() {
    let routes =
        Routes::new().route(Method::GET, "/", Scope::Public, std::future::pending::<&'static str>);
    let server = start(open(routes), patient().with_drain_deadline(Duration::from_millis(50)));
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(&server).await;
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        clients.push(client);
    }
    until("all are under way", || server.in_flight() == 3).await;
    let drained = server.drain().await;
    assert_eq!((drained.served, drained.cut), (0, 3));
    for client in clients {
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn a_server_without_connections_drains_at_once() {
    let grace = Duration::from_secs(3600);
    let server = start(version(7), patient().with_grace(grace).with_drain_deadline(grace));
    assert_eq!(server.drain().await.cut, 0);
}

#[tokio::test]
async fn a_handle_that_is_dropped_ends_everything() {
    let server = start(version(7), patient());
    let mut client = Client::connect(&server).await;
    client.get("/fast").await;
    let address = server.local_addr();
    drop(server);
    assert_eq!(client.rest().await, "");
    assert!(Client::try_connect(address).await.is_err());
}

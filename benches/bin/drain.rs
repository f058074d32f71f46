//! SIGTERM under load: whatever was accepted is answered whole.
//!
//! `drain [TIMES] [SEED]`. Each time a server with a handler of 50 ms starts in a process of its own, clients on kept
//! and on new connections ask it as fast as they can, it gets SIGTERM at a random moment and drains. Every client goes
//! on until nobody listens any more. Each request that reached the handler must have been answered whole, and no
//! connection that was made may break.

#![allow(clippy::print_stdout)]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use mlops_benches::BoxError;
use mlops_benches::child::{Server, attend};
use mlops_benches::client::{Client, Connections, Failure};
use mlops_http::auth::{Anyone, Scope};
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::route::Routes;
use mlops_http::server::{ServerOptions, serve};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

const HANDLER: Duration = Duration::from_millis(50);
/// Clients of each kind.
const CLIENTS: usize = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["serve"] => serve_until_told(),
        [] => drains(10, 1),
        [times] => times.parse().map_err(BoxError::from).and_then(|times| drains(times, 1)),
        [times, seed, ..] => times
            .parse()
            .and_then(|times| Ok((times, seed.parse()?)))
            .map_err(BoxError::from)
            .and_then(|(times, seed)| drains(times, seed)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(worker_threads = 2)]
async fn serve_until_told() -> Result<(), BoxError> {
    let begun = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&begun);
    let slow = move || async move {
        count.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(HANDLER).await;
        "whole"
    };
    let routes = Routes::new().route(Method::GET, "/", Scope::Public, slow);
    let mut terminate = signal(SignalKind::terminate())?;
    let service = routes.into_service((), Arc::new(Anyone));
    let server = serve(bind(DEFAULT_HOST, 0, &Anyone)?, service, ServerOptions::default())?;
    attend(&server, |_| String::new());
    terminate.recv().await;
    let drained = server.drain().await;
    println!("{} {}", begun.load(Ordering::Relaxed), drained.cut);
    Ok(())
}

/// What became of requests.
#[derive(Debug, Default)]
struct Report {
    whole: u64,
    failures: Vec<String>,
}

/// Asks until nobody listens.
async fn ask(mut client: Client) -> Report {
    let mut report = Report::default();
    loop {
        match client.get("/").await {
            Ok(answer) if answer.status == StatusCode::OK && answer.body == "whole" => {
                report.whole += 1;
            }
            Ok(answer) => report.failures.push(format!("answered {}", answer.status)),
            Err(Failure::Refused) => return report,
            Err(Failure::Broken(why)) => report.failures.push(why),
        }
    }
}

#[tokio::main(worker_threads = 2)]
async fn drains(times: u32, seed: u64) -> Result<(), BoxError> {
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let mut whole = 0;
    let mut failures = Vec::new();
    for time in 1..=times {
        let mut server = Server::start(&["serve"])?;
        let mut clients = JoinSet::new();
        for mode in [Connections::Kept, Connections::New] {
            for _ in 0..CLIENTS {
                clients.spawn(ask(Client::new(&server.address, mode)));
            }
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(60..260))).await;
        server.terminate()?;
        let all = clients.join_all().await;
        let said = tokio::task::spawn_blocking(move || -> Result<_, BoxError> {
            let line = server.line()?;
            let ended = server.wait()?;
            Ok((line, ended))
        });
        let (line, ended) = said.await??;
        let answered: u64 = all.iter().map(|report| report.whole).sum();
        let broken = all.into_iter().flat_map(|report| report.failures);
        failures.extend(broken.map(|why| format!("drain {time}: {why}")));
        if line != format!("{answered} 0") || !ended.success() {
            let what = format!("drain {time}: begun and cut {line}, answered {answered}, {ended}");
            failures.push(what);
        }
        whole += answered;
    }
    for failure in failures.iter().take(20) {
        println!("{failure}");
    }
    println!(
        "{times} drains, {whole} requests begun and answered whole, {} failures",
        failures.len()
    );
    if failures.is_empty() { Ok(()) } else { Err("a drain has lost requests".into()) }
}

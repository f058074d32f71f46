//! A good canary takes over; one that fails and one that is slow are taken back. No request fails on the
//! stable side, and nobody looks on.
//!
//! The revisions are processes of this same program, behind a gateway in this process.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::{Method, StatusCode};
use mlops_core::deploy::{Probe, Process, RevisionRef, RevisionSpec, Workload};
use mlops_core::id::{EndpointName, Ids as _, LeaseOwner, RandomIds, RevisionName};
use mlops_core::memory::MemoryJournal;
use mlops_core::pipeline::Cancel;
use mlops_core::rollout::analysis::AnalysisOptions;
use mlops_core::rollout::{
    Command, Controller, Deadlines, Hold, OnNoData, Order, Parts, RolloutSpec, Strategy, send,
    status,
};
use mlops_core::time::SystemClock;
use mlops_deploy::gateway::{Gateway, GatewayOptions};
use mlops_deploy::process::{ProcessDeployer, ProcessOptions};
use mlops_http::auth::{Anyone, Scope};
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::route::Routes;
use mlops_http::server::{ServerHandle, ServerOptions, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ENDPOINT: &str = "greetings";
/// No rollout here takes longer.
const LONGEST: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<()> {
    match std::env::var("FAULT") {
        Ok(fault) => revision(&fault).await,
        Err(_) => show().await,
    }
}

/// A revision: a server with a fault, or without one.
async fn revision(fault: &str) -> Result<()> {
    let fault = fault.to_owned();
    let answer = move || {
        let fault = fault.clone();
        async move {
            match fault.as_str() {
                "slow" => tokio::time::sleep(Duration::from_millis(300)).await,
                "errors" => return StatusCode::INTERNAL_SERVER_ERROR,
                _ => {}
            }
            StatusCode::OK
        }
    };
    let routes = Routes::<()>::new()
        .route(Method::GET, "/ready", Scope::Public, || async { StatusCode::OK })
        .route(Method::GET, "/", Scope::Public, answer);
    let port: u16 = std::env::var("PORT")?.parse()?;
    let service = routes.into_service((), Arc::new(Anyone));
    let server = serve(bind(DEFAULT_HOST, port, &Anyone)?, service, ServerOptions::default())?;
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    terminated.recv().await;
    server.drain().await;
    Ok(())
}

async fn show() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("mlops-canary-{}", std::process::id()));
    let endpoint = EndpointName::new(ENDPOINT)?;
    let journal = Arc::new(MemoryJournal::new(Arc::new(SystemClock)));
    let gateway = Gateway::new(&GatewayOptions::default());
    let server = front(&gateway, &endpoint)?;
    let deployer = ProcessDeployer::open(&folder, ProcessOptions::default()).await?;
    let (traffic, clock) = (Arc::new(gateway), Arc::new(SystemClock));
    let parts =
        Parts::new(journal.clone(), Arc::new(deployer.clone()), traffic.clone(), traffic, clock);
    let owner = LeaseOwner::new("example")?;
    let controller =
        Controller::open(parts, endpoint.clone(), &owner, Duration::from_secs(30)).await?;
    let cancel = Cancel::new();
    let stop = cancel.clone();
    let control =
        tokio::spawn(async move { controller.run(&stop, Duration::from_millis(50)).await });

    let outcome = roll_all(&journal, &endpoint, &server).await;
    // Whatever came of it, nothing is left behind.
    cancel.cancel();
    let controlled = control.await;
    server.drain().await;
    let ended = deployer.shutdown().await;
    let removed = std::fs::remove_dir_all(Path::new(&folder));
    outcome?;
    controlled??;
    ended?;
    Ok(removed?)
}

/// Rolls revisions out, one after the other, while clients ask.
async fn roll_all(
    journal: &MemoryJournal,
    endpoint: &EndpointName,
    server: &ServerHandle,
) -> Result<()> {
    let mut stable = None;
    let mut clients = None;
    for (name, fault, expected) in [
        ("v1", "none", "done"),
        ("v2", "none", "done"),
        ("v3", "errors", "rolled_back"),
        ("v4", "slow", "rolled_back"),
    ] {
        let spec = rollout(endpoint, stable.clone(), name, fault)?;
        let command = Command::Roll(Box::new(spec));
        let (by, why) = ("example".to_owned(), format!("fault: {fault}"));
        let order = Order { key: RandomIds.idempotency_key(), by, why, command };
        send(journal, endpoint, &order).await?;
        let ended = tokio::time::timeout(LONGEST, ended(journal, endpoint, name)).await;
        let (phase, reason) = ended.with_context(|| format!("{name} does not end"))??;
        println!("{name} (fault: {fault}): {phase} {reason}");
        ensure!(phase == expected, "{name} should have been {expected}");
        stable = status(journal, endpoint).await?.stable;
        clients.get_or_insert_with(|| Clients::start(server));
    }
    let seen = clients.context("no clients")?.stop().await;
    for (revision, (good, failed)) in &seen {
        println!("{revision}: {good} answered, {failed} failed");
    }
    let failed = |name: &str| seen.get(name).map(|(_, failed)| *failed);
    ensure!(["v1", "v2"].iter().all(|name| failed(name) == Some(0)), "a stable revision failed");
    ensure!(failed("v3") > Some(0) && failed("v4") == Some(0), "the faults were not seen");
    Ok(())
}

fn front(gateway: &Gateway, endpoint: &EndpointName) -> Result<ServerHandle> {
    let routes =
        Routes::<()>::new().fallback_service(Scope::Read, gateway.service(endpoint.clone()));
    let service = routes.into_service((), Arc::new(Anyone));
    Ok(serve(bind(DEFAULT_HOST, 0, &Anyone)?, service, ServerOptions::default())?)
}

fn rollout(
    endpoint: &EndpointName,
    stable: Option<RevisionName>,
    name: &str,
    fault: &str,
) -> Result<RolloutSpec> {
    let program = std::env::current_exe()?;
    let program = program.to_str().context("the program's path is not UTF-8")?;
    let process = Process::new([program])?.with_variable("FAULT", fault);
    let revision = RevisionRef { endpoint: endpoint.clone(), revision: RevisionName::new(name)? };
    let millis = Duration::from_millis;
    let probe = Probe { path: "/ready".to_owned(), interval: millis(50), ..Probe::default() };
    let new = RevisionSpec::new(revision, Workload::Process(process)).with_probe(probe);
    let hold = Hold { min: millis(500), max: Duration::from_secs(30), samples: 50 };
    let analysis = AnalysisOptions::default().with_look_every(millis(100));
    Ok(RolloutSpec::new(stable, new, Strategy::canary(&[20, 50, 100])?)?
        .with_hold(hold)
        .with_analysis(analysis)
        .with_on_no_data(OnNoData::Abort)
        .with_deadlines(Deadlines::default().with_drain(millis(200), Duration::from_secs(5))))
}

/// Waits until the rollout to a revision has ended; says how, and why.
async fn ended(
    journal: &MemoryJournal,
    endpoint: &EndpointName,
    name: &str,
) -> Result<(String, String)> {
    loop {
        let now = status(journal, endpoint).await?;
        let last = now.last.filter(|last| last.revision.as_str() == name);
        if let (Some(last), None) = (last, now.reconciling) {
            return Ok((last.phase, last.reason.unwrap_or_default()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Good and failed answers by the revision that gave them.
type Seen = BTreeMap<String, (u64, u64)>;

/// Clients that ask again and again, each request once.
struct Clients {
    cancel: Cancel,
    tasks: tokio::task::JoinSet<()>,
    seen: Arc<Mutex<Seen>>,
}

impl Clients {
    fn start(server: &ServerHandle) -> Self {
        let (cancel, seen) = (Cancel::new(), Arc::new(Mutex::new(Seen::new())));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (stop, seen, address) = (cancel.clone(), Arc::clone(&seen), server.local_addr());
            tasks.spawn(async move {
                while !stop.is_cancelled() {
                    let (revision, good) = ask(&address.to_string())
                        .await
                        .unwrap_or_else(|error| (format!("nobody: {error}"), false));
                    count(&seen, revision, good);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
        Self { cancel, tasks, seen }
    }

    async fn stop(self) -> Seen {
        self.cancel.cancel();
        self.tasks.join_all().await;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn count(seen: &Mutex<Seen>, revision: String, good: bool) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let (answered, failed) = seen.entry(revision).or_default();
    *(if good { answered } else { failed }) += 1;
}

/// One request: who answered it, and whether well.
async fn ask(address: &str) -> Result<(String, bool)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let header = answer.lines().find_map(|line| line.strip_prefix("mlops-revision: "));
    let revision = header.context("no revision answered")?.to_owned();
    Ok((revision, answer.starts_with("HTTP/1.1 200")))
}

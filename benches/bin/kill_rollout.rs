//! A controller killed at every record of its journal, and at random moments: the next one goes on, and no client notices.
//!
//! `kill_rollout [KILLS] [SEED]`. This process is the data plane: a gateway with its admin interface, clients that
//! never stop asking, and whoever looks for orphans. The controller is a process of its own over a SQLite journal,
//! with revisions as processes. Good revisions must take over, those that answer 500 must be rolled back, in turn. In
//! the first rollout of each kind the controller is killed with SIGKILL right before and right after each record
//! (with fewer than 50 kills: each fourth), in all others at random moments until the kills are used up; each time it
//! is started again on the same folder.
//!
//! Ends with 1 when a rollout ends otherwise, the shares in effect do not sum to 100, a process runs that the
//! journal has no place for, a replica runs twice, or a client gets anything but a whole answer of a stable revision (or
//! of a good new one, or the very 500 of a bad one).

#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::stream::BoxStream;
use http::{Method, StatusCode};
use mlops_benches::BoxError;
use mlops_benches::client::{Answer, Client, Connections, Failure};
use mlops_core::Result as CoreResult;
use mlops_core::deploy::{Probe, Process, RevisionRef, RevisionSpec, Workload};
use mlops_core::id::{
    Address, EndpointName, Ids as _, LeaseOwner, RandomIds, RevisionName, StreamName,
};
use mlops_core::journal::{Append, JournalStore, Lease, Recorded};
use mlops_core::rollout::analysis::AnalysisOptions;
use mlops_core::rollout::machine::{Entry, Phase, State, replay};
use mlops_core::rollout::{
    Command as Ask, Controller, Deadlines, Hold, Order, Parts, Progress, RolloutSpec, Strategy,
    history, journal_stream, send,
};
use mlops_core::time::SystemClock;
use mlops_deploy::gateway::{Gateway, GatewayOptions, RemoteGateway, admin};
use mlops_deploy::process::{ProcessDeployer, ProcessOptions};
use mlops_http::auth::{Anyone, Scope};
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::route::Routes;
use mlops_http::server::{ServerHandle, ServerOptions, serve};
use mlops_store::LocalStore;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

const ENDPOINT: &str = "flights";
/// Clients of each kind.
const CLIENTS: usize = 3;
/// How long one rollout may take in all its lives.
const PATIENCE: Duration = Duration::from_secs(120);
/// How the controller says that the rollout has ended.
const ENDED: i32 = 0;
/// How it says that it can't go on now: whoever watches it starts it again.
const AGAIN: i32 = 75;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["revision", name, kind] => revision(name, kind),
        ["control", folder, gateway, death] => return control(Path::new(folder), gateway, death),
        _ => {
            let argument = |at: usize, default| arguments.get(at).copied().unwrap_or(default);
            let numbers = argument(0, "100")
                .parse()
                .and_then(|kills: u32| Ok((kills, argument(1, "1").parse()?)));
            numbers.map_err(BoxError::from).and_then(|(kills, seed)| storm(kills, seed))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A revision: answers its name, whether it is ready, and 500 if it is bad.
#[tokio::main(flavor = "current_thread")]
async fn revision(name: &str, kind: &str) -> Result<(), BoxError> {
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

/// When a controller dies by its own hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Before,
    After,
}

/// A journal whose process dies right before or right after the record with a number.
#[derive(Debug)]
struct Deadly {
    inner: Arc<dyn JournalStore>,
    stream: StreamName,
    death: Option<(u64, Side)>,
}

impl Deadly {
    fn meet(&self, append: &Append, side: Side) {
        let due = |(number, at): (u64, Side)| append.sequence >= number && at == side;
        if append.stream == self.stream && self.death.is_some_and(due) {
            // Nothing of this process goes on from here.
            kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
        }
    }
}

#[async_trait]
impl JournalStore for Deadly {
    async fn append(&self, append: Append) -> CoreResult<()> {
        self.meet(&append, Side::Before);
        let copy = append.clone();
        self.inner.append(append).await?;
        self.meet(&copy, Side::After);
        Ok(())
    }
    fn read(&self, stream: &StreamName, from: u64) -> BoxStream<'static, CoreResult<Recorded>> {
        self.inner.read(stream, from)
    }
    async fn last(&self, stream: &StreamName) -> CoreResult<Option<Recorded>> {
        self.inner.last(stream).await
    }
    fn streams(&self, prefix: Option<&StreamName>) -> BoxStream<'static, CoreResult<StreamName>> {
        self.inner.streams(prefix)
    }
    async fn acquire(
        &self,
        stream: &StreamName,
        owner: &LeaseOwner,
        ttl: Duration,
    ) -> CoreResult<Lease> {
        self.inner.acquire(stream, owner, ttl).await
    }
    async fn renew(&self, lease: &Lease, ttl: Duration) -> CoreResult<Lease> {
        self.inner.renew(lease, ttl).await
    }
    async fn release(&self, lease: &Lease) -> CoreResult<()> {
        self.inner.release(lease).await
    }
}

/// The controller's process: goes on until nothing is left to do.
fn control(folder: &Path, gateway: &str, death: &str) -> ExitCode {
    let code = match carry_out(folder, gateway, death) {
        Ok(()) => ENDED,
        Err(error) => {
            println!("the controller stops: {error}");
            AGAIN
        }
    };
    ExitCode::from(code as u8)
}

#[tokio::main(worker_threads = 2)]
async fn carry_out(folder: &Path, gateway: &str, death: &str) -> Result<(), BoxError> {
    let endpoint = EndpointName::new(ENDPOINT)?;
    let death = match death.split_once('-') {
        Some(("before", number)) => Some((number.parse()?, Side::Before)),
        Some(("after", number)) => Some((number.parse()?, Side::After)),
        _ => None,
    };
    let store = LocalStore::open(folder.join("store"))?.meta();
    let journal = Deadly { inner: store, stream: journal_stream(&endpoint)?, death };
    let deployer =
        ProcessDeployer::open(folder.join("revisions"), ProcessOptions::default()).await?;
    let gateway = Arc::new(RemoteGateway::new(Address::new(gateway)?));
    let parts = Parts::new(
        Arc::new(journal),
        Arc::new(deployer),
        gateway.clone(),
        gateway,
        Arc::new(SystemClock),
    );
    // One owner for all lives: whoever is dead needs no waiting for.
    let owner = LeaseOwner::new("controller")?;
    let mut controller = Controller::open(parts, endpoint, &owner, Duration::from_secs(30)).await?;
    loop {
        match controller.tick().await? {
            Progress::Recorded(_) => {}
            Progress::Waiting(_) if has_ended(controller.state()) => {
                return Ok(controller.close().await?);
            }
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

fn has_ended(state: &State) -> bool {
    let done = |phase: &Phase| matches!(phase, Phase::Done | Phase::RolledBack { .. });
    state.rollout.as_ref().is_some_and(|rollout| done(&rollout.phase)) && state.is_settled()
}

/// A controller's process, which is not to outlive this one.
struct Life(Child);

impl Life {
    fn begin(world: &World, death: &str) -> Result<Self, BoxError> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("control").arg(world.folder.path()).args([world.admin.as_str(), death]);
        Ok(Self(command.stdin(Stdio::null()).spawn()?))
    }

    /// Waits until it has ended by itself, been killed by itself, or until it is killed at `until`.
    async fn end(&mut self, until: Option<Instant>) -> Result<End, BoxError> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait()? {
                return match status.code() {
                    Some(ENDED) => Ok(End::Finished),
                    Some(AGAIN) => Ok(End::GaveUp),
                    Some(_) => Err(format!("the controller ended with {status}").into()),
                    None => Ok(End::Killed),
                };
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                self.0.kill()?;
            }
            if begun.elapsed() > PATIENCE {
                return Err("a controller does not come to an end".into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Finished,
    Killed,
    GaveUp,
}

/// What stays alive: the gateway, the clients, the folder.
struct World {
    folder: tempfile::TempDir,
    endpoint: EndpointName,
    store: Arc<mlops_store::sqlite::SqliteStore>,
    front: ServerHandle,
    control: ServerHandle,
    admin: String,
    watch: Arc<Watch>,
}

/// What clients and the watcher of the split have seen.
#[derive(Debug, Default)]
struct Watch {
    stop: AtomicBool,
    looks: AtomicU64,
    answers: std::sync::Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    /// How many, by revision and status.
    by_revision: BTreeMap<(String, u16), u64>,
    failures: Vec<String>,
}

impl Watch {
    fn lock(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn note(&self, answer: Result<Answer, Failure>) {
        let mut answers = self.lock();
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => return answers.failures.push(failure.to_string()),
        };
        let name = String::from_utf8_lossy(&answer.body).into_owned();
        let status = answer.status.as_u16();
        // Only a bad revision may say 500, and what the gateway says of itself bears no such name.
        if status != 200 && !(status == 500 && name.starts_with("bad")) {
            answers.failures.push(format!("{status}: {name}"));
        }
        *answers.by_revision.entry((name, status)).or_default() += 1;
    }
}

impl World {
    fn new() -> Result<Self, BoxError> {
        let folder = tempfile::tempdir()?;
        let endpoint = EndpointName::new(ENDPOINT)?;
        let store = LocalStore::open(folder.path().join("store"))?.meta();
        let gateway = Gateway::new(&GatewayOptions::default());
        let (service, options) = (gateway.service(endpoint.clone()), ServerOptions::default());
        let front = serve(bind(DEFAULT_HOST, 0, &Anyone)?, service, options.clone())?;
        let service = admin::routes().into_service(gateway, Arc::new(Anyone));
        let options = options.with_error_shape(admin::error_shape);
        let control = serve(bind(DEFAULT_HOST, 0, &Anyone)?, service, options)?;
        let (admin, watch) = (control.local_addr().to_string(), Arc::default());
        Ok(Self { folder, endpoint, store, front, control, admin, watch })
    }

    /// What the journal says.
    async fn entries(&self) -> Result<Vec<Entry>, BoxError> {
        Ok(history(&*self.store, &self.endpoint).await?)
    }

    async fn order(&self, stable: Option<&str>, name: &str, kind: &str) -> Result<(), BoxError> {
        let program = std::env::current_exe()?;
        let program = program.to_str().ok_or("the program's path is not UTF-8")?;
        let revision =
            RevisionRef { endpoint: self.endpoint.clone(), revision: RevisionName::new(name)? };
        let process = Process::new([program, "revision", name, kind])?;
        let interval = Duration::from_millis(20);
        let probe = Probe { path: "/ready".to_owned(), interval, ..Probe::default() };
        let new = RevisionSpec::new(revision, Workload::Process(process)).with_probe(probe);
        let stable = stable.map(RevisionName::new).transpose()?;
        let strategy = Strategy::canary(&[20, 50, 100])?;
        let hold =
            Hold { min: Duration::from_millis(150), max: Duration::from_secs(30), samples: 20 };
        let looks =
            AnalysisOptions::default().with_look_every(Duration::from_millis(60)).with_slow(None);
        let deadlines =
            Deadlines::default().with_drain(Duration::from_millis(100), Duration::from_secs(10));
        let spec = RolloutSpec::new(stable, new, strategy)?
            .with_hold(hold)
            .with_analysis(looks)
            .with_deadlines(deadlines);
        let command = Ask::Roll(Box::new(spec));
        let (by, why) = ("kill_rollout".to_owned(), kind.to_owned());
        let order = Order { key: RandomIds.idempotency_key(), by, why, command };
        send(&*self.store, &self.endpoint, &order).await?;
        Ok(())
    }

    /// Clients that go on until they are stopped, and one that reads the split in effect.
    fn ask(&self) -> JoinSet<()> {
        let mut all = JoinSet::new();
        for mode in [Connections::Kept, Connections::New] {
            for _ in 0..CLIENTS {
                let client = Client::new(&self.front.local_addr().to_string(), mode);
                all.spawn(ask(client, Arc::clone(&self.watch)));
            }
        }
        all.spawn(look(Client::new(&self.admin, Connections::Kept), Arc::clone(&self.watch)));
        all
    }

    /// Every process that runs as a replica of this folder's deployer, by revision.
    fn running(&self) -> Result<BTreeMap<String, Vec<i32>>, BoxError> {
        let id = std::fs::read_to_string(self.folder.path().join("revisions/id"))?;
        let mark = format!("MLOPS_REPLICA={id}/{ENDPOINT}/");
        let mut running: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for entry in std::fs::read_dir("/proc")? {
            let Ok(pid) = entry?.file_name().to_string_lossy().parse::<i32>() else { continue };
            let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
            let text = String::from_utf8_lossy(&environment);
            let Some(rest) = text.split('\0').find_map(|entry| entry.strip_prefix(&mark)) else {
                continue;
            };
            let name = rest.split('/').next().unwrap_or_default();
            running.entry(name.to_owned()).or_default().push(pid);
        }
        Ok(running)
    }

    /// Nothing runs that the journal has no place for, nothing twice, and the stable revision does.
    async fn check_processes(&self) -> Result<Vec<String>, BoxError> {
        let running = self.running()?;
        let state = replay(&self.entries().await?)?;
        let live: BTreeSet<&str> = state.live().into_iter().map(RevisionName::as_str).collect();
        let mut wrong = Vec::new();
        for (name, pids) in &running {
            if !live.contains(name.as_str()) {
                wrong.push(format!("an orphan: revision={name} pids={pids:?}"));
            }
            if pids.len() > 1 {
                wrong.push(format!("a replica runs twice: revision={name} pids={pids:?}"));
            }
        }
        if let Some(stable) = &state.stable
            && !running.contains_key(stable.as_str())
        {
            wrong.push(format!("the stable revision does not run: revision={stable}"));
        }
        Ok(wrong)
    }
}

async fn ask(mut client: Client, watch: Arc<Watch>) {
    while !watch.stopped() {
        let answer = client.get("/").await;
        watch.note(answer);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Reads the shares in effect, as anyone may over the wire.
async fn look(mut client: Client, watch: Arc<Watch>) {
    let path = format!("/endpoints/{ENDPOINT}/traffic");
    while !watch.stopped() {
        let sum =
            client.get(&path).await.map_err(|failure| failure.to_string()).and_then(|answer| {
                let body: serde_json::Value =
                    serde_json::from_slice(&answer.body).map_err(|e| e.to_string())?;
                let shares = body["split"].as_object().ok_or_else(|| body.to_string())?;
                Ok(shares.values().filter_map(serde_json::Value::as_u64).sum::<u64>())
            });
        if sum != Ok(100) {
            watch.lock().failures.push(format!("the shares in effect: {sum:?}"));
        }
        watch.looks.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Where the controller is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// At its records.
    Records,
    /// At random moments.
    Moments,
}

/// How the kills went.
#[derive(Debug, Default)]
struct Deaths {
    at_records: BTreeMap<(String, Side), u32>,
    at_random: u32,
    restarts: u32,
    rolled_out: u32,
    rolled_back: u32,
    records: u64,
    violations: Vec<String>,
}

impl Deaths {
    fn count(&self) -> u32 {
        self.at_random + self.at_records.values().sum::<u32>()
    }
}

#[tokio::main(worker_threads = 2)]
async fn storm(kills: u32, seed: u64) -> Result<(), BoxError> {
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let stride = if kills < 50 { 4 } else { 1 };
    let world = World::new()?;
    let mut deaths = Deaths::default();
    let mut stable = "good-0".to_owned();
    world.order(None, &stable, "good").await?;
    let end = Life::begin(&world, "never")?.end(None).await?;
    if end != End::Finished {
        return Err(format!("the first rollout did not end: {end:?}").into());
    }
    let clients = world.ask();
    for number in 1.. {
        let kind = if number % 2 == 1 { "good" } else { "bad" };
        let name = format!("{kind}-{number}");
        world.order(Some(&stable), &name, kind).await?;
        let plan = if number <= 2 { Plan::Records } else { Plan::Moments };
        roll(&world, &mut deaths, plan, (kills, stride), &mut random).await?;
        let state = replay(&world.entries().await?)?;
        deaths.records = state.sequence;
        match state.rollout.map(|rollout| rollout.phase) {
            Some(Phase::Done) if kind == "good" => {
                deaths.rolled_out += 1;
                stable.clone_from(&name);
            }
            Some(Phase::RolledBack { .. }) if kind == "bad" => deaths.rolled_back += 1,
            phase => deaths.violations.push(format!("{name} ended otherwise: {phase:?}")),
        }
        let left: Vec<String> = world.running()?.into_keys().collect();
        if left != [stable.clone()] {
            deaths.violations.push(format!("at the end of {name} there run {left:?}"));
        }
        if !deaths.violations.is_empty() || (deaths.count() >= kills && number >= 2) {
            break;
        }
    }
    world.watch.stop.store(true, Ordering::Release);
    clients.join_all().await;
    report(world, deaths).await
}

/// One rollout through all its lives.
async fn roll(
    world: &World,
    deaths: &mut Deaths,
    plan: Plan,
    (kills, stride): (u32, u64),
    random: &mut SmallRng,
) -> Result<(), BoxError> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let before = world.entries().await?.len() as u64;
        let number = deaths.count();
        let at_random = plan == Plan::Moments && number < kills;
        let mut until = None;
        // Before a record nothing was recorded: the next life gets as far, and dies behind it.
        let (side, death) = match number {
            _ if at_random => {
                until = Some(Instant::now() + Duration::from_millis(random.random_range(1..250)));
                (Side::Before, "never".to_owned())
            }
            _ if number >= kills => (Side::Before, "never".to_owned()),
            _ if number.is_multiple_of(2) => (Side::Before, format!("before-{}", before + stride)),
            _ => (Side::After, format!("after-{}", before + stride)),
        };
        let end = Life::begin(world, &death)?.end(until).await?;
        deaths.violations.extend(world.check_processes().await?);
        match end {
            End::Finished => return Ok(()),
            End::GaveUp => deaths.restarts += 1,
            End::Killed if at_random => deaths.at_random += 1,
            End::Killed => {
                let entries = world.entries().await?;
                let last =
                    entries.last().map_or("nothing".to_owned(), |entry| word_of(&entry.event));
                *deaths.at_records.entry((last, side)).or_default() += 1;
            }
        }
        if !deaths.violations.is_empty() {
            return Ok(());
        }
    }
    Err("a rollout does not come to an end".into())
}

/// The machine word of an event.
fn word_of(event: &mlops_core::rollout::machine::Event) -> String {
    let json = serde_json::to_value(event).unwrap_or_default();
    json["kind"].as_str().unwrap_or("unknown").to_owned()
}

async fn report(world: World, deaths: Deaths) -> Result<(), BoxError> {
    let (front, control) = (world.front.drain().await, world.control.drain().await);
    let answers = std::mem::take(&mut *world.watch.lock());
    // What still runs would outlive this program.
    let deployer =
        ProcessDeployer::open(world.folder.path().join("revisions"), ProcessOptions::default());
    deployer.await?.shutdown().await?;
    println!("| the last record when it died | before the next | right after it |");
    println!("|---|---|---|");
    let words: BTreeSet<&String> = deaths.at_records.keys().map(|(word, _)| word).collect();
    for word in words {
        let at = |side| deaths.at_records.get(&(word.clone(), side)).copied().unwrap_or(0);
        println!("| {word} | {} | {} |", at(Side::Before), at(Side::After));
    }
    let sum = |status: u16| {
        let fitting = answers.by_revision.iter().filter(|((_, its), _)| *its == status);
        fitting.map(|(_, count)| count).sum::<u64>()
    };
    println!(
        "{} kills ({} at random moments), {} records; {} rolled out, {} rolled back; {} starts in vain",
        deaths.count(),
        deaths.at_random,
        deaths.records,
        deaths.rolled_out,
        deaths.rolled_back,
        deaths.restarts
    );
    println!(
        "{} good answers, {} of bad revisions, {} failures; {} looks at the shares; {} requests cut",
        sum(200),
        sum(500),
        answers.failures.len(),
        world.watch.looks.load(Ordering::Relaxed),
        front.cut + control.cut
    );
    let wrong: Vec<&String> = deaths.violations.iter().chain(&answers.failures).collect();
    for what in wrong.iter().take(20) {
        println!("{what}");
    }
    if wrong.is_empty() && front.cut == 0 { Ok(()) } else { Err("something was noticed".into()) }
}

//! What stays alive while controllers die: the gateway, the clients, the folder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mlops_benches::BoxError;
use mlops_benches::client::{Answer, Client, Connections, Failure};
use mlops_core::deploy::{Probe, Process, RevisionRef, RevisionSpec, Workload};
use mlops_core::id::{EndpointName, Ids as _, RandomIds, RevisionName};
use mlops_core::rollout::analysis::AnalysisOptions;
use mlops_core::rollout::machine::{Entry, replay};
use mlops_core::rollout::{Command, Deadlines, Hold, Order, RolloutSpec, Strategy, history, send};
use mlops_deploy::gateway::{Gateway, GatewayOptions, admin};
use mlops_http::auth::Anyone;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::server::{ServerHandle, ServerOptions, serve};
use mlops_store::LocalStore;
use tokio::task::JoinSet;

use super::ENDPOINT;

/// Clients of each kind.
const CLIENTS: usize = 3;

/// What stays alive: the gateway, the clients, the folder.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    endpoint: EndpointName,
    pub(crate) store: Arc<mlops_store::sqlite::SqliteStore>,
    pub(crate) front: ServerHandle,
    pub(crate) control: ServerHandle,
    pub(crate) admin: String,
    pub(crate) watch: Arc<Watch>,
}

/// What clients and the watcher of the split have seen.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) stop: AtomicBool,
    pub(crate) looks: AtomicU64,
    answers: std::sync::Mutex<Answers>,
}

#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// How many, by revision and status.
    pub(crate) by_revision: BTreeMap<(String, u16), u64>,
    pub(crate) failures: Vec<String>,
}

impl Watch {
    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, Answers> {
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
    pub(crate) fn new() -> Result<Self, BoxError> {
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
    pub(crate) async fn entries(&self) -> Result<Vec<Entry>, BoxError> {
        Ok(history(&*self.store, &self.endpoint).await?)
    }

    pub(crate) async fn order(
        &self,
        stable: Option<&str>,
        name: &str,
        kind: &str,
    ) -> Result<(), BoxError> {
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
        let command = Command::Roll(Box::new(spec));
        let (by, why) = ("kill_rollout".to_owned(), kind.to_owned());
        let order = Order { key: RandomIds.idempotency_key(), by, why, command };
        send(&*self.store, &self.endpoint, &order).await?;
        Ok(())
    }

    /// Clients that go on until they are stopped, and one that reads the split in effect.
    pub(crate) fn ask(&self) -> JoinSet<()> {
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
    pub(crate) fn running(&self) -> Result<BTreeMap<String, Vec<i32>>, BoxError> {
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
    pub(crate) async fn check_processes(&self) -> Result<Vec<String>, BoxError> {
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

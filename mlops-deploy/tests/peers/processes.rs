//! Model servers on other frameworks, as processes behind the gateway: the next version under load, without a lost request.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http::Method;
use mlops_core::deploy::{
    Backend, Deployer, Generation, Listen, Percent, Phase, Probe, Process, RevisionRef,
    RevisionSpec, RevisionStatus, Split, Traffic as _, TrafficSpec, Workload,
};
use mlops_core::id::{EndpointName, RevisionName};
use mlops_deploy::gateway::{Gateway, GatewayOptions};
use mlops_deploy::process::{ProcessDeployer, ProcessOptions};
use mlops_http::auth::Anyone;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::server::{ServerOptions, serve};

use super::load::{Connections, Load, Question, Report};
use super::tools::{PATIENCE, here, program};

const FLOWER: &str = r#"{"row": [5.0, 3.0, 4.0, 1.0]}"#;
/// What both servers say about it: 1 / (1 + exp(0.2)).
const PROBABILITY: f64 = 0.450_166_002_687_522_16;

/// A server that a framework runs, to be told its version.
struct App {
    argv: Vec<String>,
    listen: Listen,
    ready: &'static str,
}

fn endpoint() -> EndpointName {
    EndpointName::new("flowers").unwrap()
}

fn name(version: &str) -> RevisionRef {
    let revision = RevisionName::new(format!("v{version}")).unwrap();
    RevisionRef { endpoint: endpoint(), revision }
}

impl App {
    /// The revision of one version; `mark` is in the environment of all that it starts.
    fn revision(&self, version: &str, mark: &Path) -> RevisionSpec {
        let process = Process::new(self.argv.clone())
            .unwrap()
            .with_folder(here().join("apps"))
            .with_listen(self.listen)
            .with_variable("APP_VERSION", version)
            .with_variable("PEER_TEST", mark.to_str().unwrap())
            .with_variable("HOME", mark.to_str().unwrap())
            .with_variable("BENTOML_HOME", mark.join("bentoml").to_str().unwrap())
            .with_variable("BENTOML_DO_NOT_TRACK", "True")
            .with_variable("PYTHONDONTWRITEBYTECODE", "1");
        let interval = Duration::from_millis(100);
        let probe = Probe {
            path: self.ready.to_owned(),
            interval,
            timeout: Duration::from_secs(10),
            deadline: PATIENCE,
            ..Probe::default()
        };
        RevisionSpec::new(name(version), Workload::Process(process)).with_probe(probe)
    }
}

/// Waits until a revision is ready; panics with its status when it fails or that takes absurdly long.
async fn ready(deployer: &ProcessDeployer, version: &str) -> RevisionStatus {
    let begun = Instant::now();
    loop {
        let status = deployer.get(&name(version)).await.unwrap();
        if status.is_ready() {
            println!("  version {version} was ready after {:.1} s", begun.elapsed().as_secs_f64());
            return status;
        }
        assert!(status.phase != Phase::Failed && begun.elapsed() < PATIENCE, "{status:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// All traffic to one revision.
fn all_to(generation: u64, status: &RevisionStatus) -> TrafficSpec {
    let revision = status.revision.revision.clone();
    let split = Split::new([(revision.clone(), Percent::new(100).unwrap())]).unwrap();
    let backends = BTreeMap::from([(revision, Backend { addresses: status.addresses.clone() })]);
    TrafficSpec::new(endpoint(), Generation(generation), split, backends).unwrap()
}

/// The processes that carry `mark` in their environment.
fn running(mark: &Path) -> Vec<PathBuf> {
    let needle = format!("PEER_TEST={}", mark.display());
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let carries = |path: &PathBuf| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == needle.as_bytes())
    };
    processes.filter(carries).collect()
}

/// The versions that answered, checked for the prediction beside them.
fn versions(report: &Report) -> Vec<String> {
    let version = |answer: &String| {
        let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
        let probability = answer["probability"].as_f64().unwrap();
        assert!((probability - PROBABILITY).abs() < 1e-12, "{answer}");
        answer["version"].as_str().unwrap().to_owned()
    };
    report.answers.iter().map(version).collect()
}

/// Deploys version 1, puts load on it, deploys version 2 and switches; ends everything.
async fn switches_under_load(app: App, connections: Connections) {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path();
    let deployer = ProcessDeployer::open(mark.join("revisions"), ProcessOptions::default());
    let deployer = deployer.await.unwrap();
    deployer.apply(app.revision("1", mark)).await.unwrap();
    let first = ready(&deployer, "1").await;
    let gateway = Gateway::new(&GatewayOptions::default());
    gateway.set(all_to(1, &first)).await.unwrap();
    let listener = bind(DEFAULT_HOST, 0, &Anyone).unwrap();
    let front = serve(listener, gateway.service(endpoint()), ServerOptions::default()).unwrap();
    let address = front.local_addr().to_string();

    let question = Question { method: Method::POST, path: "/predict", body: FLOWER };
    let load = Load::start(&address, question.clone(), connections, 4);
    deployer.apply(app.revision("2", mark)).await.unwrap();
    let second = ready(&deployer, "2").await;
    gateway.set(all_to(2, &second)).await.unwrap();
    let begun = Instant::now();
    loop {
        let observed = gateway.observed(&endpoint()).await.unwrap();
        if observed.generation == Generation(2)
            && observed.in_flight.get(&first.revision.revision).is_none_or(|count| *count == 0)
        {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "requests stay under way: {observed:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(running(mark).len() >= 2);
    let begun = Instant::now();
    deployer.delete(&first.revision).await.unwrap();
    println!("  version 1 had ended after {:.1} s", begun.elapsed().as_secs_f64());
    let after = Load::start(&address, question, connections, 2);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (report, after) = (load.stop().await, after.stop().await);

    assert_eq!((report.failures.clone(), after.failures.clone()), (vec![], vec![]));
    let answered = versions(&report);
    for version in ["1", "2"] {
        let count = answered.iter().filter(|answer| *answer == version).count();
        assert!(count > 0, "version {version} never answered");
        println!("  version {version} answered {count} requests, none failed");
    }
    let after = versions(&after);
    assert!(!after.is_empty() && after.iter().all(|version| version == "2"), "{after:?}");
    assert_eq!(front.drain().await.cut, 0);
    deployer.shutdown().await.unwrap();
    assert_eq!(running(mark), Vec::<PathBuf>::new());
    assert!(std::net::TcpStream::connect(second.addresses[0].as_str()).is_err());
}

/// Python of this peer, with these arguments.
fn python(peer: &str, arguments: &[&str], listen: Listen, ready: &'static str) -> App {
    let python = program(peer, "python").to_str().unwrap().to_owned();
    let arguments = arguments.iter().map(|&argument| argument.to_owned());
    App { argv: std::iter::once(python).chain(arguments).collect(), listen, ready }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs fastapi: scripts/peers fastapi"]
async fn fastapi_on_a_port_switches_under_load() {
    let arguments = ["-m", "uvicorn", "fastapi_app:app", "--no-access-log", "--port", "{port}"];
    let app = python("fastapi", &arguments, Listen::Port, "/ready");
    switches_under_load(app, Connections::KeptAlive).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs fastapi: scripts/peers fastapi"]
async fn fastapi_on_an_inherited_socket_by_its_descriptor_switches_under_load() {
    let arguments = ["-m", "uvicorn", "fastapi_app:app", "--no-access-log", "--fd", "3"];
    let app = python("fastapi", &arguments, Listen::Inherited, "/ready");
    switches_under_load(app, Connections::NewEachTime).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs fastapi: scripts/peers fastapi"]
async fn fastapi_on_an_inherited_socket_of_tcp_switches_under_load() {
    let app = python("fastapi", &["inherited.py"], Listen::Inherited, "/ready");
    switches_under_load(app, Connections::NewEachTime).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs bentoml: scripts/peers bentoml"]
async fn bentoml_on_a_port_switches_under_load() {
    let bentoml = ["-m", "bentoml", "serve", "bentoml_app:Iris"];
    let arguments = [&bentoml[..], &["--host", "127.0.0.1", "--port", "{port}"]].concat();
    let app = python("bentoml", &arguments, Listen::Port, "/readyz");
    switches_under_load(app, Connections::KeptAlive).await;
}

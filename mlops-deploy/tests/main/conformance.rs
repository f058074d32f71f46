//! The process deployer and the gateway, in this process and from elsewhere, keep the rules of core.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mlops_core::conformance::deployer::DeployerFixture;
use mlops_core::conformance::traffic::TrafficFixture;
use mlops_core::deploy::{
    Backend, Deployer, Probe, RevisionRef, RevisionSpec, ServiceMetrics, Traffic, Workload,
};
use mlops_core::id::{Address, EndpointName, RevisionName};
use mlops_deploy::gateway::{Gateway, GatewayOptions, RemoteGateway, admin};
use mlops_deploy::process::{ProcessDeployer, ProcessOptions};
use mlops_http::auth::Anyone;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::server::{ServerHandle, ServerOptions, serve};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::backend::{address, start_named};
use super::server::process;

/// Everything with a socket lives here: the rules themselves run on a runtime that has none.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Runs a future where there are sockets, from anywhere.
fn there<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    std::thread::spawn(|| RUNTIME.block_on(work)).join().unwrap()
}

async fn rest() {
    std::thread::sleep(Duration::from_millis(20));
}

struct Fleet(ProcessDeployer);

impl Drop for Fleet {
    fn drop(&mut self) {
        let deployer = self.0.clone();
        there(async move { deployer.shutdown().await }).unwrap();
    }
}

fn fleet() -> (TempDir, Fleet) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let deployer = there(ProcessDeployer::open(path, ProcessOptions::default())).unwrap();
    (folder, Fleet(deployer))
}

#[async_trait]
impl DeployerFixture for Fleet {
    fn deployer(&self) -> &dyn Deployer {
        &self.0
    }

    fn workable(&self, revision: RevisionRef) -> RevisionSpec {
        let interval = Duration::from_millis(20);
        let probe = Probe { path: "/".to_owned(), interval, ..Probe::default() };
        RevisionSpec::new(revision, Workload::Process(process("one"))).with_probe(probe)
    }

    async fn settle(&self) {
        rest().await;
    }
}

mod processes {
    use super::*;
    mlops_core::deployer_suite!(fleet);
}

/// A gateway, set directly or through its admin interface.
struct Plane {
    gateway: Gateway,
    remote: Option<RemoteGateway>,
    revisions: Mutex<BTreeMap<RevisionName, ServerHandle>>,
    _admin: Option<ServerHandle>,
}

fn plane() -> ((), Plane) {
    let gateway = there(async { Gateway::new(&GatewayOptions::default()) });
    ((), Plane { gateway, remote: None, revisions: Mutex::default(), _admin: None })
}

fn remote_plane() -> ((), Plane) {
    let ((), plane) = plane();
    let gateway = plane.gateway.clone();
    let admin = there(async move {
        let service = admin::routes().into_service(gateway, Arc::new(Anyone));
        let options = ServerOptions::default().with_error_shape(admin::error_shape);
        serve(bind(DEFAULT_HOST, 0, &Anyone).unwrap(), service, options).unwrap()
    });
    let remote = RemoteGateway::new(Address::new(address(&admin)).unwrap());
    ((), Plane { remote: Some(remote), _admin: Some(admin), ..plane })
}

#[async_trait]
impl TrafficFixture for Plane {
    fn traffic(&self) -> &dyn Traffic {
        self.remote.as_ref().map_or(&self.gateway as &dyn Traffic, |remote| remote)
    }

    fn metrics(&self) -> &dyn ServiceMetrics {
        self.remote.as_ref().map_or(&self.gateway as &dyn ServiceMetrics, |remote| remote)
    }

    fn backend(&self, revision: &RevisionName) -> Backend {
        let mut revisions = self.revisions.lock().unwrap();
        let server = revisions.entry(revision.clone()).or_insert_with(|| {
            let name = revision.to_string();
            there(async move { start_named(name) })
        });
        Backend { addresses: vec![Address::new(address(server)).unwrap()] }
    }

    async fn send(
        &self,
        endpoint: &EndpointName,
        requests: u32,
        key: Option<&str>,
    ) -> BTreeMap<RevisionName, u32> {
        let (gateway, endpoint) = (self.gateway.clone(), endpoint.clone());
        let key = key.map(str::to_owned);
        there(async move {
            let listener = bind(DEFAULT_HOST, 0, &Anyone).unwrap();
            let server = serve(listener, gateway.service(endpoint), ServerOptions::default());
            let server = server.unwrap();
            let address = address(&server);
            let asked = tokio::task::spawn_blocking(move || {
                let mut answered = BTreeMap::new();
                for _ in 0..requests {
                    let header = key.iter().map(|key| format!("x-key: {key}\r\n")).collect();
                    let name = super::server::get_with(&address, "/", header).unwrap();
                    *answered.entry(RevisionName::new(name).unwrap()).or_insert(0) += 1;
                }
                answered
            });
            let answered = asked.await.unwrap();
            server.drain().await;
            answered
        })
    }

    async fn settle(&self) {
        rest().await;
    }
}

mod gateway {
    use super::*;
    mlops_core::traffic_suite!(plane);
}

mod gateway_from_elsewhere {
    use super::*;
    // The client's connections live on the runtime of whoever calls.
    mlops_core::traffic_suite!(remote_plane);
}

//! The controller's process: its journal, which may kill it, and how its end is waited for.

use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::stream::BoxStream;
use mlops_benches::BoxError;
use mlops_core::Result as CoreResult;
use mlops_core::id::{Address, EndpointName, LeaseOwner, StreamName};
use mlops_core::journal::{Append, JournalStore, Lease, Recorded};
use mlops_core::rollout::machine::{Phase, State};
use mlops_core::rollout::{Controller, Parts, Progress, journal_stream};
use mlops_core::time::SystemClock;
use mlops_deploy::gateway::RemoteGateway;
use mlops_deploy::process::{ProcessDeployer, ProcessOptions};
use mlops_store::LocalStore;
use rustix::process::{Signal, getpid, kill_process};

use super::{ENDPOINT, PATIENCE};

/// How the controller says that the rollout has ended.
const ENDED: i32 = 0;
/// How it says that it can't go on now: whoever watches it starts it again.
const AGAIN: i32 = 75;

/// When a controller dies by its own hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
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
pub(crate) fn control(folder: &Path, gateway: &str, death: &str) -> ExitCode {
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
pub(crate) struct Life(Child);

impl Life {
    pub(crate) fn begin(folder: &Path, admin: &str, death: &str) -> Result<Self, BoxError> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("control").arg(folder).args([admin, death]);
        Ok(Self(command.stdin(Stdio::null()).spawn()?))
    }

    /// Waits until it has ended by itself, been killed by itself, or until it is killed at `until`.
    pub(crate) async fn end(&mut self, until: Option<Instant>) -> Result<End, BoxError> {
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
pub(crate) enum End {
    Finished,
    Killed,
    GaveUp,
}

//! The controller of an endpoint: opened, run until the process is told to stop, and only then ended.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use mlops_core::ErrorKind;
use mlops_core::deploy::{ServiceMetrics, Traffic};
use mlops_core::id::{EndpointName, IdSource as _, LeaseOwner, RandomIds};
use mlops_core::pipeline::Cancel;
use mlops_core::rollout::{Controller, Parts};
use mlops_core::time::SystemClock;
use mlops_deploy::process::{ProcessDeployer, ProcessOptions};
use mlops_store::LocalStore;

use crate::context::Stop;
use crate::{context, output};

/// For how long others are kept out when a controller dies.
const LEASE: Duration = Duration::from_secs(15);
/// How often a controller looks when nothing happens.
const TICK: Duration = Duration::from_millis(250);
/// The folder of the revisions, in the store's.
pub(crate) const REVISIONS: &str = "revisions";

/// An endpoint whose revisions and rollouts are this process's.
pub(crate) struct Controlled {
    deployer: ProcessDeployer,
    controller: Controller,
}

impl Controlled {
    /// Takes the endpoint over: everything that can be refused is refused here. `None` when the process is
    /// told to stop meanwhile.
    pub(crate) async fn open(
        store: &LocalStore,
        endpoint: EndpointName,
        (traffic, metrics): (Arc<dyn Traffic>, Arc<dyn ServiceMetrics>),
        stop: &mut Stop,
    ) -> Result<Option<Self>> {
        let options = ProcessOptions::default().with_environment(context::environment());
        let folder = store.root().join(REVISIONS).join(endpoint.as_str());
        let deployer = ProcessDeployer::open(folder, options).await?;
        let parts = Parts::new(
            store.meta(),
            Arc::new(deployer.clone()),
            traffic,
            metrics,
            Arc::new(SystemClock),
        );
        let opened = tokio::select! {
            opened = take_over(parts, endpoint) => opened,
            () = stop.asked() => {
                deployer.stop().await;
                return Ok(None);
            }
        };
        match opened {
            Ok(controller) => Ok(Some(Self { deployer, controller })),
            Err(error) => {
                // Whoever holds the endpoint may still send requests to what runs.
                deployer.detach().await;
                Err(error.into())
            }
        }
    }

    /// Ends the revisions without having rolled out anything.
    pub(crate) async fn stop(self) {
        self.deployer.stop().await;
    }

    /// Rolls out what is asked for until the process is told to stop, or may not go on. The revisions still
    /// run afterwards: [`Ended::close`] is for when nobody asks them any more.
    pub(crate) async fn run(self, stop: &mut Stop) -> Ended {
        let Self { deployer, controller } = self;
        let cancel = Cancel::new();
        let run = controller.run(&cancel, TICK);
        tokio::pin!(run);
        let outcome = tokio::select! {
            ended = &mut run => ended,
            () = stop.asked() => {
                cancel.cancel();
                run.await
            }
        };
        Ended { deployer, outcome }
    }
}

/// An endpoint without its controller: the revisions run, nothing is rolled out.
pub(crate) struct Ended {
    deployer: ProcessDeployer,
    outcome: mlops_core::Result<()>,
}

impl Ended {
    /// Ends the revisions, which whoever comes next starts again. After an error they are left running:
    /// somebody else may hold the endpoint by now.
    pub(crate) async fn close(self) -> Result<()> {
        match &self.outcome {
            Ok(()) => self.deployer.stop().await,
            Err(_) => self.deployer.detach().await,
        }
        Ok(self.outcome?)
    }
}

/// Takes the endpoint over; one whose controller has just died is held for the rest of its lease.
async fn take_over(parts: Parts, endpoint: EndpointName) -> mlops_core::Result<Controller> {
    let owner = LeaseOwner::new(format!("gateway-{}", RandomIds.next_hex()))?;
    let until = tokio::time::Instant::now() + 2 * LEASE;
    loop {
        match Controller::open(parts.clone(), endpoint.clone(), &owner, LEASE).await {
            Err(error)
                if error.kind() == ErrorKind::Conflict && tokio::time::Instant::now() < until =>
            {
                output::say(&format!("waiting for the endpoint: {error}"));
                tokio::time::sleep(LEASE / 3).await;
            }
            opened => return opened,
        }
    }
}

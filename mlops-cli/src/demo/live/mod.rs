//! The endpoint of a demo: the version in use runs as a process of its own behind a gateway, and every
//! flight is scored by a request to it.
//!
//! Rollouts go by the data's own time: their clock stands at the end of what has been answered. What was
//! answered is written down before the clock moves, so a demo that was killed goes on where it was, with
//! the same requests sent to the same revisions (they are spread by the key of each request).

mod answers;
mod client;
mod rollout;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use mlops_core::id::{EndpointName, VersionNumber};
use mlops_core::rollout::{Controller, Parts};
use mlops_core::time::ManualClock;
use mlops_core::{Error, ErrorKind};
use mlops_deploy::gateway::{Gateway, GatewayOptions};
use mlops_deploy::process::{ProcessDeployer, ProcessOptions};
use mlops_http::auth::{Anyone, Scope};
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::route::Routes;
use mlops_http::server::{ServerHandle, ServerOptions, serve};
use tokio::sync::Mutex;

use answers::{Answered, Answers, Chunk};
pub(crate) use answers::{Requests, requests};
use client::{Client, Question};
pub(crate) use rollout::{Rolled, rollouts};

use super::calendar::{END, HOUR, MARCH, moment};
use super::model::flights::Flights;
use super::session::{Session, owner};
use crate::cmd::control::REVISIONS;
use crate::context;

/// Requests that are under way at once.
const AT_ONCE: usize = 16;
const LEASE: Duration = Duration::from_secs(60);
/// The longest wait for the world: a process that starts, a split that takes effect.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);

/// A running endpoint.
pub(crate) struct Endpoint<'a> {
    session: &'a Session,
    name: EndpointName,
    clock: Arc<ManualClock>,
    client: Client,
    answers: Mutex<Answers>,
    answered: Arc<Answered>,
    controller: Mutex<Controller>,
    deployer: ProcessDeployer,
    server: ServerHandle,
}

impl<'a> Endpoint<'a> {
    /// Opens the endpoint where it stopped: its processes, its traffic, what it has answered.
    pub(crate) async fn open(session: &'a Session) -> Result<Self> {
        let name = EndpointName::new(session.model.as_str())?;
        let gateway = Gateway::new(&GatewayOptions::default());
        let routes = Routes::<()>::new()
            .fallback_service(Scope::Read, gateway.service(name.clone()))
            .into_service((), Arc::new(Anyone));
        let server = serve(bind(DEFAULT_HOST, 0, &Anyone)?, routes, ServerOptions::default())?;
        let folder = session.store.root().join(REVISIONS).join(name.as_str());
        let options = ProcessOptions::default().with_environment(context::environment());
        let deployer = ProcessDeployer::open(folder, options).await?;
        let answers = Answers::open(session).await?;
        let clock = Arc::new(ManualClock::new(moment(answers.to())));
        let answered = Arc::new(Answered::new(&answers));
        let parts = Parts::new(
            session.store.meta(),
            Arc::new(deployer.clone()),
            Arc::new(gateway),
            Arc::clone(&answered) as _,
            Arc::clone(&clock) as _,
        );
        let controller = Controller::open(parts, name.clone(), &owner()?, LEASE).await?;
        let client = Client::new(server.local_addr(), &session.model);
        let (answers, controller) = (Mutex::new(answers), Mutex::new(controller));
        Ok(Self { session, name, clock, client, answers, answered, controller, deployer, server })
    }

    /// Brings up what is in use, and waits until it answers.
    pub(crate) async fn begin(&self, version: VersionNumber) -> Result<()> {
        if self.answers.lock().await.is_empty() {
            self.roll_out(None, version, moment(MARCH), "the first version").await?;
        }
        self.settle().await
    }

    /// Answers everything up to `to` that has not been asked yet.
    pub(crate) async fn answer_until(&self, to: i64) -> Result<()> {
        let from = self.answers.lock().await.to();
        if from >= to {
            return Ok(());
        }
        let questions = questions(&self.session.flights, from, to);
        let asked = questions.iter().map(|question| self.client.ask(question).boxed());
        let replies: Vec<_> = futures::stream::iter(asked.collect::<Vec<_>>())
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let chunk = Chunk::new(&self.session.flights, (from, to), &questions, replies)?;
        self.answered.add(&chunk);
        self.answers.lock().await.record(chunk).await?;
        self.clock.set(moment(to));
        Ok(())
    }

    /// The scores that the flights of a stretch were served, in their order.
    pub(crate) async fn scores(&self, from: i64, to: i64) -> Result<Vec<f64>> {
        let flights = &self.session.flights;
        let first = flights.rows_between(MARCH, from).len();
        let count = flights.rows_between(from, to).len();
        let answers = self.answers.lock().await;
        let scores = answers.scores().get(first..first + count);
        Ok(scores.context("a flight was not scored")?.to_vec())
    }

    /// Lets the controller do what it can now, and waits for what it has begun.
    async fn settle(&self) -> Result<()> {
        let mut controller = self.controller.lock().await;
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            controller.settle().await?;
            if !rollout::waits_for_the_world(controller.state()) {
                return Ok(());
            }
            if tokio::time::Instant::now() > until {
                let phase = controller.state().rollout.as_ref().map(|it| it.phase.word());
                let message = format!(
                    "the endpoint does not settle: endpoint={} phase={}",
                    self.name,
                    phase.unwrap_or("none")
                );
                return Err(Error::new(ErrorKind::Unavailable, message).into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends the processes; what is in use stays written down, so that `mlops gateway` can bring it up.
    pub(crate) async fn close(self) -> Result<()> {
        self.server.drain().await;
        self.deployer.stop().await;
        self.controller.into_inner().close().await?;
        self.answers.into_inner().close().await
    }
}

/// One request an hour and airport.
fn questions(flights: &Flights, from: i64, to: i64) -> Vec<Question> {
    let mut questions = Vec::new();
    let mut hour = from;
    while hour < to.min(END) {
        let rows = flights.between(hour, hour + HOUR);
        questions.extend(Question::of_each_airport(&rows, hour));
        hour += HOUR;
    }
    questions
}

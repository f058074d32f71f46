//! A reverse proxy that splits the requests of endpoints between their revisions.
//!
//! [`Gateway`] is a data plane in this process: it keeps a [`TrafficSpec`] an endpoint, counts what
//! becomes of each request, and answers for a revision only by what that revision answered.
//! [`Gateway::service`] is what an HTTP server serves for one endpoint; [`admin`] lets a controller in
//! another process set splits and read counts, and [`RemoteGateway`] is that controller's side of it.
//!
//! A request that could not even be delivered is offered to the revision's other replicas, then to
//! other revisions that have a share by then; it counts as an error of the revision that was picked. A
//! request that may have been taken in is never sent twice. A client whose own body breaks off counts against
//! nobody, nor does one that goes away, unless it had waited for longer than the
//! [latency bound](GatewayOptions::latency_bound). The header `mlops-revision` of an answer says whose it is.

pub mod admin;
mod body;
mod counts;
mod head;
mod proxy;
mod remote;
mod table;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body::Body;
use mlops_core::deploy::{
    Generation, ObservedTraffic, RevisionCounts, ServiceMetrics, Traffic, TrafficCapabilities,
    TrafficSpec, check_generation, check_removal,
};
use mlops_core::id::{EndpointName, RevisionName};
use mlops_core::time::{Clock, SystemClock};
use mlops_core::{Error, Result};
use mlops_http::error::HttpError;

pub use body::{AnyBody, BoxError};
pub use remote::RemoteGateway;

use counts::{Counters, InFlight, Kind, Measure};
use proxy::Proxy;
use table::{Table, Target};

/// How a [`Gateway`] works.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GatewayOptions {
    /// Requests that take longer count as slow. 200 ms.
    pub latency_bound: Duration,
    /// How long a connection to a revision may take. 2 s.
    pub connect_deadline: Duration,
    /// How long a revision may take to begin its answer. 60 s.
    pub answer_deadline: Duration,
    /// Larger requests are not copied to a mirror, in bytes. 1 MiB.
    pub mirror_bytes: u64,
    /// How many copies are under way at once; more are left out. 64.
    pub mirror_concurrency: usize,
    /// Where the picks begin.
    pub seed: u64,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            latency_bound: Duration::from_millis(200),
            connect_deadline: Duration::from_secs(2),
            answer_deadline: Duration::from_secs(60),
            mirror_bytes: 1 << 20,
            mirror_concurrency: 64,
            seed: 0,
            clock: Arc::new(SystemClock),
        }
    }
}

impl GatewayOptions {
    /// Sets from when on requests count as slow.
    #[must_use]
    pub fn with_latency_bound(self, latency_bound: Duration) -> Self {
        Self { latency_bound, ..self }
    }

    /// Sets how long a revision may take to begin its answer.
    #[must_use]
    pub fn with_answer_deadline(self, answer_deadline: Duration) -> Self {
        Self { answer_deadline, ..self }
    }

    /// Sets how many copies are under way at once.
    #[must_use]
    pub fn with_mirror_concurrency(self, mirror_concurrency: usize) -> Self {
        Self { mirror_concurrency, ..self }
    }

    /// Sets where the picks begin.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Sets where "now" comes from.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }
}

/// A data plane in this process. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Gateway(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    proxy: Arc<Proxy>,
    measure: Arc<Measure>,
    seed: u64,
    endpoints: RwLock<BTreeMap<EndpointName, Endpoint>>,
}

#[derive(Debug, Default)]
struct Endpoint {
    table: Option<Arc<Table>>,
    /// Of every revision that ever had a share or a mirror here.
    counters: BTreeMap<RevisionName, Arc<Counters>>,
    /// The last generation, when the endpoint was removed.
    removed: Option<Generation>,
}

impl Gateway {
    /// A gateway without endpoints.
    #[must_use]
    pub fn new(options: &GatewayOptions) -> Self {
        let measure = Measure {
            clock: Arc::clone(&options.clock),
            latency_bound: options.latency_bound,
            since: options.clock.now(),
        };
        Self(Arc::new(Inner {
            proxy: Arc::new(Proxy::new(options)),
            measure: Arc::new(measure),
            seed: options.seed,
            endpoints: RwLock::default(),
        }))
    }

    /// What a server serves for one endpoint.
    #[must_use]
    pub fn service(&self, endpoint: EndpointName) -> EndpointService {
        EndpointService { gateway: self.clone(), endpoint }
    }

    /// Picks the revision for a request and counts it in, in one step: whoever sets another split
    /// afterwards sees it in flight.
    fn pick<B>(&self, endpoint: &EndpointName, request: &Request<B>) -> Option<Picked> {
        let endpoints = self.0.endpoints.read().unwrap_or_else(PoisonError::into_inner);
        let table = endpoints.get(endpoint)?.table.as_ref()?;
        let key = table.spec.sticky.as_ref();
        let key = key.and_then(|sticky| request.headers().get(&sticky.header));
        let target = table.pick(key.map(|key| key.as_bytes()))?;
        let in_flight = InFlight::begin(&target.counters, &self.0.measure, Kind::Served);
        Some(Picked { table: Arc::clone(table), first: (Arc::clone(target), in_flight) })
    }

    /// The same for a request that nobody of `asked` could be reached for: by the split that is in effect now, so
    /// that a revision whose share has been taken away gets nothing.
    fn pick_other(
        &self,
        endpoint: &EndpointName,
        asked: &[RevisionName],
    ) -> Option<(Arc<Target>, InFlight)> {
        let endpoints = self.0.endpoints.read().unwrap_or_else(PoisonError::into_inner);
        let target = endpoints.get(endpoint)?.table.as_ref()?.other(asked)?;
        let in_flight = InFlight::begin(&target.counters, &self.0.measure, Kind::Served);
        Some((Arc::clone(target), in_flight))
    }

    async fn forward(self, endpoint: EndpointName, request: Request<AnyBody>) -> Response<AnyBody> {
        match self.pick(&endpoint, &request) {
            Some(Picked { table, first }) => {
                let others = |asked: &[RevisionName]| self.pick_other(&endpoint, asked);
                self.0.proxy.forward(request, &table, first, &self.0.measure, others).await
            }
            None => {
                let message = format!("the endpoint serves nothing yet: endpoint={endpoint}");
                let error = HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message);
                proxy::answer(&error.with_retry_after(Duration::from_secs(1)))
            }
        }
    }
}

struct Picked {
    table: Arc<Table>,
    first: (Arc<Target>, InFlight),
}

#[async_trait]
impl Traffic for Gateway {
    fn capabilities(&self) -> TrafficCapabilities {
        TrafficCapabilities::full()
    }

    async fn set(&self, spec: TrafficSpec) -> Result<()> {
        let mut endpoints = self.0.endpoints.write().unwrap_or_else(PoisonError::into_inner);
        let endpoint = endpoints.entry(spec.endpoint.clone()).or_default();
        let last = endpoint.table.as_ref().map(|table| &table.spec);
        if !check_generation(last, endpoint.removed, &spec)? {
            return Ok(());
        }
        let mirrored = spec.mirror.as_ref().map(|mirror| &mirror.revision);
        for revision in spec.split.iter().map(|(revision, _)| revision).chain(mirrored) {
            endpoint.counters.entry(revision.clone()).or_default();
        }
        // Requests are picked under the same lock: from here on, none by the table before.
        endpoint.table = Some(Arc::new(Table::new(spec, &endpoint.counters, self.0.seed)));
        Ok(())
    }

    async fn observed(&self, endpoint: &EndpointName) -> Result<ObservedTraffic> {
        let endpoints = self.0.endpoints.read().unwrap_or_else(PoisonError::into_inner);
        let found = endpoints.get(endpoint).and_then(|it| Some((it, it.table.as_ref()?)));
        let (state, table) = found.ok_or_else(|| Error::not_found("endpoint", endpoint))?;
        let in_flight = |(name, counters): (&RevisionName, &Arc<Counters>)| {
            (name.clone(), counters.in_flight())
        };
        Ok(ObservedTraffic {
            generation: table.spec.generation,
            split: table.spec.split.clone(),
            mirror: table.spec.mirror.clone(),
            in_flight: state.counters.iter().map(in_flight).collect(),
        })
    }

    async fn remove(&self, endpoint: &EndpointName, generation: Generation) -> Result<()> {
        let mut endpoints = self.0.endpoints.write().unwrap_or_else(PoisonError::into_inner);
        let state = endpoints.entry(endpoint.clone()).or_default();
        let last = state.table.as_ref().map(|table| &table.spec);
        if check_removal(endpoint, last, state.removed, generation)? {
            state.table = None;
            state.removed = Some(generation);
        }
        Ok(())
    }
}

#[async_trait]
impl ServiceMetrics for Gateway {
    async fn counts(
        &self,
        endpoint: &EndpointName,
    ) -> Result<BTreeMap<RevisionName, RevisionCounts>> {
        let endpoints = self.0.endpoints.read().unwrap_or_else(PoisonError::into_inner);
        let all = endpoints.get(endpoint).into_iter().flat_map(|state| &state.counters);
        let read = |(name, counters): (&RevisionName, &Arc<Counters>)| {
            (name.clone(), counters.read(&self.0.measure))
        };
        Ok(all.map(read).collect())
    }
}

/// The requests of one endpoint, as a service for an HTTP server.
#[derive(Debug, Clone)]
pub struct EndpointService {
    gateway: Gateway,
    endpoint: EndpointName,
}

impl<B> tower::Service<Request<B>> for EndpointService
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<AnyBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (gateway, endpoint) = (self.gateway.clone(), self.endpoint.clone());
        let request = request.map(body::boxed);
        Box::pin(async move { Ok(gateway.forward(endpoint, request).await) })
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::deploy::{Backend, Percent, Split};
    use mlops_core::id::Address;

    use super::*;

    #[tokio::test]
    async fn a_revision_whose_share_is_gone_is_no_longer_asked_in_the_place_of_another() {
        let gateway = Gateway::new(&GatewayOptions::default());
        let endpoint = EndpointName::new("flights").unwrap();
        let [stable, canary] = ["stable", "canary"].map(|name| RevisionName::new(name).unwrap());
        let backend = Backend { addresses: vec![Address::new("127.0.0.1:1").unwrap()] };
        let set = |generation, percent| {
            let percent = Percent::new(percent).unwrap();
            let split = Split::between(stable.clone(), canary.clone(), percent).unwrap();
            let backends = [&stable, &canary].map(|name| (name.clone(), backend.clone()));
            let endpoint = endpoint.clone();
            TrafficSpec::new(endpoint, Generation(generation), split, backends.into()).unwrap()
        };
        gateway.set(set(1, 50)).await.unwrap();
        // The request was picked for the stable revision by this split, and finds it gone.
        let asked = [stable.clone()];
        let (other, in_flight) = gateway.pick_other(&endpoint, &asked).unwrap();
        assert_eq!(other.revision, canary);
        assert_eq!(gateway.observed(&endpoint).await.unwrap().in_flight[&canary], 1);
        drop(in_flight);
        gateway.set(set(2, 0)).await.unwrap();
        assert!(gateway.pick_other(&endpoint, &asked).is_none());
        gateway.remove(&endpoint, Generation(3)).await.unwrap();
        assert!(gateway.pick_other(&endpoint, &[]).is_none());
    }
}

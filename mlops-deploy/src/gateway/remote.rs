//! A gateway in another process, through its [admin interface](super::admin).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mlops_core::deploy::{
    Generation, ObservedTraffic, RevisionCounts, ServiceMetrics, Traffic, TrafficCapabilities,
    TrafficSpec,
};
use mlops_core::id::{Address, EndpointName, RevisionName};
use mlops_core::{Error, ErrorKind, Result, RetryClass};
use serde::de::DeserializeOwned;

/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const MAX_BYTES: usize = 4 << 20;

/// A gateway in another process.
#[derive(Clone)]
pub struct RemoteGateway {
    address: Address,
    token: Option<HeaderValue>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl fmt::Debug for RemoteGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteGateway").field("address", &self.address).finish_non_exhaustive()
    }
}

impl RemoteGateway {
    /// The gateway whose admin interface answers at `address`.
    #[must_use]
    pub fn new(address: Address) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address, token: None, client }
    }

    /// Sends a bearer token along.
    ///
    /// # Errors
    /// `InvalidInput` for one that can't stand in a header.
    pub fn with_token(self, token: &str) -> Result<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| Error::invalid("a token holds what no header can"))?;
        value.set_sensitive(true);
        Ok(Self { token: Some(value), ..self })
    }

    async fn call(&self, method: Method, path: String, body: Bytes) -> Result<Bytes> {
        let sent = async {
            let uri = Uri::builder().scheme("http").authority(self.address.as_str());
            let uri = uri.path_and_query(path).build()?;
            let mut request = Request::builder().method(method).uri(uri).body(Full::new(body))?;
            if let Some(token) = &self.token {
                request.headers_mut().insert(header::AUTHORIZATION, token.clone());
            }
            let response = self.client.request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_BYTES).collect().await?.to_bytes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((status, body))
        };
        let unreachable = || {
            // Sets are idempotent by their generation, so that a repeat is safe.
            let message = format!("the gateway can't be reached: address={}", self.address);
            Error::new(ErrorKind::Unavailable, message).with_retry(RetryClass::Safe)
        };
        match tokio::time::timeout(DEADLINE, sent).await {
            Ok(Ok((status, body))) if status.is_success() => Ok(body),
            Ok(Ok((status, body))) => Err(refused(status, &body)),
            Ok(Err(source)) => Err(unreachable().with_source(source)),
            Err(_) => Err(unreachable()),
        }
    }

    async fn read<T: DeserializeOwned>(&self, path: String) -> Result<T> {
        let body = self.call(Method::GET, path, Bytes::new()).await?;
        serde_json::from_slice(&body).map_err(|source| {
            let message =
                format!("the gateway's answer is not understood: address={}", self.address);
            Error::new(ErrorKind::Corrupt, message).with_source(source)
        })
    }
}

fn refused(status: StatusCode, body: &[u8]) -> Error {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let kind = body["kind"].as_str().and_then(ErrorKind::from_word);
    let kind = kind.unwrap_or(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::InvalidInput,
        _ => ErrorKind::Unavailable,
    });
    let said = body["error"].as_str().unwrap_or("no reason given");
    Error::new(kind, format!("the gateway refused: status={} reason={said}", status.as_u16()))
}

#[async_trait]
impl Traffic for RemoteGateway {
    fn capabilities(&self) -> TrafficCapabilities {
        TrafficCapabilities::full()
    }

    async fn set(&self, spec: TrafficSpec) -> Result<()> {
        let path = format!("/endpoints/{}/traffic", spec.endpoint);
        let body = serde_json::to_vec(&spec)
            .map_err(|source| Error::invalid("a spec can't be written").with_source(source))?;
        self.call(Method::PUT, path, body.into()).await.map(drop)
    }

    async fn observed(&self, endpoint: &EndpointName) -> Result<ObservedTraffic> {
        self.read(format!("/endpoints/{endpoint}/traffic")).await
    }

    async fn remove(&self, endpoint: &EndpointName, generation: Generation) -> Result<()> {
        let path = format!("/endpoints/{endpoint}/traffic/{}", generation.0);
        self.call(Method::DELETE, path, Bytes::new()).await.map(drop)
    }
}

#[async_trait]
impl ServiceMetrics for RemoteGateway {
    async fn counts(
        &self,
        endpoint: &EndpointName,
    ) -> Result<BTreeMap<RevisionName, RevisionCounts>> {
        self.read(format!("/endpoints/{endpoint}/counts")).await
    }
}

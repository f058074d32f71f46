//! One request on its way: picked, copied, sent, tried again where that is safe, counted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use http_body::Body;
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mlops_core::id::{Address, RevisionName};
use mlops_http::error::{HttpError, error_only};
use mlops_http::server::Peer;
use tokio::sync::Semaphore;

use super::GatewayOptions;
use super::body::{AnyBody, BoxError, Counted, Waiting, boxed, uploaded};
use super::counts::{InFlight, Kind, Measure, Outcome, Upload};
use super::head;
use super::table::{Table, Target};

/// Says in an answer which revision it comes from.
const REVISION: &str = "mlops-revision";

/// Sends requests on.
#[derive(Debug)]
pub(super) struct Proxy {
    plain: Client<HttpConnector, AnyBody>,
    http2: Client<HttpConnector, AnyBody>,
    answer_deadline: Duration,
    mirror_bytes: u64,
    copies: Arc<Semaphore>,
}

/// How one try went that gave no answer.
enum Failure {
    /// Nothing was sent: somebody else may be asked.
    Unreached(String),
    /// It may have been taken in: only the client can know whether to ask again.
    Broken(HttpError),
    /// The client's own body did not come, or not in time: no fault of the revision's.
    Client(HttpError),
}

/// Who else may be asked, told who has been: another each time, counted in as it is picked.
pub(super) trait Others:
    Fn(&[RevisionName]) -> Option<(Arc<Target>, InFlight)> + Send + Sync
{
}

impl<F: Fn(&[RevisionName]) -> Option<(Arc<Target>, InFlight)> + Send + Sync> Others for F {}

impl Proxy {
    pub(super) fn new(options: &GatewayOptions) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(options.connect_deadline));
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(20));
        Self {
            plain: builder.build(connector.clone()),
            http2: builder.http2_only(true).build(connector),
            answer_deadline: options.answer_deadline,
            mirror_bytes: options.mirror_bytes,
            copies: Arc::new(Semaphore::new(options.mirror_concurrency)),
        }
    }

    /// Answers a request by the revision that `first` was picked for. `table` is the split that it was picked from;
    /// `others` knows the one that is in effect by then.
    pub(super) async fn forward(
        self: &Arc<Self>,
        request: Request<AnyBody>,
        table: &Arc<Table>,
        first: (Arc<Target>, InFlight),
        measure: &Arc<Measure>,
        others: impl Others,
    ) -> Response<AnyBody> {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
        let (mut parts, body) = request.into_parts();
        head::forward(&mut parts, peer);
        let (mut target, mut request) = first;
        let upload = Arc::default();
        request.watch(&upload);
        let body = match self.copy(&parts, uploaded(body, &upload), table, measure).await {
            Ok(body) => Waiting::new(body),
            Err(error) => return answer(&error),
        };
        // Whoever could not be reached was sent nothing: another with a share may answer. Each failure is counted
        // against the revision that was picked.
        let mut asked = Vec::new();
        loop {
            match self.send_to(&target, &parts, &body, &upload).await {
                Ok(response) => return counted(response, &target, request),
                Err(Failure::Client(error)) => return answer(&error),
                Err(Failure::Broken(error)) => {
                    request.note(Outcome::Failed);
                    return answer(&error);
                }
                Err(Failure::Unreached(why)) => {
                    tracing::warn!(revision = %target.revision, why, "a revision can't be reached");
                    request.note(Outcome::Failed);
                    drop(request);
                }
            }
            asked.push(target.revision.clone());
            let Some(other) = others(&asked) else {
                let message =
                    format!("no revision can be reached: endpoint={}", table.spec.endpoint);
                return answer(&HttpError::new(StatusCode::BAD_GATEWAY, "unreachable", message));
            };
            (target, request) = other;
            request.watch(&upload);
        }
    }

    /// Tries a revision's addresses until one takes the request.
    async fn send_to(
        &self,
        target: &Target,
        parts: &Parts,
        body: &Waiting,
        upload: &Upload,
    ) -> Result<Response<Incoming>, Failure> {
        let mut last = "it has no address".to_owned();
        for address in target.addresses() {
            let request = addressed(parts, address, body.to_body())
                .map_err(|error| Failure::Broken(HttpError::bad_request(error.to_string())))?;
            let sent = self.client(parts.version).request(request);
            match tokio::time::timeout(self.answer_deadline, sent).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) if error.is_connect() && body.is_whole() => {
                    last = format!("{address}: {}", chain(&error));
                }
                Ok(Err(_)) if upload.is_broken() => {
                    // The server knows why, and says so in this one's place.
                    let error = HttpError::bad_request("the body broke off");
                    return Err(Failure::Client(error));
                }
                Err(_) if upload.is_owed() => {
                    upload.note_break();
                    let error = HttpError::timeout("the body did not come in time");
                    return Err(Failure::Client(error));
                }
                Ok(Err(error)) => {
                    tracing::warn!(revision = %target.revision, error = chain(&error), "a revision broke off");
                    let message = format!("the revision broke off: revision={}", target.revision);
                    let error = HttpError::new(StatusCode::BAD_GATEWAY, "broken", message);
                    return Err(Failure::Broken(error));
                }
                Err(_) => {
                    let message = format!(
                        "the revision did not answer in time: revision={}",
                        target.revision
                    );
                    let error = HttpError::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message);
                    return Err(Failure::Broken(error));
                }
            }
        }
        Err(Failure::Unreached(last))
    }

    fn client(&self, version: Version) -> &Client<HttpConnector, AnyBody> {
        if version == Version::HTTP_2 { &self.http2 } else { &self.plain }
    }

    /// Sends a copy to the mirror, where there is one for this request, and gives the body back. A body
    /// whose size is unknown or beyond the bound is not copied, nor is any while too many copies are
    /// under way: the client never waits for a mirror.
    async fn copy(
        self: &Arc<Self>,
        parts: &Parts,
        body: AnyBody,
        table: &Table,
        measure: &Arc<Measure>,
    ) -> Result<AnyBody, HttpError> {
        let small = body.size_hint().upper().is_some_and(|bytes| bytes <= self.mirror_bytes);
        let target = table.mirror().filter(|_| small);
        let place = target.and_then(|_| Arc::clone(&self.copies).try_acquire_owned().ok());
        let (Some(target), Some(place)) = (target, place) else { return Ok(body) };
        let limit = usize::try_from(self.mirror_bytes).unwrap_or(usize::MAX);
        let bytes = whole(body, limit).await;
        let bytes = bytes.map_err(|error| HttpError::bad_request(error.to_string()))?.to_bytes();
        let copy = Waiting::new(boxed(Full::new(bytes.clone())));
        let mut request = InFlight::begin(&target.counters, measure, Kind::Copy);
        let (proxy, target, mut parts) = (Arc::clone(self), Arc::clone(target), parts.clone());
        parts.headers.insert(head::COPY, HeaderValue::from_static("1"));
        // Bounded by the places, ended by the answer's deadline.
        tokio::spawn(async move {
            let outcome = match proxy.send_to(&target, &parts, &copy, &Upload::default()).await {
                Ok(response) => read_to_end(response, proxy.answer_deadline).await,
                Err(_) => Outcome::Failed,
            };
            request.note(outcome);
            drop((request, place));
        });
        Ok(boxed(Full::new(bytes)))
    }
}

/// Reads a body of at most `limit` bytes. The future is boxed because the compiler can't prove it `Send` where it is
/// awaited (rust-lang/rust#102211).
fn whole(body: AnyBody, limit: usize) -> BoxFuture<'static, Result<Collected<Bytes>, BoxError>> {
    Box::pin(Limited::new(body, limit).collect())
}

/// Reads an answer that nobody wants, so that its time and its end are known.
async fn read_to_end(response: Response<Incoming>, deadline: Duration) -> Outcome {
    let outcome = of_status(response.status());
    let mut body = response.into_body();
    let read = async {
        while let Some(frame) = body.frame().await {
            frame?;
        }
        Ok::<(), hyper::Error>(())
    };
    match tokio::time::timeout(deadline, read).await {
        Ok(Ok(())) => outcome,
        _ => Outcome::Failed,
    }
}

/// 500 and above is the revision's fault; 501 and 505 are the client's.
fn of_status(status: StatusCode) -> Outcome {
    let asked_wrong =
        [StatusCode::NOT_IMPLEMENTED, StatusCode::HTTP_VERSION_NOT_SUPPORTED].contains(&status);
    if status.is_server_error() && !asked_wrong { Outcome::Failed } else { Outcome::Good }
}

fn counted(response: Response<Incoming>, target: &Target, request: InFlight) -> Response<AnyBody> {
    let outcome = of_status(response.status());
    let (mut parts, body) = response.into_parts();
    head::strip(&mut parts.headers);
    if let Ok(name) = HeaderValue::from_str(target.revision.as_str()) {
        parts.headers.insert(REVISION, name);
    }
    // How the next hop is framed is for its own server to say.
    parts.version = Version::HTTP_11;
    Response::from_parts(parts, boxed(Counted::new(body, request, outcome)))
}

fn addressed(
    parts: &Parts,
    address: &Address,
    body: AnyBody,
) -> Result<Request<AnyBody>, http::Error> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = Uri::builder().scheme(Scheme::HTTP).authority(address.as_str()).path_and_query(path);
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri.build()?;
    *request.version_mut() = parts.version;
    *request.headers_mut() = parts.headers.clone();
    let asked = parts.headers.get(header::HOST).cloned();
    let asked = asked.or_else(|| HeaderValue::from_str(parts.uri.authority()?.as_str()).ok());
    if let Some(asked) = asked {
        request.headers_mut().insert("x-forwarded-host", asked);
    }
    // The client writes the revision's own address there.
    request.headers_mut().remove(header::HOST);
    Ok(request)
}

/// An answer of the gateway's own.
pub(super) fn answer(error: &HttpError) -> Response<AnyBody> {
    error.render(error_only).map(|body: Bytes| boxed(Full::new(body)))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

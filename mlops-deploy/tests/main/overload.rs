//! A model server beyond its capacity: what it accepts it answers, the rest is told when to come back.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use mlops_core::id::{ModelName, VersionNumber};
use mlops_deploy::arrow::array::RecordBatch;
use mlops_deploy::serving::metrics::ServingMetrics;
use mlops_deploy::serving::model::{PoolOptions, RepositoryOptions};
use mlops_deploy::serving::rest::{MAX_BODY_BYTES, ServingState, routes};
use mlops_deploy::serving::tensor::Datatype;
use mlops_deploy::serving::{
    LoadedModel, Predictor, Repository, ServeError, Signature, TensorSpec,
};
use mlops_http::auth::Anyone;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::server::{ServerHandle, ServerOptions, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::backend::address;

type Door = Arc<(Mutex<bool>, Condvar)>;

/// Answers nobody until its door is opened.
#[derive(Debug)]
struct Behind {
    signature: Signature,
    door: Door,
    runs: Arc<AtomicU64>,
}

impl Predictor for Behind {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, ServeError> {
        let (open, changed) = &*self.door;
        drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        self.runs.fetch_add(1, Ordering::AcqRel);
        Ok(batch.clone())
    }
}

/// One request over a connection of its own: its status and when to come back.
async fn ask(address: String) -> (StatusCode, Option<String>) {
    let body = r#"{"inputs":[{"name":"x","datatype":"FP64","shape":[1],"data":[0.5]}]}"#;
    let stream = TcpStream::connect(&address).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move { connection.await.ok() });
    let request = Request::post("/v2/models/behind/infer").header("host", address);
    let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let (head, body) = answer.into_parts();
    body.collect().await.unwrap();
    let retry_after =
        head.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (head.status, retry_after)
}

/// A server of `behind` with so many places, and its door.
fn start(running: usize, waiting: usize) -> (ServerHandle, Arc<Repository>, Door, Arc<AtomicU64>) {
    let door = Arc::new((Mutex::new(false), Condvar::new()));
    let runs = Arc::new(AtomicU64::new(0));
    let x = vec![TensorSpec::new("x", Datatype::Fp64)];
    let signature = Signature::new(x.clone(), x).unwrap();
    let behind = Behind { signature, door: Arc::clone(&door), runs: Arc::clone(&runs) };
    let running = NonZeroUsize::new(running).unwrap();
    let pool = PoolOptions::default().with_running(running).with_waiting(waiting);
    let pool = pool.with_retry_after(Duration::from_secs(7));
    let models = Arc::new(Repository::new(RepositoryOptions::default().with_pool(pool)));
    let name = ModelName::new("behind").unwrap();
    models.load(LoadedModel::new(name, VersionNumber(1), Arc::new(behind)));
    let state = ServingState::new(Arc::clone(&models), ServingMetrics::default());
    let service = routes(&state, MAX_BODY_BYTES).into_service(state, Arc::new(Anyone));
    let listener = bind(DEFAULT_HOST, 0, &Anyone).unwrap();
    let server = serve(listener, service, ServerOptions::default()).unwrap();
    (server, models, door, runs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_its_capacity_what_is_accepted_is_answered_and_the_rest_refused() {
    const RUNNING: usize = 2;
    const WAITING: usize = 3;
    const SENT: usize = 10 * RUNNING;
    let (server, models, door, runs) = start(RUNNING, WAITING);

    let mut requests = JoinSet::new();
    for _ in 0..SENT {
        requests.spawn(ask(address(&server)));
    }
    // Whoever finds the pool full is refused at once, while nothing is answered yet.
    for _ in 0..SENT - RUNNING - WAITING {
        let (status, retry_after) = requests.join_next().await.unwrap().unwrap();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(retry_after.as_deref(), Some("7"));
    }
    assert_eq!((runs.load(Ordering::Acquire), models.inside()), (0, RUNNING + WAITING));
    *door.0.lock().unwrap() = true;
    door.1.notify_all();
    let accepted = requests.join_all().await;
    assert_eq!(accepted, vec![(StatusCode::OK, None); RUNNING + WAITING]);
    assert_eq!(runs.load(Ordering::Acquire), (RUNNING + WAITING) as u64);
    assert_eq!((models.inside(), server.drain().await.cut), (0, 0));
}

/// Sends the head of a request with a large body, and nothing of the body.
async fn announce(address: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {MAX_BODY_BYTES}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn far_beyond_its_capacity_a_request_is_refused_before_its_body_is_read() {
    let (server, models, door, _) = start(1, 0);
    let address = address(&server);
    let running = tokio::spawn(ask(address.clone()));
    while models.inside() == 0 {
        tokio::task::yield_now().await;
    }
    // Four requests may be under way for each prediction: these three wait for their bodies.
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(announce(&address, "/v2/models/behind/infer").await);
        while server.in_flight() <= slow.len() {
            tokio::task::yield_now().await;
        }
    }
    for path in ["/v2/models/behind/infer", "/invocations"] {
        let mut refused = announce(&address, path).await;
        let mut answer = String::new();
        refused.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("retry-after: 7\r\n") && answer.contains("{\"error\""), "{answer}");
    }
    let mut metrics = TcpStream::connect(&address).await.unwrap();
    let head = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    metrics.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    metrics.read_to_string(&mut text).await.unwrap();
    for label in [r#"model="behind",version="1""#, r#"model="_other",version="_other""#] {
        let line = format!("mlops_predictions_total{{{label},outcome=\"overloaded\"}} 1");
        assert!(text.contains(&line), "{line}\n{text}");
    }
    *door.0.lock().unwrap() = true;
    door.1.notify_all();
    assert_eq!(running.await.unwrap(), (StatusCode::OK, None));
    drop(slow);
    assert_eq!(server.drain().await.cut, 0);
}

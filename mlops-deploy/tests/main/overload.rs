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
use mlops_http::server::{ServerOptions, serve};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::backend::address;

/// Answers nobody until its door is opened.
#[derive(Debug)]
struct Behind {
    signature: Signature,
    door: Arc<(Mutex<bool>, Condvar)>,
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_its_capacity_what_is_accepted_is_answered_and_the_rest_refused() {
    const RUNNING: usize = 2;
    const WAITING: usize = 3;
    const SENT: usize = 10 * RUNNING;
    let door = Arc::new((Mutex::new(false), Condvar::new()));
    let runs = Arc::new(AtomicU64::new(0));
    let x = vec![TensorSpec::new("x", Datatype::Fp64)];
    let signature = Signature::new(x.clone(), x).unwrap();
    let behind = Behind { signature, door: Arc::clone(&door), runs: Arc::clone(&runs) };
    let running = NonZeroUsize::new(RUNNING).unwrap();
    let pool = PoolOptions::default().with_running(running).with_waiting(WAITING);
    let pool = pool.with_retry_after(Duration::from_secs(7));
    let models = Arc::new(Repository::new(RepositoryOptions::default().with_pool(pool)));
    let name = ModelName::new("behind").unwrap();
    models.load(LoadedModel::new(name, VersionNumber(1), Arc::new(behind)));
    let state = ServingState::new(Arc::clone(&models), ServingMetrics::default());
    let service = routes(&state, MAX_BODY_BYTES).into_service(state, Arc::new(Anyone));
    let listener = bind(DEFAULT_HOST, 0, &Anyone).unwrap();
    let server = serve(listener, service, ServerOptions::default()).unwrap();

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

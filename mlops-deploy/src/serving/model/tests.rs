//! Swaps under load, bounds, readiness and who looks on.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use arrow::array::{Int32Array, RecordBatch};
use mlops_core::id::VersionNumber;

use super::{LoadedModel, Pool, PoolOptions, Repository, RepositoryOptions};
use crate::serving::error::{Result, ServeError, ServeErrorKind};
use crate::serving::observe::{BatchObserver, Score};
use crate::serving::predictor::{Cost, Predictor};
use crate::serving::serve::{InferRequest, ModelState, Serve as _};
use crate::serving::signature::{Signature, TensorSpec};
use crate::serving::tensor::{Datatype, Tensor, TensorData};
use crate::serving::testing::{Echo, iris, loaded, name};

fn one(value: i32) -> InferRequest {
    let tensor = Tensor::new("x", vec![1], TensorData::Int32(vec![value])).unwrap();
    InferRequest { inputs: vec![tensor], ..InferRequest::default() }
}

fn echo() -> Echo {
    let x = vec![TensorSpec::new("x", Datatype::Int32)];
    Echo(Signature::new(x.clone(), x).unwrap())
}

/// Answers its version, slowly.
#[derive(Debug)]
struct Slow(Signature, i32);

impl Predictor for Slow {
    fn signature(&self) -> &Signature {
        &self.0
    }
    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        std::thread::sleep(Duration::from_millis(2));
        let answer = Int32Array::from(vec![self.1; batch.num_rows()]);
        Ok(RecordBatch::try_new(batch.schema(), vec![Arc::new(answer)]).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_by_a_swap_and_none_is_answered_by_the_old_version_after_it() {
    let pool = PoolOptions::default().with_waiting(1000);
    let server = Arc::new(Repository::new(RepositoryOptions::default().with_pool(pool)));
    let model = |version: u32| loaded("m", version, Slow(echo().0, version as i32));
    assert!(server.load(model(1)).is_none());
    let newest = Arc::new(AtomicUsize::new(1));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (server, newest) = (Arc::clone(&server), Arc::clone(&newest));
            tokio::spawn(async move {
                for _ in 0..50 {
                    let at_least = newest.load(Ordering::SeqCst);
                    let answer = server.infer("m", None, one(0)).await.unwrap();
                    let TensorData::Int32(values) = answer.outputs[0].data() else { panic!() };
                    assert_eq!(answer.version, values[0].to_string());
                    assert!(values[0] as usize >= at_least, "{values:?} < {at_least}");
                }
            })
        })
        .collect();
    for version in 2..=20 {
        let before = server.swap(model(version)).unwrap();
        newest.store(version as usize, Ordering::SeqCst);
        assert_eq!(before.version(), VersionNumber(version - 1));
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(server.loaded().len(), 1);
    assert_eq!(server.inside(), 0);
}

#[test]
fn a_version_is_known_then_ready_then_gone() {
    let server = Repository::new(RepositoryOptions::default());
    let (model, first, second) = (name("m"), VersionNumber(1), VersionNumber(2));
    let kind = |version| server.resolve("m", version).err().map(|error| error.kind());
    assert!(server.ready());
    assert_eq!(kind(None), Some(ServeErrorKind::UnknownModel));

    server.announce(&model, first);
    assert!(!server.ready());
    assert_eq!(kind(None), Some(ServeErrorKind::NotReady));
    assert!(!server.model_ready("m", None).unwrap());
    server.fail(&model, first, "damaged");
    assert_eq!(server.index()[0].state, ModelState::Unavailable);
    assert_eq!(server.index()[0].reason, "damaged");

    server.load(loaded("m", 1, echo()));
    assert!(server.ready() && server.model_ready("m", None).unwrap());
    server.announce(&model, first);
    server.fail(&model, first, "too late");
    assert_eq!(kind(None), None);

    server.load(loaded("m", 2, echo()));
    assert_eq!(server.resolve("m", None).unwrap().version(), first);
    server.set_default(&model, second).unwrap();
    assert_eq!(server.resolve("m", None).unwrap().version(), second);
    assert_eq!(server.metadata("m", Some("1")).unwrap().versions, ["1", "2"]);
    assert!(server.set_default(&model, VersionNumber(3)).is_err());

    assert!(server.unload(&model, second).is_some());
    assert_eq!(server.resolve("m", None).unwrap().version(), first);
    assert_eq!(kind(Some("2")), Some(ServeErrorKind::UnknownVersion));
    assert!(server.unload(&model, first).is_some());
    assert_eq!(kind(None), Some(ServeErrorKind::UnknownModel));
    server.close();
    assert!(!server.ready());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_bound_a_prediction_is_refused_at_once_and_the_others_are_answered() {
    let running = NonZeroUsize::new(2).unwrap();
    let options = PoolOptions::default()
        .with_running(running)
        .with_waiting(3)
        .with_retry_after(Duration::from_secs(7));
    let pool = Arc::new(Pool::new(&options));
    let gate = Arc::new(Barrier::new(3));
    let start = |wait: bool| {
        let (pool, gate) = (Arc::clone(&pool), Arc::clone(&gate));
        tokio::spawn(async move {
            let work = move || {
                if wait {
                    gate.wait();
                }
                Ok(1)
            };
            let place = pool.enter()?;
            pool.run(place, Cost::Blocking, work).await
        })
    };
    let mut accepted: Vec<_> = (0..2).map(|_| start(true)).collect();
    while pool.inside() < 2 {
        tokio::task::yield_now().await;
    }
    accepted.extend((0..3).map(|_| start(false)));
    while pool.inside() < 5 {
        tokio::task::yield_now().await;
    }
    let refused = pool.enter().unwrap_err();
    assert_eq!(refused.kind().word(), "overloaded");
    assert_eq!(refused.retry_after_seconds(), Some(7));
    accepted.pop().unwrap().abort();
    while pool.inside() == 5 {
        tokio::task::yield_now().await;
    }
    tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
    for task in accepted {
        assert_eq!(task.await.unwrap().unwrap(), 1);
    }
    assert_eq!(pool.inside(), 0);
}

#[tokio::test]
async fn a_request_beyond_the_bound_is_refused_before_its_batch_is_made() {
    let pool = PoolOptions::default().with_running(NonZeroUsize::MIN).with_waiting(0);
    let server = Repository::new(RepositoryOptions::default().with_pool(pool));
    server.load(loaded("m", 1, echo()));
    assert_eq!(server.capacity().predictions, 1);
    let model = server.resolve("m", None).unwrap();
    let tensors = || one(1).inputs;
    let nested = server.run(&model, Box::new(|_| panic!("the batch is made")));
    let outer = server.run(
        &model,
        Box::new(|binding| {
            let refused = futures::FutureExt::now_or_never(nested).unwrap().unwrap_err();
            assert_eq!(refused.kind().word(), "overloaded");
            binding.bind(tensors())
        }),
    );
    assert_eq!(outer.await.unwrap().num_rows(), 1);
    let failed = server.run(&model, Box::new(|_| Err(ServeError::invalid("no batch")))).await;
    assert_eq!((failed.unwrap_err().kind().word(), server.inside()), ("invalid_input", 0));
}

#[tokio::test]
async fn a_request_that_began_keeps_its_version() {
    let server = iris();
    let held = server.resolve("iris", None).unwrap();
    let before = server.unload(&name("iris"), VersionNumber(1)).unwrap();
    assert!(Arc::ptr_eq(&held, &before));
    drop(before);
    let row = Tensor::new("x", vec![1, 4], TensorData::Fp64(vec![1.0; 4])).unwrap();
    let answer = server.run(&held, Box::new(|binding| binding.bind(vec![row]))).await.unwrap();
    assert_eq!(answer.num_rows(), 1);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[derive(Debug, Default)]
struct Watch {
    seen: Mutex<Vec<RecordBatch>>,
    panics: bool,
}

impl BatchObserver for Watch {
    fn observe(&self, batch: &RecordBatch) {
        assert!(!self.panics, "an observer that panics");
        self.seen.lock().unwrap().push(batch.clone());
    }
    fn scores(&self) -> Vec<Score> {
        assert!(!self.panics, "an observer that panics");
        vec![Score::new("x", "psi", 0.5)]
    }
}

#[tokio::test]
async fn an_observer_sees_inputs_and_answers_and_can_fail_nothing() {
    let watch = Arc::new(Watch::default());
    let model = |watch: Arc<Watch>| -> LoadedModel {
        loaded(
            "m",
            1,
            Slow(
                Signature::new(
                    echo().0.inputs().to_vec(),
                    vec![TensorSpec::new("x", Datatype::Int32)],
                )
                .unwrap(),
                9,
            ),
        )
        .with_observer(watch)
    };
    let server = Repository::new(RepositoryOptions::default());
    server.load(model(Arc::clone(&watch)));
    server.infer("m", None, one(5)).await.unwrap();
    let seen = watch.seen.lock().unwrap().remove(0);
    let columns: Vec<_> = seen.columns().iter().map(|column| format!("{column:?}")).collect();
    assert_eq!((seen.num_rows(), seen.num_columns()), (1, 2));
    assert!(columns[0].contains('5') && columns[1].contains('9'), "{columns:?}");
    assert_eq!(server.loaded()[0].scores().len(), 1);

    server.load(model(Arc::new(Watch { panics: true, ..Watch::default() })));
    assert!(server.infer("m", None, one(5)).await.is_ok());
    assert!(server.loaded()[0].scores().is_empty());
}

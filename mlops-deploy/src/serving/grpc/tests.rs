//! The service asked by the generated client, without a socket between them.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tonic::Code;

use super::messages::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use super::messages::{
    InferTensorContents, ModelInferRequest, ModelMetadataRequest, ModelReadyRequest,
    ServerLiveRequest, ServerMetadataRequest, ServerReadyRequest,
};
use super::{Gated, GrpcInferenceServiceClient, GrpcInferenceServiceServer, InferenceService};
use crate::serving::error::{ServeError, ServeErrorKind};
use crate::serving::metrics::ServingMetrics;
use crate::serving::model::{PoolOptions, Repository, RepositoryOptions};
use crate::serving::rest::ServingState;
use crate::serving::testing::{Sum, iris, loaded};

type Client = GrpcInferenceServiceClient<GrpcInferenceServiceServer<InferenceService>>;

fn client_of(server: Repository) -> Client {
    let service = InferenceService::new(Arc::new(server)).into_server(1 << 20);
    GrpcInferenceServiceClient::new(service)
}

fn input() -> InferInputTensor {
    let (name, datatype, shape) = ("input-0".to_owned(), "FP64".to_owned(), vec![2, 4]);
    InferInputTensor { name, datatype, shape, ..InferInputTensor::default() }
}

fn values() -> Vec<f64> {
    vec![1.0, 2.0, 3.0, 4.5, 1.0, 1.0, 1.0, 1.0]
}

fn typed() -> ModelInferRequest {
    let contents = InferTensorContents { fp64_contents: values(), ..Default::default() };
    ModelInferRequest {
        model_name: "iris".to_owned(),
        id: "a-1".to_owned(),
        inputs: vec![InferInputTensor { contents: Some(contents), ..input() }],
        ..ModelInferRequest::default()
    }
}

fn raw() -> ModelInferRequest {
    let bytes = values().iter().flat_map(|v| v.to_le_bytes()).collect();
    ModelInferRequest { inputs: vec![input()], raw_input_contents: vec![bytes], ..typed() }
}

#[tokio::test]
async fn typed_requests_get_typed_answers_and_raw_ones_raw() {
    let mut client = client_of(iris());
    let answer = client.model_infer(typed()).await.unwrap().into_inner();
    assert_eq!((&*answer.model_name, &*answer.model_version, &*answer.id), ("iris", "1", "a-1"));
    let [sum] = &answer.outputs[..] else { panic!("one output") };
    assert_eq!((&*sum.name, &*sum.datatype, &sum.shape[..]), ("sum", "FP64", &[2][..]));
    assert_eq!(sum.contents.as_ref().unwrap().fp64_contents, [10.5, 4.0]);
    assert!(answer.raw_output_contents.is_empty());

    let answer = client.model_infer(raw()).await.unwrap().into_inner();
    assert!(answer.outputs[0].contents.is_none());
    let bytes: Vec<u8> = [10.5_f64, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(answer.raw_output_contents, [bytes]);
}

#[tokio::test]
async fn the_server_and_its_models_are_described() {
    let mut client = client_of(iris());
    assert!(client.server_live(ServerLiveRequest {}).await.unwrap().into_inner().live);
    assert!(client.server_ready(ServerReadyRequest {}).await.unwrap().into_inner().ready);
    let about = client.server_metadata(ServerMetadataRequest {}).await.unwrap().into_inner();
    assert_eq!(about.name, "mlops");
    let request = |name: &str, version: &str| ModelReadyRequest {
        name: name.to_owned(),
        version: version.to_owned(),
    };
    assert!(client.model_ready(request("iris", "1")).await.unwrap().into_inner().ready);
    for (name, version) in [("rose", ""), ("iris", "2")] {
        let status = client.model_ready(request(name, version)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    }
    let request = ModelMetadataRequest { name: "iris".to_owned(), version: String::new() };
    let model = client.model_metadata(request).await.unwrap().into_inner();
    assert_eq!((model.inputs.len(), model.outputs.len()), (4, 1));
    assert_eq!((&*model.inputs[0].datatype, &model.inputs[0].shape[..]), ("FP64", &[-1][..]));
}

#[tokio::test]
async fn each_wrong_call_has_its_code() {
    let changed = |change: fn(&mut ModelInferRequest), mut request: ModelInferRequest| {
        change(&mut request);
        request
    };
    let first = |values: [f64; 4]| {
        let mut request = typed();
        request.inputs[0].shape = vec![1, 4];
        request.inputs[0].contents.as_mut().unwrap().fp64_contents = values.to_vec();
        request
    };
    let table = [
        (Code::NotFound, changed(|r| r.model_name = "rose".to_owned(), typed())),
        (Code::NotFound, changed(|r| r.model_version = "2".to_owned(), typed())),
        (Code::InvalidArgument, changed(|r| r.inputs.clear(), typed())),
        (Code::InvalidArgument, changed(|r| r.inputs[0].datatype = "FP99".to_owned(), typed())),
        (Code::InvalidArgument, changed(|r| r.inputs[0].datatype = "INT64".to_owned(), typed())),
        (Code::InvalidArgument, changed(|r| r.inputs[0].datatype = "FP16".to_owned(), typed())),
        (Code::InvalidArgument, changed(|r| r.inputs[0].contents = None, typed())),
        (Code::InvalidArgument, changed(|r| r.inputs[0].shape = vec![3, 4], typed())),
        (Code::InvalidArgument, changed(|r| r.inputs[0].shape = vec![-2, 4], typed())),
        (Code::InvalidArgument, changed(|r| r.inputs[0].shape = vec![1 << 40, 1 << 40], raw())),
        (Code::InvalidArgument, changed(|r| r.inputs[0].shape = vec![1, 4], raw())),
        (Code::InvalidArgument, changed(|r| r.raw_input_contents.push(Vec::new()), raw())),
        (
            Code::InvalidArgument,
            changed(|r| r.inputs[0].contents = Some(InferTensorContents::default()), raw()),
        ),
        (
            Code::InvalidArgument,
            changed(
                |r| {
                    let name = "class".to_owned();
                    r.outputs = vec![InferRequestedOutputTensor { name, ..Default::default() }];
                },
                typed(),
            ),
        ),
        (
            Code::InvalidArgument,
            changed(
                |r| {
                    let name = "sum".to_owned();
                    let output = InferRequestedOutputTensor { name, ..Default::default() };
                    r.outputs = vec![output; 2];
                },
                typed(),
            ),
        ),
        (Code::Internal, first([-1.0, 0.0, 0.0, 0.0])),
        (Code::Internal, first([-2.0, 0.0, 0.0, 0.0])),
    ];
    let mut client = client_of(iris());
    for (at, (code, request)) in table.into_iter().enumerate() {
        let status = client.model_infer(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{at}: {status}");
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_read_is_counted_for_its_model() {
    let state = ServingState::new(Arc::new(iris()), ServingMetrics::default());
    let service = InferenceService::new(state.serve()).into_server(1 << 20);
    let mut client = GrpcInferenceServiceClient::new(service);
    for model in ["iris", "rose"] {
        let mut request = typed();
        request.model_name = model.to_owned();
        request.inputs[0].datatype = "FP99".to_owned();
        assert_eq!(client.model_infer(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let text = state.metrics().render(&[]).unwrap();
    for label in [r#"model="iris",version="1""#, r#"model="_other",version="_other""#] {
        let line = format!("mlops_predictions_total{{{label},outcome=\"invalid_input\"}} 1");
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn far_beyond_the_bound_calls_for_predictions_alone_are_turned_away() {
    let pool = PoolOptions::default().with_running(NonZeroUsize::MIN).with_waiting(0);
    let pool = pool.with_retry_after(Duration::from_secs(7));
    let models = Repository::new(RepositoryOptions::default().with_pool(pool));
    models.load(loaded("iris", 1, Sum::new()));
    let state = ServingState::new(Arc::new(models), ServingMetrics::default());
    let service = InferenceService::new(state.serve()).into_server(1 << 20);
    let mut client = GrpcInferenceServiceClient::new(Gated::new(service, state.clone()));
    let mut places = Vec::new();
    while let Ok(place) = state.enter().await {
        places.push(place);
    }
    let status = client.model_infer(typed()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.metadata().get("retry-after").unwrap(), "7");
    assert!(client.server_live(ServerLiveRequest {}).await.unwrap().into_inner().live);
    drop(places);
    client.model_infer(typed()).await.unwrap();
}

#[test]
fn an_overloaded_server_says_when_to_come_back() {
    let kind = ServeErrorKind::Overloaded { retry_after: Duration::from_millis(1500) };
    let status = tonic::Status::from(ServeError::new(kind, "too many predictions wait"));
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.metadata().get("retry-after").unwrap(), "2");
    let status = tonic::Status::from(ServeError::new(ServeErrorKind::NotReady, "not ready"));
    assert_eq!((status.code(), status.metadata().len()), (Code::Unavailable, 0));
}

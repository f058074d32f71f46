//! The service: each call to the same [`Serve`] that REST asks.

use std::sync::Arc;

use async_trait::async_trait;
use tonic::{Code, Request, Response, Status};

use super::convert;
use super::generated::grpc_inference_service_server::{
    GrpcInferenceService, GrpcInferenceServiceServer,
};
use super::generated::model_metadata_response::TensorMetadata;
use super::generated::{
    ModelInferRequest, ModelInferResponse, ModelMetadataRequest, ModelMetadataResponse,
    ModelReadyRequest, ModelReadyResponse, ServerLiveRequest, ServerLiveResponse,
    ServerMetadataRequest, ServerMetadataResponse, ServerReadyRequest, ServerReadyResponse,
};
use crate::serving::error::ServeError;
use crate::serving::serve::Serve;
use crate::serving::signature::TensorSpec;

/// Answers gRPC calls from a [`Serve`].
///
/// An empty version is the default one. Values come typed or raw, never both, and the answer has the form of the
/// request. An overloaded server says when to come back in the metadata `retry-after`, in seconds.
#[derive(Debug, Clone)]
pub struct InferenceService {
    serve: Arc<dyn Serve>,
}

impl InferenceService {
    /// The service of a server.
    #[must_use]
    pub fn new(serve: Arc<dyn Serve>) -> Self {
        Self { serve }
    }

    /// As a service of tower, which takes messages of up to `max_bytes`.
    #[must_use]
    pub fn into_server(self, max_bytes: usize) -> GrpcInferenceServiceServer<Self> {
        GrpcInferenceServiceServer::new(self).max_decoding_message_size(max_bytes)
    }
}

impl From<ServeError> for Status {
    fn from(error: ServeError) -> Self {
        let mut status = Self::new(Code::from_i32(error.kind().code()), error.to_string());
        if let Some(seconds) = error.retry_after_seconds() {
            status.metadata_mut().insert("retry-after", seconds.into());
        }
        status
    }
}

/// The version that a call is for.
fn version(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn tensor_metadata(spec: &TensorSpec) -> TensorMetadata {
    TensorMetadata {
        name: spec.name().to_owned(),
        datatype: spec.datatype().word().to_owned(),
        shape: spec.shape().to_vec(),
    }
}

#[async_trait]
impl GrpcInferenceService for InferenceService {
    async fn server_live(
        &self,
        _: Request<ServerLiveRequest>,
    ) -> Result<Response<ServerLiveResponse>, Status> {
        Ok(Response::new(ServerLiveResponse { live: true }))
    }

    async fn server_ready(
        &self,
        _: Request<ServerReadyRequest>,
    ) -> Result<Response<ServerReadyResponse>, Status> {
        Ok(Response::new(ServerReadyResponse { ready: self.serve.ready() }))
    }

    async fn model_ready(
        &self,
        request: Request<ModelReadyRequest>,
    ) -> Result<Response<ModelReadyResponse>, Status> {
        let request = request.into_inner();
        let ready = self.serve.model_ready(&request.name, version(&request.version))?;
        Ok(Response::new(ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _: Request<ServerMetadataRequest>,
    ) -> Result<Response<ServerMetadataResponse>, Status> {
        let server = self.serve.server();
        let (name, version, extensions) = (server.name, server.version, server.extensions);
        Ok(Response::new(ServerMetadataResponse { name, version, extensions }))
    }

    async fn model_metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        let request = request.into_inner();
        let found = self.serve.metadata(&request.name, version(&request.version))?;
        let signature = &found.signature;
        Ok(Response::new(ModelMetadataResponse {
            inputs: signature.inputs().iter().map(tensor_metadata).collect(),
            outputs: signature.outputs().iter().map(tensor_metadata).collect(),
            name: found.name,
            versions: found.versions,
            platform: found.platform,
        }))
    }

    async fn model_infer(
        &self,
        request: Request<ModelInferRequest>,
    ) -> Result<Response<ModelInferResponse>, Status> {
        let mut message = request.into_inner();
        let model = std::mem::take(&mut message.model_name);
        let asked = std::mem::take(&mut message.model_version);
        let read = convert::request(message);
        let (request, form) =
            read.inspect_err(|error| self.serve.refused(&model, version(&asked), error))?;
        let answer = self.serve.infer(&model, version(&asked), request).await?;
        Ok(Response::new(convert::response(answer, form)?))
    }
}

//! The Open Inference Protocol over gRPC: a service of tower that any HTTP/2 server can carry.
//!
//! The code in `generated` is made from `proto/open_inference.proto` and committed, so that a build needs no
//! compiler of protocols; a test makes it anew and compares.

mod convert;
mod gated;
#[rustfmt::skip]
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod generated;
mod service;

#[cfg(test)]
mod tests;

/// The messages of the protocol.
pub mod messages {
    pub use super::generated::{
        InferParameter, InferTensorContents, ModelInferRequest, ModelInferResponse,
        ModelMetadataRequest, ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse,
        ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse,
        ServerReadyRequest, ServerReadyResponse, infer_parameter, model_infer_request,
        model_infer_response, model_metadata_response,
    };
}

pub use generated::grpc_inference_service_client::GrpcInferenceServiceClient;
pub use generated::grpc_inference_service_server::GrpcInferenceServiceServer;
pub use service::InferenceService;

pub(in crate::serving) use gated::Gated;

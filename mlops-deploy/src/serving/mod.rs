//! A model server: requests to batches, batches to models, answers back.
//!
//! | module | holds |
//! |---|---|
//! | [`predictor`], [`signature`] | what a model is to a server, and what goes into it |
//! | [`tensor`] | tensors, and their way to Arrow and back |
//! | [`v2`] | the Open Inference Protocol over REST, with binary tensors |
//! | `grpc` | the same over gRPC, as a service of tower |
//! | [`mlflow`] | the bodies of `/invocations` |
//! | [`model`] | what is loaded, which version answers, how many predictions run |
//! | [`serve`] | the trait between protocols and models |
//! | [`observe`], [`metrics`] | who looks at batches, and what Prometheus reads |
//! | [`rest`] | the routes of all of it, for a server of mlops-http |
//! | `onnx` | models as ONNX files, with the feature of that name |
//! | [`error`] | errors with their HTTP status and gRPC code |

pub mod error;
#[cfg(feature = "grpc")]
pub mod grpc;
mod json;
pub mod metrics;
pub mod mlflow;
pub mod model;
pub mod observe;
#[cfg(feature = "onnx")]
pub mod onnx;
pub mod predictor;
pub mod rest;
pub mod serve;
pub mod signature;
pub mod tensor;
#[cfg(test)]
mod testing;
pub mod v2;

pub use error::{ServeError, ServeErrorKind};
pub use model::{LoadedModel, Repository};
pub use predictor::{Loader, Loaders, Predictor};
pub use serve::Serve;
pub use signature::{Signature, TensorSpec};

//! Acts on models: serves them over open protocols, runs their revisions, moves traffic between them.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mlops_core::id::{ModelName, VersionNumber};
//! use mlops_deploy::arrow::array::RecordBatch;
//! use mlops_deploy::serving::model::RepositoryOptions;
//! use mlops_deploy::serving::tensor::Datatype;
//! use mlops_deploy::serving::{
//!     LoadedModel, Predictor, Repository, Serve as _, ServeError, Signature, TensorSpec, v2,
//! };
//!
//! #[derive(Debug)]
//! struct Echo(Signature);
//!
//! impl Predictor for Echo {
//!     fn signature(&self) -> &Signature {
//!         &self.0
//!     }
//!     fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, ServeError> {
//!         Ok(batch.clone())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let x = vec![TensorSpec::new("x", Datatype::Fp32)];
//! let echo = Arc::new(Echo(Signature::new(x.clone(), x)?));
//! let server = Repository::new(RepositoryOptions::default());
//! server.load(LoadedModel::new(ModelName::new("echo")?, VersionNumber(1), echo));
//!
//! let body = br#"{"inputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[0.5,2]}]}"#;
//! let (request, form) = v2::decode(body, None)?;
//! let answer = v2::encode(&server.infer("echo", None, request).await?, &form)?;
//! let want = r#"{"model_name":"echo","model_version":"1","outputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[0.5,2.0]}]}"#;
//! assert_eq!(String::from_utf8(answer.body)?, want);
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`serving`] | a model server: Open Inference Protocol v2, MLflow's invocations |
//! | [`process`] | revisions as child processes: probed, restarted, adopted, ended |
//! | [`gateway`] | a reverse proxy that splits traffic, copies it, counts it |
//!
//! | feature | default | what it brings |
//! |---|---|---|
//! | `grpc` | yes | the Open Inference Protocol over gRPC |
//!
//! This crate keeps nothing and does not know how things are kept; it knows drift only as a
//! [`BatchObserver`](serving::observe::BatchObserver). It never unpickles a model, as pickle is code.

pub mod gateway;
pub mod process;
pub mod serving;

pub use arrow;

//! What the protocol tells about a server and its models, beside predictions.

use serde::Serialize;

use crate::serving::error::{Result, ServeError};
use crate::serving::serve::{IndexEntry, ModelMetadata, ServerMetadata};
use crate::serving::signature::TensorSpec;

#[derive(Serialize)]
struct Server<'a> {
    name: &'a str,
    version: &'a str,
    extensions: &'a [String],
}

#[derive(Serialize)]
struct Model<'a> {
    name: &'a str,
    versions: &'a [String],
    platform: &'a str,
    inputs: Vec<Spec<'a>>,
    outputs: Vec<Spec<'a>>,
}

#[derive(Serialize)]
struct Spec<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: &'a [i64],
}

impl<'a> Spec<'a> {
    fn new(spec: &'a TensorSpec) -> Self {
        Self { name: spec.name(), datatype: spec.datatype().word(), shape: spec.shape() }
    }
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    version: &'a str,
    state: &'static str,
    reason: &'a str,
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| ServeError::internal("cannot write an answer").with_source(error))
}

/// The body of `GET v2/health/live`.
#[must_use]
pub fn live_body(live: bool) -> Vec<u8> {
    format!("{{\"live\":{live}}}").into_bytes()
}

/// The body of `GET v2/health/ready`.
#[must_use]
pub fn ready_body(ready: bool) -> Vec<u8> {
    format!("{{\"ready\":{ready}}}").into_bytes()
}

/// The body of `GET v2/models/M/ready`.
#[must_use]
pub fn model_ready_body(model: &str, ready: bool) -> Vec<u8> {
    serde_json::json!({ "name": model, "ready": ready }).to_string().into_bytes()
}

/// The body of `GET v2`.
///
/// # Errors
/// None in practice: text is always written.
pub fn server_body(server: &ServerMetadata) -> Result<Vec<u8>> {
    let (name, version) = (&server.name, &server.version);
    json(&Server { name, version, extensions: &server.extensions })
}

/// The body of `GET v2/models/M`.
///
/// # Errors
/// None in practice: text is always written.
pub fn model_body(model: &ModelMetadata) -> Result<Vec<u8>> {
    let signature = &model.signature;
    json(&Model {
        name: &model.name,
        versions: &model.versions,
        platform: &model.platform,
        inputs: signature.inputs().iter().map(Spec::new).collect(),
        outputs: signature.outputs().iter().map(Spec::new).collect(),
    })
}

/// The body of `POST v2/repository/index`.
///
/// # Errors
/// None in practice: text is always written.
pub fn index_body(index: &[IndexEntry]) -> Result<Vec<u8>> {
    let entries = index.iter().map(|entry| Entry {
        name: &entry.model,
        version: &entry.version,
        state: entry.state.word(),
        reason: &entry.reason,
    });
    json(&entries.collect::<Vec<_>>())
}

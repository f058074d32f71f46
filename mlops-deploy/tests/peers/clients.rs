//! Clients from other projects, unmodified, against our model server. What each asserts stands in its script.

use mlops_http::server::ServerHandle;

use super::models::{address, serve_both, serve_iris};
use super::tools::script;

/// Runs a script against a server, which then ends with nothing under way.
async fn passes(name: &str, server: ServerHandle) {
    script(name, &address(&server), &[]).await;
    assert_eq!(server.drain().await.cut, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs serving: scripts/peers serving"]
async fn tritonclient_over_http_with_json_and_binary_tensors() {
    passes("triton_http.py", serve_both()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs serving: scripts/peers serving"]
async fn tritonclient_over_grpc() {
    passes("triton_grpc.py", serve_both()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs serving: scripts/peers serving"]
async fn kserve_over_rest_with_json_and_binary_tensors() {
    passes("kserve_rest.py", serve_both()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs serving: scripts/peers serving"]
async fn kserve_over_grpc_typed_and_raw() {
    passes("kserve_grpc.py", serve_both()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs serving: scripts/peers serving"]
async fn mlflow_scoring_client_and_every_form_of_a_body() {
    passes("mlflow_scoring.py", serve_iris()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs serving: scripts/peers serving"]
async fn metrics_are_read_by_the_strict_openmetrics_parser() {
    passes("openmetrics.py", serve_iris()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs serving: scripts/peers serving"]
async fn the_document_says_what_works() {
    passes("documented.py", serve_iris()).await;
}

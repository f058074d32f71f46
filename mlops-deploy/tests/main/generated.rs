//! The generated gRPC code is what its .proto says. With `REGENERATE=1` it is written anew.

use std::path::Path;

const FIRST_LINE: &str = "//! Generated from `proto/open_inference.proto`; \
    `REGENERATE=1 cargo test -p mlops-deploy generated` writes it anew.\n";

#[test]
fn generated_code_is_what_its_proto_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let descriptors = protox::compile(["open_inference.proto"], [root.join("proto")]).unwrap();
    tonic_prost_build::configure()
        .build_transport(false)
        .out_dir(folder.path())
        .compile_fds(descriptors)
        .unwrap();
    let fresh = std::fs::read_to_string(folder.path().join("inference.rs")).unwrap();
    let fresh = format!("{FIRST_LINE}{fresh}");
    let kept = root.join("src/serving/grpc/generated.rs");
    if std::env::var_os("REGENERATE").is_some() {
        std::fs::write(&kept, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(kept).unwrap();
    assert!(kept == fresh, "the generated code is not what proto/open_inference.proto says");
}

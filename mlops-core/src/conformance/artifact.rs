//! The rules of [`ArtifactStore`] and [`ContentStore`].

use futures::TryStreamExt as _;
use futures::future::join_all;

use super::{fails, ok};
use crate::artifact::{Artifact, ArtifactStore, Body, ContentStore};
use crate::error::ErrorKind;
use crate::id::{ArtifactPath, Digest};

/// One test for each rule of artifacts by path.
#[macro_export]
macro_rules! artifact_suite {
    ($make:expr) => {
        $crate::suite_tests! { artifact, $make;
            artifact_comes_back_as_it_was
            artifact_is_taken_from_a_file
            range_is_cut_to_the_artifact
            putting_again_replaces_the_whole
            unknown_artifact_is_not_found
            failed_put_keeps_the_old
            artifacts_are_listed_under_a_prefix
            deleting_twice_is_no_error
            concurrent_puts_leave_one_of_them
        }
    };
}

/// One test for each rule of content by digest.
#[macro_export]
macro_rules! content_suite {
    ($make:expr) => {
        $crate::suite_tests! { artifact, $make;
            content_is_known_by_its_digest
            content_is_fetched_to_a_file
            unknown_content_is_not_found
            same_content_is_stored_by_many_at_once
            content_is_whole_as_long_as_it_is_there
        }
    };
}

fn path(text: &str) -> ArtifactPath {
    ok(ArtifactPath::new(text))
}

#[allow(missing_docs)]
pub async fn artifact_comes_back_as_it_was(store: &dyn ArtifactStore) {
    for (name, content) in
        [("empty", vec![]), ("bytes", vec![0, 255, 10, 13]), ("large", vec![7; 3_000_000])]
    {
        let put = ok(store.put(&path(name), content.clone().into()).await);
        assert_eq!((put.blob.digest, put.blob.size), (Digest::of(&content), content.len() as u64));
        assert_eq!(ok(store.get(&path(name), None).await), content);
        assert_eq!(ok(store.head(&path(name)).await), put);
    }
}

#[allow(missing_docs)]
pub async fn artifact_is_taken_from_a_file(store: &dyn ArtifactStore) {
    let file = std::env::temp_dir().join(format!("mlops-conformance-{}-file", std::process::id()));
    ok(std::fs::write(&file, b"from a file").map_err(|e| crate::Error::io("write", &file, e)));
    let put = ok(store.put(&path("x"), Body::File(file.clone())).await);
    ok(std::fs::remove_file(&file).map_err(|e| crate::Error::io("remove", &file, e)));
    assert_eq!(put.blob.size, 11);
    assert_eq!(ok(store.get(&path("x"), None).await), b"from a file");
}

#[allow(missing_docs)]
pub async fn range_is_cut_to_the_artifact(store: &dyn ArtifactStore) {
    ok(store.put(&path("x"), b"0123456789".to_vec().into()).await);
    let parts: [(std::ops::Range<u64>, &[u8]); 6] = [
        (0..3, b"012"),
        (8..100, b"89"),
        (10..12, b""),
        (50..60, b""),
        (4..4, b""),
        (0..u64::MAX, b"0123456789"),
    ];
    for (range, expected) in parts {
        assert_eq!(ok(store.get(&path("x"), Some(range.clone())).await), expected, "{range:?}");
    }
}

#[allow(missing_docs)]
pub async fn putting_again_replaces_the_whole(store: &dyn ArtifactStore) {
    ok(store.put(&path("x"), b"long content".to_vec().into()).await);
    ok(store.put(&path("x"), b"short".to_vec().into()).await);
    ok(store.put(&path("x"), b"short".to_vec().into()).await);
    assert_eq!(ok(store.get(&path("x"), None).await), b"short");
}

#[allow(missing_docs)]
pub async fn unknown_artifact_is_not_found(store: &dyn ArtifactStore) {
    ok(store.put(&path("a/b"), vec![1].into()).await);
    for unknown in ["x", "a", "a/b/c"] {
        fails(store.get(&path(unknown), None).await, ErrorKind::NotFound);
        fails(store.head(&path(unknown)).await, ErrorKind::NotFound);
    }
}

#[allow(missing_docs)]
pub async fn failed_put_keeps_the_old(store: &dyn ArtifactStore) {
    ok(store.put(&path("x"), b"old".to_vec().into()).await);
    let missing = Body::File("/nowhere/at/all".into());
    fails(store.put(&path("x"), missing).await, ErrorKind::NotFound);
    assert_eq!(ok(store.get(&path("x"), None).await), b"old");
}

#[allow(missing_docs)]
pub async fn artifacts_are_listed_under_a_prefix(store: &dyn ArtifactStore) {
    for name in
        ["runs/1/model", "runs/1/plots/roc", "runs/12/model", "runs/1", "f.other/x", "other"]
    {
        ok(store.put(&path(name), name.as_bytes().to_vec().into()).await);
    }
    let list = async |prefix: Option<&str>| {
        let prefix = prefix.map(path);
        let listed: Vec<Artifact> = ok(store.list(prefix.as_ref()).try_collect().await);
        listed.iter().map(|artifact| artifact.path.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list(Some("runs/1")).await, ["runs/1", "runs/1/model", "runs/1/plots/roc"]);
    assert_eq!(list(None).await.len(), 6);
    assert_eq!(list(Some("f.other")).await, ["f.other/x"]);
    assert_eq!(list(Some("other")).await, ["other"]);
    assert!(list(Some("nothing")).await.is_empty());
}

#[allow(missing_docs)]
pub async fn deleting_twice_is_no_error(store: &dyn ArtifactStore) {
    ok(store.put(&path("a/b"), vec![1].into()).await);
    ok(store.put(&path("a/c"), vec![1].into()).await);
    ok(store.delete(&path("a/b")).await);
    ok(store.delete(&path("a/b")).await);
    fails(store.get(&path("a/b"), None).await, ErrorKind::NotFound);
    assert_eq!(ok(store.get(&path("a/c"), None).await), [1]);
}

#[allow(missing_docs)]
pub async fn concurrent_puts_leave_one_of_them(store: &dyn ArtifactStore) {
    let x = path("x");
    let put = |byte: u8| store.put(&x, vec![byte; 100_000].into());
    for outcome in join_all((0..16).map(put)).await {
        ok(outcome);
    }
    let held = ok(store.get(&path("x"), None).await);
    assert!(held.len() == 100_000 && held.iter().all(|byte| *byte == held[0]));
}

#[allow(missing_docs)]
pub async fn content_is_known_by_its_digest(store: &dyn ContentStore) {
    let blob = ok(store.put_content(b"content".to_vec().into()).await);
    assert_eq!((blob.digest, blob.size), (Digest::of(b"content"), 7));
    assert_eq!(ok(store.get_content(&blob.digest).await), b"content");
    assert!(ok(store.has_content(&blob.digest).await));
}

#[allow(missing_docs)]
pub async fn content_is_fetched_to_a_file(store: &dyn ContentStore) {
    let blob = ok(store.put_content(b"content".to_vec().into()).await);
    let file =
        std::env::temp_dir().join(format!("mlops-conformance-{}-fetched", std::process::id()));
    ok(store.fetch_content(&blob.digest, &file).await);
    let read = std::fs::read(&file).map_err(|e| crate::Error::io("read", &file, e));
    ok(std::fs::remove_file(&file).map_err(|e| crate::Error::io("remove", &file, e)));
    assert_eq!(ok(read), b"content");
}

#[allow(missing_docs)]
pub async fn unknown_content_is_not_found(store: &dyn ContentStore) {
    let digest = Digest::of(b"never stored");
    let file = std::env::temp_dir().join(format!("mlops-conformance-{}-never", std::process::id()));
    fails(store.get_content(&digest).await, ErrorKind::NotFound);
    fails(store.fetch_content(&digest, &file).await, ErrorKind::NotFound);
    assert!(!file.exists() && !ok(store.has_content(&digest).await));
}

#[allow(missing_docs)]
pub async fn same_content_is_stored_by_many_at_once(store: &dyn ContentStore) {
    let content = vec![3; 500_000];
    for blob in join_all((0..16).map(|_| store.put_content(content.clone().into()))).await {
        assert_eq!(ok(blob).digest, Digest::of(&content));
    }
    assert_eq!(ok(store.get_content(&Digest::of(&content)).await), content);
}

#[allow(missing_docs)]
pub async fn content_is_whole_as_long_as_it_is_there(store: &dyn ContentStore) {
    for content in [vec![], vec![9; 3_000_000]] {
        let blob = ok(store.put_content(content.into()).await);
        ok(store.verify_content(&blob.digest).await);
    }
    fails(store.verify_content(&Digest::of(b"never stored")).await, ErrorKind::NotFound);
}

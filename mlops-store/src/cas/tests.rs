//! What the shared suites can't ask: flipped bits, leftovers, trees on the disk.

use std::sync::Arc;

use futures::TryStreamExt as _;
use mlops_core::data::DataVersionStore as _;
use mlops_core::id::DatasetName;
use mlops_core::memory::MemoryData;
use mlops_core::time::SystemClock;

use super::*;

fn store() -> (tempfile::TempDir, Cas) {
    let folder = tempfile::tempdir().unwrap();
    let cas = Cas::open(folder.path().join("store")).unwrap();
    (folder, cas)
}

mod artifact {
    mlops_core::artifact_suite!(super::store);
}
mod content {
    mlops_core::content_suite!(super::store);
}

#[tokio::test]
async fn every_flipped_bit_is_found_and_the_object_is_named() {
    let (_folder, cas) = store();
    let content: Vec<u8> = (0..64).collect();
    let path = ArtifactPath::new("a/b").unwrap();
    let blob = cas.put(&path, content.clone().into()).await.unwrap().blob;
    let file = cas.object_path(&blob.digest);
    for bit in 0..content.len() * 8 {
        let mut damaged = content.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, &damaged).unwrap();
        for range in [None, Some(0..1)] {
            let error = cas.get(&path, range).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(&blob.digest.to_string()), "{error}");
        }
        let to = cas.root().join("copy");
        assert_eq!(
            cas.fetch_content(&blob.digest, &to).await.unwrap_err().kind(),
            ErrorKind::Corrupt
        );
        assert!(!to.exists() && !to.with_added_extension("partial").exists());
    }
    fs::write(&file, &content[..10]).unwrap();
    assert_eq!(cas.get_content(&blob.digest).await.unwrap_err().kind(), ErrorKind::Corrupt);
    // Storing it again mends it, whether it has lost its length or a bit.
    for damaged in [&content[..10], &[9; 64][..]] {
        fs::write(&file, damaged).unwrap();
        cas.put_content(content.clone().into()).await.unwrap();
        assert_eq!(cas.get_content(&blob.digest).await.unwrap(), content);
    }
}

#[tokio::test]
async fn an_artifact_without_its_object_is_corrupt_and_both_are_named() {
    let (_folder, cas) = store();
    let path = ArtifactPath::new("a/b").unwrap();
    let blob = cas.put(&path, b"content".to_vec().into()).await.unwrap().blob;
    fs::remove_file(cas.object_path(&blob.digest)).unwrap();
    let error = cas.get(&path, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let text = error.to_string();
    assert!(text.contains("path=a/b") && text.contains(&blob.digest.to_string()), "{text}");
}

#[tokio::test]
async fn a_damaged_object_is_found_and_mended_whatever_it_is_stored_from() {
    let (folder, cas) = store();
    let content = vec![7; 1_000_000];
    let file = folder.path().join("file");
    fs::write(&file, &content).unwrap();
    for body in [Body::Bytes(content.clone()), Body::File(file)] {
        let blob = cas.put_content(body.clone()).await.unwrap();
        let object = cas.object_path(&blob.digest);
        let mut damaged = content.clone();
        damaged[999_999] ^= 1;
        fs::write(&object, &damaged).unwrap();
        let error = cas.verify_content(&blob.digest).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        cas.put_content(body).await.unwrap();
        cas.verify_content(&blob.digest).await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_result_of_a_step_is_made_again_and_so_mended() {
    use mlops_core::memory::MemoryJournal;
    use mlops_core::pipeline::{Cancel, Executor, ExecutorOptions, Plan, Step};
    let (folder, cas) = store();
    let step = Step::blocking("a", |context| context.write("y", "made")).unwrap();
    let plan = Plan::builder("p").unwrap().step(step.output("y").unwrap()).build().unwrap();
    let journal = Arc::new(MemoryJournal::new(Arc::new(SystemClock)));
    let options = ExecutorOptions::new(folder.path().join("work"));
    let executor = Executor::new(Arc::new(cas.clone()), journal, options);
    let run =
        async |id: &str| executor.run(&plan, &id.parse().unwrap(), &Cancel::new()).await.unwrap();
    let blob = run("1").await.output("y").unwrap();
    let object = cas.object_path(&blob.digest);
    // Looked up in the cache by another run, and taken up by the same one.
    for id in ["2", "1"] {
        fs::write(&object, "damaged").unwrap();
        let again = run(id).await;
        assert_eq!((again.ran(), again.resumed), (1, 0), "{id}");
        assert_eq!(cas.get_content(&blob.digest).await.unwrap(), b"made");
    }
}

#[tokio::test]
async fn nothing_half_written_is_left_when_a_put_fails() {
    let (folder, cas) = store();
    for bad in [folder.path().join("missing"), folder.path().to_owned()] {
        cas.put_content(Body::File(bad)).await.unwrap_err();
    }
    assert_eq!(fs::read_dir(cas.root().join("tmp")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(cas.root().join("objects")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_path_may_be_file_and_folder_at_once() {
    let (_folder, cas) = store();
    for path in ["a", "a/b", "a.b", "f.x", "d.x/f.y"] {
        cas.put(&ArtifactPath::new(path).unwrap(), path.as_bytes().to_vec().into()).await.unwrap();
    }
    let listed: Vec<Artifact> = cas.list(None).try_collect().await.unwrap();
    let paths: Vec<&str> = listed.iter().map(|artifact| artifact.path.as_str()).collect();
    assert_eq!(paths, ["a", "a.b", "a/b", "d.x/f.y", "f.x"]);
}

#[tokio::test]
async fn a_tree_comes_back_as_it_was_and_versions_follow_each_other() {
    let (folder, cas) = store();
    let data = MemoryData::new(Arc::new(SystemClock));
    let source = folder.path().join("source");
    fs::create_dir_all(source.join("deep/er")).unwrap();
    fs::write(source.join("a.csv"), "1,2").unwrap();
    fs::write(source.join("deep/er/b.csv"), "").unwrap();
    let name = DatasetName::new("d").unwrap();
    let first = add(&cas, &data, name.clone(), &source, "first").await.unwrap();
    let again = add(&cas, &data, name.clone(), &source, "again").await.unwrap();
    assert_eq!((first.files, first.parent.clone(), &again), (2, None, &first));
    fs::write(source.join("a.csv"), "1,3").unwrap();
    let second = add(&cas, &data, name.clone(), &source, "second").await.unwrap();
    assert_eq!(second.parent.as_ref(), Some(&first.id));
    let diff = data.diff(&first.id, &second.id).await.unwrap();
    assert_eq!((diff.changed.len(), diff.added.len()), (1, 0));

    let out = folder.path().join("out");
    checkout(&cas, &data, &first.id, &out).await.unwrap();
    assert_eq!(fs::read_to_string(out.join("a.csv")).unwrap(), "1,2");
    assert_eq!(fs::read(out.join("deep/er/b.csv")).unwrap(), b"");
    assert_eq!(
        checkout(&cas, &data, &first.id, &out).await.unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );

    let object =
        cas.object_path(&data.manifest(&second.id).await.unwrap().get("a.csv").unwrap().digest);
    fs::write(object, "1,4").unwrap();
    let half = folder.path().join("half");
    assert_eq!(
        checkout(&cas, &data, &second.id, &half).await.unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("half")), "{left:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn what_could_not_come_back_is_not_taken_in() {
    use std::os::unix::ffi::OsStrExt as _;
    let (folder, cas) = store();
    let data = MemoryData::new(Arc::new(SystemClock));
    let name = DatasetName::new("d").unwrap();
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", source.join("link")).unwrap();
    let error = add(&cas, &data, name.clone(), &source, "").await.unwrap_err();
    assert!(error.to_string().contains("link"), "{error}");
    fs::remove_file(source.join("link")).unwrap();
    fs::write(source.join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    assert_eq!(
        add(&cas, &data, name, &source, "").await.unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}

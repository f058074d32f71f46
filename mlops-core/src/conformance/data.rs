//! The rules of [`DataVersionStore`].

use futures::TryStreamExt as _;

use super::{fails, ok};
use crate::artifact::Blob;
use crate::data::{DataVersion, DataVersionStore, Entry, Manifest, NewDataVersion, newest};
use crate::error::ErrorKind;
use crate::id::{ArtifactPath, DataVersionId, DatasetName, Digest};

/// One test for each rule of data versions.
#[macro_export]
macro_rules! data_suite {
    ($make:expr) => {
        $crate::suite_tests! { data, $make;
            version_is_known_by_its_content
            same_content_is_committed_once
            same_content_in_another_data_set_is_another_version
            empty_version_is_a_version
            parent_must_exist
            unknown_version_is_not_found
            versions_are_listed_newest_first
            difference_names_the_files
            lineage_leads_back_to_the_first
        }
    };
}

fn dataset(name: &str) -> DatasetName {
    ok(DatasetName::new(name))
}

fn manifest(files: &[(&str, &str)]) -> Manifest {
    let entry = |(path, content): &(&str, &str)| Entry {
        path: ok(ArtifactPath::new(path)),
        blob: Blob { digest: Digest::of(content.as_bytes()), size: content.len() as u64 },
    };
    ok(Manifest::new(files.iter().map(entry)))
}

fn new(name: &str, files: &[(&str, &str)]) -> NewDataVersion {
    NewDataVersion::new(dataset(name), manifest(files))
}

fn nobody() -> DataVersionId {
    ok(DataVersionId::new("b3:0000"))
}

async fn list(store: &dyn DataVersionStore, name: Option<&str>) -> Vec<DataVersion> {
    let name = name.map(dataset);
    ok(store.list(name.as_ref()).try_collect().await)
}

#[allow(missing_docs)]
pub async fn version_is_known_by_its_content(store: &dyn DataVersionStore) {
    let files = [("a.csv", "1,2"), ("b/c.csv", "")];
    let made = ok(store.commit(new("d", &files).with_message("first")).await);
    assert_eq!(made.id, manifest(&files).id());
    assert_eq!((made.files, made.bytes, made.message.as_str()), (2, 3, "first"));
    assert_eq!(ok(store.get(&made.id).await), made);
    assert_eq!(ok(store.manifest(&made.id).await), manifest(&files));
}

#[allow(missing_docs)]
pub async fn same_content_is_committed_once(store: &dyn DataVersionStore) {
    let first = ok(store.commit(new("d", &[("a", "1")]).with_message("first")).await);
    let again = ok(store.commit(new("d", &[("a", "1")]).with_message("again")).await);
    assert_eq!(again, first);
    assert_eq!(list(store, None).await, [first]);
}

#[allow(missing_docs)]
pub async fn same_content_in_another_data_set_is_another_version(store: &dyn DataVersionStore) {
    let first = ok(store.commit(new("d", &[("a", "1")])).await);
    let second = ok(store.commit(new("e", &[("a", "1")])).await);
    assert_eq!((first.id, list(store, Some("e")).await), (second.id.clone(), vec![second]));
}

#[allow(missing_docs)]
pub async fn empty_version_is_a_version(store: &dyn DataVersionStore) {
    let made = ok(store.commit(new("d", &[])).await);
    assert_eq!((made.files, made.bytes), (0, 0));
    assert!(ok(store.manifest(&made.id).await).is_empty());
}

#[allow(missing_docs)]
pub async fn parent_must_exist(store: &dyn DataVersionStore) {
    fails(store.commit(new("d", &[("a", "1")]).with_parent(nobody())).await, ErrorKind::NotFound);
    assert!(list(store, None).await.is_empty());
}

#[allow(missing_docs)]
pub async fn unknown_version_is_not_found(store: &dyn DataVersionStore) {
    fails(store.get(&nobody()).await, ErrorKind::NotFound);
    fails(store.manifest(&nobody()).await, ErrorKind::NotFound);
    fails(store.lineage(&nobody()).await, ErrorKind::NotFound);
    assert!(list(store, Some("nobody")).await.is_empty());
    assert_eq!(ok(newest(store, &dataset("nobody")).await), None);
}

#[allow(missing_docs)]
pub async fn versions_are_listed_newest_first(store: &dyn DataVersionStore) {
    let mut made = Vec::new();
    for content in ["1", "2", "3"] {
        made.insert(0, ok(store.commit(new("d", &[("a", content)])).await));
    }
    ok(store.commit(new("e", &[("a", "4")])).await);
    assert_eq!(list(store, Some("d")).await, made);
    assert_eq!(list(store, None).await.len(), 4);
    assert_eq!(ok(newest(store, &dataset("d")).await).as_ref(), made.first());
}

#[allow(missing_docs)]
pub async fn difference_names_the_files(store: &dyn DataVersionStore) {
    let first = ok(store.commit(new("d", &[("same", "1"), ("gone", "1"), ("other", "1")])).await);
    let second = ok(store.commit(new("d", &[("same", "1"), ("new", "1"), ("other", "2")])).await);
    let diff = ok(store.diff(&first.id, &second.id).await);
    assert_eq!((diff.added[0].path.as_str(), diff.removed[0].path.as_str()), ("new", "gone"));
    assert_eq!(diff.changed.iter().map(|(path, ..)| path.as_str()).collect::<Vec<_>>(), ["other"]);
    assert!(ok(store.diff(&second.id, &second.id).await).is_empty());
}

#[allow(missing_docs)]
pub async fn lineage_leads_back_to_the_first(store: &dyn DataVersionStore) {
    let first = ok(store.commit(new("d", &[("a", "1")])).await);
    let second = ok(store.commit(new("d", &[("a", "2")]).with_parent(first.id.clone())).await);
    let third = ok(store.commit(new("d", &[("a", "3")]).with_parent(second.id.clone())).await);
    let line = ok(store.lineage(&third.id).await);
    assert_eq!(
        line.iter().map(|version| &version.id).collect::<Vec<_>>(),
        [&third.id, &second.id, &first.id]
    );
}

//! The rules of [`JournalStore`].

use std::time::Duration;

use futures::TryStreamExt as _;
use futures::future::join_all;
use serde_json::json;

use super::{fails, ok};
use crate::error::ErrorKind;
use crate::id::{LeaseOwner, StreamName};
use crate::journal::{Append, Epoch, JournalStore, Recorded};

/// One test for each rule of a journal.
#[macro_export]
macro_rules! journal_suite {
    ($make:expr) => {
        $crate::suite_tests! { journal, $make;
            entries_come_back_in_order
            unknown_stream_is_empty
            append_with_a_taken_number_is_conflict
            append_beyond_the_next_number_is_conflict
            repeated_append_records_nothing
            of_concurrent_appends_one_wins
            streams_are_listed_under_a_prefix
            lease_keeps_others_out
            lease_of_the_same_owner_is_taken_over
            expired_lease_is_free
            released_lease_is_free
            old_epoch_writes_nothing
            write_without_an_epoch_is_fenced_while_a_lease_is_held
            old_release_changes_nothing
        }
    };
}

const LONG: Duration = Duration::from_secs(3_600);

fn stream(name: &str) -> StreamName {
    ok(StreamName::new(name))
}

fn owner(name: &str) -> LeaseOwner {
    ok(LeaseOwner::new(name))
}

fn append(sequence: u64, entry: serde_json::Value) -> Append {
    Append { stream: stream("a/b"), sequence, epoch: None, entry }
}

fn under(sequence: u64, epoch: Epoch) -> Append {
    Append { epoch: Some(epoch), ..append(sequence, json!({ "by": epoch.0 })) }
}

async fn entries(store: &dyn JournalStore) -> Vec<serde_json::Value> {
    let recorded: Vec<Recorded> = ok(store.read(&stream("a/b"), 1).try_collect().await);
    assert!(recorded.iter().zip(1..).all(|(entry, number)| entry.sequence == number));
    recorded.into_iter().map(|entry| entry.entry).collect()
}

#[allow(missing_docs)]
pub async fn entries_come_back_in_order(store: &dyn JournalStore) {
    let values = [
        json!({ "x": [1, null, "é\u{1F600}"], "f": 0.1 }),
        json!("text"),
        json!(null),
        json!(1e300),
    ];
    for (value, number) in values.iter().zip(1..) {
        ok(store.append(append(number, value.clone())).await);
    }
    assert_eq!(entries(store).await, values);
    let tail: Vec<Recorded> = ok(store.read(&stream("a/b"), 3).try_collect().await);
    assert_eq!(tail.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(ok(store.last(&stream("a/b")).await), tail.last().cloned());
}

#[allow(missing_docs)]
pub async fn unknown_stream_is_empty(store: &dyn JournalStore) {
    assert!(entries(store).await.is_empty());
    assert_eq!(ok(store.last(&stream("a/b")).await), None);
}

#[allow(missing_docs)]
pub async fn append_with_a_taken_number_is_conflict(store: &dyn JournalStore) {
    ok(store.append(append(1, json!(1))).await);
    fails(store.append(append(1, json!(2))).await, ErrorKind::Conflict);
    fails(store.append(append(0, json!(2))).await, ErrorKind::Conflict);
    assert_eq!(entries(store).await, [json!(1)]);
}

#[allow(missing_docs)]
pub async fn append_beyond_the_next_number_is_conflict(store: &dyn JournalStore) {
    fails(store.append(append(2, json!(1))).await, ErrorKind::Conflict);
    fails(store.append(append(u64::MAX, json!(1))).await, ErrorKind::Conflict);
    assert!(entries(store).await.is_empty());
}

#[allow(missing_docs)]
pub async fn repeated_append_records_nothing(store: &dyn JournalStore) {
    for number in [1, 2, 2, 1] {
        ok(store.append(append(number, json!({ "n": number }))).await);
    }
    assert_eq!(entries(store).await.len(), 2);
}

#[allow(missing_docs)]
pub async fn of_concurrent_appends_one_wins(store: &dyn JournalStore) {
    let outcomes = join_all((0..20).map(|writer| store.append(append(1, json!(writer))))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let winner = outcomes.iter().position(Result::is_ok);
    assert_eq!(entries(store).await, [json!(winner)]);
}

#[allow(missing_docs)]
pub async fn streams_are_listed_under_a_prefix(store: &dyn JournalStore) {
    for name in ["a/b", "a", "ab", "a/b/c", "b_d", "bXd/e"] {
        ok(store.append(Append { stream: stream(name), ..append(1, json!(1)) }).await);
    }
    let list = async |prefix: Option<&str>| {
        let prefix = prefix.map(stream);
        let names: Vec<StreamName> = ok(store.streams(prefix.as_ref()).try_collect().await);
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(list(Some("a")).await, ["a", "a/b", "a/b/c"]);
    assert_eq!(list(Some("b_d")).await, ["b_d"]);
    assert_eq!(list(None).await.len(), 6);
}

#[allow(missing_docs)]
pub async fn lease_keeps_others_out(store: &dyn JournalStore) {
    let held = ok(store.acquire(&stream("a/b"), &owner("first"), LONG).await);
    let refused = store.acquire(&stream("a/b"), &owner("second"), LONG).await;
    assert!(
        refused.as_ref().is_err_and(|error| error.to_string().contains("first")),
        "{refused:?}"
    );
    fails(refused, ErrorKind::Conflict);
    ok(store.acquire(&stream("a/c"), &owner("second"), LONG).await);
    ok(store.append(under(1, held.epoch)).await);
}

#[allow(missing_docs)]
pub async fn lease_of_the_same_owner_is_taken_over(store: &dyn JournalStore) {
    let dead = ok(store.acquire(&stream("a/b"), &owner("me"), LONG).await);
    let alive = ok(store.acquire(&stream("a/b"), &owner("me"), LONG).await);
    assert!(alive.epoch > dead.epoch);
    fails(store.append(under(1, dead.epoch)).await, ErrorKind::Fenced);
    ok(store.append(under(1, alive.epoch)).await);
}

#[allow(missing_docs)]
pub async fn expired_lease_is_free(store: &dyn JournalStore) {
    let old = ok(store.acquire(&stream("a/b"), &owner("first"), Duration::ZERO).await);
    let new = ok(store.acquire(&stream("a/b"), &owner("second"), LONG).await);
    assert!(new.epoch > old.epoch);
    fails(store.renew(&old, LONG).await, ErrorKind::Fenced);
    assert!(ok(store.renew(&new, LONG * 2).await).expires > new.expires);
}

#[allow(missing_docs)]
pub async fn released_lease_is_free(store: &dyn JournalStore) {
    let old = ok(store.acquire(&stream("a/b"), &owner("first"), LONG).await);
    ok(store.release(&old).await);
    ok(store.append(append(1, json!(1))).await);
    let new = ok(store.acquire(&stream("a/b"), &owner("second"), LONG).await);
    assert!(new.epoch > old.epoch);
}

#[allow(missing_docs)]
pub async fn old_epoch_writes_nothing(store: &dyn JournalStore) {
    let old = ok(store.acquire(&stream("a/b"), &owner("first"), Duration::ZERO).await);
    ok(store.append(under(1, old.epoch)).await);
    let new = ok(store.acquire(&stream("a/b"), &owner("second"), LONG).await);
    fails(store.append(under(2, old.epoch)).await, ErrorKind::Fenced);
    fails(store.append(under(2, Epoch(new.epoch.0 + 1))).await, ErrorKind::Fenced);
    assert_eq!(entries(store).await.len(), 1);
}

#[allow(missing_docs)]
pub async fn write_without_an_epoch_is_fenced_while_a_lease_is_held(store: &dyn JournalStore) {
    ok(store.append(append(1, json!(1))).await);
    let lease = ok(store.acquire(&stream("a/b"), &owner("first"), LONG).await);
    fails(store.append(append(2, json!(2))).await, ErrorKind::Fenced);
    ok(store.release(&lease).await);
    ok(store.append(append(2, json!(2))).await);
}

#[allow(missing_docs)]
pub async fn old_release_changes_nothing(store: &dyn JournalStore) {
    let old = ok(store.acquire(&stream("a/b"), &owner("me"), LONG).await);
    let new = ok(store.acquire(&stream("a/b"), &owner("me"), LONG).await);
    ok(store.release(&old).await);
    fails(store.acquire(&stream("a/b"), &owner("other"), LONG).await, ErrorKind::Conflict);
    ok(store.append(under(1, new.epoch)).await);
}

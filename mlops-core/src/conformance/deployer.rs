//! The rules of [`Deployer`].

use async_trait::async_trait;
use futures::TryStreamExt as _;

use super::{fails, ok};
use crate::deploy::{Deployer, LogLine, LogQuery, RevisionRef, RevisionSpec, RevisionStatus};
use crate::error::ErrorKind;
use crate::id::{EndpointName, RevisionName};

/// One test for each rule of a deployer, given a [`DeployerFixture`].
#[macro_export]
macro_rules! deployer_suite {
    ($make:expr) => {
        $crate::suite_tests! { deployer, $make;
            applied_revision_becomes_ready
            apply_names_the_spec_it_runs
            repeated_apply_starts_nothing
            apply_of_another_spec_is_already_exists
            get_of_unknown_is_not_found
            logs_of_unknown_are_not_found
            list_is_ordered_by_name_and_by_endpoint
            list_of_unknown_endpoint_is_empty
            deleted_revision_is_gone
            delete_of_what_is_absent_succeeds
            deleted_name_may_be_applied_again
            log_tail_is_its_end
        }
    };
}

/// A deployer and what it can run.
#[async_trait]
pub trait DeployerFixture: Send + Sync {
    /// The deployer, without revisions.
    fn deployer(&self) -> &dyn Deployer;

    /// A spec under this name that becomes ready; the same name gives the same spec.
    fn workable(&self, revision: RevisionRef) -> RevisionSpec;

    /// Another spec under this name.
    fn different(&self, revision: RevisionRef) -> RevisionSpec {
        let spec = self.workable(revision);
        let drain = spec.drain + std::time::Duration::from_secs(1);
        spec.with_drain(drain)
    }

    /// Lets some time pass between two polls; at most 500 polls are made.
    async fn settle(&self);
}

const POLLS: usize = 500;

fn named(endpoint: &str, revision: &str) -> RevisionRef {
    let endpoint = ok(EndpointName::new(endpoint));
    RevisionRef { endpoint, revision: ok(RevisionName::new(revision)) }
}

async fn apply_ready(fixture: &dyn DeployerFixture, revision: &RevisionRef) -> RevisionStatus {
    ok(fixture.deployer().apply(fixture.workable(revision.clone())).await);
    for _ in 0..POLLS {
        let status = ok(fixture.deployer().get(revision).await);
        if status.is_ready() {
            return status;
        }
        fixture.settle().await;
    }
    panic!("{revision} does not become ready: {:?}", fixture.deployer().get(revision).await);
}

async fn names(fixture: &dyn DeployerFixture, endpoint: &str) -> Vec<String> {
    let listed = fixture.deployer().list(&ok(EndpointName::new(endpoint)));
    let listed: Vec<RevisionStatus> = ok(listed.try_collect().await);
    listed.iter().map(|status| status.revision.revision.to_string()).collect()
}

#[allow(missing_docs)]
pub async fn applied_revision_becomes_ready(fixture: &dyn DeployerFixture) {
    let status = apply_ready(fixture, &named("a", "one")).await;
    assert_eq!((status.ready, status.wanted), (status.wanted, status.ready));
    assert!(!status.addresses.is_empty(), "a ready revision answers somewhere");
}

#[allow(missing_docs)]
pub async fn apply_names_the_spec_it_runs(fixture: &dyn DeployerFixture) {
    let name = named("a", "one");
    let spec = fixture.workable(name.clone());
    let applied = ok(fixture.deployer().apply(spec.clone()).await);
    assert_eq!((applied.revision, applied.spec), (name, ok(spec.digest())));
}

#[allow(missing_docs)]
pub async fn repeated_apply_starts_nothing(fixture: &dyn DeployerFixture) {
    let first = apply_ready(fixture, &named("a", "one")).await;
    let again = ok(fixture.deployer().apply(fixture.workable(named("a", "one"))).await);
    assert_eq!(again.addresses, first.addresses);
    assert_eq!((again.since, again.restarts), (first.since, first.restarts));
    assert_eq!(names(fixture, "a").await, ["one"]);
}

#[allow(missing_docs)]
pub async fn apply_of_another_spec_is_already_exists(fixture: &dyn DeployerFixture) {
    let name = named("a", "one");
    let first = apply_ready(fixture, &name).await;
    let other = fixture.different(name.clone());
    fails(fixture.deployer().apply(other).await, ErrorKind::AlreadyExists);
    assert_eq!(ok(fixture.deployer().get(&name).await).spec, first.spec);
}

#[allow(missing_docs)]
pub async fn get_of_unknown_is_not_found(fixture: &dyn DeployerFixture) {
    fails(fixture.deployer().get(&named("a", "none")).await, ErrorKind::NotFound);
}

#[allow(missing_docs)]
pub async fn logs_of_unknown_are_not_found(fixture: &dyn DeployerFixture) {
    let logs = fixture.deployer().logs(&named("a", "none"), LogQuery::default());
    fails(logs.try_collect::<Vec<LogLine>>().await, ErrorKind::NotFound);
}

#[allow(missing_docs)]
pub async fn list_is_ordered_by_name_and_by_endpoint(fixture: &dyn DeployerFixture) {
    for (endpoint, revision) in [("a", "two"), ("a", "one"), ("b", "three")] {
        ok(fixture.deployer().apply(fixture.workable(named(endpoint, revision))).await);
    }
    assert_eq!(names(fixture, "a").await, ["one", "two"]);
    assert_eq!(names(fixture, "b").await, ["three"]);
}

#[allow(missing_docs)]
pub async fn list_of_unknown_endpoint_is_empty(fixture: &dyn DeployerFixture) {
    assert!(names(fixture, "none").await.is_empty());
}

#[allow(missing_docs)]
pub async fn deleted_revision_is_gone(fixture: &dyn DeployerFixture) {
    let (one, two) = (named("a", "one"), named("a", "two"));
    apply_ready(fixture, &one).await;
    apply_ready(fixture, &two).await;
    ok(fixture.deployer().delete(&one).await);
    fails(fixture.deployer().get(&one).await, ErrorKind::NotFound);
    assert_eq!(names(fixture, "a").await, ["two"]);
    assert!(ok(fixture.deployer().get(&two).await).is_ready());
}

#[allow(missing_docs)]
pub async fn delete_of_what_is_absent_succeeds(fixture: &dyn DeployerFixture) {
    let name = named("a", "one");
    ok(fixture.deployer().delete(&name).await);
    apply_ready(fixture, &name).await;
    ok(fixture.deployer().delete(&name).await);
    ok(fixture.deployer().delete(&name).await);
}

#[allow(missing_docs)]
pub async fn deleted_name_may_be_applied_again(fixture: &dyn DeployerFixture) {
    let name = named("a", "one");
    apply_ready(fixture, &name).await;
    ok(fixture.deployer().delete(&name).await);
    apply_ready(fixture, &name).await;
}

#[allow(missing_docs)]
pub async fn log_tail_is_its_end(fixture: &dyn DeployerFixture) {
    let name = named("a", "one");
    apply_ready(fixture, &name).await;
    let read = |query| fixture.deployer().logs(&name, query).try_collect::<Vec<LogLine>>();
    for _ in 0..POLLS {
        let before = ok(read(LogQuery::default()).await);
        let tails = [ok(read(tail(1)).await), ok(read(tail(3)).await), ok(read(tail(9_999)).await)];
        if ok(read(LogQuery::default()).await) != before {
            // It went on printing meanwhile.
            fixture.settle().await;
            continue;
        }
        let end = |lines: usize| ends(&before, lines);
        assert_eq!(tails, [end(1), end(3), before.clone()]);
        return;
    }
    panic!("{name} does not stop printing");
}

fn tail(lines: usize) -> LogQuery {
    LogQuery::default().with_tail(lines)
}

/// The last lines of each replica.
fn ends(all: &[LogLine], lines: usize) -> Vec<LogLine> {
    let left = |at: usize| all[at..].iter().filter(|line| line.replica == all[at].replica).count();
    (0..all.len()).filter(|at| left(*at) <= lines).map(|at| all[at].clone()).collect()
}

//! The rules of [`Traffic`] and [`ServiceMetrics`].

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{fails, ok};
use crate::deploy::{
    Backend, Generation, Mirror, ObservedTraffic, Percent, ServiceMetrics, Split, Stickiness,
    Support, Traffic, TrafficSpec,
};
use crate::error::ErrorKind;
use crate::id::{EndpointName, RevisionName};

/// One test for each rule of a data plane, given a [`TrafficFixture`].
#[macro_export]
macro_rules! traffic_suite {
    ($make:expr) => {
        $crate::suite_tests! { traffic, $make;
            unknown_endpoint_is_not_found
            set_takes_effect
            repeated_set_changes_nothing
            stale_generation_is_fenced
            same_generation_with_another_spec_is_conflict
            refused_set_leaves_the_split
            removed_endpoint_is_not_found
            repeated_remove_changes_nothing
            set_after_removal_needs_a_newer_generation
            stale_removal_is_fenced
            weights_in_effect_sum_to_100
            share_of_0_gets_no_request
            share_of_100_gets_all_requests
            requests_follow_the_split
            mirror_is_in_effect_or_unsupported
            stickiness_is_in_effect_or_unsupported
            counts_only_grow
            endpoints_are_apart
        }
    };
}

/// A data plane, and revisions that answer.
#[async_trait]
pub trait TrafficFixture: Send + Sync {
    /// The data plane, without endpoints.
    fn traffic(&self) -> &dyn Traffic;

    /// What counts its requests.
    fn metrics(&self) -> &dyn ServiceMetrics;

    /// Where a revision answers that does answer; the same name gives the same place.
    fn backend(&self, revision: &RevisionName) -> Backend;

    /// Sends requests one after the other, each with this key where one is given, and says which
    /// revision answered how many.
    async fn send(
        &self,
        endpoint: &EndpointName,
        requests: u32,
        key: Option<&str>,
    ) -> BTreeMap<RevisionName, u32>;

    /// Lets some time pass between two polls; at most 500 polls are made.
    async fn settle(&self);
}

const POLLS: usize = 500;
const HEADER: &str = "x-key";

fn endpoint() -> EndpointName {
    ok(EndpointName::new("a"))
}

fn revision(name: &str) -> RevisionName {
    ok(RevisionName::new(name))
}

/// `share` to `new`, the rest to `old`.
fn spec(fixture: &dyn TrafficFixture, generation: u64, share: u8) -> TrafficSpec {
    let (old, new) = (revision("old"), revision("new"));
    let backends = [&old, &new].map(|name| (name.clone(), fixture.backend(name)));
    let split = ok(Split::between(old, new, ok(Percent::new(share))));
    ok(TrafficSpec::new(endpoint(), Generation(generation), split, backends.into()))
}

async fn in_effect(fixture: &dyn TrafficFixture, generation: u64) -> ObservedTraffic {
    for _ in 0..POLLS {
        match fixture.traffic().observed(&endpoint()).await {
            Ok(there) if there.generation == Generation(generation) => return there,
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}"),
        }
        fixture.settle().await;
    }
    panic!("generation {generation} does not take effect");
}

async fn set(fixture: &dyn TrafficFixture, spec: TrafficSpec) -> ObservedTraffic {
    let generation = spec.generation.0;
    ok(fixture.traffic().set(spec).await);
    in_effect(fixture, generation).await
}

async fn gone(fixture: &dyn TrafficFixture) {
    for _ in 0..POLLS {
        match fixture.traffic().observed(&endpoint()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            _ => fixture.settle().await,
        }
    }
    panic!("the removal does not take effect");
}

#[allow(missing_docs)]
pub async fn unknown_endpoint_is_not_found(fixture: &dyn TrafficFixture) {
    fails(fixture.traffic().observed(&endpoint()).await, ErrorKind::NotFound);
    assert!(ok(fixture.metrics().counts(&endpoint()).await).is_empty());
}

#[allow(missing_docs)]
pub async fn set_takes_effect(fixture: &dyn TrafficFixture) {
    let asked = spec(fixture, 3, 10);
    let seen = set(fixture, asked.clone()).await;
    assert_eq!((seen.split, seen.mirror), (asked.split, None));
    let seen = set(fixture, spec(fixture, 7, 60)).await;
    assert_eq!(seen.split.share(&revision("new")).get(), 60);
}

#[allow(missing_docs)]
pub async fn repeated_set_changes_nothing(fixture: &dyn TrafficFixture) {
    let first = set(fixture, spec(fixture, 3, 10)).await;
    ok(fixture.traffic().set(spec(fixture, 3, 10)).await);
    assert_eq!(in_effect(fixture, 3).await.split, first.split);
}

#[allow(missing_docs)]
pub async fn stale_generation_is_fenced(fixture: &dyn TrafficFixture) {
    set(fixture, spec(fixture, 3, 10)).await;
    fails(fixture.traffic().set(spec(fixture, 2, 20)).await, ErrorKind::Fenced);
    fails(fixture.traffic().set(spec(fixture, 2, 10)).await, ErrorKind::Fenced);
}

#[allow(missing_docs)]
pub async fn same_generation_with_another_spec_is_conflict(fixture: &dyn TrafficFixture) {
    set(fixture, spec(fixture, 3, 10)).await;
    fails(fixture.traffic().set(spec(fixture, 3, 20)).await, ErrorKind::Conflict);
}

#[allow(missing_docs)]
pub async fn refused_set_leaves_the_split(fixture: &dyn TrafficFixture) {
    set(fixture, spec(fixture, 3, 10)).await;
    fails(fixture.traffic().set(spec(fixture, 2, 90)).await, ErrorKind::Fenced);
    fails(fixture.traffic().set(spec(fixture, 3, 90)).await, ErrorKind::Conflict);
    fixture.settle().await;
    assert_eq!(in_effect(fixture, 3).await.split.share(&revision("new")).get(), 10);
}

#[allow(missing_docs)]
pub async fn removed_endpoint_is_not_found(fixture: &dyn TrafficFixture) {
    set(fixture, spec(fixture, 3, 10)).await;
    ok(fixture.traffic().remove(&endpoint(), Generation(4)).await);
    gone(fixture).await;
}

#[allow(missing_docs)]
pub async fn repeated_remove_changes_nothing(fixture: &dyn TrafficFixture) {
    ok(fixture.traffic().remove(&endpoint(), Generation(4)).await);
    ok(fixture.traffic().remove(&endpoint(), Generation(4)).await);
    gone(fixture).await;
}

#[allow(missing_docs)]
pub async fn set_after_removal_needs_a_newer_generation(fixture: &dyn TrafficFixture) {
    set(fixture, spec(fixture, 3, 10)).await;
    ok(fixture.traffic().remove(&endpoint(), Generation(4)).await);
    gone(fixture).await;
    fails(fixture.traffic().set(spec(fixture, 3, 10)).await, ErrorKind::Fenced);
    fails(fixture.traffic().set(spec(fixture, 4, 10)).await, ErrorKind::Conflict);
    set(fixture, spec(fixture, 5, 10)).await;
}

#[allow(missing_docs)]
pub async fn stale_removal_is_fenced(fixture: &dyn TrafficFixture) {
    set(fixture, spec(fixture, 3, 10)).await;
    let traffic = fixture.traffic();
    fails(traffic.remove(&endpoint(), Generation(2)).await, ErrorKind::Fenced);
    fails(traffic.remove(&endpoint(), Generation(3)).await, ErrorKind::Conflict);
    in_effect(fixture, 3).await;
}

#[allow(missing_docs)]
pub async fn weights_in_effect_sum_to_100(fixture: &dyn TrafficFixture) {
    for (generation, share) in [(1, 0), (2, 1), (3, 50), (4, 100), (5, 33)] {
        let seen = set(fixture, spec(fixture, generation, share)).await;
        let sum: u32 = seen.split.iter().map(|(_, share)| u32::from(share.get())).sum();
        assert_eq!(sum, 100);
    }
}

#[allow(missing_docs)]
pub async fn share_of_0_gets_no_request(fixture: &dyn TrafficFixture) {
    set(fixture, spec(fixture, 1, 50)).await;
    set(fixture, spec(fixture, 2, 0)).await;
    let answered = fixture.send(&endpoint(), 200, None).await;
    assert_eq!(answered, BTreeMap::from([(revision("old"), 200)]));
}

#[allow(missing_docs)]
pub async fn share_of_100_gets_all_requests(fixture: &dyn TrafficFixture) {
    set(fixture, spec(fixture, 1, 50)).await;
    set(fixture, spec(fixture, 2, 100)).await;
    let answered = fixture.send(&endpoint(), 200, None).await;
    assert_eq!(answered, BTreeMap::from([(revision("new"), 200)]));
}

/// Within five standard errors of a random split, which a deterministic one is well within.
#[allow(missing_docs)]
pub async fn requests_follow_the_split(fixture: &dyn TrafficFixture) {
    set(fixture, spec(fixture, 1, 20)).await;
    let answered = fixture.send(&endpoint(), 1_000, None).await;
    assert_eq!(answered.values().sum::<u32>(), 1_000);
    let new = answered.get(&revision("new")).copied().unwrap_or(0);
    assert!((137..=263).contains(&new), "{new} of 1000 at 20 %");
}

#[allow(missing_docs)]
pub async fn mirror_is_in_effect_or_unsupported(fixture: &dyn TrafficFixture) {
    let mirror = Mirror { revision: revision("new"), percent: Percent::ALL };
    let asked = ok(spec(fixture, 1, 0).with_mirror(mirror.clone()));
    if fixture.traffic().capabilities().mirror == Support::No {
        fails(fixture.traffic().set(asked).await, ErrorKind::Unsupported);
        return;
    }
    assert_eq!(set(fixture, asked).await.mirror, Some(mirror));
    let answered = fixture.send(&endpoint(), 50, None).await;
    assert_eq!(answered, BTreeMap::from([(revision("old"), 50)]), "copies answer nobody");
}

#[allow(missing_docs)]
pub async fn stickiness_is_in_effect_or_unsupported(fixture: &dyn TrafficFixture) {
    let asked = spec(fixture, 1, 50).with_stickiness(Stickiness { header: HEADER.to_owned() });
    if fixture.traffic().capabilities().sticky == Support::No {
        fails(fixture.traffic().set(asked).await, ErrorKind::Unsupported);
        return;
    }
    set(fixture, asked).await;
    let mut seen = std::collections::BTreeSet::new();
    for key in 0..40 {
        let answered = fixture.send(&endpoint(), 5, Some(&key.to_string())).await;
        assert_eq!(answered.len(), 1, "key {key} went to both: {answered:?}");
        seen.extend(answered.into_keys());
    }
    assert_eq!(seen.len(), 2, "all keys went the same way");
}

#[allow(missing_docs)]
pub async fn counts_only_grow(fixture: &dyn TrafficFixture) {
    set(fixture, spec(fixture, 1, 50)).await;
    let mut before = (0, 0);
    for round in 1..=3_u64 {
        fixture.send(&endpoint(), 100, None).await;
        let mut now = (0, 0);
        for _ in 0..POLLS {
            let counts = ok(fixture.metrics().counts(&endpoint()).await);
            let of = |name| counts.get(&revision(name)).map_or(0, |counts| counts.served.requests);
            now = (of("old"), of("new"));
            if now.0 + now.1 == 100 * round {
                break;
            }
            fixture.settle().await;
        }
        assert_eq!(now.0 + now.1, 100 * round, "each request is counted once");
        assert!(now.0 > before.0 && now.1 > before.1, "{before:?} {now:?}");
        before = now;
    }
}

#[allow(missing_docs)]
pub async fn endpoints_are_apart(fixture: &dyn TrafficFixture) {
    set(fixture, spec(fixture, 9, 10)).await;
    let other = ok(EndpointName::new("b"));
    let asked = TrafficSpec { endpoint: other.clone(), ..spec(fixture, 1, 80) };
    ok(fixture.traffic().set(asked).await);
    ok(fixture.traffic().remove(&other, Generation(2)).await);
    assert_eq!(in_effect(fixture, 9).await.split.share(&revision("new")).get(), 10);
}

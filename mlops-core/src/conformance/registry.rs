//! The rules of [`ModelRegistry`].

use futures::TryStreamExt as _;
use futures::future::join_all;

use super::{fails, ok};
use crate::error::ErrorKind;
use crate::id::{
    Alias, ArtifactPath, DataVersionId, Digest, IdempotencyKey, ModelName, RunId, TagKey,
    VersionNumber,
};
use crate::registry::{
    AliasChange, AuditEntry, AuditEvent, ModelRegistry, ModelVersion, NewModel, NewVersion, Stage,
    StageChange, VersionRef,
};

/// One test for each rule of a registry.
#[macro_export]
macro_rules! registry_suite {
    ($make:expr) => {
        $crate::suite_tests! { registry, $make;
            model_is_created_once
            model_with_other_content_already_exists
            models_are_listed_by_name
            unknown_model_version_and_alias_are_not_found
            versions_are_numbered_without_gaps
            version_keeps_where_it_came_from
            version_is_created_once_for_its_key
            concurrent_versions_get_numbers_of_their_own
            alias_moves_only_from_what_is_expected
            alias_change_with_stale_expectation_is_conflict
            alias_needs_a_version
            of_concurrent_alias_changes_one_wins
            stage_moves_only_from_what_is_expected
            several_versions_may_hold_a_stage
            every_change_is_audited_once
        }
    };
}

fn name() -> ModelName {
    ok(ModelName::new("flights/delay"))
}

fn alias() -> Alias {
    ok(Alias::new("champion"))
}

fn new_version(key: &str) -> NewVersion {
    let (key, path) = (ok(IdempotencyKey::new(key)), ok(ArtifactPath::new("runs/r/model")));
    NewVersion::new(key, name(), Digest::of(b"model"), path)
}

async fn with_versions(registry: &dyn ModelRegistry, count: u32) {
    ok(registry.create_model(NewModel::new(name())).await);
    for number in 1..=count {
        ok(registry.create_version(new_version(&format!("v{number}"))).await);
    }
}

fn change(expected: Option<u32>, next: Option<u32>) -> AliasChange {
    let (expected, next) = (expected.map(VersionNumber), next.map(VersionNumber));
    AliasChange {
        model: name(),
        alias: alias(),
        expected,
        next,
        by: "ada".into(),
        reason: "why".into(),
    }
}

fn stage(version: u32, expected: Stage, next: Stage) -> StageChange {
    let version = VersionNumber(version);
    StageChange { model: name(), version, expected, next, by: "ada".into(), reason: "why".into() }
}

async fn champion(registry: &dyn ModelRegistry) -> Option<u32> {
    ok(registry.get_model(&name()).await).aliases.get(&alias()).map(|number| number.0)
}

async fn audit(registry: &dyn ModelRegistry) -> Vec<AuditEntry> {
    ok(registry.audit(&name()).try_collect().await)
}

#[allow(missing_docs)]
pub async fn model_is_created_once(registry: &dyn ModelRegistry) {
    let new = || {
        NewModel::new(name()).with_description("late or not").with_tag(ok(TagKey::new("a")), "b")
    };
    let made = ok(registry.create_model(new()).await);
    assert_eq!(ok(registry.create_model(new()).await), made);
    assert_eq!(ok(registry.get_model(&name()).await), made);
    assert_eq!(made.description, "late or not");
}

#[allow(missing_docs)]
pub async fn model_with_other_content_already_exists(registry: &dyn ModelRegistry) {
    let made = ok(registry.create_model(NewModel::new(name())).await);
    let other = NewModel::new(name()).with_description("another");
    fails(registry.create_model(other).await, ErrorKind::AlreadyExists);
    assert_eq!(ok(registry.get_model(&name()).await), made);
}

#[allow(missing_docs)]
pub async fn models_are_listed_by_name(registry: &dyn ModelRegistry) {
    for name in ["c", "a", "b"] {
        ok(registry.create_model(NewModel::new(ok(ModelName::new(name)))).await);
    }
    let listed: Vec<_> = ok(registry.list_models().try_collect().await);
    assert_eq!(listed.iter().map(|model| model.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[allow(missing_docs)]
pub async fn unknown_model_version_and_alias_are_not_found(registry: &dyn ModelRegistry) {
    let first = VersionRef::Number(VersionNumber(1));
    fails(registry.get_model(&name()).await, ErrorKind::NotFound);
    fails(registry.create_version(new_version("v")).await, ErrorKind::NotFound);
    fails(registry.get_version(&name(), &first).await, ErrorKind::NotFound);
    fails(registry.audit(&name()).try_collect::<Vec<_>>().await, ErrorKind::NotFound);
    fails(registry.list_versions(&name()).try_collect::<Vec<_>>().await, ErrorKind::NotFound);
    ok(registry.create_model(NewModel::new(name())).await);
    fails(registry.get_version(&name(), &first).await, ErrorKind::NotFound);
    fails(
        registry.get_version(&name(), &VersionRef::Number(VersionNumber(0))).await,
        ErrorKind::NotFound,
    );
    fails(registry.get_version(&name(), &VersionRef::Alias(alias())).await, ErrorKind::NotFound);
    fails(registry.set_stage(stage(1, Stage::None, Stage::Staging)).await, ErrorKind::NotFound);
}

#[allow(missing_docs)]
pub async fn versions_are_numbered_without_gaps(registry: &dyn ModelRegistry) {
    with_versions(registry, 3).await;
    let versions: Vec<ModelVersion> = ok(registry.list_versions(&name()).try_collect().await);
    assert_eq!(versions.iter().map(|version| version.number.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(versions.iter().all(|version| version.stage == Stage::None));
}

#[allow(missing_docs)]
pub async fn version_keeps_where_it_came_from(registry: &dyn ModelRegistry) {
    with_versions(registry, 0).await;
    let data = vec![ok(DataVersionId::new("b3:01")), ok(DataVersionId::new("b3:02"))];
    let new = new_version("v")
        .with_flavour("boosting")
        .with_signature("{\"inputs\":[]}")
        .with_lineage(ok(RunId::new("run")), data.clone(), "commit")
        .with_tag(ok(TagKey::new("a")), "b");
    let made = ok(registry.create_version(new).await);
    assert_eq!(
        ok(registry.get_version(&name(), &VersionRef::Number(VersionNumber(1))).await),
        made
    );
    assert_eq!(
        (made.flavour.as_str(), made.signature.as_deref()),
        ("boosting", Some("{\"inputs\":[]}"))
    );
    assert_eq!(
        (made.run, made.data, made.code.as_deref()),
        (Some(ok(RunId::new("run"))), data, Some("commit"))
    );
}

#[allow(missing_docs)]
pub async fn version_is_created_once_for_its_key(registry: &dyn ModelRegistry) {
    with_versions(registry, 2).await;
    let again = ok(registry.create_version(new_version("v1")).await);
    assert_eq!(again.number, VersionNumber(1));
    assert_eq!(audit(registry).await.len(), 2);
}

#[allow(missing_docs)]
pub async fn concurrent_versions_get_numbers_of_their_own(registry: &dyn ModelRegistry) {
    with_versions(registry, 0).await;
    let create = |i: u32| registry.create_version(new_version(&format!("c{i}")));
    let mut numbers: Vec<u32> =
        join_all((0..30).map(create)).await.into_iter().map(|v| ok(v).number.0).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=30).collect::<Vec<_>>());
}

#[allow(missing_docs)]
pub async fn alias_moves_only_from_what_is_expected(registry: &dyn ModelRegistry) {
    with_versions(registry, 2).await;
    ok(registry.set_alias(change(None, Some(1))).await);
    ok(registry.set_alias(change(Some(1), Some(2))).await);
    let found = ok(registry.get_version(&name(), &VersionRef::Alias(alias())).await);
    assert_eq!(found.number, VersionNumber(2));
    ok(registry.set_alias(change(Some(2), None)).await);
    assert_eq!(champion(registry).await, None);
}

#[allow(missing_docs)]
pub async fn alias_change_with_stale_expectation_is_conflict(registry: &dyn ModelRegistry) {
    with_versions(registry, 3).await;
    ok(registry.set_alias(change(None, Some(1))).await);
    for stale in [None, Some(2), Some(3)] {
        fails(registry.set_alias(change(stale, Some(2))).await, ErrorKind::Conflict);
        fails(registry.set_alias(change(stale, None)).await, ErrorKind::Conflict);
    }
    assert_eq!(champion(registry).await, Some(1));
}

#[allow(missing_docs)]
pub async fn alias_needs_a_version(registry: &dyn ModelRegistry) {
    with_versions(registry, 1).await;
    fails(registry.set_alias(change(None, Some(2))).await, ErrorKind::NotFound);
    assert_eq!(champion(registry).await, None);
}

#[allow(missing_docs)]
pub async fn of_concurrent_alias_changes_one_wins(registry: &dyn ModelRegistry) {
    with_versions(registry, 9).await;
    ok(registry.set_alias(change(None, Some(1))).await);
    let outcomes =
        join_all((2..=9).map(|next| registry.set_alias(change(Some(1), Some(next))))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let winner = outcomes.iter().position(Result::is_ok).map(|place| place as u32 + 2);
    assert_eq!(champion(registry).await, winner);
}

#[allow(missing_docs)]
pub async fn stage_moves_only_from_what_is_expected(registry: &dyn ModelRegistry) {
    with_versions(registry, 1).await;
    fails(
        registry.set_stage(stage(1, Stage::Staging, Stage::Production)).await,
        ErrorKind::Conflict,
    );
    let moved = ok(registry.set_stage(stage(1, Stage::None, Stage::Staging)).await);
    assert_eq!(moved.stage, Stage::Staging);
    let held = ok(registry.get_version(&name(), &VersionRef::Number(VersionNumber(1))).await);
    assert_eq!(held, moved);
    assert_eq!(
        ok(registry.set_stage(stage(1, Stage::None, Stage::Staging)).await).stage,
        Stage::Staging
    );
}

#[allow(missing_docs)]
pub async fn several_versions_may_hold_a_stage(registry: &dyn ModelRegistry) {
    with_versions(registry, 2).await;
    ok(registry.set_stage(stage(1, Stage::None, Stage::Production)).await);
    ok(registry.set_stage(stage(2, Stage::None, Stage::Production)).await);
    let versions: Vec<ModelVersion> = ok(registry.list_versions(&name()).try_collect().await);
    assert!(versions.iter().all(|version| version.stage == Stage::Production));
}

#[allow(missing_docs)]
pub async fn every_change_is_audited_once(registry: &dyn ModelRegistry) {
    with_versions(registry, 1).await;
    for _ in 0..2 {
        ok(registry.set_stage(stage(1, Stage::None, Stage::Staging)).await);
        ok(registry.set_alias(change(None, Some(1))).await);
    }
    fails(registry.set_alias(change(None, None)).await, ErrorKind::Conflict);
    let (version, one) = (VersionNumber(1), Some(VersionNumber(1)));
    let trail = audit(registry).await;
    assert_eq!(trail.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    let events: Vec<AuditEvent> = trail.iter().map(|entry| entry.event.clone()).collect();
    let moved = AuditEvent::StageChanged { version, from: Stage::None, to: Stage::Staging };
    let named = AuditEvent::AliasChanged { alias: alias(), from: None, to: one };
    assert_eq!(events, [AuditEvent::VersionCreated { version }, moved, named]);
    assert!(trail[1..].iter().all(|entry| entry.by == "ada" && entry.reason == "why"));
}

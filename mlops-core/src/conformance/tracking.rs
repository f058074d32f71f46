//! The rules of [`TrackingStore`], but for search.

use futures::TryStreamExt as _;
use futures::future::join_all;

use super::{fails, ok};
use crate::error::ErrorKind;
use crate::id::{
    Digest, ExperimentId, ExperimentName, IdempotencyKey, LoggedModelId, MetricKey, ParamKey,
    RunId, TagKey,
};
use crate::time::Timestamp;
use crate::tracking::{
    DatasetInput, Experiment, ExperimentChange, ExperimentRef, HistoryQuery, Lifecycle,
    LifecycleFilter, ListExperiments, LogBatch, MetricPoint, ModelOutput, NewExperiment, NewRun,
    Receipt, Run, RunChange, RunQuery, RunStatus, Source, SourceKind, TrackingCapability,
    TrackingStore,
};

/// One test for each rule of tracking: experiments, runs, batches, history.
#[macro_export]
macro_rules! tracking_suite {
    ($make:expr) => {
        $crate::suite_tests! { tracking, $make;
            experiment_is_found_by_id_and_by_name
            creating_an_experiment_again_returns_it
            experiment_id_with_another_name_already_exists
            experiment_name_is_unique_among_deleted_ones_too
            unknown_experiment_is_not_found
            experiments_are_listed_oldest_first_behind_a_cursor
            renaming_to_a_taken_name_changes_nothing
            experiment_tags_are_set_and_deleted
            deleting_an_experiment_takes_its_runs_and_restoring_brings_them_back
            run_keeps_everything_it_was_created_with
            creating_a_run_again_returns_it_as_it_is_now
            run_id_with_other_content_already_exists
            run_needs_a_living_experiment_and_a_known_parent
            run_cannot_be_created_ended
            ended_run_has_its_end_and_a_resumed_one_has_none
            started_run_is_never_scheduled_again
            deleted_run_refuses_writes_until_it_is_restored
            batch_brings_everything_at_once
            refused_batch_leaves_nothing_behind
            param_never_changes
            repeated_batch_is_applied_once
            oversized_value_is_refused
            log_to_an_unknown_run_is_not_found
            history_keeps_order_and_every_value
            history_of_many_small_and_large_batches_is_whole
            latest_point_is_by_step_then_time
            history_is_thinned_on_request
            tags_are_set_and_deleted
            inputs_are_kept_once_each
            outputs_are_kept_once_each
            concurrent_batches_are_all_kept
            dropped_calls_are_done_or_not_done
        }
    };
}

pub(super) fn experiment_name(text: &str) -> ExperimentName {
    ok(ExperimentName::new(text))
}

pub(super) fn key(text: &str) -> IdempotencyKey {
    ok(IdempotencyKey::new(text))
}

pub(super) fn metric(text: &str) -> MetricKey {
    ok(MetricKey::new(text))
}

pub(super) fn param(text: &str) -> ParamKey {
    ok(ParamKey::new(text))
}

pub(super) fn tag(text: &str) -> TagKey {
    ok(TagKey::new(text))
}

pub(super) fn point(step: i64, value: f64) -> MetricPoint {
    MetricPoint { step, at: Timestamp::from_millis(step), value }
}

pub(super) async fn new_experiment(store: &dyn TrackingStore, name: &str) -> Experiment {
    let id = ok(ExperimentId::new(format!("id-{name}")));
    ok(store.create_experiment(NewExperiment::new(id, experiment_name(name))).await)
}

pub(super) fn new_run(experiment: &Experiment, id: &str) -> NewRun {
    NewRun::new(ok(RunId::new(id)), experiment.id.clone(), Timestamp::from_millis(1_000))
}

pub(super) async fn one_run(store: &dyn TrackingStore) -> Run {
    let experiment = new_experiment(store, "e").await;
    ok(store.create_run(new_run(&experiment, "r")).await)
}

async fn history(store: &dyn TrackingStore, query: HistoryQuery) -> Vec<MetricPoint> {
    let points: Vec<_> = ok(store.metric_history(query).try_collect().await);
    points.into_iter().map(|history| history.point).collect()
}

fn can(store: &dyn TrackingStore, capability: TrackingCapability) -> bool {
    store.capabilities().contains(&capability)
}

#[allow(missing_docs)]
pub async fn experiment_is_found_by_id_and_by_name(store: &dyn TrackingStore) {
    let made = new_experiment(store, "e").await;
    assert_eq!(made.lifecycle, Lifecycle::Active);
    assert_eq!(ok(store.get_experiment(&ExperimentRef::Id(made.id.clone())).await), made);
    assert_eq!(ok(store.get_experiment(&ExperimentRef::Name(made.name.clone())).await), made);
}

#[allow(missing_docs)]
pub async fn creating_an_experiment_again_returns_it(store: &dyn TrackingStore) {
    let first = new_experiment(store, "e").await;
    assert_eq!(new_experiment(store, "e").await, first);
    let all: Vec<_> = ok(store.list_experiments(ListExperiments::default()).try_collect().await);
    assert_eq!(all, [first]);
}

#[allow(missing_docs)]
pub async fn experiment_id_with_another_name_already_exists(store: &dyn TrackingStore) {
    let first = new_experiment(store, "e").await;
    let clash = NewExperiment::new(first.id.clone(), experiment_name("other"));
    fails(store.create_experiment(clash).await, ErrorKind::AlreadyExists);
    fails(
        store.get_experiment(&ExperimentRef::Name(experiment_name("other"))).await,
        ErrorKind::NotFound,
    );
}

#[allow(missing_docs)]
pub async fn experiment_name_is_unique_among_deleted_ones_too(store: &dyn TrackingStore) {
    let first = new_experiment(store, "e").await;
    let again = || NewExperiment::new(ok(ExperimentId::new("another")), first.name.clone());
    fails(store.create_experiment(again()).await, ErrorKind::AlreadyExists);
    if can(store, TrackingCapability::SoftDelete) {
        ok(store.update_experiment(&first.id, ExperimentChange::Delete).await);
        fails(store.create_experiment(again()).await, ErrorKind::AlreadyExists);
    }
}

#[allow(missing_docs)]
pub async fn unknown_experiment_is_not_found(store: &dyn TrackingStore) {
    let id = ok(ExperimentId::new("nobody"));
    fails(store.get_experiment(&ExperimentRef::Id(id.clone())).await, ErrorKind::NotFound);
    fails(
        store.get_experiment(&ExperimentRef::Name(experiment_name("nobody"))).await,
        ErrorKind::NotFound,
    );
    fails(store.update_experiment(&id, ExperimentChange::Delete).await, ErrorKind::NotFound);
    let behind = ListExperiments::default().with_after(id);
    fails(store.list_experiments(behind).try_collect::<Vec<_>>().await, ErrorKind::NotFound);
}

#[allow(missing_docs)]
pub async fn experiments_are_listed_oldest_first_behind_a_cursor(store: &dyn TrackingStore) {
    let mut made = Vec::new();
    for name in ["c", "a", "b", "d"] {
        made.push(new_experiment(store, name).await);
    }
    let all: Vec<_> = ok(store.list_experiments(ListExperiments::default()).try_collect().await);
    assert_eq!(all, made);
    let page = ListExperiments::default().with_after(made[0].id.clone()).with_limit(2);
    let page: Vec<_> = ok(store.list_experiments(page).try_collect().await);
    assert_eq!(page, made[1..3]);
}

#[allow(missing_docs)]
pub async fn renaming_to_a_taken_name_changes_nothing(store: &dyn TrackingStore) {
    let (first, second) = (new_experiment(store, "e").await, new_experiment(store, "f").await);
    let taken = ExperimentChange::Rename(second.name.clone());
    fails(store.update_experiment(&first.id, taken).await, ErrorKind::AlreadyExists);
    assert_eq!(ok(store.get_experiment(&ExperimentRef::Id(first.id.clone())).await), first);
    let free = ExperimentChange::Rename(experiment_name("g"));
    assert_eq!(
        ok(store.update_experiment(&first.id, free.clone()).await).name,
        experiment_name("g")
    );
    assert_eq!(ok(store.update_experiment(&first.id, free).await).name, experiment_name("g"));
}

#[allow(missing_docs)]
pub async fn experiment_tags_are_set_and_deleted(store: &dyn TrackingStore) {
    let made = new_experiment(store, "e").await;
    let set = ExperimentChange::SetTag(tag("team"), "flights".into());
    let tagged = ok(store.update_experiment(&made.id, set).await);
    assert_eq!(tagged.tags.get("team").map(String::as_str), Some("flights"));
    let delete = ExperimentChange::DeleteTag(tag("team"));
    let untagged = store.update_experiment(&made.id, delete.clone()).await;
    if !can(store, TrackingCapability::TagDelete) {
        return fails(untagged, ErrorKind::Unsupported);
    }
    assert!(ok(untagged).tags.is_empty());
    assert!(ok(store.update_experiment(&made.id, delete).await).tags.is_empty());
}

#[allow(missing_docs)]
pub async fn deleting_an_experiment_takes_its_runs_and_restoring_brings_them_back(
    store: &dyn TrackingStore,
) {
    let experiment = new_experiment(store, "e").await;
    let stays = ok(store.create_run(new_run(&experiment, "stays")).await).id;
    let gone = ok(store.create_run(new_run(&experiment, "gone")).await).id;
    if !can(store, TrackingCapability::SoftDelete) {
        return fails(store.update_run(&gone, RunChange::Delete).await, ErrorKind::Unsupported);
    }
    ok(store.update_run(&gone, RunChange::Delete).await);
    ok(store.update_experiment(&experiment.id, ExperimentChange::Delete).await);
    let listed: Vec<_> = ok(store.list_experiments(ListExperiments::default()).try_collect().await);
    assert!(listed.is_empty());
    assert_eq!(ok(store.get_run(&stays).await).lifecycle, Lifecycle::Deleted);
    fails(store.create_run(new_run(&experiment, "late")).await, ErrorKind::Conflict);
    fails(store.update_run(&stays, RunChange::Restore).await, ErrorKind::Conflict);
    let restored = ok(store.update_experiment(&experiment.id, ExperimentChange::Restore).await);
    assert_eq!(restored.lifecycle, Lifecycle::Active);
    assert_eq!(ok(store.get_run(&stays).await).lifecycle, Lifecycle::Active);
    assert_eq!(ok(store.get_run(&gone).await).lifecycle, Lifecycle::Deleted);
}

#[allow(missing_docs)]
pub async fn run_keeps_everything_it_was_created_with(store: &dyn TrackingStore) {
    let parent = one_run(store).await;
    let version = Some("abc".to_owned());
    let source = Source { kind: SourceKind::Job, name: "nightly".into(), version };
    let new =
        NewRun::new(ok(RunId::new("child")), parent.experiment.clone(), Timestamp::from_millis(-5))
            .with_name("the name")
            .with_parent(parent.id.clone())
            .with_source(source.clone())
            .with_user("ada")
            .with_tag(tag("colour"), "blå")
            .scheduled();
    let made = ok(store.create_run(new).await);
    assert_eq!(ok(store.get_run(&made.id).await), made);
    assert_eq!(
        (made.name.as_str(), made.status, made.start.as_millis()),
        ("the name", RunStatus::Scheduled, -5)
    );
    assert_eq!(
        (made.parent, made.source, made.user.as_deref()),
        (Some(parent.id), Some(source), Some("ada"))
    );
    assert_eq!(made.tags.get("colour").map(String::as_str), Some("blå"));
}

#[allow(missing_docs)]
pub async fn creating_a_run_again_returns_it_as_it_is_now(store: &dyn TrackingStore) {
    let experiment = new_experiment(store, "e").await;
    let run = ok(store.create_run(new_run(&experiment, "r")).await);
    let batch = LogBatch::new(key("1")).param(param("lr"), 0.1).tag(tag("a"), "b");
    ok(store.log_batch(&run.id, batch).await);
    ok(store.update_run(&run.id, RunChange::Rename("other".into())).await);
    let again = ok(store.create_run(new_run(&experiment, "r")).await);
    assert_eq!((again.name.as_str(), again.params.len(), again.tags.len()), ("other", 1, 1));
}

#[allow(missing_docs)]
pub async fn run_id_with_other_content_already_exists(store: &dyn TrackingStore) {
    let experiment = new_experiment(store, "e").await;
    ok(store.create_run(new_run(&experiment, "r")).await);
    let clash = new_run(&experiment, "r").with_user("somebody else");
    fails(store.create_run(clash).await, ErrorKind::AlreadyExists);
}

#[allow(missing_docs)]
pub async fn run_needs_a_living_experiment_and_a_known_parent(store: &dyn TrackingStore) {
    let experiment = new_experiment(store, "e").await;
    let (id, nobody) = (ok(RunId::new("r")), ok(ExperimentId::new("nobody")));
    let lost = NewRun::new(id.clone(), nobody, Timestamp::default());
    fails(store.create_run(lost).await, ErrorKind::NotFound);
    let orphan = new_run(&experiment, "r").with_parent(ok(RunId::new("nobody")));
    fails(store.create_run(orphan).await, ErrorKind::NotFound);
    fails(store.get_run(&id).await, ErrorKind::NotFound);
}

#[allow(missing_docs)]
pub async fn run_cannot_be_created_ended(store: &dyn TrackingStore) {
    let experiment = new_experiment(store, "e").await;
    let mut ended = new_run(&experiment, "r");
    ended.status = RunStatus::Finished;
    fails(store.create_run(ended).await, ErrorKind::InvalidInput);
}

#[allow(missing_docs)]
pub async fn ended_run_has_its_end_and_a_resumed_one_has_none(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let end = Timestamp::from_millis(2_000);
    for status in [RunStatus::Finished, RunStatus::Failed, RunStatus::Killed] {
        let ended = ok(store.update_run(&run.id, RunChange::ended(status, end)).await);
        assert_eq!((ended.status, ended.end), (status, Some(end)));
        assert_eq!(ok(store.get_run(&run.id).await), ended);
    }
    let resumed = RunChange::Status { status: RunStatus::Running, end: Some(end) };
    assert_eq!(ok(store.update_run(&run.id, resumed).await).end, None);
}

#[allow(missing_docs)]
pub async fn started_run_is_never_scheduled_again(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let back = RunChange::Status { status: RunStatus::Scheduled, end: None };
    fails(store.update_run(&run.id, back).await, ErrorKind::Conflict);
    assert_eq!(ok(store.get_run(&run.id).await).status, RunStatus::Running);
}

#[allow(missing_docs)]
pub async fn deleted_run_refuses_writes_until_it_is_restored(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let deleted = store.update_run(&run.id, RunChange::Delete).await;
    if !can(store, TrackingCapability::SoftDelete) {
        return fails(deleted, ErrorKind::Unsupported);
    }
    assert_eq!(ok(deleted).lifecycle, Lifecycle::Deleted);
    let batch = || LogBatch::new(key("1")).param(param("lr"), 1);
    fails(store.log_batch(&run.id, batch()).await, ErrorKind::Conflict);
    fails(store.update_run(&run.id, RunChange::Rename("x".into())).await, ErrorKind::Conflict);
    let deleted = RunQuery::default().with_lifecycle(LifecycleFilter::Deleted);
    let found: Vec<_> = ok(store.search_runs(deleted).try_collect().await);
    assert_eq!(found.len(), 1);
    ok(store.update_run(&run.id, RunChange::Restore).await);
    assert_eq!(ok(store.log_batch(&run.id, batch()).await), Receipt::Applied);
}

#[allow(missing_docs)]
pub async fn batch_brings_everything_at_once(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let batch = LogBatch::new(key("1"))
        .param(param("lr"), 0.1)
        .metric(metric("loss"), point(0, 0.5))
        .metric(metric("loss"), point(1, 0.4))
        .tag(tag("colour"), "red");
    assert_eq!(ok(store.log_batch(&run.id, batch).await), Receipt::Applied);
    let held = ok(store.get_run(&run.id).await);
    assert_eq!(held.params.get("lr").map(String::as_str), Some("0.1"));
    assert_eq!(held.metrics.get("loss"), Some(&point(1, 0.4)));
    assert_eq!(held.tags.get("colour").map(String::as_str), Some("red"));
    assert_eq!(ok(store.log_batch(&run.id, LogBatch::new(key("2"))).await), Receipt::Applied);
}

#[allow(missing_docs)]
pub async fn refused_batch_leaves_nothing_behind(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    ok(store.log_batch(&run.id, LogBatch::new(key("1")).param(param("lr"), 1)).await);
    let before = ok(store.get_run(&run.id).await);
    let batch = || LogBatch::new(key("2")).metric(metric("loss"), point(0, 1.0)).tag(tag("a"), "b");
    fails(
        store.log_batch(&run.id, batch().param(param("new"), 1).param(param("lr"), 2)).await,
        ErrorKind::Conflict,
    );
    assert_eq!(ok(store.get_run(&run.id).await), before);
    assert!(history(store, HistoryQuery::new(run.id.clone(), metric("loss"))).await.is_empty());
    // Its key is still free.
    assert_eq!(ok(store.log_batch(&run.id, batch()).await), Receipt::Applied);
}

#[allow(missing_docs)]
pub async fn param_never_changes(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let batch = |name: &str, value: &str| LogBatch::new(key(name)).param(param("lr"), value);
    ok(store.log_batch(&run.id, batch("1", "0.1")).await);
    ok(store.log_batch(&run.id, batch("2", "0.1")).await);
    fails(store.log_batch(&run.id, batch("3", "0.10")).await, ErrorKind::Conflict);
    let twice = batch("4", "0.1").param(param("lr"), "0.2");
    fails(store.log_batch(&run.id, twice).await, ErrorKind::InvalidInput);
    assert_eq!(ok(store.get_run(&run.id).await).params.get("lr").map(String::as_str), Some("0.1"));
}

#[allow(missing_docs)]
pub async fn repeated_batch_is_applied_once(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let batch = || LogBatch::new(key("same")).metric(metric("loss"), point(0, 1.0));
    assert_eq!(ok(store.log_batch(&run.id, batch()).await), Receipt::Applied);
    if !can(store, TrackingCapability::Idempotency) {
        return;
    }
    assert_eq!(ok(store.log_batch(&run.id, batch()).await), Receipt::Repeated);
    let query = HistoryQuery::new(run.id.clone(), metric("loss"));
    assert_eq!(history(store, query).await, [point(0, 1.0)]);
    // The key belongs to the run, not to the store.
    let experiment = new_experiment(store, "e").await;
    let other = ok(store.create_run(new_run(&experiment, "other")).await);
    assert_eq!(ok(store.log_batch(&other.id, batch()).await), Receipt::Applied);
}

#[allow(missing_docs)]
pub async fn oversized_value_is_refused(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let long = "x".repeat(crate::tracking::MAX_VALUE_BYTES + 1);
    fails(
        store.log_batch(&run.id, LogBatch::new(key("1")).param(param("p"), &long)).await,
        ErrorKind::InvalidInput,
    );
    fails(
        store.log_batch(&run.id, LogBatch::new(key("2")).tag(tag("t"), "a\0b")).await,
        ErrorKind::InvalidInput,
    );
    let most = "é".repeat(crate::tracking::MAX_VALUE_BYTES / 2);
    ok(store.log_batch(&run.id, LogBatch::new(key("3")).tag(tag("t"), most.clone())).await);
    assert_eq!(ok(store.get_run(&run.id).await).tags.get("t"), Some(&most));
}

#[allow(missing_docs)]
pub async fn log_to_an_unknown_run_is_not_found(store: &dyn TrackingStore) {
    let id = ok(RunId::new("nobody"));
    fails(store.log_batch(&id, LogBatch::new(key("1"))).await, ErrorKind::NotFound);
    fails(store.update_run(&id, RunChange::Delete).await, ErrorKind::NotFound);
    let query = HistoryQuery::new(id, metric("loss"));
    fails(store.metric_history(query).try_collect::<Vec<_>>().await, ErrorKind::NotFound);
}

#[allow(missing_docs)]
pub async fn history_keeps_order_and_every_value(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let (finite, wild) =
        ([1.0, -0.0, 0.0, 5e-324, f64::MAX, 1.0], [f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
    let non_finite = can(store, TrackingCapability::NonFinite);
    let values: Vec<f64> =
        finite.into_iter().chain(wild.into_iter().filter(|_| non_finite)).collect();
    // Steps and times in no order: they are data, not positions.
    let steps = [3, 3, -1, i64::MAX, i64::MIN, 0, 7, 7, 7];
    let points: Vec<MetricPoint> =
        values.iter().zip(steps).map(|(value, step)| point(step, *value)).collect();
    for (number, pair) in points.chunks(2).enumerate() {
        let mut batch = LogBatch::new(key(&format!("b{number}")));
        batch.metrics = pair.iter().map(|point| (metric("m"), *point)).collect();
        ok(store.log_batch(&run.id, batch).await);
    }
    assert_eq!(history(store, HistoryQuery::new(run.id.clone(), metric("m"))).await, points);
    assert!(history(store, HistoryQuery::new(run.id, metric("none"))).await.is_empty());
}

#[allow(missing_docs)]
pub async fn history_of_many_small_and_large_batches_is_whole(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let mut expected = Vec::new();
    for (number, size) in [1, 1, 1, 70, 1, 63, 64, 65, 5_000, 1, 2].into_iter().enumerate() {
        let mut batch = LogBatch::new(key(&format!("b{number}")));
        for _ in 0..size {
            let next = point(expected.len() as i64, expected.len() as f64);
            expected.push(next);
            // Two keys in turn, so that a batch is not one stretch of one key.
            batch.metrics.push((metric("m"), next));
            batch.metrics.push((metric("other"), point(next.step, -next.value)));
        }
        ok(store.log_batch(&run.id, batch).await);
    }
    assert_eq!(history(store, HistoryQuery::new(run.id.clone(), metric("m"))).await, expected);
    let other = history(store, HistoryQuery::new(run.id, metric("other"))).await;
    assert!(
        other.len() == expected.len()
            && other.iter().zip(&expected).all(|(a, b)| a.value == -b.value)
    );
}

#[allow(missing_docs)]
pub async fn latest_point_is_by_step_then_time(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let at = |step, at, value| MetricPoint { step, at: Timestamp::from_millis(at), value };
    let arrivals = [at(5, 1, 0.5), at(5, 9, 0.7), at(5, 3, 0.9), at(4, 99, 0.1)];
    for (number, point) in arrivals.into_iter().enumerate() {
        ok(store
            .log_batch(
                &run.id,
                LogBatch::new(key(&format!("b{number}"))).metric(metric("m"), point),
            )
            .await);
    }
    assert_eq!(ok(store.get_run(&run.id).await).metrics.get("m"), Some(&arrivals[1]));
}

#[allow(missing_docs)]
pub async fn history_is_thinned_on_request(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let mut batch = LogBatch::new(key("1"));
    batch.metrics = (0..1_000)
        .map(|step| (metric("m"), point(step, if step == 321 { 9.0 } else { 0.5 })))
        .collect();
    ok(store.log_batch(&run.id, batch).await);
    let thin =
        history(store, HistoryQuery::new(run.id.clone(), metric("m")).with_max_points(20)).await;
    assert!(thin.len() <= 20 && thin.iter().any(|point| point.value == 9.0));
    assert_eq!((thin.first(), thin.last()), (Some(&point(0, 0.5)), Some(&point(999, 0.5))));
}

#[allow(missing_docs)]
pub async fn tags_are_set_and_deleted(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    ok(store
        .log_batch(&run.id, LogBatch::new(key("1")).tag(tag("a"), "1").tag(tag("b"), "1"))
        .await);
    ok(store.log_batch(&run.id, LogBatch::new(key("2")).tag(tag("a"), "2")).await);
    let mut batch = LogBatch::new(key("3"));
    batch.delete_tags = vec![tag("b"), tag("never there")];
    let deleted = store.log_batch(&run.id, batch).await;
    if !can(store, TrackingCapability::TagDelete) {
        return fails(deleted, ErrorKind::Unsupported);
    }
    ok(deleted);
    let tags = ok(store.get_run(&run.id).await).tags;
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), [(tag("a"), "2".to_owned())]);
}

#[allow(missing_docs)]
pub async fn inputs_are_kept_once_each(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let input = |role: &str, source: &str| DatasetInput {
        name: ok(crate::id::DatasetName::new("flights")),
        version: ok(crate::id::DataVersionId::new("b3:00")),
        role: role.into(),
        source: source.into(),
        schema: Some("{}".into()),
        tags: [(tag("k"), "v".to_owned())].into(),
    };
    let batch = LogBatch::new(key("1")).input(input("train", "a")).input(input("test", "a"));
    let logged = store.log_batch(&run.id, batch).await;
    if !can(store, TrackingCapability::Inputs) {
        return fails(logged, ErrorKind::Unsupported);
    }
    ok(logged);
    ok(store.log_batch(&run.id, LogBatch::new(key("2")).input(input("train", "b"))).await);
    assert_eq!(ok(store.get_run(&run.id).await).inputs, [input("train", "b"), input("test", "a")]);
}

#[allow(missing_docs)]
pub async fn outputs_are_kept_once_each(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let output = |step, content: &[u8]| ModelOutput {
        model: ok(LoggedModelId::new("m-1")),
        step,
        digest: Some(Digest::of(content)),
    };
    let batch = LogBatch::new(key("1")).output(output(2, b"x")).output(output(1, b"x"));
    let logged = store.log_batch(&run.id, batch).await;
    if !can(store, TrackingCapability::Outputs) {
        return fails(logged, ErrorKind::Unsupported);
    }
    ok(logged);
    ok(store.log_batch(&run.id, LogBatch::new(key("2")).output(output(2, b"y"))).await);
    assert_eq!(ok(store.get_run(&run.id).await).outputs, [output(2, b"y"), output(1, b"x")]);
}

#[allow(missing_docs)]
pub async fn concurrent_batches_are_all_kept(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let log = |number: i64| {
        let batch = LogBatch::new(key(&format!("b{number}")))
            .metric(metric("m"), point(number, number as f64));
        store.log_batch(&run.id, batch)
    };
    for receipt in join_all((0..200).map(log)).await {
        assert_eq!(ok(receipt), Receipt::Applied);
    }
    let mut steps: Vec<i64> = history(store, HistoryQuery::new(run.id.clone(), metric("m")))
        .await
        .iter()
        .map(|p| p.step)
        .collect();
    steps.sort_unstable();
    assert_eq!(steps, (0..200).collect::<Vec<_>>());
}

#[allow(missing_docs)]
pub async fn dropped_calls_are_done_or_not_done(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    for number in 0..50_i64 {
        let batch = LogBatch::new(key(&format!("b{number}")))
            .metric(metric("m"), point(number, 0.0))
            .param(param(&format!("p{number}")), number);
        let mut call = store.log_batch(&run.id, batch);
        // Polled once or twice, then dropped wherever it is.
        for _ in 0..=number % 2 {
            if futures::poll!(call.as_mut()).is_ready() {
                break;
            }
        }
    }
    // A write that was dropped on its way is done before one that is sent later.
    ok(store.log_batch(&run.id, LogBatch::new(key("last"))).await);
    let held = ok(store.get_run(&run.id).await);
    let points = history(store, HistoryQuery::new(run.id, metric("m"))).await;
    assert_eq!(held.params.len(), points.len());
}

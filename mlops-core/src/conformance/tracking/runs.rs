//! The rules of runs.

use super::*;

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

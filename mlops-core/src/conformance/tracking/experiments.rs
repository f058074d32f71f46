//! The rules of experiments.

use super::*;

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
pub async fn experiment_id_with_other_tags_already_exists(store: &dyn TrackingStore) {
    let id = ok(ExperimentId::new("x"));
    let new = |value: &str| {
        NewExperiment::new(id.clone(), experiment_name("x")).with_tag(tag("team"), value)
    };
    ok(store.create_experiment(new("a")).await);
    fails(store.create_experiment(new("b")).await, ErrorKind::AlreadyExists);
    // A repeat is one also when the experiment has changed since.
    let changes = [
        ExperimentChange::SetTag(tag("team"), "c".into()),
        ExperimentChange::Rename(experiment_name("y")),
    ];
    for change in changes {
        ok(store.update_experiment(&id, change).await);
    }
    let again = ok(store.create_experiment(new("a")).await);
    assert_eq!((again.name.as_str(), again.tags[&tag("team")].as_str()), ("y", "c"));
}

#[allow(missing_docs)]
pub async fn deleted_experiment_refuses_writes_until_it_is_restored(store: &dyn TrackingStore) {
    let made = new_experiment(store, "e").await;
    let gone = store.update_experiment(&made.id, ExperimentChange::Delete).await;
    if !can(store, TrackingCapability::SoftDelete) {
        return fails(gone, ErrorKind::Unsupported);
    }
    let gone = ok(gone);
    let changes = || {
        [
            ExperimentChange::Rename(experiment_name("f")),
            ExperimentChange::SetTag(tag("a"), "b".into()),
            ExperimentChange::DeleteTag(tag("a")),
        ]
    };
    for change in changes() {
        fails(store.update_experiment(&made.id, change).await, ErrorKind::Conflict);
    }
    assert_eq!(ok(store.get_experiment(&ExperimentRef::Id(made.id.clone())).await), gone);
    ok(store.update_experiment(&made.id, ExperimentChange::Restore).await);
    for change in changes().into_iter().take(2) {
        ok(store.update_experiment(&made.id, change).await);
    }
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

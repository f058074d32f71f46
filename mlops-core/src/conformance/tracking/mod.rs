//! The rules of [`TrackingStore`], but for search: experiments, runs, batches.

mod batches;
mod experiments;
mod runs;

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

pub use batches::*;
pub use experiments::*;
pub use runs::*;

/// One test for each rule of tracking: experiments, runs, batches, history.
#[macro_export]
macro_rules! tracking_suite {
    ($make:expr) => {
        $crate::suite_tests! { tracking, $make;
            experiment_is_found_by_id_and_by_name
            creating_an_experiment_again_returns_it
            experiment_id_with_another_name_already_exists
            experiment_id_with_other_tags_already_exists
            deleted_experiment_refuses_writes_until_it_is_restored
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
            oversized_text_is_refused_wherever_it_comes_in
            refused_param_is_named_without_its_values
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

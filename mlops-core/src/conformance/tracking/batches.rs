//! The rules of batches and of metric history.

use super::*;

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
pub async fn oversized_text_is_refused_wherever_it_comes_in(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let before = ok(store.get_run(&run.id).await);
    for bad in ["x".repeat(crate::tracking::MAX_VALUE_BYTES + 1), "a\0b".to_owned()] {
        let refused = RunChange::Rename(bad.clone());
        fails(store.update_run(&run.id, refused).await, ErrorKind::InvalidInput);
        let refused = ExperimentChange::SetTag(tag("t"), bad.clone());
        fails(store.update_experiment(&run.experiment, refused).await, ErrorKind::InvalidInput);
        let new = NewExperiment::new(ok(ExperimentId::new("new")), experiment_name("new"));
        let refused = new.with_tag(tag("t"), bad.clone());
        fails(store.create_experiment(refused).await, ErrorKind::InvalidInput);
        let new = || {
            let (id, start) = (ok(RunId::new("new")), Timestamp::default());
            NewRun::new(id, run.experiment.clone(), start)
        };
        let source = |name: &str, version: Option<&String>| {
            let (name, version) = (name.to_owned(), version.cloned());
            Source { kind: SourceKind::Local, name, version }
        };
        for refused in [
            new().with_user(bad.as_str()),
            new().with_source(source(&bad, None)),
            new().with_source(source("s", Some(&bad))),
        ] {
            fails(store.create_run(refused).await, ErrorKind::InvalidInput);
        }
    }
    assert_eq!(ok(store.get_run(&run.id).await), before);
}

#[allow(missing_docs)]
pub async fn refused_param_is_named_without_its_values(store: &dyn TrackingStore) {
    let run = one_run(store).await;
    let batch = |name: &str, value: &str| LogBatch::new(key(name)).param(param("token"), value);
    ok(store.log_batch(&run.id, batch("1", "first secret")).await);
    match store.log_batch(&run.id, batch("2", "second secret")).await {
        Ok(receipt) => panic!("expected a conflict, got {receipt:?}"),
        Err(error) => {
            let text = error.chain();
            assert!(text.contains("token") && !text.contains("secret"), "{text}");
        }
    }
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

//! Changes of quality: found where there are, rarely where there are none.

use rand::RngExt;

use super::*;

fn verdict(comparison: &QualityComparison, metric: Metric) -> QualityVerdict {
    let mut found = comparison.metrics.iter().filter(|change| change.metric == metric);
    found.next().expect("it was judged").verdict
}

#[test]
fn a_loss_of_quality_is_found_and_a_gain_is_none() {
    let mut random = random(3);
    let reference = binary(&calibrated(&mut random, 2_000));
    let noise: Vec<(f64, bool)> = calibrated(&mut random, 800)
        .into_iter()
        .map(|(p, truth)| (p, if random.random_bool(0.3) { random.random() } else { truth }))
        .collect();
    let worse = binary(&noise);
    let options = CompareOptions::default();
    let found = worse.compare(&reference, &options).expect("one task");
    assert!(found.worse);
    assert_eq!(found.interval_alpha, 0.01);
    for metric in [Metric::Accuracy, Metric::Auc, Metric::Brier, Metric::LogLoss] {
        assert_eq!(verdict(&found, metric), QualityVerdict::Worse, "{metric:?}");
    }
    let back = reference.compare(&worse, &options).expect("one task");
    assert!(!back.worse);
    assert_eq!(verdict(&back, Metric::Auc), QualityVerdict::Better);
    let text = serde_json::to_string(&found).expect("JSON");
    assert_eq!(serde_json::from_str::<QualityComparison>(&text).expect("a comparison"), found);

    // Significant, but smaller than what was said to matter.
    let patient = options.with_min_change(0.9);
    assert!(!worse.compare(&reference, &patient).expect("one task").worse);
}

#[test]
fn what_can_not_be_judged_says_why() {
    let options = CompareOptions::default().with_metrics([Metric::Auc, Metric::CalibrationError]);
    let found = binary(&[(0.4, true)]).compare(&binary(&[]), &options).expect("one task");
    assert!(!found.worse);
    for change in &found.metrics {
        assert_eq!(change.verdict, QualityVerdict::Unchecked);
        assert!(change.reason.as_ref().is_some_and(|reason| reason.starts_with("reference: ")));
    }
    let numbers = state(QualityOptions::new(Task::Number));
    assert!(numbers.compare(&binary(&[]), &options).is_err());
    assert!(numbers.compare(&numbers, &options).is_err(), "numbers have no AUC");
    for wrong in [
        CompareOptions::default().with_alpha(0.0),
        CompareOptions::default().with_min_change(f64::NAN),
        CompareOptions::default().with_metrics([]),
    ] {
        assert!(numbers.compare(&numbers, &wrong).is_err(), "{wrong:?}");
    }
}

/// How often one metric alarms at 5 % in 1,000 draws of two samples of one kind.
fn alarms(
    metric: Metric,
    sizes: [usize; 2],
    draw: impl Fn(&mut Random, usize) -> QualityState,
) -> usize {
    let mut random = random(4);
    let options = CompareOptions::default().with_min_change(0.0).with_metrics([metric]);
    (0..1_000)
        .filter(|_| {
            let [reference, current] = sizes.map(|size| draw(&mut random, size));
            let found = current.compare(&reference, &options).expect("one task");
            found.metrics[0].verdict != QualityVerdict::Stable
        })
        .count()
}

/// Binomial(1000, 0.05) is within 29..=74 with a probability of 0.999; intervals may be a little wide.
#[test]
fn intervals_keep_their_promise_under_no_change() {
    let rows = |random: &mut Random, size: usize| binary(&calibrated(random, size));
    for metric in [Metric::Accuracy, Metric::F1, Metric::Auc, Metric::Brier] {
        for sizes in [[300, 300], [1_000, 100]] {
            let alarms = alarms(metric, sizes, rows);
            assert!((20..=74).contains(&alarms), "{metric:?} {sizes:?}: {alarms} of 1000");
        }
    }
    let numbers = |random: &mut Random, size: usize| {
        let mut state = state(QualityOptions::new(Task::Number));
        for _ in 0..size {
            let error = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
            state.add(&Group::default(), Prediction::Number(error), Label::Number(0.0));
        }
        state
    };
    for metric in [Metric::Mae, Metric::Rmse] {
        let alarms = alarms(metric, [400, 100], numbers);
        assert!((20..=74).contains(&alarms), "{metric:?}: {alarms} of 1000");
    }
}

/// Rows of a unit share their fate: without units the same rows alarm most of the time.
#[test]
fn units_keep_the_promise_where_rows_share_their_fate() {
    let draw = |with_units: bool| {
        move |random: &mut Random, units: usize| {
            let mut state = state(QualityOptions::new(Task::binary()));
            for unit in 0..units as u64 {
                let good = 0.5 + 0.5 * random.random::<f64>();
                for _ in 0..50 {
                    let group = Group { unit: with_units.then_some(unit), segment: None };
                    let truth = random.random_bool(good);
                    state.add(&group, Prediction::Probability(0.9), Label::Positive(truth));
                }
            }
            state
        }
    };
    let found = alarms(Metric::Accuracy, [30, 20], draw(true));
    assert!((20..=74).contains(&found), "{found} of 1000");
    let found = alarms(Metric::Accuracy, [30, 20], draw(false));
    assert!(found > 300, "{found} of 1000");
}

#[test]
fn rows_with_and_without_units_have_no_interval() {
    let mut mixed = state(QualityOptions::new(Task::Number));
    for unit in [None, Some(1), Some(2)] {
        let group = Group { unit, segment: None };
        mixed.add(&group, Prediction::Number(1.0), Label::Number(0.0));
    }
    let report = mixed.report().total;
    let mae = report.metric(Metric::Mae).expect("the task has it");
    assert_eq!((mae.value, mae.low, mae.method), (Some(1.0), None, None));
    assert!(mae.reason.as_ref().is_some_and(|reason| reason.contains("unit")));
    assert_eq!(report.units, 2);
}

#[test]
fn segments_are_judged_together() {
    let mut random = random(7);
    let mut draw = |broken: &str, names: &[&str]| {
        let mut state = state(QualityOptions::new(Task::binary()));
        for name in names {
            for (p, truth) in calibrated(&mut random, 600) {
                let group = Group::default().with_segment(name);
                let truth = if *name == broken { !truth } else { truth };
                state.add(&group, Prediction::Probability(p), Label::Positive(truth));
            }
        }
        state
    };
    let reference = draw("", &["east", "north", "west"]);
    let current = draw("west", &["east", "south", "west", OTHER]);
    let options = CompareOptions::default();
    let found = current.compare_segments(&reference, &options).expect("one task");
    let worse: Vec<(&str, bool)> =
        found.iter().map(|s| (s.segment.as_str(), s.comparison.worse)).collect();
    assert_eq!(worse, [("east", false), ("north", false), ("south", false), ("west", true)]);
    for (at, side) in [(1, "current: "), (2, "reference: ")] {
        let comparison = &found[at].comparison;
        assert_eq!(comparison.interval_alpha, 0.05 / 20.0);
        assert!(comparison.metrics.iter().all(|change| {
            change.verdict == QualityVerdict::Unchecked
                && change.reason.as_ref().is_some_and(|reason| reason.starts_with(side))
        }));
    }
}

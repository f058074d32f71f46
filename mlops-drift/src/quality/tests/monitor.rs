//! Many workers, labels in any order, one report.

use rand::RngExt;
use rand::seq::SliceRandom;

use super::*;

#[test]
fn workers_and_late_labels_give_what_one_pass_gives() {
    let mut random = random(5);
    let rows = calibrated(&mut random, 3_000);
    let monitor = QualityMonitor::new(QualityOptions::new(Task::binary()), JoinOptions::default())
        .expect("a monitor");
    let mut labels: Vec<(usize, bool)> = rows.iter().map(|row| row.1).enumerate().collect();
    labels.shuffle(&mut random);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (mut handle, rows, labels) = (monitor.handle(), &rows, &labels);
            scope.spawn(move || {
                // Labels and predictions of one request go through different handles.
                for (id, (p, _)) in rows.iter().enumerate().skip(worker).step_by(4) {
                    handle.predict(id as u64, 0, &Group::default(), Prediction::Probability(*p));
                }
                for &(id, truth) in labels.iter().skip(worker).step_by(4) {
                    handle.label(id as u64, 1, Label::Positive(truth));
                }
            });
        }
    });
    let whole = binary(&rows);
    assert_eq!(monitor.state(), whole);
    let counts = monitor.counts();
    assert_eq!((counts.joined, counts.open_predictions, counts.open_labels), (3_000, 0, 0));
    let report = monitor.report();
    assert_eq!(report.total, whole.report().total);
    assert_eq!(report.join, Some(counts));
    let text = serde_json::to_string(&report).expect("JSON");
    assert_eq!(serde_json::from_str::<QualityReport>(&text).expect("a report"), report);
}

#[test]
fn predictions_count_for_outputs_once_and_for_quality_when_their_label_comes() {
    let options = QualityOptions::new(Task::classes(["a", "b"]));
    let join = JoinOptions::default().with_max_age(100);
    let monitor = QualityMonitor::new(options, join).expect("a monitor");
    let mut handle = monitor.handle();
    let group = Group::default().with_segment("north").with_unit(3);
    for id in ["one", "one", "two", "three"] {
        handle.predict(id, 10, &group, Prediction::Distribution(&[0.75, 0.25]));
    }
    handle.predict("four", 10, &group, Prediction::Number(1.0));
    handle.label("two", 20, Label::Class("b"));
    handle.label("nobody", 20, Label::Class("b"));
    handle.label("two", 20, Label::Positive(true));
    assert_eq!(monitor.report().total.predictions, 0, "nothing is published yet");
    handle.publish();
    let report = monitor.report();
    assert_eq!((report.total.predictions, report.total.labelled), (3, 1));
    assert_eq!((report.unusable_predictions, report.unusable_labels), (1, 1));
    assert_eq!(report.total.value(Metric::MaxProbability), Some(0.75));
    assert_eq!(report.total.value(Metric::Accuracy), Some(0.0));
    let north = report.segment("north").expect("it was named");
    assert_eq!((north.predictions, north.labelled, north.units), (3, 1, 1));

    monitor.expire(115);
    let counts = monitor.counts();
    assert_eq!((counts.dropped_predictions, counts.dropped_labels), (2, 0));
    monitor.expire(125);
    assert_eq!(monitor.counts().dropped_labels, 1);

    monitor.reset();
    assert_eq!(monitor.report().total.predictions, 0);
    handle.predict("five", 130, &Group::default(), Prediction::Class("a"));
    drop(handle);
    assert_eq!(monitor.report().total.predictions, 1);
}

#[test]
fn a_full_handle_publishes_by_itself() {
    let monitor = QualityMonitor::new(QualityOptions::new(Task::Number), JoinOptions::default())
        .expect("a monitor");
    let mut handle = monitor.handle();
    for id in 0..1_500_u64 {
        handle.predict(id, 0, &Group::default(), Prediction::Number(random(id).random()));
    }
    assert_eq!(monitor.counts().predictions, 1_024);
}

#[test]
fn uncertainty_is_of_distributions_only() {
    let uniform = Prediction::Distribution(&[0.25; 4]).uncertainty().expect("a distribution");
    assert!((uniform.entropy - 4_f64.ln()).abs() < 1e-15);
    assert_eq!((uniform.margin, uniform.max_probability), (0.0, 0.25));
    let half = Prediction::Probability(0.5).uncertainty().expect("a probability");
    assert_eq!((half.entropy, half.margin), (2_f64.ln(), 0.0));
    for none in [
        Prediction::Probability(f64::NAN),
        Prediction::Distribution(&[0.5]),
        Prediction::Class("a"),
        Prediction::Number(0.5),
    ] {
        assert_eq!(none.uncertainty(), None, "{none:?}");
    }
}

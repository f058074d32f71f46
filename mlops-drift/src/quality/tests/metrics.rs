//! Each metric beside published values and a plain computation.

use super::*;

/// The examples in the documentation of scikit-learn 1.5's `sklearn.metrics`.
#[test]
fn metrics_agree_with_published_values() {
    let auc = [(0.1, false), (0.4, false), (0.35, true), (0.8, true)];
    near(binary(&auc).report().total.value(Metric::Auc), 0.75);
    let brier = [(0.1, false), (0.9, true), (0.8, true), (0.3, false)];
    near(binary(&brier).report().total.value(Metric::Brier), 0.0375);

    let mut spam = state(QualityOptions::new(Task::classes(["ham", "spam"])));
    for (label, values) in
        [("spam", [0.1, 0.9]), ("ham", [0.9, 0.1]), ("ham", [0.8, 0.2]), ("spam", [0.35, 0.65])]
    {
        spam.add(&Group::default(), Prediction::Distribution(&values), Label::Class(label));
    }
    let found = spam.report().total.value(Metric::LogLoss).expect("a value");
    assert!((found - 0.216_16).abs() < 5e-6, "{found}");

    let names = ["0", "1", "2"];
    let mut classes = state(QualityOptions::new(Task::classes(names)));
    for (truth, predicted) in [(0, 0), (1, 2), (2, 1), (0, 0), (1, 0), (2, 1)] {
        let prediction = Prediction::Class(names[predicted]);
        classes.add(&Group::default(), prediction, Label::Class(names[truth]));
    }
    let total = classes.report().total;
    near(total.value(Metric::MacroPrecision), 2.0 / 9.0);
    near(total.value(Metric::MacroRecall), 1.0 / 3.0);
    near(total.value(Metric::MacroF1), 4.0 / 15.0);
    assert_eq!(total.value(Metric::Brier), None, "there were no probabilities");

    let mut numbers = state(QualityOptions::new(Task::Number));
    for (truth, predicted) in [(3.0, 2.5), (-0.5, 0.0), (2.0, 2.0), (7.0, 8.0)] {
        numbers.add(&Group::default(), Prediction::Number(predicted), Label::Number(truth));
    }
    let total = numbers.report().total;
    near(total.value(Metric::Mae), 0.5);
    near(total.value(Metric::Rmse), 0.375_f64.sqrt());
    near(total.value(Metric::Bias), 0.25);
    near(total.value(Metric::MeanPrediction), 3.125);
}

/// Area and variance by their definitions, over all pairs.
fn plain_area(rows: &[(f64, bool)]) -> (f64, f64) {
    let of = |truth: bool| rows.iter().filter(move |row| row.1 == truth).map(|row| row.0);
    let wins = |a: f64, b: f64| if a > b { 1.0 } else { f64::from(u8::from(a == b)) / 2.0 };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let variance = |values: &[f64]| {
        let middle = mean(values);
        let squares: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
        squares / (values.len() as f64 - 1.0) / values.len() as f64
    };
    let positives: Vec<f64> =
        of(true).map(|a| mean(&of(false).map(|b| wins(a, b)).collect::<Vec<_>>())).collect();
    let negatives: Vec<f64> =
        of(false).map(|b| mean(&of(true).map(|a| wins(a, b)).collect::<Vec<_>>())).collect();
    (mean(&positives), variance(&positives) + variance(&negatives))
}

#[test]
fn binary_metrics_agree_with_plain_computations() {
    let mut random = random(1);
    for rows in [7, 60, 500] {
        let rows = calibrated(&mut random, rows);
        let n = rows.len() as f64;
        let state = binary(&rows);
        let total = state.report().total;
        let count = |is: fn(bool, bool) -> bool| {
            rows.iter().filter(|row| is(row.0 >= 0.5, row.1)).count() as f64
        };
        let (hit, wrong, missed) =
            (count(|p, t| p && t), count(|p, t| p && !t), count(|p, t| !p && t));
        near(total.value(Metric::Accuracy), (n - wrong - missed) / n);
        near(total.value(Metric::Precision), hit / (hit + wrong));
        near(total.value(Metric::Recall), hit / (hit + missed));
        near(total.value(Metric::F1), 2.0 * hit / (2.0 * hit + wrong + missed));
        let mean = |of: fn(&(f64, bool)) -> f64| rows.iter().map(of).sum::<f64>() / n;
        near(total.value(Metric::Brier), mean(|row| (row.0 - f64::from(u8::from(row.1))).powi(2)));
        let loss = |row: &(f64, bool)| -(if row.1 { row.0 } else { 1.0 - row.0 }).ln();
        near(total.value(Metric::LogLoss), mean(loss));
        let entropy = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
        let entropy: f64 = rows.iter().map(|row| entropy(row.0) + entropy(1.0 - row.0)).sum();
        near(total.value(Metric::Entropy), entropy / n);
        near(total.value(Metric::Margin), mean(|row| (2.0 * row.0 - 1.0).abs()));
        near(total.value(Metric::MaxProbability), mean(|row| row.0.max(1.0 - row.0)));
        near(total.value(Metric::MeanPrediction), mean(|row| row.0));

        let mut error = 0.0;
        for bin in 0..10 {
            let (low, high) = (f64::from(bin) / 10.0, f64::from(bin + 1) / 10.0);
            let inside = |p: f64| (p > low || bin == 0) && p <= high;
            let rows = rows.iter().filter(|row| inside(row.0));
            error += rows.map(|row| row.0 - f64::from(u8::from(row.1))).sum::<f64>().abs() / n;
        }
        near(total.value(Metric::CalibrationError), error);

        let (area, variance) = plain_area(&rows);
        near(total.value(Metric::Auc), area);
        let found = state.0.total.scores.auc().and_then(|auc| auc.variance);
        near(found, variance);
    }
}

#[test]
fn too_many_probabilities_leave_an_interval_that_holds_the_area() {
    let mut random = random(2);
    // Rare positives with small probabilities, many of them different.
    let rows: Vec<(f64, bool)> = (0..3_000)
        .map(|_| {
            let p = random.random::<f64>().powi(6);
            (p, random.random_bool(0.7 * p))
        })
        .collect();
    let mut rounded = state(QualityOptions::new(Task::binary()).with_max_scores(500));
    for &(p, truth) in &rows {
        rounded.add(&Group::default(), Prediction::Probability(p), Label::Positive(truth));
    }
    let exact = binary(&rows).report().total.metric(Metric::Auc).cloned().expect("a metric");
    assert_eq!(exact.bounds, None);
    let report = rounded.report().total.metric(Metric::Auc).cloned().expect("a metric");
    let (value, [low, high]) = (exact.value.expect("both classes"), report.bounds.expect("bounds"));
    assert!(low <= value && value <= high && high - low < 0.01, "{value} {low} {high}");
    assert!(report.low <= exact.low && report.high >= exact.high || high - low < 0.01);
    near(report.value, (low + high) / 2.0);
}

#[test]
fn what_is_undefined_is_null_and_never_zero() {
    let empty = state(QualityOptions::new(Task::binary())).report().total;
    assert!(empty.metrics.iter().all(|metric| metric.value.is_none() && metric.low.is_none()));
    assert_eq!(empty.calibration[0].mean_probability, None);

    let one_class = binary(&[(0.2, false), (0.3, false)]).report().total;
    let undefined = [Metric::Precision, Metric::Recall, Metric::F1, Metric::Auc];
    assert!(undefined.iter().all(|&metric| one_class.value(metric).is_none()));
    assert_eq!(one_class.value(Metric::Accuracy), Some(1.0));
    let text = serde_json::to_string(&one_class).expect("JSON");
    assert!(text.contains(r#""metric":"precision","value":null"#), "{text}");
    let perfect = binary(&[(0.2, false), (0.3, false), (0.8, true), (0.9, true)]).report().total;
    let auc = perfect.metric(Metric::Auc).expect("the task has it");
    assert_eq!((auc.value, auc.low, auc.reason.is_some()), (Some(1.0), None, true));
}

#[test]
fn sure_mistakes_are_clipped_and_counted_or_infinite() {
    let rows = [(1.0, false), (0.5, true)];
    let total = binary(&rows).report().total;
    assert_eq!(total.clipped_probabilities, 1);
    near(total.value(Metric::LogLoss), (52.0 * 2_f64.ln() + 2_f64.ln()) / 2.0);

    let options = QualityOptions::new(Task::binary()).with_min_probability(0.0);
    let mut open = state(options);
    for (p, truth) in rows {
        open.add(&Group::default(), Prediction::Probability(p), Label::Positive(truth));
    }
    let report = open.report();
    assert_eq!(report.total.value(Metric::LogLoss), Some(f64::INFINITY));
    let text = serde_json::to_string(&report).expect("JSON");
    assert!(text.contains(r#""metric":"log-loss","value":"inf""#), "{text}");
    assert_eq!(serde_json::from_str::<QualityReport>(&text).expect("a report"), report);
}

#[test]
fn bad_values_are_counted_and_take_nothing_with_them() {
    let mut state = binary(&[(0.9, true)]);
    let none = Group::default();
    for bad in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
        state.add(&none, Prediction::Probability(bad), Label::Positive(true));
    }
    state.add(&none, Prediction::Class("a"), Label::Number(1.0));
    state.add(&none, Prediction::Probability(0.8), Label::Number(1.0));
    state.add(&none, Prediction::Probability(0.7), Label::Positive(true));
    let report = state.report();
    assert_eq!((report.unusable_predictions, report.unusable_labels), (5, 2));
    assert_eq!((report.total.predictions, report.total.labelled), (3, 2));

    let mut classes = super::state(QualityOptions::new(Task::classes(["a", "b"])));
    for bad in [&[0.5, 0.6][..], &[1.0], &[f64::NAN, 1.0]] {
        classes.add_prediction(&none, Prediction::Distribution(bad));
    }
    classes.add_prediction(&none, Prediction::Class("c"));
    // Nobody could have predicted a class that the task does not have.
    classes.add(&none, Prediction::Class("a"), Label::Class("c"));
    classes.add(&none, Prediction::Distribution(&[0.25, 0.75]), Label::Class("c"));
    let report = classes.report();
    assert_eq!(report.unusable_predictions, 4);
    assert_eq!((report.total.labelled, report.total.unknown_labels), (2, 2));
    assert_eq!(report.total.value(Metric::Accuracy), Some(0.0));
    near(report.total.value(Metric::Brier), 1.0 + 0.0625 + 0.5625);
    assert_eq!(report.total.clipped_probabilities, 1);
}

#[test]
fn options_out_of_range_are_refused() {
    let wrong = [
        QualityOptions::new(Task::Binary { threshold: 1.5 }),
        QualityOptions::new(Task::Binary { threshold: f64::NAN }),
        QualityOptions::new(Task::classes(Vec::<String>::new())),
        QualityOptions::new(Task::classes(["a", "b", "a"])),
        QualityOptions::new(Task::binary()).with_calibration_bins(0),
        QualityOptions::new(Task::binary()).with_min_probability(1.0),
        QualityOptions::new(Task::binary()).with_max_units(1),
    ];
    for options in wrong {
        assert!(QualityState::new(options.clone()).is_err(), "{options:?}");
    }
}

#[test]
fn numbers_near_the_largest_keep_their_errors() {
    let mut state = state(QualityOptions::new(Task::Number));
    for (predicted, truth) in [(1e308, 1e308), (1e16 + 2.0, 1e16), (1e308, -1e308)] {
        state.add(&Group::default(), Prediction::Number(predicted), Label::Number(truth));
    }
    let total = state.report().total;
    assert_eq!(total.value(Metric::Mae), Some(f64::INFINITY), "2e308 is no number");
    assert_eq!(total.metric(Metric::Mae).and_then(|mae| mae.low), None);
    near(total.value(Metric::MeanPrediction).map(|mean| mean / 1e308), 2.0 / 3.0);
}

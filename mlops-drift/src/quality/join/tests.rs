//! The join beside a plain one that keeps everything, and its bounds.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::*;

fn join(options: JoinOptions) -> Join {
    Join::new(Task::Number, options).expect("a join")
}

fn number(outcome: &Outcome) -> (i64, f64, f64) {
    match (&outcome.predicted, outcome.actual) {
        (Predicted::Number(predicted), Actual::Number(actual)) => {
            (outcome.time, *predicted, actual)
        }
        other => panic!("not numbers: {other:?}"),
    }
}

/// Everything that was taken in is one of what it can have become.
fn balance(counts: &JoinCounts) {
    let c = *counts;
    let predictions = c.joined
        + c.open_predictions
        + c.dropped_predictions
        + c.duplicate_predictions
        + c.conflicting_predictions
        + c.unusable_predictions;
    let labels = c.joined
        + c.open_labels
        + c.dropped_labels
        + c.duplicate_labels
        + c.conflicting_labels
        + c.unusable_labels;
    assert_eq!((c.predictions, c.labels), (predictions, labels), "{c:?}");
}

proptest! {
    #[test]
    fn any_order_gives_the_same_pairs(seed in any::<u64>()) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        // Up to two equal predictions and labels an id.
        let mut events: Vec<(bool, u64)> = Vec::new();
        let mut expected = BTreeMap::new();
        let mut repeated = [0; 2];
        for id in 0..40 {
            let (predictions, labels) = (random.random_range(0..3), random.random_range(0..3));
            events.extend((0..predictions).map(|_| (true, id)));
            events.extend((0..labels).map(|_| (false, id)));
            repeated[0] += (predictions > 1) as u64;
            repeated[1] += (labels > 1) as u64;
            if predictions > 0 && labels > 0 {
                expected.insert(id as i64, (id as f64, -(id as f64)));
            }
        }
        events.shuffle(&mut random);
        let mut join = join(JoinOptions::default());
        let mut found = BTreeMap::new();
        for (is_prediction, id) in events {
            let value = id as f64;
            let outcome = if is_prediction {
                join.predict(id, id as i64, &Group::default(), Prediction::Number(value))
            } else {
                join.label(id, 1_000, Label::Number(-value))
            };
            if let Some(outcome) = outcome {
                let (time, predicted, actual) = number(&outcome);
                prop_assert_eq!(found.insert(time, (predicted, actual)), None);
            }
        }
        prop_assert_eq!(found, expected);
        let counts = join.counts();
        balance(&counts);
        prop_assert_eq!([counts.duplicate_predictions, counts.duplicate_labels], repeated);
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_lost_in_silence(
        seed in any::<u64>(),
        open in 1..8_usize,
        closed in 0..8_usize,
    ) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let options =
            JoinOptions::default().with_max_open(open).with_max_closed(closed).with_max_age(40);
        let mut join = join(options);
        let mut outcomes = 0;
        for now in 0..400_i64 {
            let (id, time) = (random.random_range(0..30_u64), now - random.random_range(0..30));
            let value = match random.random_range(0..12) {
                0 => f64::NAN,
                value => f64::from(value % 2),
            };
            outcomes += u64::from(match random.random() {
                true => join.predict(id, time, &Group::default(), Prediction::Number(value)).is_some(),
                false => join.label(id, time, Label::Number(value)).is_some(),
            });
            if random.random_bool(0.05) {
                join.expire(now);
                prop_assert!(join.waiting.keys().all(|place| place.0 >= now - 40));
            }
            let counts = join.counts();
            balance(&counts);
            prop_assert!(counts.open_predictions + counts.open_labels <= open as u64);
            prop_assert_eq!(join.waiting.len() as u64, counts.open_predictions + counts.open_labels);
            prop_assert!(join.closed.len() <= closed);
            prop_assert_eq!(join.halves.len(), join.waiting.len() + join.closed.len());
            prop_assert_eq!(counts.joined, outcomes);
        }
    }
}

#[test]
fn the_first_holds_and_what_contradicts_is_counted() {
    let mut join = join(JoinOptions::default());
    let mut predict =
        |value: f64| join.predict("a", 1, &Group::default(), Prediction::Number(value)).is_some();
    assert_eq!([predict(1.0), predict(1.0), predict(2.0), predict(f64::INFINITY)], [false; 4]);
    let outcome = join.label("a", 9, Label::Number(5.0)).expect("a pair");
    assert_eq!(number(&outcome), (1, 1.0, 5.0));
    assert!(join.label("a", 9, Label::Number(5.0)).is_none());
    assert!(join.label("a", 9, Label::Number(6.0)).is_none());
    assert!(join.label("a", 9, Label::Class("six")).is_none());
    assert!(join.predict("a", 1, &Group::default(), Prediction::Number(3.0)).is_none());
    let counts = join.counts();
    balance(&counts);
    assert_eq!((counts.duplicate_predictions, counts.conflicting_predictions), (2, 1));
    assert_eq!((counts.duplicate_labels, counts.conflicting_labels), (1, 1));
    assert_eq!((counts.unusable_predictions, counts.unusable_labels), (1, 1));
    assert_eq!((counts.joined, counts.open_predictions), (1, 0));
}

#[test]
fn the_one_of_the_earliest_time_is_dropped_first() {
    let mut join = join(JoinOptions::default().with_max_open(2));
    for (id, time) in [(1_u64, 30), (2, 10), (3, 20)] {
        join.predict(id, time, &Group::default(), Prediction::Number(0.0));
    }
    assert_eq!(join.counts().dropped_predictions, 1);
    assert!(join.label(1, 40, Label::Number(0.0)).is_some());
    assert!(join.label(3, 40, Label::Number(0.0)).is_some());
    assert!(join.label(2, 40, Label::Number(0.0)).is_none());
    assert_eq!(join.counts().open_labels, 1);
    assert!(Join::new(Task::Number, JoinOptions::default().with_max_open(0)).is_err());
}

#[test]
fn numbers_and_texts_are_different_ids() {
    let mut join = join(JoinOptions::default());
    join.predict(7_u64, 0, &Group::default(), Prediction::Number(0.0));
    assert!(join.label("7", 0, Label::Number(0.0)).is_none());
    assert!(join.label(7_u64, 0, Label::Number(0.0)).is_some());
    assert_eq!(RequestId::from("7").to_string(), RequestId::from(7).to_string());
}

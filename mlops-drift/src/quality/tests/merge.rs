//! Any split and any order leave the same state; what is written is read again.

use proptest::prelude::*;
use rand::RngExt;
use rand::seq::SliceRandom;

use super::*;

/// One prediction with its label, to whom it belongs, and what task it is of.
#[derive(Debug, Clone)]
struct Row {
    segment: Option<String>,
    unit: Option<u64>,
    values: [f64; 3],
    truth: usize,
}

fn rows(random: &mut Random) -> Vec<Row> {
    (0..120)
        .map(|_| {
            let a: f64 = random.random();
            let b = (1.0 - a) * random.random::<f64>();
            Row {
                segment: (!random.random_bool(0.2))
                    .then(|| format!("s{}", random.random_range(0..9))),
                unit: random.random_bool(0.5).then(|| random.random_range(0..40)),
                values: [a, b, 1.0 - a - b],
                truth: random.random_range(0..4),
            }
        })
        .collect()
}

fn add(state: &mut QualityState, row: &Row) {
    let group = Group { segment: row.segment.as_deref(), unit: row.unit };
    let (prediction, label) = match state.options().task {
        Task::Binary { .. } => {
            (Prediction::Probability(row.values[0]), Label::Positive(row.truth > 1))
        }
        Task::Classes(_) => {
            let names = ["a", "b", "c", "d"];
            (Prediction::Distribution(&row.values), Label::Class(names[row.truth]))
        }
        Task::Number => {
            let scale = 10_f64.powi(row.truth as i32 * 30 - 40);
            (Prediction::Number(row.values[0] * scale), Label::Number(row.values[1] / scale))
        }
    };
    state.add(&group, prediction, label);
}

fn text(state: &QualityState) -> String {
    serde_json::to_string(state).expect("JSON")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_and_any_order_give_the_same_state(
        seed in any::<u64>(),
        task in 0..3_usize,
        scores in 0..200_usize,
        segments in 0..8_usize,
    ) {
        let mut random = random(seed);
        let task = [Task::binary(), Task::classes(["a", "b", "c"]), Task::Number][task].clone();
        let options = QualityOptions::new(task)
            .with_max_scores(scores)
            .with_max_segments(segments)
            .with_max_units(7);
        let mut rows = rows(&mut random);
        let mut whole = state(options.clone());
        rows.iter().for_each(|row| add(&mut whole, row));

        rows.shuffle(&mut random);
        let mut parts = vec![state(options.clone()); 4];
        for row in &rows {
            add(&mut parts[random.random_range(0..4)], row);
        }
        parts.shuffle(&mut random);
        let mut merged = state(options);
        for part in &parts {
            let read: QualityState = serde_json::from_str(&text(part))?;
            prop_assert_eq!(&read, part);
            merged.merge(&read)?;
        }
        prop_assert_eq!(text(&merged), text(&whole));
        prop_assert_eq!(&merged, &whole);
        let (found, expected) = (merged.report(), whole.report());
        prop_assert_eq!(serde_json::to_string(&found)?, serde_json::to_string(&expected)?);
        prop_assert_eq!(found.segments.len(), segments.min(9) + 1);
    }
}

#[test]
fn the_first_segments_by_name_are_kept_whole() {
    let mut state = state(QualityOptions::new(Task::Number).with_max_segments(2));
    for (name, error) in [("c", 3.0), ("b", 2.0), ("a", 1.0), ("c", 5.0), ("b", 4.0), (OTHER, 7.0)]
    {
        let group = Group::default().with_segment(name);
        state.add(&group, Prediction::Number(error), Label::Number(0.0));
    }
    state.add(&Group::default(), Prediction::Number(8.0), Label::Number(0.0));
    let report = state.report();
    let found: Vec<_> = report
        .segments
        .iter()
        .map(|s| (s.segment.as_deref().unwrap_or("?"), s.labelled, s.value(Metric::Mae)))
        .collect();
    assert_eq!(found, [("a", 1, Some(1.0)), ("b", 2, Some(3.0)), (OTHER, 3, Some(5.0))]);
    assert_eq!(report.total.labelled, 7);
    assert_eq!(report.segment("b").map(|segment| segment.predictions), Some(2));
}

#[test]
fn states_that_differ_do_not_merge_and_damaged_ones_are_refused() {
    let mut one = binary(&[(0.5, true)]);
    let other = state(QualityOptions::new(Task::binary()).with_calibration_bins(5));
    let before = one.clone();
    assert!(one.merge(&other).is_err());
    assert_eq!(one, before);

    let whole = text(&one);
    let damage = [
        (r#""version":1"#, r#""version":2"#),
        (r#""calibration_bins":10"#, r#""calibration_bins":11"#),
        (r#""decided":[0,1]"#, r#""decided":[0,1,0]"#),
        (r#""labelled":1"#, r#""labelled":18446744073709551615"#),
        (r#""threshold":0.5"#, r#""threshold":7.5"#),
    ];
    for (from, to) in damage {
        let damaged = whole.replacen(from, to, 1);
        assert_ne!(damaged, whole, "{from}");
        assert!(serde_json::from_str::<QualityState>(&damaged).is_err(), "{to}");
    }
    assert!(serde_json::from_str::<QualityState>(&whole[..whole.len() - 1]).is_err());
}

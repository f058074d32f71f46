//! Published values, plain computations, and every split and order.

mod compare;
mod merge;
mod metrics;
mod monitor;
mod schema;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::*;

type Random = Xoshiro256PlusPlus;

fn random(seed: u64) -> Random {
    Random::seed_from_u64(seed)
}

fn state(options: QualityOptions) -> QualityState {
    QualityState::new(options).expect("options in range")
}

/// A state of a binary task that holds these probabilities and truths.
fn binary(rows: &[(f64, bool)]) -> QualityState {
    let mut state = state(QualityOptions::new(Task::binary()));
    for &(p, truth) in rows {
        state.add(&Group::default(), Prediction::Probability(p), Label::Positive(truth));
    }
    state
}

/// Probabilities in steps of a hundredth, which come true about as often as they say.
fn calibrated(random: &mut Random, rows: usize) -> Vec<(f64, bool)> {
    (0..rows)
        .map(|_| {
            let p = f64::from(random.random_range(0..=100)) / 100.0;
            (p, random.random_bool(p))
        })
        .collect()
}

#[track_caller]
fn near(found: Option<f64>, expected: f64) {
    let found = found.expect("a value");
    assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{found} {expected}");
}

//! What the probabilities of one prediction are worth once its label is known.

use super::task::Predicted;
use super::value::largest;

/// What probabilities are worth once the true class is known.
pub(super) struct Scored {
    /// What calibration goes by: the positive class's probability, or the largest.
    pub(super) probability: f64,
    pub(super) hit: bool,
    pub(super) brier: f64,
    pub(super) log_loss: f64,
    pub(super) clipped: bool,
}

impl Scored {
    pub(super) fn of(predicted: &Predicted, actual: usize, least: f64) -> Option<Self> {
        let (probability, hit, of_true, brier) = match predicted {
            Predicted::Probability(p) => {
                let positive = actual == 1;
                let of_true = if positive { *p } else { 1.0 - p };
                (*p, positive, of_true, (p - f64::from(u8::from(positive))).powi(2))
            }
            Predicted::Distribution(values) => {
                let top = largest(values);
                let of_true = values.get(actual).copied().unwrap_or(0.0);
                let others = values.iter().enumerate().filter(|(class, _)| *class != actual);
                let brier = (1.0 - of_true).powi(2) + others.map(|(_, p)| p * p).sum::<f64>();
                (values.get(top).copied()?, top == actual, of_true, brier)
            }
            Predicted::Class(_) | Predicted::Number(_) => return None,
        };
        let log_loss = -of_true.max(least).ln() + 0.0;
        Some(Self { probability, hit, brier, log_loss, clipped: of_true < least })
    }
}

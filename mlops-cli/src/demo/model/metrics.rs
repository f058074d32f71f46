//! How good scores are, against labels that came later.
//!
//! Each measure is `None` where it is not defined: no row, other lengths, a score that is NaN, or
//! (AUC) labels of one kind only.

/// Scores are kept this far from 0 and 1 in the log-loss.
const EDGE: f64 = 1e-15;

/// The area under the ROC curve: the share of pairs of a yes and a no that are in order, a tie
/// counting half. By midranks (Mann and Whitney, 1947), `O(n log n)`.
pub(crate) fn auc(labels: &[bool], scores: &[f64]) -> Option<f64> {
    usable(labels, scores)?;
    let order = ascending(scores);
    let (mut wins, mut no_below) = (0.0, 0.0);
    for tied in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let yes = tied.iter().filter(|row| labels[**row]).count() as f64;
        let no = tied.len() as f64 - yes;
        wins += yes * (no_below + 0.5 * no);
        no_below += no;
    }
    let pairs = (labels.len() as f64 - no_below) * no_below;
    (pairs > 0.0).then(|| wins / pairs)
}

/// The mean squared distance of the score from the label (Brier, 1950); less is better.
pub(crate) fn brier(labels: &[bool], scores: &[f64]) -> Option<f64> {
    mean(labels, scores, |label, score| (score - f64::from(u8::from(label))).powi(2))
}

/// The mean negative logarithm of the probability that was given to what came; less is better.
pub(crate) fn log_loss(labels: &[bool], scores: &[f64]) -> Option<f64> {
    mean(labels, scores, |label, score| {
        let score = score.clamp(EDGE, 1.0 - EDGE);
        -(if label { score } else { 1.0 - score }).ln()
    })
}

/// The harmonic mean of precision and recall, a score of at least `cut` counting as a yes. It is 0
/// when no yes was found, and `None` when there was none to find and none was claimed.
pub(crate) fn f1(labels: &[bool], scores: &[f64], cut: f64) -> Option<f64> {
    usable(labels, scores)?;
    let count = |label: bool| {
        let claimed = labels.iter().zip(scores).filter(|(_, score)| **score >= cut);
        claimed.filter(|(truth, _)| **truth == label).count() as f64
    };
    let found = count(true);
    let missed = labels.iter().filter(|label| **label).count() as f64 - found;
    let total = 2.0 * found + count(false) + missed;
    (total > 0.0).then(|| 2.0 * found / total)
}

/// Row numbers by ascending score.
pub(super) fn ascending(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    order
}

/// Whether there is anything to measure.
pub(super) fn usable(labels: &[bool], scores: &[f64]) -> Option<()> {
    let same = labels.len() == scores.len() && !labels.is_empty();
    (same && !scores.iter().any(|score| score.is_nan())).then_some(())
}

fn mean(labels: &[bool], scores: &[f64], cost: impl Fn(bool, f64) -> f64) -> Option<f64> {
    usable(labels, scores)?;
    let sum: f64 = labels.iter().zip(scores).map(|(label, score)| cost(*label, *score)).sum();
    Some(sum / labels.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [bool; 4] = [false, false, true, true];

    /// The example of scikit-learn's `roc_auc_score`, and the same with ties, by counting pairs.
    #[test]
    fn auc_counts_pairs_in_order_and_ties_half() {
        assert_eq!(auc(&LABELS, &[0.1, 0.4, 0.35, 0.8]), Some(0.75));
        assert_eq!(auc(&LABELS, &[0.1, 0.4, 0.4, 0.4]), Some(0.75));
        assert_eq!(auc(&LABELS, &[0.5; 4]), Some(0.5));
        assert_eq!(auc(&LABELS, &[0.0, -0.0, -0.0, 0.0]), Some(0.5));
    }

    #[test]
    fn auc_needs_both_labels() {
        assert_eq!(auc(&[true; 4], &[0.1, 0.4, 0.35, 0.8]), None);
        assert_eq!(auc(&[], &[]), None);
        assert_eq!(auc(&LABELS, &[0.1, 0.4, f64::NAN, 0.8]), None);
        assert_eq!(auc(&LABELS, &[0.1]), None);
    }

    /// By hand.
    #[test]
    fn brier_and_log_loss_are_means_over_rows() {
        let scores = [0.1, 0.4, 0.35, 0.8];
        let expected = (0.01 + 0.16 + 0.4225 + 0.04) / 4.0;
        assert!((brier(&LABELS, &scores).unwrap() - expected).abs() < 1e-12);
        let expected = -(0.9_f64.ln() + 0.6_f64.ln() + 0.35_f64.ln() + 0.8_f64.ln()) / 4.0;
        assert!((log_loss(&LABELS, &scores).unwrap() - expected).abs() < 1e-12);
        assert!(log_loss(&[true], &[0.0]).unwrap() < 40.0);
        assert_eq!((brier(&[], &[]), log_loss(&[], &[])), (None, None));
    }

    #[test]
    fn f1_weighs_precision_and_recall() {
        let scores = [0.1, 0.4, 0.35, 0.8];
        assert_eq!(f1(&LABELS, &scores, 0.5), Some(2.0 / 3.0));
        assert_eq!(f1(&LABELS, &scores, 0.35), Some(0.8));
        assert_eq!(f1(&LABELS, &scores, 0.9), Some(0.0));
        assert_eq!(f1(&[false], &[0.1], 0.5), None);
    }
}

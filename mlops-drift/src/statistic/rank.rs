//! Rank statistics of location (Mann-Whitney) and scale (Mood), with midranks for ties.

use super::sample::{Point, Sample, pooled_counts};

/// A linear rank statistic of the current side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankStatistic {
    /// The statistic itself.
    pub value: f64,
    /// Its distance from the mean, in standard deviations, under exchange of the rows given the
    /// ties. `None` where it can't vary: constant data, or for Mood two equally frequent values.
    pub z: Option<f64>,
    /// The statistic as a size that does not grow with the data: for Mann-Whitney the probability
    /// that a current value exceeds a reference value (ties count half), for Mood the ratio of the
    /// mean squared centred rank, current by reference. `None` where that is 0 / 0.
    pub effect: Option<f64>,
}

/// Mann and Whitney's U of the current side (1947): the number of pairs in which the current value
/// is the larger, ties counted half. Exact in integers up to its last division by two.
///
/// `None` when a side is empty.
///
/// ```
/// use mlops_drift::statistic::{Sample, mann_whitney};
///
/// // The example of SciPy's `mannwhitneyu`: U = 17 for the men.
/// let men = Sample::new([19.0, 22.0, 16.0, 29.0, 24.0]);
/// let women = Sample::new([20.0, 11.0, 17.0, 12.0]);
/// assert_eq!(mann_whitney(&women, &men).map(|u| u.value), Some(17.0));
/// ```
#[must_use]
pub fn mann_whitney<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<RankStatistic> {
    mann_whitney_of(pooled_counts(reference, current))
}

/// [`mann_whitney`] of the two sides' counts in ascending cells.
pub(crate) fn mann_whitney_of(
    counts: impl Iterator<Item = (u64, u64)> + Clone,
) -> Option<RankStatistic> {
    let (n, m) = sizes(counts.clone())?;
    let (mut before, mut doubled, mut tied) = (0_u128, 0_u128, 0.0);
    for (old, new) in counts {
        let here = u128::from(old + new);
        doubled += u128::from(new) * (2 * before + here + 1);
        tied += (here as f64).powi(3) - here as f64;
        before += here;
    }
    let total = (n + m) as f64;
    let value = (doubled - m * (m + 1)) as f64 / 2.0;
    let product = (n * m) as f64;
    // Sum of squared deviations of the midranks: (N^3 - N - sum (t^3 - t)) / 12.
    let spread = (total.powi(3) - total - tied) / 12.0;
    let variance = product * spread / (total * (total - 1.0));
    let z = (variance > 0.0).then(|| (value - product / 2.0) / variance.sqrt());
    Some(RankStatistic { value, z, effect: Some(value / product) })
}

/// Mood's statistic of the current side (1954): the sum of the squared distances of its midranks
/// from the middle rank, `(N + 1) / 2`.
///
/// Tied values have the square of their common midrank as score. `None` when a side is empty.
#[must_use]
pub fn mood<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<RankStatistic> {
    mood_of(pooled_counts(reference, current))
}

/// [`mood`] of the two sides' counts in ascending cells.
pub(crate) fn mood_of(counts: impl Iterator<Item = (u64, u64)> + Clone) -> Option<RankStatistic> {
    let (n, m) = sizes(counts.clone())?;
    let total = n + m;
    // Twice the centred midrank is an integer; its square over 4 is the score.
    let mut before = 0_u128;
    let scores: Vec<(u128, u64, u64)> = counts
        .map(|(old, new)| {
            let here = u128::from(old + new);
            let apart = (2 * before + here).abs_diff(total);
            before += here;
            (apart * apart, old, new)
        })
        .collect();
    let sum = |count: fn(&(u128, u64, u64)) -> u64| -> u128 {
        scores.iter().map(|score| score.0 * u128::from(count(score))).sum()
    };
    let (old, new) = (sum(|score| score.1), sum(|score| score.2));
    let unit = (4 * total * total) as f64;
    let mean = (old + new) as f64 / unit / total as f64;
    let spread: f64 = scores
        .iter()
        .map(|score| (score.0 as f64 / unit - mean).powi(2) * (score.1 + score.2) as f64)
        .sum();
    let (n, m, total) = (n as f64, m as f64, total as f64);
    let variance = n * m * spread / (total * (total - 1.0));
    // Equal scores differ from their mean by rounding alone.
    let varies = spread > 1e-24 * total;
    Some(RankStatistic {
        value: new as f64 / 4.0,
        z: varies.then(|| (new as f64 / unit - m * mean) / variance.sqrt()),
        effect: ratio_of_means(old as f64 / n, new as f64 / m),
    })
}

fn ratio_of_means(reference: f64, current: f64) -> Option<f64> {
    (reference != 0.0 || current != 0.0).then_some(current / reference)
}

/// How many rows each side has; `None` when one has none.
fn sizes(counts: impl Iterator<Item = (u64, u64)>) -> Option<(u128, u128)> {
    let sum = |sizes: (u128, u128), counts: (u64, u64)| {
        (sizes.0 + u128::from(counts.0), sizes.1 + u128::from(counts.1))
    };
    let sizes = counts.fold((0, 0), sum);
    (sizes.0 > 0 && sizes.1 > 0).then_some(sizes)
}

//! The joint law of location, scale and shape on data without ties, from a table.

use super::marginal::{ORDERED, Observed, surprise};
use crate::statistic::anderson_darling_log_p;

/// No cell of untied data holds more than one row in so many.
const UNTIED: u64 = 100;
/// How far the entries of the table are apart.
const STEP: f64 = 0.25;

/// -ln P(largest >= i STEP), where the largest is that of the three statistics' surprises, -ln of the
/// probability of each by itself: two-sided normal laws of location (Mann-Whitney) and scale (Mood),
/// the limit law of shape (Anderson-Darling).
///
/// Hardly depends on the sizes of the samples. Made at 400 against 400 rows by
/// `joint_null`, which also prints how often the table alarms at other sizes.
const TABLE: [f64; 41] = [
    0.000, 0.041, 0.155, 0.312, 0.496, 0.697, 0.910, 1.131, 1.358, 1.590, 1.824, 2.060, 2.299,
    2.541, 2.786, 3.031, 3.277, 3.526, 3.774, 4.021, 4.270, 4.518, 4.765, 5.015, 5.268, 5.516,
    5.763, 6.012, 6.259, 6.508, 6.763, 7.027, 7.277, 7.525, 7.786, 8.060, 8.311, 8.562, 8.830,
    9.088, 9.373,
];

/// Whether the cells are so many and so even that their law is that of data without ties: no cell
/// holds more than 1 % of the rows.
pub(crate) fn is_untied(totals: &[u64]) -> bool {
    let all: u64 = totals.iter().sum();
    all > 0 && totals.iter().all(|&total| total <= all / UNTIED)
}

/// For each statistic the probability that one of the three is at least as surprising.
///
/// Beyond the table that is at most three times its own tail: for location and scale a `bound` that
/// holds for these very cells, for shape the limit law, which is the wider one there (a square of
/// bounded sums; `joint_null` measures it). Never more than the end of the table, which it is beyond.
pub(crate) fn p_values(observed: Observed, bound: impl Fn(usize) -> f64) -> Observed {
    let end = TABLE[TABLE.len() - 1];
    std::array::from_fn(|kind| {
        let value = observed[kind]?;
        let own = if kind == 2 { -anderson_darling_log_p(value) } else { surprise(value) };
        let tail = || if kind == 2 { (-own).exp() } else { bound(kind) };
        let p = tabulated(own)
            .map_or_else(|| (ORDERED as f64 * tail()).min((-end).exp()), |ln| (-ln).exp());
        Some(p.clamp(f64::MIN_POSITIVE, 1.0))
    })
}

/// -ln P(largest >= surprise); `None` beyond the table.
fn tabulated(surprise: f64) -> Option<f64> {
    let at = surprise.max(0.0) / STEP;
    let index = at as usize;
    let (low, high) = (TABLE.get(index)?, TABLE.get(index + 1)?);
    Some(low + (high - low) * (at - index as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::draw::random;
    use crate::decision::rows::Ordered;
    use rand::seq::SliceRandom;

    #[test]
    fn the_table_lies_between_one_test_and_three() {
        assert_eq!(TABLE[0], 0.0);
        for (index, pair) in TABLE.windows(2).enumerate() {
            assert!(pair[1] > pair[0] && pair[1] - pair[0] < 1.2 * STEP, "{index}");
        }
        for (index, &ln) in TABLE.iter().enumerate().skip(4) {
            let surprise = index as f64 * STEP;
            assert!(ln < surprise && ln > surprise - 3_f64.ln(), "{index}: {ln}");
        }
        assert!((-TABLE[TABLE.len() - 1]).exp() < 2.5e-4, "fine enough for 200 columns");
    }

    #[test]
    fn p_values_fall_across_the_end_of_the_table() {
        let end = STEP * (TABLE.len() - 1) as f64;
        let mut last = 1.1;
        for step in 0..1_800 {
            let z = f64::from(step) * 0.02;
            let own = (-surprise(z)).exp();
            let [Some(p), None, Some(shape)] =
                p_values([Some(z), None, Some(f64::from(step) * 0.2)], |_| own)
            else {
                panic!("what was observed has a p-value, and nothing else");
            };
            assert!(p <= last && p > 0.0 && shape > 0.0 && shape <= 1.0, "{z}: {p} {last}");
            assert!(p >= own * 0.99 && (p <= 3.01 * own || own > 0.3), "{z}: {p} {own}");
            last = p;
        }
        assert_eq!(tabulated(end + STEP), None);
        // A loose bound does not lift a p-value above the end of the table.
        let loose = p_values([Some(8.0), None, None], |_| 1.0)[0].unwrap_or(f64::NAN);
        assert!((loose.ln() + TABLE[TABLE.len() - 1]).abs() < 1e-9);
    }

    #[test]
    fn ties_are_cells_of_more_than_one_row_in_a_hundred() {
        assert!(is_untied(&[1; 100]) && is_untied(&[2; 100]) && !is_untied(&[1; 99]));
        assert!(!is_untied(&[]) && !is_untied(&[7]));
        let mut totals = vec![10; 200];
        totals[5] = 21;
        assert!(!is_untied(&totals));
    }

    /// Random splits of 50 against 150 rows: the share of p-values at most alpha is alpha within
    /// four standard errors and a tenth.
    #[test]
    fn the_table_holds_at_other_sizes_than_it_was_made_at() {
        let totals = [1_u64; 200];
        let statistics = Ordered::new(&totals, 50);
        let mut random = random(3, "x", "joint");
        let mut counts: Vec<u64> = (0..200).map(|row| u64::from(row < 50)).collect();
        let (draws, alpha) = (20_000, 0.05);
        let mut alarms = 0.0;
        for _ in 0..draws {
            counts.shuffle(&mut random);
            let p = p_values(statistics.of(&counts), |_| 0.0);
            let least = p.into_iter().flatten().fold(1.0, f64::min);
            alarms += f64::from(u8::from(least <= alpha));
        }
        let rate = alarms / f64::from(draws);
        let error = (alpha * (1.0 - alpha) / f64::from(draws)).sqrt();
        assert!((rate - alpha).abs() < 0.1 * alpha + 4.0 * error, "{rate}");
    }
}

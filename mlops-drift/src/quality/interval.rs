//! Intervals for shares, means, areas and ratios over units, and for the difference of two of them.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// From low to high.
pub(crate) type Interval = [f64; 2];

/// The two-sided normal quantile at a level of doubt.
fn normal(alpha: f64) -> Option<f64> {
    Normal::new(0.0, 1.0).ok().map(|law| -law.inverse_cdf(alpha / 2.0))
}

/// The two-sided quantile of Student's t; from 1,000 degrees of freedom on by its expansion around the
/// normal one (Abramowitz & Stegun 1964, 26.7.5), which is then good to 1e-9 and better.
pub(crate) fn student(alpha: f64, freedom: f64) -> Option<f64> {
    if freedom >= 1_000.0 {
        let z = normal(alpha)?;
        let first = (z.powi(3) + z) / 4.0;
        let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
        return Some(z + first / freedom + second / freedom.powi(2));
    }
    let law = StudentsT::new(0.0, 1.0, freedom).ok();
    law.map(|law| -law.inverse_cdf(alpha / 2.0))
}

/// Of a share of independent rows: the score interval of Wilson (1927), without continuity correction.
pub(crate) fn wilson(hits: u64, all: u64, alpha: f64) -> Option<Interval> {
    if all == 0 {
        return None;
    }
    let (z, n) = (normal(alpha)?, all as f64);
    let p = hits as f64 / n;
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + (z / (2.0 * n)).powi(2)).sqrt();
    let scale = 1.0 + z * z / n;
    // Rounding must not keep the interval from its natural end.
    let low = if hits == 0 { 0.0 } else { (middle - half) / scale };
    let high = if hits == all { 1.0 } else { (middle + half) / scale };
    Some([low, high])
}

/// Of a mean of `count` independent rows, by its squared standard error.
pub(crate) fn mean(value: f64, error_squared: f64, count: u64, alpha: f64) -> Option<Interval> {
    let freedom = count.checked_sub(1).filter(|freedom| *freedom > 0)?;
    let half = student(alpha, freedom as f64)? * error_squared.sqrt();
    half.is_finite().then_some([value - half, value + half])
}

/// Of an area under the ROC curve between 0 and 1, by its variance, on the scale of log-odds, where
/// it is nearer to normal than on its own (Pepe 2003, 5.2.5). A perfect separation has no variance to go by: `None`.
pub(crate) fn area(value: f64, variance: f64, alpha: f64) -> Option<Interval> {
    if !(variance > 0.0 && value > 0.0 && value < 1.0) {
        return None;
    }
    let logit = (value / (1.0 - value)).ln();
    let half = normal(alpha)? * variance.sqrt() / (value * (1.0 - value));
    let back = |x: f64| 1.0 / (1.0 + (-x).exp());
    Some([back(logit - half), back(logit + half)])
}

/// Of a ratio of sums over units that are independent of each other, though their rows are not:
/// linearised, with Student's t on one less than there are units (Cochran 1977, 6.4 and 9A). `None` below two units.
pub(crate) fn ratio(units: &[(f64, f64)], alpha: f64) -> Option<(f64, Interval)> {
    let sum = |each: fn(&(f64, f64)) -> f64| units.iter().map(each).sum::<f64>();
    let (above, below) = (sum(|unit| unit.0), sum(|unit| unit.1));
    if units.len() < 2 || below <= 0.0 {
        return None;
    }
    let (value, count) = (above / below, units.len() as f64);
    let residuals: f64 = units.iter().map(|unit| (unit.0 - value * unit.1).powi(2)).sum();
    let error = (count / (count - 1.0) * residuals).sqrt() / below;
    let half = student(alpha, count - 1.0)? * error;
    half.is_finite().then_some((value, [value - half, value + half]))
}

/// Of the change from one independent estimate to another, from the intervals of both (Newcombe 1998,
/// method 10; Zou & Donner 2008).
pub(crate) fn change(from: (f64, Interval), to: (f64, Interval)) -> Interval {
    let ((a, [a_low, a_high]), (b, [b_low, b_high])) = (from, to);
    let change = b - a;
    [change - (b - b_low).hypot(a_high - a), change + (b_high - b).hypot(a - a_low)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<Interval>, expected: Interval) -> bool {
        found.is_some_and(|found| {
            found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 6e-5)
        })
    }

    /// Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
    #[test]
    fn shares_agree_with_newcombe() {
        assert!(near(wilson(81, 263, 0.05), [0.2553, 0.3662]));
        assert!(near(wilson(15, 148, 0.05), [0.0624, 0.1605]));
        assert!(near(wilson(0, 20, 0.05), [0.0, 0.1611]));
        assert!(near(wilson(1, 29, 0.05), [0.0061, 0.1718]));
        assert_eq!(wilson(0, 0, 0.05), None);
        assert_eq!(wilson(20, 20, 0.05).map(|interval| interval[1]), Some(1.0));
    }

    /// Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10.
    #[test]
    fn differences_agree_with_newcombe() {
        let of = |hits: u64, all: u64| {
            let interval = wilson(hits, all, 0.05).expect("rows");
            (hits as f64 / all as f64, interval)
        };
        let difference = |a: (u64, u64), b: (u64, u64)| Some(change(of(b.0, b.1), of(a.0, a.1)));
        assert!(near(difference((56, 70), (48, 80)), [0.0524, 0.3339]));
        assert!(near(difference((9, 10), (3, 10)), [0.1705, 0.8090]));
        assert!(near(difference((10, 10), (0, 20)), [0.6791, 1.0]));
    }

    /// Tables of Student's t.
    #[test]
    fn quantiles_of_t_agree_with_tables() {
        for (freedom, expected) in [(1.0, 12.7062), (2.0, 4.3027), (10.0, 2.2281), (120.0, 1.9799)]
        {
            let found = student(0.05, freedom).unwrap_or(f64::NAN);
            assert!((found - expected).abs() < 6e-5, "{freedom}: {found}");
        }
        let far = student(0.05, 1e7).unwrap_or(f64::NAN);
        assert!((far - 1.959_964).abs() < 1e-5, "{far}");
        // The probability beyond each quantile is what was asked for, on both sides of the change of method.
        for freedom in [1.0, 3.0, 30.0, 300.0, 999.0, 1_000.0, 20_000.0] {
            let law = StudentsT::new(0.0, 1.0, freedom).expect("degrees of freedom");
            for alpha in [0.2, 0.05, 0.01, 1e-4] {
                let beyond = 2.0 * law.sf(student(alpha, freedom).unwrap_or(f64::NAN));
                assert!((beyond / alpha - 1.0).abs() < 1e-5, "{freedom} {alpha}: {beyond}");
            }
        }
        assert!(student(0.01, 4.0).is_some_and(|t| (t - 4.6041).abs() < 6e-5));
    }

    #[test]
    fn what_has_no_width_has_no_interval() {
        assert_eq!(area(1.0, 0.0, 0.05), None);
        assert_eq!(mean(1.0, 0.0, 1, 0.05), None);
        assert_eq!(ratio(&[(1.0, 2.0)], 0.05), None);
        let (value, interval) = ratio(&[(1.0, 2.0), (2.0, 4.0), (4.0, 8.0)], 0.05).expect("units");
        assert_eq!((value, interval), (0.5, [0.5, 0.5]));
    }

    /// With units of equal size the ratio is the mean of their means, its interval Student's.
    #[test]
    fn units_of_equal_size_are_a_mean() {
        let means = [0.5, 0.75, 0.25, 1.0, 0.5];
        let units = means.map(|mean| (8.0 * mean, 8.0));
        let average: f64 = means.iter().sum::<f64>() / 5.0;
        let squares: f64 = means.iter().map(|mean| (mean - average).powi(2)).sum();
        let expected = mean(average, squares / 4.0 / 5.0, 5, 0.05);
        let found = ratio(&units, 0.05).map(|found| found.1);
        assert!(near(found, expected.expect("five units")), "{found:?} {expected:?}");
    }
}

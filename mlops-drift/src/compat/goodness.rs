//! Tests of any change of shape that Evidently runs on request.

use std::f64::consts::PI;

use statrs::function::gamma::ln_gamma;

use super::significance::Test;
use crate::statistic::{Point, Sample, Sum, pool};

/// Levels of Scholz & Stephens' Table 2 (1987), and what its points are made of.
const LEVELS: [f64; 7] = [0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001];
const POINTS: [[f64; 3]; 7] = [
    [0.675, -0.245, -0.105],
    [1.281, 0.25, -0.305],
    [1.645, 0.678, -0.362],
    [1.96, 1.149, -0.391],
    [2.326, 1.822, -0.396],
    [2.573, 2.364, -0.345],
    [3.085, 3.615, -0.154],
];
/// Up to this size of the larger side Evidently counts all splits for Cramer-von Mises.
const COUNTED_UP_TO: u64 = 20;

/// The k-sample Anderson-Darling of two samples by midranks (Scholz & Stephens 1987), standardised, as
/// SciPy's `anderson_ksamp`: its p-value is interpolated in a table, so it lies within 0.001 and 0.25.
/// `None` for one distinct value and for fewer than four values.
pub(super) fn anderson_darling<T: Point>(
    reference: &Sample<T>,
    current: &Sample<T>,
) -> Option<Test> {
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let total = n + m;
    let (mut seen, mut ours, mut sum, mut distinct) = (0.0, 0.0, Sum::default(), 0);
    for point in pool(reference.runs(), current.runs()) {
        let (r, here) = (point.reference as f64, (point.reference + point.current) as f64);
        let (below, below_ours) = (seen + here / 2.0, ours + r / 2.0);
        let apart = (total * below_ours - below * n).powi(2);
        sum.add(here / total * apart / (below * (total - below) - total * here / 4.0));
        (seen, ours) = (seen + here, ours + r);
        distinct += 1;
    }
    if distinct < 2 || total < 4.0 {
        return None;
    }
    let raw = sum.value() * (1.0 / n + 1.0 / m) * (total - 1.0) / total;
    let statistic = (raw - 1.0) / anderson_darling_variance(n, m).sqrt();
    Some(Test { statistic, p: interpolated(statistic) })
}

/// Equation 4 of Scholz & Stephens, for two samples.
fn anderson_darling_variance(n: f64, m: f64) -> f64 {
    let total = n + m;
    let inverse = 1.0 / n + 1.0 / m;
    let (mut h, mut g) = (0.0, 0.0);
    for i in 2..total as u64 {
        h += 1.0 / (total - i as f64 + 1.0);
        g += h / i as f64;
    }
    h += 1.0;
    let a = 4.0 * g - 6.0 + (10.0 - 6.0 * g) * inverse;
    let b = (2.0 * g - 4.0) * 4.0 + 16.0 * h + (2.0 * g - 14.0 * h - 4.0) * inverse - 8.0 * h
        + 4.0 * g
        - 6.0;
    let c = (6.0 * h + 2.0 * g - 2.0) * 4.0
        + (4.0 * h - 4.0 * g + 6.0) * 2.0
        + (2.0 * h - 6.0) * inverse
        + 4.0 * h;
    let d = (2.0 * h + 6.0) * 4.0 - 8.0 * h;
    (a * total.powi(3) + b * total.powi(2) + c * total + d)
        / ((total - 1.0) * (total - 2.0) * (total - 3.0))
}

/// The logarithm of the level as a parabola in the point, by least squares.
fn interpolated(statistic: f64) -> f64 {
    let points = POINTS.map(|[a, b, c]| a + b + c);
    if statistic < points[0] {
        return LEVELS[0];
    }
    if statistic > points[6] {
        return LEVELS[6];
    }
    // Polynomials that are orthogonal on the points: 1, x - mean, and what remains of its square.
    let mean = points.iter().sum::<f64>() / 7.0;
    let first = points.map(|x| x - mean);
    let squares: f64 = first.iter().map(|x| x * x).sum();
    let slope = first.iter().map(|x| x.powi(3)).sum::<f64>() / squares;
    let second = |x: f64| x * x - slope * x - squares / 7.0;
    let along = |of: &dyn Fn(f64) -> f64| {
        let (above, below): (Vec<f64>, Vec<f64>) =
            first.iter().zip(LEVELS).map(|(&x, level)| (of(x) * level.ln(), of(x) * of(x))).unzip();
        above.iter().sum::<f64>() / below.iter().sum::<f64>()
    };
    let x = statistic - mean;
    (along(&|_| 1.0) + along(&|x| x) * x + along(&second) * second(x)).exp()
}

/// The two-sample Cramer-von Mises T by midranks (Anderson 1962), with the limit law of its
/// standardised value. `None` where Evidently would count splits, which is not reproduced.
pub(super) fn cramer_von_mises<T: Point>(
    reference: &Sample<T>,
    current: &Sample<T>,
) -> Option<Test> {
    let (n, m) = (reference.len() as f64, current.len() as f64);
    if reference.len().max(current.len()) <= COUNTED_UP_TO {
        return None;
    }
    let total = n + m;
    let (mut r, mut c, mut u) = (0.0, 0.0, Sum::default());
    for point in pool(reference.runs(), current.runs()) {
        let here = (point.reference + point.current) as f64;
        let rank = r + c + (here + 1.0) / 2.0;
        for (size, before, count) in [(n, &mut r, point.reference), (m, &mut c, point.current)] {
            // The sum over so many tied values of the squared distance of rank and position.
            let (t, from) = (count as f64, rank - *before);
            let squares =
                from * from * t - from * t * (t + 1.0) + t * (t + 1.0) * (2.0 * t + 1.0) / 6.0;
            u.add(size * squares);
            *before += t;
        }
    }
    let product = n * m;
    let statistic = u.value() / (product * total) - (4.0 * product - 1.0) / (6.0 * total);
    let mean = (1.0 + 1.0 / total) / 6.0;
    let variance = (total + 1.0) * (4.0 * product * total - 3.0 * (n * n + m * m) - 2.0 * product)
        / (45.0 * total * total * 4.0 * product);
    let standard = 1.0 / 6.0 + (statistic - mean) / (45.0 * variance).sqrt();
    Some(Test { statistic, p: cramer_von_mises_tail(standard) })
}

/// The upper tail of the limit law (Csörgő & Faraway 1996, equation 1.2).
fn cramer_von_mises_tail(x: f64) -> f64 {
    if x < 0.003 {
        return 1.0;
    }
    let mut below = 0.0;
    for k in 0..1_000 {
        let k = f64::from(k);
        let weight = (ln_gamma(k + 0.5) - ln_gamma(k + 1.0)).exp() / (PI.powf(1.5) * x.sqrt());
        let y = 4.0 * k + 1.0;
        let q = y * y / (16.0 * x);
        let term = weight * y.sqrt() * (-q).exp() * bessel_k_quarter(q);
        below += term;
        if term < 1e-16 {
            break;
        }
    }
    (1.0 - below).clamp(0.0, 1.0)
}

/// The modified Bessel function K of order 1/4, `int exp(-x cosh t) cosh(t / 4) dt` from 0, by the
/// trapezoidal rule, which converges faster than any power here.
fn bessel_k_quarter(x: f64) -> f64 {
    let term = |t: f64| (-x * t.cosh()).exp() * (t / 4.0).cosh();
    let step = 1.0 / 64.0;
    // The integrand ends where its exponent underflows.
    let inside = |t: &f64| x * t.cosh() < 745.0;
    let sum: f64 = (1..).map(|i| f64::from(i) * step).take_while(inside).map(term).sum();
    step * (term(0.0) / 2.0 + sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of the limit law in Anderson & Darling, Annals of Mathematical Statistics 23 (1952).
    #[test]
    fn the_law_of_cramer_and_von_mises_is_the_published_one() {
        for (x, above) in [(0.347_30, 0.1), (0.461_36, 0.05), (0.743_46, 0.01), (0.118_88, 0.5)] {
            let p = cramer_von_mises_tail(x);
            assert!((p / above - 1.0).abs() < 1e-4, "{x}: {p}");
        }
        // K of order 1/4 at 1, by a thousand times finer quadrature.
        assert!((bessel_k_quarter(1.0) - 0.430_739_774_4).abs() < 1e-9);
        // Near 0 it is Gamma(1/4) / 2 (2 / x)^(1/4), less a share of sqrt(x).
        let leading = ln_gamma(0.25).exp() / 2.0 * (2e8_f64).powf(0.25);
        assert!((bessel_k_quarter(1e-8) / leading - 1.0).abs() < 1e-3);
        assert!(cramer_von_mises_tail(8.0) < 1e-10);
    }

    /// The variance of A2 of two samples, from simulation-free values: as n grows it tends to
    /// 2 (pi^2 - 9) / 3 (Anderson & Darling 1952).
    #[test]
    fn the_variance_of_anderson_and_darling_tends_to_its_limit() {
        let limit = 2.0 * (PI * PI - 9.0) / 3.0;
        assert!((anderson_darling_variance(20_000.0, 20_000.0) / limit - 1.0).abs() < 1e-3);
        for (point, level) in POINTS.iter().map(|[a, b, c]| a + b + c).zip(LEVELS) {
            assert!((interpolated(point) / level - 1.0).abs() < 0.05, "{point}");
        }
        assert_eq!((interpolated(-1.0), interpolated(10.0)), (0.25, 0.001));
    }
}

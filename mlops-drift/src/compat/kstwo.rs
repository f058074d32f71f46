//! The law of the one-sample Kolmogorov-Smirnov distance, in the branches of SciPy's `kstwo.sf`
//! (Simard & L'Ecuyer, Journal of Statistical Software 39, 2011), so that the p-values agree.

use std::f64::consts::PI;

use statrs::function::factorial::ln_binomial;

/// Up to this size everything is exact.
const SMALL: u64 = 140;
/// Beyond this size SciPy replaces the one-sided sum by its leading term.
const LARGE: u64 = 1_000_000;

/// P(D >= d) for a sample of `n` values of a continuous distribution.
pub(super) fn upper_tail(n: u64, d: f64) -> f64 {
    let size = n as f64;
    let t = size * d;
    if d >= 1.0 {
        return 0.0;
    }
    if t <= 0.5 {
        return 1.0;
    }
    let p = if t <= 1.0 {
        // n! (2 d - 1/n)^n.
        1.0 - (1..=n).map(|i| i as f64 / size * (2.0 * t - 1.0)).product::<f64>()
    } else if t >= size - 1.0 {
        2.0 * (1.0 - d).powf(size)
    } else {
        let square = t * d;
        match n {
            // 2 exp(-2 n d^2) has no number any more.
            _ if square >= 372.5 => 0.0,
            _ if d >= 0.5 => 2.0 * one_sided(n, d),
            ..=SMALL if square <= 4.0 => 1.0 - durbin(n, d),
            ..=SMALL => 2.0 * one_sided(n, d),
            _ if square >= 2.2 => 2.0 * one_sided(n, d),
            ..=100_000 if size * d.powf(1.5) <= 1.4 => 1.0 - durbin(n, d),
            _ => 1.0 - pelz_good(size, d),
        }
    };
    p.clamp(0.0, 1.0)
}

/// P(D+ >= d) (Smirnov 1944; Birnbaum & Tingey 1951): `sum C(n, j) d (d + j/n)^(j-1) (1 - d - j/n)^(n-j)`.
fn one_sided(n: u64, d: f64) -> f64 {
    let size = n as f64;
    if n > LARGE {
        return (-(6.0 * size * d + 1.0).powi(2) / (18.0 * size)).exp();
    }
    let last = (size * (1.0 - d)).floor() as u64;
    let term = |j: u64| {
        let up = d + j as f64 / size;
        let down = (size - size * d - j as f64) / size;
        let rest = (n - j) as f64;
        let ln_down = if rest == 0.0 { 0.0 } else { rest * down.max(0.0).ln() };
        (ln_binomial(n, j) + (j as f64 - 1.0) * up.ln() + ln_down).exp()
    };
    d * (0..=last).map(term).sum::<f64>()
}

/// P(D < d), exactly, by the k-th entry of Durbin's matrix to the power n (Durbin 1968; Marsaglia, Tsang
/// & Wang 2003).
fn durbin(n: u64, d: f64) -> f64 {
    let t = n as f64 * d;
    let k = t.ceil();
    let h = k - t;
    let (k, order) = (k as usize, 2 * k as usize - 1);
    let mut matrix = vec![vec![0.0; order]; order];
    let mut factorial = 1.0;
    // 1 / (r + 1)!, by the distance r from the diagonal.
    let inverse: Vec<f64> = (1..=order)
        .map(|r| {
            factorial /= r as f64;
            factorial
        })
        .collect();
    for (i, row) in matrix.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().enumerate().take(i + 2) {
            *cell = if i + 1 == j { 1.0 } else { inverse[i - j] };
        }
    }
    for i in 0..order {
        let lost = h.powi(i as i32 + 1) * inverse[i];
        matrix[i][0] -= lost;
        let at = order - 1 - i;
        matrix[order - 1][at] -= lost;
    }
    if h > 0.5 {
        matrix[order - 1][0] += (2.0 * h - 1.0).powi(order as i32) * inverse[order - 1];
    }
    let (power, exponent) = power(&matrix, n);
    // n! / n^n, with the scale that the power has shed.
    let mut value = power[k - 1][k - 1];
    let mut scale = exponent;
    for i in 1..=n {
        value *= i as f64 / n as f64;
        if value < 1e-140 {
            value *= 1e140;
            scale -= 140;
        }
    }
    value * 10_f64.powi(scale.clamp(-400, 400))
}

type Matrix = Vec<Vec<f64>>;

/// The matrix to this power, and the power of ten that it is to be multiplied by.
fn power(matrix: &Matrix, n: u64) -> (Matrix, i32) {
    if n == 1 {
        return (matrix.clone(), 0);
    }
    let (half, exponent) = power(matrix, n / 2);
    let (mut result, mut exponent) = (product(&half, &half), 2 * exponent);
    if n % 2 == 1 {
        result = product(&result, matrix);
    }
    let middle = result.len() / 2;
    if result[middle][middle] > 1e140 {
        result.iter_mut().flatten().for_each(|cell| *cell *= 1e-140);
        exponent += 140;
    }
    (result, exponent)
}

fn product(left: &Matrix, right: &Matrix) -> Matrix {
    let mut result = vec![vec![0.0; right.len()]; left.len()];
    for (row, out) in left.iter().zip(&mut result) {
        for (&factor, other) in row.iter().zip(right) {
            out.iter_mut().zip(other).for_each(|(cell, value)| *cell += factor * value);
        }
    }
    result
}

/// P(D < d) by the series of Pelz & Good (1976) in 1 / sqrt(n), each term in the form for small arguments.
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = n.sqrt() * d;
    let z2 = z * z;
    let (p2, p4, p6) = (PI.powi(2), PI.powi(4), PI.powi(6));
    let (mut k0, mut k1, mut k2, mut k3) = (0.0, 0.0, 0.0, 0.0);
    // Each sum runs over all integers and is twice that over the positive ones.
    for k in 1..=(16.0 * z / PI).ceil().max(1.0) as u32 {
        let half = (f64::from(k) - 0.5).powi(2);
        let weight = (-p2 * half / (2.0 * z2)).exp();
        k0 += weight;
        k1 += (p2 * half - z2) * weight;
        k2 += (6.0 * z.powi(6)
            + 2.0 * z.powi(4)
            + p2 * (2.0 * z.powi(4) - 5.0 * z2) * half
            + p4 * (1.0 - 2.0 * z2) * half.powi(2))
            * weight
            / (72.0 * z.powi(7));
        k3 += (p6 * (5.0 - 30.0 * z2) * half.powi(3)
            + p4 * (-60.0 * z2 + 212.0 * z.powi(4)) * half.powi(2)
            + p2 * (135.0 * z.powi(4) - 96.0 * z.powi(6)) * half
            - 30.0 * z.powi(6)
            - 90.0 * z.powi(8))
            * weight
            / (6480.0 * z.powi(10));
        let whole = f64::from(k).powi(2);
        let weight = (-p2 * whole / (2.0 * z2)).exp();
        k2 -= p2 * whole * weight / (36.0 * z.powi(3));
        k3 += (3.0 * p2 * whole * z2 - p4 * whole.powi(2)) * weight / (216.0 * z.powi(6));
    }
    let series = k0 / z + k1 / (6.0 * z.powi(4)) / n.sqrt() + k2 / n + k3 / n.powf(1.5);
    (2.0 * PI).sqrt() * series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marsaglia, Tsang & Wang, "Evaluating Kolmogorov's Distribution", 2003, print these.
    #[test]
    fn the_law_agrees_with_the_published_digits() {
        for (n, d, below) in [
            (10, 0.274, 0.628_479_615_456_504_3),
            (2000, 0.04, 0.996_769_431_917_136_8),
            (2000, 0.06, 0.999_998_939_569_305_7),
            (16_000, 0.016, 0.999_452_349_138_280_5),
        ] {
            let p = upper_tail(n, d);
            assert!((p / (1.0 - below) - 1.0).abs() < 1e-6, "{n} {d}: {p} {}", 1.0 - below);
        }
    }

    /// The branches meet: exact, by series, and one-sided.
    #[test]
    fn one_branch_takes_over_where_the_other_ends() {
        for (n, d) in [(100, 0.12), (140, 0.08), (500, 0.03)] {
            let ratio = (1.0 - pelz_good(n as f64, d)) / (1.0 - durbin(n, d));
            assert!((ratio - 1.0).abs() < 1e-4, "{n} {d}: {ratio}");
        }
        for (n, d) in [(100, 0.21), (200, 0.16)] {
            let ratio = 2.0 * one_sided(n, d) / (1.0 - durbin(n, d));
            assert!((ratio - 1.0).abs() < 1e-6, "{n} {d}: {ratio}");
        }
        assert_eq!(upper_tail(5, 0.1), 1.0);
        assert_eq!(upper_tail(5, 1.0), 0.0);
        // One value lies within d of either end of the unit interval with probability 2 - 2 d.
        assert!((upper_tail(1, 0.75) - 0.5).abs() < 1e-15);
        assert!((upper_tail(1, 0.6) - 0.8).abs() < 1e-12);
    }
}

//! The logarithm of a rising factorial: what every probability of an urn is made of.

/// Up to this many factors are multiplied: no logarithm but one, and no overflow below 1e25.
const FACTORS: u64 = 12;
/// From here on Stirling's series, cut after its fifth term, is exact to 1e-14.
const STIRLING: f64 = 10.0;

/// `ln(a (a + 1) ... (a + n - 1))`, that is ln Γ(a + n) - ln Γ(a), for `a` above 0.
///
/// Taken as a difference it would lose all its digits where `a` is large and `n` small.
pub(super) fn ln_rising(mut a: f64, mut n: u64) -> f64 {
    if n <= FACTORS {
        return (0..n).fold(1.0, |product, step| product * (a + step as f64)).ln();
    }
    let mut product = 1.0;
    while a < STIRLING && n > 0 {
        product *= a;
        a += 1.0;
        n -= 1;
    }
    let (count, end) = (n as f64, a + n as f64);
    let main = count * (end.ln() - 1.0) + (a - 0.5) * (count / a).ln_1p();
    product.ln() + main + tail(end) - tail(a)
}

/// Stirling's series beyond its main term (Abramowitz and Stegun 1964, 6.1.41).
fn tail(x: f64) -> f64 {
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = 1.0 / 1680.0 - square / 1188.0;
    let series = 1.0 / 1260.0 - square * series;
    let series = 1.0 / 360.0 - square * series;
    inverse * (1.0 / 12.0 - square * series)
}

/// `ln(e^a + e^b)` without overflow.
pub(super) fn ln_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a < b { (b, a) } else { (a, b) };
    if high == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use statrs::function::gamma::ln_gamma;

    use super::*;

    #[test]
    fn it_is_the_sum_of_its_logarithms() {
        for a in [1e-9, 0.3, 1.0, 2.5, 9.99, 10.0, 31.0, 1e3, 123_456.7, 1e12] {
            let mut sum = 0.0;
            for n in 0..3_000_u64 {
                let got = ln_rising(a, n);
                assert!((got - sum).abs() <= 1e-12 * f64::max(1.0, sum.abs()), "{a} {n}: {got}");
                sum += (a + n as f64).ln();
            }
        }
    }

    #[test]
    fn it_is_the_difference_of_gammas_far_out() {
        for (a, n) in [(0.5, 1_000_000_u64), (1e6, 1_000_000), (3e4, 50_000_000), (17.0, 20)] {
            let expected = ln_gamma(a + n as f64) - ln_gamma(a);
            let got = ln_rising(a, n);
            assert!((got - expected).abs() <= 1e-13 * expected.abs(), "{a} {n}: {got} {expected}");
        }
    }

    #[test]
    fn logarithms_add() {
        assert!((ln_add(2.0_f64.ln(), 3.0_f64.ln()) - 5.0_f64.ln()).abs() < 1e-15);
        assert_eq!(ln_add(1e9, -1e9), 1e9);
        assert_eq!(ln_add(f64::NEG_INFINITY, 1.5), 1.5);
        assert_eq!(ln_add(f64::NEG_INFINITY, f64::NEG_INFINITY), f64::NEG_INFINITY);
    }
}

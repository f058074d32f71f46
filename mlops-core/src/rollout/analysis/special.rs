//! The special functions that the statistics here need, and nothing more.

/// Natural logarithm of the gamma function for `x > 0`.
///
/// Stirling's series with six terms at `x >= 10` (DLMF 5.11.1: the first term left out is below
/// 7e-16 there), reached from below by the recurrence `ln Γ(x) = ln Γ(x + 1) - ln x` (DLMF 5.5.1).
pub(super) fn ln_gamma(x: f64) -> f64 {
    let (mut at, mut product) = (x, 1.0);
    while at < 10.0 {
        product *= at;
        at += 1.0;
    }
    let inverse = 1.0 / (at * at);
    // Bernoulli numbers B(2k) / (2k (2k - 1)).
    let terms =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    let series = terms.iter().rev().fold(0.0, |sum, term| sum * inverse + term) / at;
    let half_ln_two_pi = 0.5 * std::f64::consts::TAU.ln();
    (at - 0.5) * at.ln() - at + half_ln_two_pi + series - f64::ln(product)
}

/// Natural logarithm of the beta function for `a, b > 0`.
pub(super) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// The regularized incomplete beta function `I_x(a, b)`: the probability that a Beta(a, b) variable
/// lies below `x`.
///
/// By the continued fraction DLMF 8.17.22, evaluated by the modified Lentz method (Thompson and
/// Barnett, Journal of Computational Physics 64, 1986).
pub(super) fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast below the mean, so the other tail is taken above it.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_cdf(1.0 - x, b, a);
    }
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b)).exp() / a;
    front / fraction(x, a, b)
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut value, mut c, mut d) = (1.0_f64, 1.0_f64, 0.0_f64);
    for step in 0..20_000 {
        let m = f64::from(step / 2);
        let numerator = match step {
            step if step % 2 == 0 => {
                -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
            }
            _ => {
                let m = m + 1.0;
                m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
            }
        };
        d = 1.0 / away(1.0 + numerator * d);
        c = away(1.0 + numerator / c);
        let change = c * d;
        value *= change;
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// The upper Clopper-Pearson bound of a probability, of confidence `1 - alpha`, after `events` of
/// `trials` (Biometrika 26, 1934): 1 when everything was an event, or nothing was tried.
pub(super) fn upper_bound(events: u64, trials: u64, alpha: f64) -> f64 {
    if events >= trials {
        return 1.0;
    }
    let (a, b) = (events as f64 + 1.0, (trials - events) as f64);
    bisect(0.0, 1.0, |x| beta_cdf(x, a, b) < 1.0 - alpha)
}

/// The quantile of Student's t distribution, for `0.5 <= level < 1`.
pub(super) fn t_quantile(level: f64, degrees: f64) -> f64 {
    let below = |t: f64| 1.0 - 0.5 * beta_cdf(degrees / (degrees + t * t), degrees / 2.0, 0.5);
    let mut high = 1.0;
    while below(high) < level && high < 1e12 {
        high *= 2.0;
    }
    bisect(0.0, high, |t| below(t) < level)
}

/// Where `is_low` turns from true to false.
fn bisect(mut low: f64, mut high: f64, is_low: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if is_low(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(got: f64, want: f64, relative: f64) {
        assert!((got - want).abs() <= relative * want.abs().max(1e-300), "{got} is not {want}");
    }

    /// Γ(1/2) = sqrt(π), Γ(5) = 24, Γ(101) = 100!, ln Γ(0.1) as in DLMF's and Abramowitz and
    /// Stegun's tables (Γ(1.1) = 0.95135 07698 66873).
    #[test]
    fn ln_gamma_has_the_published_values() {
        near(ln_gamma(0.5), 0.5 * std::f64::consts::PI.ln(), 1e-14);
        near(ln_gamma(5.0), 24.0_f64.ln(), 1e-14);
        near(ln_gamma(0.1), (0.951_350_769_866_873_2_f64 / 0.1).ln(), 1e-14);
        near(ln_gamma(101.0), (1..=100).map(|n| f64::from(n).ln()).sum(), 1e-14);
        assert!(ln_gamma(1.0).abs() < 1e-14 && ln_gamma(2.0).abs() < 1e-14);
    }

    /// B(1/2, 1/2) = π; B(a, b) = (a-1)! (b-1)! / (a+b-1)! for whole numbers.
    #[test]
    fn ln_beta_has_the_published_values() {
        near(ln_beta(0.5, 0.5), std::f64::consts::PI.ln(), 1e-14);
        near(ln_beta(3.0, 4.0), (1.0_f64 / 60.0).ln(), 1e-14);
        near(ln_beta(2.0, 1e6), -(1e6_f64 * (1e6 + 1.0)).ln(), 1e-10);
    }

    /// I_x(1, b) = 1 - (1-x)^b; the arcsine law for (1/2, 1/2); a binomial tail for whole numbers.
    #[test]
    fn beta_cdf_agrees_with_closed_forms() {
        near(beta_cdf(0.3, 1.0, 5.0), 1.0 - 0.7_f64.powi(5), 1e-14);
        near(beta_cdf(0.2, 0.5, 0.5), 2.0 / std::f64::consts::PI * 0.2_f64.sqrt().asin(), 1e-13);
        near(beta_cdf(0.5, 2.0, 2.0), 0.5, 1e-14);
        near(beta_cdf(0.9, 3.0, 2.0), 4.0 * 0.9_f64.powi(3) * 0.1 + 0.9_f64.powi(4), 1e-14);
    }

    /// Student's t at 97.5 %, as printed in any table; zero events bound by 1 - alpha^(1/n).
    #[test]
    fn quantiles_have_the_published_values() {
        for (degrees, want) in [(1.0, 12.706_205), (4.0, 2.776_445), (30.0, 2.042_272)] {
            near(t_quantile(0.975, degrees), want, 1e-6);
        }
        near(upper_bound(0, 100, 0.05), 1.0 - 0.05_f64.powf(0.01), 1e-12);
        near(upper_bound(10, 100, 0.025), 0.176_222_6, 1e-6);
        assert_eq!((upper_bound(0, 0, 0.05), upper_bound(3, 3, 0.05)), (1.0, 1.0));
    }
}

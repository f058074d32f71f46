//! Many columns at once: which of them drift, and the evidence against all of them together.
//!
//! Each column's evidence is a martingale in what is known of that column alone. Other columns may tell
//! something of its future (two columns may be the same one, cut elsewhere), so at a moment that was
//! picked by looking at all of them its expectation can be above 1: e-BH on the evidence as it stands,
//! or its average over columns, would break the promise (Wang, Dandapanthula and Ramdas, "Anytime-valid
//! FDR control with the stopped e-BH procedure", 2025; Choe and Ramdas, "Combining evidence across
//! filtrations", 2024). What does hold is P(the largest evidence ever >= x) <= 1/x. An adjuster turns
//! the largest into an e-value at any moment (Shafer, Shen, Vereshchagin and Vovk, Statistical Science
//! 26, 2011), and e-BH takes e-values whatever their dependence (Wang and Ramdas, Journal of the Royal
//! Statistical Society B 84, 2022); what is found stays found (Tavyrikov, Goeman and de Heide,
//! "Carefree multiple testing with e-processes", 2025).

use crate::error::{Error, Result};

/// Which columns drift, given the logarithm of each one's largest evidence so far
/// ([`Evidence::ln_largest`](super::Evidence::ln_largest)).
///
/// Whatever the dependence between columns and however often it is asked: the expected value of the
/// *largest* share of false alarms among the alarms, over all looks, is at most `alpha`; so without
/// drift in any column the probability that one is ever named is at most `alpha`. A column that was
/// named stays named.
///
/// This is e-BH with the adjuster that suits it best: `k` of `K` columns are named when each one's
/// largest evidence is at least `(1 + 1/2 + ... + 1/K) K / (k alpha)`, which for one column is `1/alpha`.
///
/// # Errors
///
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) for an `alpha` outside of (0, 1).
pub fn alarms(alpha: f64, ln_largest: &[f64]) -> Result<Vec<bool>> {
    if !(alpha > 0.0 && alpha < 1.0) {
        return Err(Error::invalid(format!("alpha must lie between 0 and 1: alpha={alpha}")));
    }
    let columns = ln_largest.len();
    let harmonic: f64 = (1..=columns).map(|rank| 1.0 / rank as f64).sum();
    let ln_alone = (harmonic * columns as f64 / alpha).ln();
    let mut sorted = ln_largest.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let enough = |rank: &usize| sorted[*rank - 1] >= ln_alone - (*rank as f64).ln();
    let bound = (1..=columns).rev().find(enough).map(|rank| ln_alone - (rank as f64).ln());
    Ok(ln_largest.iter().map(|&ln| bound.is_some_and(|bound| ln >= bound)).collect())
}

/// The evidence against "no column drifts": the average over columns of the adjusted largest evidence
/// `x`, `(x - 1 - ln x) / (ln x)^2`. Without drift it ever reaches `1/alpha` with probability at most
/// `alpha`. 1/2 says nothing; 0 without columns.
#[must_use]
pub fn dataset_evidence(ln_largest: &[f64]) -> f64 {
    if ln_largest.is_empty() {
        return 0.0;
    }
    let sum: f64 = ln_largest.iter().map(|&ln| adjusted(ln)).sum();
    (sum / ln_largest.len() as f64).min(f64::MAX)
}

fn adjusted(ln: f64) -> f64 {
    // Near 1 the quotient loses its digits; its series is 1/2 + ln/6 + ...
    if ln < 1e-4 { 0.5 + ln.max(0.0) / 6.0 } else { ((ln.exp_m1() - ln) / ln / ln).min(f64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expectation, over the worst law of the largest evidence (1/x is uniform), of the share of
    /// the promise that one column can use up when it is judged against thresholds `alpha k / (K h)`.
    #[test]
    fn the_adjuster_of_e_bh_has_expectation_one() -> Result<()> {
        for columns in [1_usize, 2, 20, 200] {
            let alpha = 0.05;
            let steps = 200_000;
            let harmonic: f64 = (1..=columns).map(|rank| 1.0 / rank as f64).sum();
            // E-BH names k columns when each e-value is at least K / (k alpha): the adjusted value of
            // a column is K / (k alpha) for the smallest k whose threshold it passes.
            let value = |p: f64| {
                let smallest = (p * columns as f64 * harmonic / alpha).ceil();
                if smallest <= columns as f64 { columns as f64 / (smallest * alpha) } else { 0.0 }
            };
            let top = alpha / harmonic;
            let mean: f64 =
                (0..steps).map(|i| value(top * (i as f64 + 0.5) / steps as f64)).sum::<f64>();
            let mean = mean * top / steps as f64;
            assert!((mean - 1.0).abs() < 1e-3, "{columns}: {mean}");
            // The rule is e-BH on those values.
            let largest: Vec<f64> = (0..columns).map(|i| (i * 37 % 101) as f64 / 7.0).collect();
            let values: Vec<f64> = largest.iter().map(|ln| value((-ln).exp())).collect();
            let passes = |k: &usize| {
                values
                    .iter()
                    .filter(|v| **v * *k as f64 * alpha >= columns as f64 * (1.0 - 1e-12))
                    .count()
                    >= *k
            };
            let named = (1..=columns).rev().find(passes).unwrap_or(0);
            let got = alarms(alpha, &largest)?.into_iter().filter(|alarm| *alarm).count();
            assert_eq!(got, named, "{columns}");
        }
        Ok(())
    }

    #[test]
    fn one_column_needs_one_over_alpha_and_company_helps() -> Result<()> {
        assert_eq!(alarms(0.05, &[f64::ln(20.001)])?, [true]);
        assert_eq!(alarms(0.05, &[f64::ln(19.999)])?, [false]);
        // Two columns: 60 each alone, 30 each together.
        assert_eq!(alarms(0.05, &[f64::ln(31.0), 0.0])?, [false, false]);
        assert_eq!(alarms(0.05, &[f64::ln(31.0), f64::ln(30.5)])?, [true, true]);
        assert_eq!(alarms(0.05, &[1e300, f64::ln(29.0)])?, [true, false]);
        assert!(alarms(0.05, &[])?.is_empty() && alarms(0.0, &[1.0]).is_err());
        Ok(())
    }

    #[test]
    fn the_adjuster_of_the_average_has_expectation_one() {
        // Of the adjusted value of 1/p for a uniform p, by the midpoint rule on ln(1/p).
        let (steps, width) = (4_000_000, 1e-3);
        let term = |i: u32| {
            let ln = (f64::from(i) + 0.5) * width;
            // The part that decays is summed; for large ln the integrand is 1 / ln^2.
            ((1.0 - (1.0 + ln) * (-ln).exp()) / ln / ln) * width
        };
        let mean: f64 = (0..steps).map(term).sum::<f64>() + 1.0 / (f64::from(steps) * width);
        assert!((mean - 1.0).abs() < 1e-5, "{mean}");
        let ln = 0.3_f64;
        let expected = (ln.exp() - 1.0 - ln) / (ln * ln);
        assert!((dataset_evidence(&[ln]) - expected).abs() < 1e-13);
        assert!((adjusted(1e-4) - adjusted(9.999e-5)).abs() < 1e-6);
        assert_eq!((dataset_evidence(&[]), dataset_evidence(&[1e9])), (0.0, f64::MAX));
    }
}

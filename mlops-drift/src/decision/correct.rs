//! Corrections for the number of tests.

use serde::{Deserialize, Serialize};

/// How p-values are corrected for the number of tests in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Correction {
    /// Each test at alpha by itself.
    None,
    /// Alpha bounds the expected share of false ones among the tests that alarm (Benjamini &
    /// Hochberg 1995), for independent or positively dependent tests.
    #[default]
    BenjaminiHochberg,
    /// The same under any dependence (Benjamini & Yekutieli 2001).
    BenjaminiYekutieli,
    /// Alpha bounds the chance of any false alarm in the report.
    Bonferroni,
}

impl Correction {
    /// The adjusted p-values, in the order of `p_values`: a test is rejected at any level at or
    /// above its adjusted p-value.
    #[must_use]
    pub fn adjust(self, p_values: &[f64]) -> Vec<f64> {
        let factor = self.factor(p_values.len());
        if matches!(self, Self::None | Self::Bonferroni) {
            return p_values.iter().map(|p| (p * factor).min(1.0)).collect();
        }
        let mut order: Vec<usize> = (0..p_values.len()).collect();
        order.sort_by(|&a, &b| p_values[b].total_cmp(&p_values[a]));
        let mut adjusted = vec![1.0; p_values.len()];
        let mut least = 1.0_f64;
        for (from_largest, &index) in order.iter().enumerate() {
            let rank = p_values.len() - from_largest;
            least = least.min(p_values[index] * factor / rank as f64);
            adjusted[index] = least;
        }
        adjusted
    }

    /// The critical value of a p-value by itself when `rejected` of `tests` tests are rejected: 0
    /// when none is.
    pub(crate) fn critical(self, alpha: f64, tests: usize, rejected: usize) -> f64 {
        match (self, rejected) {
            (_, 0) => 0.0,
            (Self::None | Self::Bonferroni, _) => alpha / self.factor(tests),
            (_, rejected) => alpha * rejected as f64 / self.factor(tests),
        }
    }

    fn factor(self, tests: usize) -> f64 {
        match self {
            Self::None => 1.0,
            Self::BenjaminiHochberg | Self::Bonferroni => tests as f64,
            Self::BenjaminiYekutieli => {
                tests as f64 * (1..=tests).map(|rank| 1.0 / rank as f64).sum::<f64>()
            }
        }
    }

    /// The machine word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::BenjaminiHochberg => "benjamini-hochberg",
            Self::BenjaminiYekutieli => "benjamini-yekutieli",
            Self::Bonferroni => "bonferroni",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fifteen p-values of Benjamini & Hochberg 1995, section 3.1: at 0.05 their procedure
    /// rejects the four smallest, Bonferroni's three.
    const P: [f64; 15] = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
        0.5719, 0.6528, 0.7590, 1.0000,
    ];

    fn rejected(correction: Correction) -> usize {
        correction.adjust(&P).iter().filter(|&&p| p <= 0.05).count()
    }

    #[test]
    fn the_example_of_benjamini_and_hochberg() {
        assert_eq!(rejected(Correction::None), 9);
        assert_eq!(rejected(Correction::BenjaminiHochberg), 4);
        assert_eq!(rejected(Correction::Bonferroni), 3);
        assert_eq!(rejected(Correction::BenjaminiYekutieli), 3);
        let critical = Correction::BenjaminiHochberg.critical(0.05, 15, 4);
        assert!((P[3]..P[4]).contains(&critical));
        assert_eq!(Correction::BenjaminiHochberg.critical(0.05, 15, 0), 0.0);
    }

    #[test]
    fn adjusted_values_keep_the_order_of_the_input() {
        let adjusted = Correction::BenjaminiHochberg.adjust(&[0.5, 0.01, 0.02]);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-15;
        assert!(close(adjusted[0], 0.5) && close(adjusted[1], 0.03) && close(adjusted[2], 0.03));
        assert!(Correction::Bonferroni.adjust(&[]).is_empty());
    }
}

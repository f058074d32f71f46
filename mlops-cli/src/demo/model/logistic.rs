//! A logistic regression as the baseline that the boosting has to beat.
//!
//! `smartcore` finds the coefficients; scores come from them directly, because its own `predict`
//! answers with classes. Features are standardised by the training rows, and a missing value is
//! their mean, that is 0.

use anyhow::{Context, Result, ensure};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};

use super::boosting::sigmoid;

/// Settings of the regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogisticConfig {
    /// The weight of the squared coefficients beside the summed log-loss.
    pub(crate) l2: f64,
}

impl Default for LogisticConfig {
    fn default() -> Self {
        Self { l2: 1.0 }
    }
}

/// A fitted regression. Its numbers are `f32`, which a JSON file carries without loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logistic {
    intercept: f32,
    terms: Vec<Term>,
}

/// One feature: how it is standardised, and its weight thereafter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    mean: f32,
    /// One over the standard deviation; 0 for a constant feature.
    scale: f32,
    weight: f32,
}

impl Term {
    fn standardise(&self, value: f32) -> f64 {
        if value.is_nan() {
            return 0.0;
        }
        (f64::from(value) - f64::from(self.mean)) * f64::from(self.scale)
    }
}

impl Logistic {
    /// Fits to a row a label.
    ///
    /// # Errors
    /// Labels of another number than rows or of one kind only, no feature, a negative `l2`, or a
    /// fit that does not arrive at finite coefficients.
    pub(crate) fn fit(
        features: &Array2<f32>,
        labels: &[bool],
        config: &LogisticConfig,
    ) -> Result<Self> {
        let (rows, width) = features.dim();
        ensure!(rows == labels.len(), "rows={rows} are not as many as labels={}", labels.len());
        ensure!(width > 0, "no feature");
        ensure!(labels.contains(&true) && labels.contains(&false), "labels are all alike");
        ensure!(config.l2 >= 0.0 && config.l2.is_finite(), "l2 is out of range l2={}", config.l2);
        let mut terms: Vec<Term> = features.columns().into_iter().map(|c| term(c.iter())).collect();
        let standard = features.rows().into_iter().flat_map(|row| {
            let values = row.to_vec().into_iter().zip(&terms);
            values.map(|(value, term)| term.standardise(value)).collect::<Vec<f64>>()
        });
        let matrix = DenseMatrix::new(rows, width, standard.collect(), false)?;
        let classes: Vec<u32> = labels.iter().map(|label| u32::from(*label)).collect();
        let parameters = LogisticRegressionParameters::default().with_alpha(config.l2);
        let fitted = LogisticRegression::fit(&matrix, &classes, parameters)
            .context("the logistic regression could not be fitted")?;
        for (column, term) in terms.iter_mut().enumerate() {
            term.weight = *fitted.coefficients().get((0, column)) as f32;
        }
        let fitted = Self { intercept: *fitted.intercept().get((0, 0)) as f32, terms };
        fitted.check()?;
        Ok(fitted)
    }

    /// The probability of a yes for each row.
    ///
    /// # Errors
    /// A matrix of another width than that of training.
    pub(crate) fn predict(&self, features: &Array2<f32>) -> Result<Vec<f64>> {
        let width = features.ncols();
        ensure!(width == self.width(), "matrix has another width={width} trained={}", self.width());
        let score = |row: ndarray::ArrayView1<'_, f32>| {
            let part =
                |(term, value): (&Term, &f32)| f64::from(term.weight) * term.standardise(*value);
            let sum: f64 = self.terms.iter().zip(row.iter()).map(part).sum();
            sigmoid(f64::from(self.intercept) + sum)
        };
        Ok(features.rows().into_iter().map(score).collect())
    }

    /// How many features a row has.
    pub(crate) fn width(&self) -> usize {
        self.terms.len()
    }

    /// Refuses a model, read from a file, that could not score.
    ///
    /// # Errors
    /// A coefficient that is not finite, or no feature.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(!self.terms.is_empty(), "model has no feature");
        let finite =
            |term: &Term| [term.mean, term.scale, term.weight].iter().all(|v| v.is_finite());
        let all = self.intercept.is_finite() && self.terms.iter().all(finite);
        ensure!(all, "a coefficient is not finite");
        Ok(())
    }
}

/// Mean and scale of the values that are there, in two passes.
fn term<'a>(values: impl Iterator<Item = &'a f32> + Clone) -> Term {
    let present = values.filter(|value| !value.is_nan()).map(|value| f64::from(*value));
    let count = present.clone().count().max(1) as f64;
    let mean = present.clone().sum::<f64>() / count;
    let variance = present.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let scale = if variance > 1e-12 * (1.0 + mean * mean) { 1.0 / variance.sqrt() } else { 0.0 };
    Term { mean: mean as f32, scale: scale as f32, weight: 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::random::SplitMix64;
    use super::*;

    /// Log-odds of `-1 + 0.05 * (x - 50)`, a constant and a feature that is never there.
    fn data() -> (Array2<f32>, Vec<bool>) {
        let mut random = SplitMix64::new(3, 0);
        let mut features = Array2::from_elem((4_000, 3), 5.0);
        let mut labels = Vec::new();
        for mut row in features.rows_mut() {
            row[0] = (random.unit() * 100.0) as f32;
            row[2] = f32::NAN;
            labels.push(random.unit() < sigmoid(-1.0 + 0.05 * (f64::from(row[0]) - 50.0)));
        }
        (features, labels)
    }

    #[test]
    fn the_coefficients_of_the_simulation_are_found() {
        let (features, labels) = data();
        let model = Logistic::fit(&features, &labels, &LogisticConfig::default()).unwrap();
        let rows = [[50.0, 5.0, f32::NAN], [90.0, 5.0, f32::NAN], [f32::NAN, 5.0, 1.0]];
        let scores = model.predict(&Array2::from(rows.to_vec())).unwrap();
        assert!((scores[0] - sigmoid(-1.0)).abs() < 0.03, "{scores:?}");
        assert!((scores[1] - sigmoid(1.0)).abs() < 0.03, "{scores:?}");
        assert!((scores[2] - sigmoid(-1.0)).abs() < 0.03, "{scores:?}");
    }

    #[test]
    fn a_model_survives_json_bit_for_bit() {
        let (features, labels) = data();
        let model = Logistic::fit(&features, &labels, &LogisticConfig::default()).unwrap();
        let json = serde_json::to_vec(&model).unwrap();
        assert_eq!(serde_json::from_slice::<Logistic>(&json).unwrap(), model);
    }

    #[test]
    fn unusable_input_is_refused() {
        let (features, labels) = data();
        let config = LogisticConfig::default();
        assert!(Logistic::fit(&features, &labels[1..], &config).is_err());
        assert!(Logistic::fit(&features, &vec![true; labels.len()], &config).is_err());
        assert!(Logistic::fit(&features, &labels, &LogisticConfig { l2: -1.0 }).is_err());
        let model = Logistic::fit(&features, &labels, &config).unwrap();
        assert!(model.predict(&Array2::zeros((1, 2))).is_err());
    }
}

//! One statistic of a column: what it is, what it is held against, and what it says.

use serde::{Deserialize, Serialize};

use crate::report::number::one;

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Method {
    /// The Kolmogorov-Smirnov distance.
    KolmogorovSmirnov,
    /// The Wasserstein-1 distance, in the unit of the values.
    Wasserstein,
    /// The Wasserstein-1 distance over the reference's standard deviation, which is at least 0.001.
    WassersteinNormed,
    /// The energy distance, `sqrt(2 int (F - G)^2)`.
    Energy,
    /// The Jensen-Shannon distance, a root: by natural logarithms (Evidently) or base 2 (NannyML).
    JensenShannon,
    /// The Kullback-Leibler divergence of the reference from the current shares.
    KullbackLeibler,
    /// The Hellinger distance.
    Hellinger,
    /// The population stability index.
    Psi,
    /// Chi-square: one-sample (Evidently) or of the contingency table.
    ChiSquare,
    /// The two-proportion Z.
    Z,
    /// Mann and Whitney's U of the reference, one-sided.
    MannWhitney,
    /// Student's t with a pooled variance.
    T,
    /// Anderson-Darling of two samples, standardised.
    AndersonDarling,
    /// Cramer-von Mises of two samples.
    CramerVonMises,
    /// Epps-Singleton, by characteristic functions.
    EppsSingleton,
    /// One-sample likelihood ratio.
    G,
    /// Fisher's exact test; the statistic is the odds ratio.
    Fisher,
    /// The largest difference of two shares.
    LInfinity,
}

/// What a threshold is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compared {
    /// The statistic: drift above the threshold.
    Statistic,
    /// The p-value: drift below it.
    PValue,
}

/// One statistic of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// What is computed.
    pub method: Method,
    /// Its value; with chunks the largest of theirs.
    #[serde(with = "one")]
    pub statistic: Option<f64>,
    /// The probability of such a value by the peer's law; with chunks the smallest of theirs.
    #[serde(with = "one")]
    pub p_value: Option<f64>,
    /// What the threshold is held against.
    pub compared: Compared,
    /// Where drift begins; `None` where the peer only describes.
    #[serde(with = "one")]
    pub threshold: Option<f64>,
    /// Whether this says drift; with chunks whether one of them does.
    pub drifted: Option<bool>,
    /// The current data, chunk by chunk, where the peer cuts it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<Chunk>,
}

/// Some consecutive rows of the current data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Chunk {
    /// The first row, counted from 0.
    pub from: u64,
    /// How many rows.
    pub rows: u64,
    /// The statistic; `None` when every value is missing.
    #[serde(with = "one")]
    pub statistic: Option<f64>,
    /// Its p-value, where the peer goes by it.
    #[serde(with = "one")]
    pub p_value: Option<f64>,
    /// Whether it raises an alert.
    pub drifted: bool,
}

impl Finding {
    /// A distance, which is drift from the threshold on.
    pub(super) fn distance(method: Method, statistic: Option<f64>, threshold: f64) -> Self {
        let drifted = statistic.map(|value| value >= threshold);
        let compared = Compared::Statistic;
        let threshold = Some(threshold);
        Self { method, statistic, p_value: None, compared, threshold, drifted, chunks: Vec::new() }
    }

    /// A test, which says drift below the threshold.
    pub(super) fn test(method: Method, statistic: f64, p: f64, threshold: f64) -> Self {
        Self {
            p_value: Some(p),
            compared: Compared::PValue,
            drifted: Some(p < threshold),
            ..Self::distance(method, Some(statistic), threshold)
        }
    }

    /// A number that decides nothing.
    pub(super) fn description(method: Method, statistic: Option<f64>) -> Self {
        Self { threshold: None, drifted: None, ..Self::distance(method, statistic, 0.0) }
    }
}

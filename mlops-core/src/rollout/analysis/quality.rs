//! Quality by shadow scoring: both models on the same rows, compared row by row, with an interval
//! that takes the cluster (a day, a user) as the unit that varies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::special::t_quantile;
use super::{Judgement, Verdict};
use crate::error::{Error, Result};

/// What both models lost on one row, in any unit of which less is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedLoss {
    /// What the row shares its luck with: the number of its day, for example.
    pub cluster: i64,
    /// Of the stable model.
    pub stable: f64,
    /// Of the new one.
    pub canary: f64,
}

/// By how much the new model loses more than the stable one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QualityEvidence {
    /// Mean loss of the new model less that of the stable one: above 0 is worse.
    #[serde(with = "crate::float")]
    pub difference: f64,
    /// The standard error of that.
    #[serde(with = "crate::float")]
    pub error: f64,
    /// How many clusters there were: the size of the sample.
    pub clusters: u64,
    /// How many rows.
    pub rows: u64,
}

impl QualityEvidence {
    /// Compares losses row by row.
    ///
    /// The standard error is that of the delete-one-cluster jackknife: `(G-1)/G` times the sum of
    /// squared distances of the `G` means without one cluster from the mean of all (CV3 of MacKinnon,
    /// Nielsen and Webb, "Cluster-robust inference", Journal of Econometrics 232, 2023), which errs on
    /// the wide side with few or uneven clusters. A loss that is not finite makes everything
    /// undefined (NaN), and so does a single cluster: that is no evidence.
    #[must_use]
    pub fn of(rows: &[PairedLoss]) -> Self {
        let mut clusters: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for row in rows {
            let (sum, count) = clusters.entry(row.cluster).or_default();
            *sum += row.canary - row.stable;
            *count += 1.0;
        }
        let sum: f64 = clusters.values().map(|(sum, _)| sum).sum();
        let (count, groups) = (rows.len() as f64, clusters.len() as f64);
        let mean = sum / count;
        let without = clusters.values().map(|(own, size)| (sum - own) / (count - size));
        let squares: f64 = without.map(|other| (other - mean).powi(2)).sum();
        let error = ((groups - 1.0) / groups * squares).sqrt();
        let (clusters, rows) = (clusters.len() as u64, rows.len() as u64);
        Self { difference: mean, error, clusters, rows }
    }

    /// The interval that holds the true difference in all but `alpha` of cases, by Student's t with
    /// one degree of freedom less than clusters; `None` where nothing is known.
    #[must_use]
    pub fn interval(&self, alpha: f64) -> Option<[f64; 2]> {
        let known = self.difference.is_finite() && self.error.is_finite() && self.clusters >= 2;
        let usable = known && alpha > 0.0 && alpha < 1.0;
        let reach = usable
            .then(|| t_quantile(1.0 - alpha / 2.0, (self.clusters - 1) as f64) * self.error)?;
        Some([self.difference - reach, self.difference + reach])
    }

    /// What this shows under `rule`, at its level divided by `looks`: the same question may be asked
    /// that often.
    #[must_use]
    pub fn judge(&self, rule: &QualityRule, looks: u32) -> (QualityVerdict, String) {
        let Self { difference, clusters, rows, .. } = self;
        let alpha = rule.alpha / f64::from(looks.max(1));
        let Some([low, high]) = self.interval(alpha).filter(|_| *clusters >= rule.min_clusters)
        else {
            let why = format!("no evidence of quality: clusters={clusters} rows={rows}");
            return (QualityVerdict::NoData, why);
        };
        let verdict = if high < 0.0 {
            QualityVerdict::Better
        } else if low > rule.margin {
            QualityVerdict::Worse
        } else if high <= rule.margin {
            QualityVerdict::NotWorse
        } else {
            QualityVerdict::Inconclusive
        };
        let shown = format!(
            "loss {difference:+.4}, interval [{low:+.4}, {high:+.4}], {clusters} clusters, {rows} rows"
        );
        (verdict, shown)
    }
}

/// When a model counts as worse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QualityRule {
    /// The chance of a wrong answer over all looks together, in `(0, 1)`.
    pub alpha: f64,
    /// How much more loss is put up with, in the unit of the loss, 0 or more.
    pub margin: f64,
    /// With fewer clusters there is no evidence.
    pub min_clusters: u64,
}

impl Default for QualityRule {
    fn default() -> Self {
        Self { alpha: 0.05, margin: 0.0, min_clusters: 5 }
    }
}

impl QualityRule {
    /// Puts up with so much more loss.
    #[must_use]
    pub fn with_margin(self, margin: f64) -> Self {
        Self { margin, ..self }
    }

    /// Sets the chance of a wrong answer.
    #[must_use]
    pub fn with_alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// # Errors
    /// `InvalidInput` for a level or a margin outside its range.
    pub fn check(&self) -> Result<()> {
        let Self { alpha, margin, .. } = self;
        if *alpha > 0.0 && *alpha < 1.0 && *margin >= 0.0 && margin.is_finite() {
            return Ok(());
        }
        let message = format!("a rule of quality makes no sense: alpha={alpha} margin={margin}");
        Err(Error::invalid(message))
    }
}

/// What paired losses show of the new model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QualityVerdict {
    /// It loses less, beyond chance.
    Better,
    /// It loses at most the margin more, beyond chance.
    NotWorse,
    /// It loses more than the margin more, beyond chance.
    Worse,
    /// That can't be told yet.
    Inconclusive,
    /// There is nothing to tell it by.
    NoData,
}

impl QualityVerdict {
    /// What a rollout makes of it.
    #[must_use]
    pub fn judgement(self, reason: String) -> Judgement {
        let verdict = match self {
            Self::Better | Self::NotWorse => Verdict::Pass,
            Self::Worse => Verdict::Fail,
            Self::Inconclusive => Verdict::Inconclusive,
            Self::NoData => Verdict::NoData,
        };
        Judgement { verdict, reason }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    /// Days whose weather moves the difference, rows around it; `shift` is the truth.
    fn sample(seed: u64, days: i64, shift: f64) -> Vec<PairedLoss> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut normal = move || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        let mut rows = Vec::new();
        for cluster in 0..days {
            let weather = 0.3 * normal();
            for _ in 0..20 + (cluster * 7) % 41 {
                let stable = 1.0 + normal();
                rows.push(PairedLoss {
                    cluster,
                    stable,
                    canary: stable + shift + weather + 0.5 * normal(),
                });
            }
        }
        rows
    }

    /// 1,000 samples of 14 uneven days: three standard errors of the share are 2.1 points.
    #[test]
    fn the_interval_holds_the_truth_as_often_as_it_says() {
        let held = (0..1_000).filter(|seed| {
            let [low, high] = QualityEvidence::of(&sample(*seed, 14, 0.2)).interval(0.05).unwrap();
            low <= 0.2 && 0.2 <= high
        });
        let held = held.count();
        assert!((929..=971).contains(&held), "held {held} of 1000");
    }

    #[test]
    fn rows_of_a_day_do_not_count_as_independent() {
        let rows = sample(3, 14, 0.0);
        let alone: Vec<PairedLoss> =
            rows.iter().zip(0..).map(|(row, cluster)| PairedLoss { cluster, ..*row }).collect();
        let (clustered, naive) = (QualityEvidence::of(&rows), QualityEvidence::of(&alone));
        assert!(clustered.error > 2.0 * naive.error, "{clustered:?} {naive:?}");
        assert!((clustered.difference - naive.difference).abs() < 1e-12);
    }

    #[test]
    fn each_verdict_has_its_case() {
        let rule = QualityRule::default();
        let judge =
            |rows: &[PairedLoss], rule: &QualityRule| QualityEvidence::of(rows).judge(rule, 1).0;
        assert_eq!(judge(&sample(1, 14, -1.0), &rule), QualityVerdict::Better);
        assert_eq!(judge(&sample(1, 14, 1.0), &rule), QualityVerdict::Worse);
        assert_eq!(judge(&sample(1, 14, 0.0), &rule), QualityVerdict::Inconclusive);
        assert_eq!(judge(&sample(1, 14, 0.0), &rule.with_margin(1.0)), QualityVerdict::NotWorse);
        assert_eq!(judge(&sample(1, 4, 1.0), &rule), QualityVerdict::NoData);
        assert_eq!(judge(&[], &rule), QualityVerdict::NoData);
        let mut bad = sample(1, 14, -1.0);
        bad[7].canary = f64::NAN;
        assert_eq!(judge(&bad, &rule), QualityVerdict::NoData);
        bad[7].canary = f64::INFINITY;
        assert_eq!(judge(&bad, &rule), QualityVerdict::NoData);
    }

    #[test]
    fn the_same_model_twice_is_not_worse() {
        let mut rows = sample(2, 14, 0.0);
        rows.iter_mut().for_each(|row| row.canary = row.stable);
        let verdict = QualityEvidence::of(&rows).judge(&QualityRule::default(), 1).0;
        assert_eq!(verdict, QualityVerdict::NotWorse);
    }
}

//! Rows that share their fate: whole clusters (days, users, sensors) are ranked by their scores.

use serde::{Deserialize, Serialize};

use super::{Alarm, Sequential, SequentialOptions};
use crate::error::{Error, Result};
use crate::statistic::{Point, Sample};

/// How many scores [`category_scores`] gives: directions, and the share of missing rows.
const DIRECTIONS: usize = 4;

/// One column whose rows come in independent clusters, watched for ever against one reference.
///
/// Each cluster is summed up in a few scores by a function that was fixed before any cluster was seen
/// ([`number_scores`], [`category_scores`], or the caller's own). Then the scores of one kind are as
/// good as independent rows. Scores of one cluster depend on each other, so each kind is watched at
/// its share of alpha: the evidence is the largest over the kinds, divided by their number.
///
/// Hand a cluster over once it is complete, and once only.
///
/// ```
/// use mlops_drift::sequential::{Clusters, SequentialOptions, number_scores};
/// use mlops_drift::statistic::Sample;
///
/// let day = |day: i32, shift: f64| {
///     let rows = (0..50).map(|row| f64::from(row % 7 + day * 5 % 11) + shift);
///     number_scores(&Sample::new(rows), 0)
/// };
/// let reference: Vec<_> = (0..30).map(|number| day(number, 0.0)).collect();
/// let mut watch = Clusters::new(&reference, &SequentialOptions::default())?;
/// (30..60).try_for_each(|number| watch.observe(&[day(number, 0.0)]))?;
/// assert!(watch.alarm().is_none());
/// (60..80).try_for_each(|number| watch.observe(&[day(number, 20.0)]))?;
/// assert!(watch.alarm().is_some());
/// # Ok::<(), mlops_drift::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clusters {
    scores: Vec<Sequential<f64>>,
}

impl Clusters {
    /// Watches clusters against these, each given as its scores. A score that is not finite stands
    /// below all others.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for options out of range and without clusters
    /// or scores.
    pub fn new<const S: usize>(
        reference: &[[f64; S]],
        options: &SequentialOptions,
    ) -> Result<Self> {
        if S == 0 {
            return Err(Error::invalid("clusters without scores can't be told apart"));
        }
        options.check()?;
        let start = |(kind, of): (usize, u64)| {
            let seed = options.seed.wrapping_add(of << 48);
            let part = options.with_alpha(options.alpha / S as f64).with_seed(seed);
            let (sample, missing) = column(reference, kind);
            Sequential::numbers(&sample, missing, &part)
        };
        Ok(Self { scores: (0..S).zip(0..).map(start).collect::<Result<_>>()? })
    }

    /// Looks at the clusters that have been completed since the look before.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for another number of scores, and those of
    /// [`Evidence::observe`](super::Evidence::observe).
    pub fn observe<const S: usize>(&mut self, clusters: &[[f64; S]]) -> Result<()> {
        if S != self.scores.len() {
            let expected = self.scores.len();
            return Err(Error::invalid(format!(
                "clusters have other scores: expected={expected} found={S}"
            )));
        }
        for (kind, watch) in self.scores.iter_mut().enumerate() {
            let (sample, missing) = column(clusters, kind);
            watch.observe(&sample, missing)?;
        }
        Ok(())
    }

    /// The first look at which the evidence reached `1/alpha`; its rows are clusters.
    #[must_use]
    pub fn alarm(&self) -> Option<Alarm> {
        self.scores.iter().filter_map(Sequential::alarm).min_by_key(|alarm| alarm.look)
    }

    /// The logarithm of the largest evidence so far, at least 0: it ever reaches `ln(1/alpha)` with
    /// probability `alpha` at most.
    #[must_use]
    pub fn ln_largest(&self) -> f64 {
        let largest = self.scores.iter().map(|watch| watch.evidence().ln_largest());
        (largest.fold(0.0, f64::max) - (self.scores.len() as f64).ln()).max(0.0)
    }

    /// What is known of each kind of score.
    #[must_use]
    pub fn scores(&self) -> &[Sequential<f64>] {
        &self.scores
    }
}

/// One kind of score of all clusters, and how many have none.
fn column<const S: usize>(clusters: &[[f64; S]], kind: usize) -> (Sample<f64>, u64) {
    let sample = Sample::new(clusters.iter().map(|scores| scores[kind]));
    let missing = clusters.len() as u64 - sample.len();
    (sample, missing)
}

/// Scores of a cluster of numbers: median, distance between the quartiles, and the share of rows without
/// a usable value. NaN where there is nothing to score.
#[must_use]
pub fn number_scores<T: Point>(values: &Sample<T>, missing: u64) -> [f64; 3] {
    let quartile = |part: u64| values.quantile(part, 4);
    let median = quartile(2).map_or(f64::NAN, T::to_f64);
    let spread = quartile(1).zip(quartile(3));
    let spread = spread.map_or(f64::NAN, |(low, high)| {
        let scale = T::scale(low, high);
        T::gap(low, high, scale) / scale
    });
    [median, spread, share(missing, values.len())]
}

/// Scores of a cluster of categories: its mean along four directions, each of which gives every
/// category a value of 1 or -1 by a hash of its name; and the share of rows without one. Any change of
/// shares moves some direction, most likely.
#[must_use]
pub fn category_scores<'a>(
    counts: impl IntoIterator<Item = (&'a str, u64)>,
    missing: u64,
) -> [f64; DIRECTIONS + 1] {
    let (mut sums, mut rows) = ([0_i128; DIRECTIONS], 0);
    for (name, count) in counts {
        rows += count;
        let bits = hash(name);
        for (direction, sum) in sums.iter_mut().enumerate() {
            let count = i128::from(count);
            *sum += if bits >> (direction * 16) & 1 == 1 { count } else { -count };
        }
    }
    let mut scores = [share(missing, rows); DIRECTIONS + 1];
    let all = if rows == 0 { f64::NAN } else { rows as f64 };
    scores.iter_mut().zip(sums).for_each(|(score, sum)| *score = sum as f64 / all);
    scores
}

fn share(missing: u64, usable: u64) -> f64 {
    missing as f64 / (missing as f64 + usable as f64)
}

/// FNV-1a, stirred so that each bit depends on each letter.
fn hash(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_what_they_say() {
        let scores = number_scores(&Sample::new([5_i128, 1, 3, 2, 4]), 15);
        assert_eq!(scores, [3.0, 2.0, 0.75]);
        let none = number_scores(&Sample::<f64>::default(), 0);
        assert!(none.iter().all(|score| score.is_nan()));
        let one = category_scores([("a", 3)], 1);
        assert!(one[..4].iter().all(|score| score.abs() == 1.0) && one[4] == 0.25, "{one:?}");
        let half = category_scores([("a", 3), ("b", 3)], 0);
        assert!(half[..4].iter().all(|score| [-1.0, 0.0, 1.0].contains(score)), "{half:?}");
        // Names fall on either side of each direction about as often.
        for direction in 0..DIRECTIONS {
            let names: Vec<String> = (0..400).map(|number| format!("name {number}")).collect();
            let sum: f64 = names.iter().map(|n| category_scores([(&n[..], 1)], 0)[direction]).sum();
            assert!(sum.abs() < 80.0, "{direction}: {sum}");
        }
    }

    #[test]
    fn other_scores_are_refused() -> Result<()> {
        let options = SequentialOptions::default();
        assert!(Clusters::new::<2>(&[], &options).is_err());
        assert!(Clusters::new(&[[]], &options).is_err());
        let mut watch = Clusters::new(&[[1.0, 2.0]], &options)?;
        assert!(watch.observe(&[[1.0]]).is_err());
        watch.observe(&[[1.0, f64::NAN]])?;
        assert_eq!(watch.scores().len(), 2);
        Ok(())
    }
}

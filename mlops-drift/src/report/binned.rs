//! What can be said of a column of which nothing but the counts of its bins is known.

use super::bins;
use super::describe::{Description, moved_bins, psi_report, ranked};
use super::{KsReport, Statistics, TestedStatistic};
use crate::statistic::{
    EmptyBins, Ks, anderson_darling_of, ks_p_value_of, mann_whitney_of, mood_of,
};

/// Describes two sides by the counts of the same bins, which have these edges between them.
pub(super) fn binned(
    [old, new]: [&Vec<u64>; 2],
    edges: Vec<f64>,
    clustered: bool,
    empty_bins: EmptyBins,
) -> Description {
    let counts = || old.iter().copied().zip(new.iter().copied());
    let bins = [old.clone(), new.clone()];
    let spread = mood_of(counts());
    let ks = ks_report(&bins, clustered);
    let distance = ks.value;
    Description {
        moved: moved_bins(&edges, &bins),
        distance,
        scale: spread.map(|mood| mood.effect.map_or(0.0, |ratio| (ratio - 1.0).abs())),
        statistics: Statistics {
            ks: Some(ks),
            mann_whitney: Some(ranked(mann_whitney_of(counts()))),
            mood: Some(ranked(spread)),
            anderson_darling: Some(TestedStatistic {
                value: anderson_darling_of(counts()).map(|ad| ad.value),
                p_value: None,
                effect: distance,
            }),
            ..bins::statistics(&bins, empty_bins)
        },
        ..Description::default()
    }
    .with_psi(psi_report(edges, bins, empty_bins))
}

/// The distance at the edges, which the true one exceeds by no more than the interval says.
fn ks_report([old, new]: &[Vec<u64>; 2], clustered: bool) -> KsReport {
    let sum = |side: &[u64]| side.iter().map(|&count| u128::from(count)).sum::<u128>();
    let (n, m) = (sum(old), sum(new));
    if n == 0 || m == 0 {
        return KsReport::default();
    }
    let (mut i, mut j, mut lower, mut upper) = (0, 0, 0, 0);
    for (&r, &c) in old.iter().zip(new) {
        let (r, c) = (u128::from(r), u128::from(c));
        // Inside of the bin one side may come first.
        let ahead = ((i + r) * m).abs_diff(j * n).max((i * m).abs_diff((j + c) * n));
        (i, j) = (i + r, j + c);
        lower = lower.max((i * m).abs_diff(j * n));
        upper = upper.max(ahead).max(lower);
    }
    let ks = Ks::of(lower, n * m);
    let counts = old.iter().copied().zip(new.iter().copied());
    let p = match clustered {
        true => None,
        false => ks_p_value_of(&ks, n as u64, m as u64, counts),
    };
    KsReport {
        value: Some(ks.value),
        numerator: Some(ks.numerator.to_string()),
        denominator: Some(ks.denominator.to_string()),
        p_value: p.map(|p| p.p),
        log_p_value: p.map(|p| p.log_p),
        law: p.map(|p| p.law),
        interval: (upper > lower).then(|| [ks.value, Ks::of(upper, n * m).value]),
    }
}

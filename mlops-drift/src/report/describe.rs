//! The statistics, moved bins and quantiles of one column.

use std::collections::{BTreeMap, HashMap};

use super::{
    Bound, BoundedStatistic, Categories, KsReport, Moved, PsiReport, QuantileShift, ShiftStatistic,
    Statistics, TestedStatistic, WassersteinReport, bins,
};
use crate::statistic::{
    EmptyBins, Ks, Point, RankStatistic, Sample, anderson_darling, bin_counts, cramer_von_mises,
    decile_edges, energy_distance, ks, ks_p_value, mann_whitney, moments, mood, psi, wasserstein,
};

/// How many moved categories, and how many new and vanished ones, a report names at most.
const NAMED: usize = 100;

/// What describes a column, and the effects its findings are judged by.
#[derive(Debug, Default)]
pub(super) struct Description {
    pub(super) statistics: Statistics,
    pub(super) moved: Vec<Moved>,
    pub(super) quantile_shifts: Vec<QuantileShift>,
    pub(super) categories: Categories,
    /// The KS distance, or the total variation of categories.
    pub(super) distance: Option<f64>,
    /// The relative change of the mean squared centred rank.
    pub(super) scale: Option<f64>,
}

/// A numeric column; values are divided by `divisor` on their way into the report.
pub(super) fn numeric<T: Point>(
    reference: &Sample<T>,
    current: &Sample<T>,
    divisor: f64,
    clustered: bool,
    empty_bins: EmptyBins,
) -> Description {
    let distance = ks(reference, current);
    let spread = mood(reference, current);
    let edges = decile_edges(reference);
    let bins = [bin_counts(reference, &edges), bin_counts(current, &edges)];
    let bounds: Vec<f64> = edges.iter().map(|edge| edge.to_f64() / divisor).collect();
    let binned = bins::statistics(&bins, empty_bins);
    let (mean_shift, std_shift) = shifts(reference, current, divisor);
    Description {
        moved: moved_bins(&bounds, &bins),
        quantile_shifts: quantile_shifts(reference, current, divisor),
        distance: distance.map(|ks| ks.value),
        scale: spread.map(|mood| mood.effect.map_or(0.0, |ratio| (ratio - 1.0).abs())),
        statistics: Statistics {
            ks: Some(distance.map_or_else(KsReport::default, |ks| {
                ks_report(&ks, reference, current, clustered)
            })),
            wasserstein: Some(wasserstein_report(reference, current, divisor)),
            psi: Some(psi_report(bounds, bins, empty_bins)),
            mann_whitney: Some(ranked(mann_whitney(reference, current))),
            mood: Some(ranked(spread)),
            anderson_darling: Some(TestedStatistic {
                value: anderson_darling(reference, current).map(|ad| ad.value),
                p_value: None,
                effect: distance.map(|ks| ks.value),
            }),
            energy: Some(exact(energy_distance(reference, current).map(|d| d / divisor.sqrt()))),
            cramer_von_mises: Some(exact(cramer_von_mises(reference, current))),
            mean_shift: Some(mean_shift),
            std_shift: Some(std_shift),
            ..binned
        },
        categories: Categories::default(),
    }
}

fn exact(value: Option<f64>) -> BoundedStatistic {
    BoundedStatistic { value, interval: None }
}

fn ks_report<T: Point>(
    ks: &Ks,
    reference: &Sample<T>,
    current: &Sample<T>,
    clustered: bool,
) -> KsReport {
    // The law is one of independent rows; for others it would be wrong, not approximate.
    let p = if clustered { None } else { ks_p_value(ks, reference, current) };
    KsReport {
        value: Some(ks.value),
        numerator: Some(ks.numerator.to_string()),
        denominator: Some(ks.denominator.to_string()),
        p_value: p.map(|p| p.p),
        log_p_value: p.map(|p| p.log_p),
        law: p.map(|p| p.law),
        interval: None,
    }
}

fn wasserstein_report<T: Point>(
    reference: &Sample<T>,
    current: &Sample<T>,
    divisor: f64,
) -> WassersteinReport {
    let value = wasserstein(reference, current);
    let over = |unit: Option<f64>| {
        let unit = unit.filter(|unit| *unit > 0.0)?;
        // Both of them infinite says nothing.
        value.map(|value| value / unit).filter(|ratio| !ratio.is_nan())
    };
    let iqr = reference.quantile(1, 4).zip(reference.quantile(3, 4)).map(|(low, high)| {
        let scale = T::scale(low, high);
        T::gap(low, high, scale) / scale
    });
    let deviation = moments(reference, reference).map(|moments| moments.reference.1);
    WassersteinReport {
        value: value.map(|value| value / divisor),
        over_iqr: over(iqr),
        over_std: over(deviation),
        interval: None,
    }
}

fn psi_report(edges: Vec<f64>, bins: [Vec<u64>; 2], empty_bins: EmptyBins) -> PsiReport {
    let value = psi(&bins[0], &bins[1], empty_bins);
    let [reference_counts, current_counts] = bins;
    PsiReport { value, edges, reference_counts, current_counts, empty_bins }
}

fn ranked(statistic: Option<RankStatistic>) -> TestedStatistic {
    TestedStatistic {
        value: statistic.map(|s| s.value),
        p_value: None,
        effect: statistic.and_then(|s| s.effect),
    }
}

fn shifts<T: Point>(
    reference: &Sample<T>,
    current: &Sample<T>,
    divisor: f64,
) -> (ShiftStatistic, ShiftStatistic) {
    let Some(moments) = moments(reference, current) else {
        return Default::default();
    };
    let shift = |value: f64, reference: f64, current: f64| ShiftStatistic {
        value: Some(value / divisor),
        reference: Some(reference / divisor),
        current: Some(current / divisor),
    };
    (
        shift(moments.mean_shift, moments.reference.0, moments.current.0),
        shift(moments.std_shift, moments.reference.1, moments.current.1),
    )
}

fn quantile_shifts<T: Point>(
    reference: &Sample<T>,
    current: &Sample<T>,
    divisor: f64,
) -> Vec<QuantileShift> {
    let quantile = |sample: &Sample<T>, percent: u64| {
        sample.quantile(percent, 100).map(|value| value.to_f64() / divisor)
    };
    let shift = |percent: u64| QuantileShift {
        q: percent as f64 / 100.0,
        reference: quantile(reference, percent),
        current: quantile(current, percent),
    };
    [5, 25, 50, 75, 95].map(shift).to_vec()
}

fn moved_bins(edges: &[f64], bins: &[Vec<u64>; 2]) -> Vec<Moved> {
    let edge = |index: Option<usize>, outer: &str| {
        index
            .and_then(|index| edges.get(index))
            .map_or_else(|| Bound::Name(outer.to_owned()), |&edge| Bound::Number(edge))
    };
    let bounds = |bin: usize| (edge(bin.checked_sub(1), "-inf"), edge(Some(bin), "inf"));
    moved(bins, bounds)
}

fn moved(bins: &[Vec<u64>; 2], bounds: impl Fn(usize) -> (Bound, Bound)) -> Vec<Moved> {
    let totals = [bins[0].iter().sum::<u64>(), bins[1].iter().sum::<u64>()];
    if totals.contains(&0) {
        return Vec::new();
    }
    let share = |side: usize, bin: usize| bins[side][bin] as f64 / totals[side] as f64;
    let mut masses: Vec<(usize, f64)> = (0..bins[0].len())
        .map(|bin| (bin, share(1, bin) - share(0, bin)))
        .filter(|(_, mass)| *mass != 0.0)
        .collect();
    masses.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    masses.truncate(NAMED);
    let entry = |(bin, mass)| {
        let (from, to) = bounds(bin);
        Moved { from, to, mass }
    };
    masses.into_iter().map(entry).collect()
}

/// The categories of both sides by name, each with its two counts.
pub(super) fn union<'a>(
    reference: &'a HashMap<String, u64>,
    current: &'a HashMap<String, u64>,
) -> BTreeMap<&'a str, (u64, u64)> {
    let mut union: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (name, count) in reference {
        union.entry(name).or_default().0 += count;
    }
    for (name, count) in current {
        union.entry(name).or_default().1 += count;
    }
    union
}

/// A column of categories.
pub(super) fn categorical(
    union: &BTreeMap<&str, (u64, u64)>,
    empty_bins: EmptyBins,
) -> Description {
    let names: Vec<&str> = union.keys().copied().collect();
    let bins = [
        union.values().map(|counts| counts.0).collect::<Vec<u64>>(),
        union.values().map(|counts| counts.1).collect(),
    ];
    let only = |wanted: fn(&(u64, u64)) -> bool| {
        let found = union.iter().filter(|(_, counts)| wanted(counts));
        found.take(NAMED).map(|(name, _)| (*name).to_owned()).collect()
    };
    let binned = bins::statistics(&bins, empty_bins);
    let distance = binned.total_variation.and_then(|distance| distance.value);
    let name = |bin: usize| Bound::Name(names[bin].to_owned());
    Description {
        moved: moved(&bins, |bin| (name(bin), name(bin))),
        categories: Categories {
            new: only(|counts| counts.0 == 0),
            vanished: only(|counts| counts.1 == 0),
        },
        distance,
        statistics: Statistics { psi: Some(psi_report(Vec::new(), bins, empty_bins)), ..binned },
        ..Description::default()
    }
}

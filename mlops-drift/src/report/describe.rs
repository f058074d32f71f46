//! The statistics, moved bins and quantiles of one column.

use std::collections::{BTreeMap, HashMap};

use super::exact::{SHOWN, position};
use super::{
    Bound, BoundedStatistic, Categories, CategoryCount, KsReport, Moved, PsiReport, QuantileShift,
    ShiftStatistic, Statistics, TestedStatistic, WassersteinReport, bins,
};
use crate::cells::{
    Anchors, Bounds, Exact, Number, Tally, bounds, cramer_von_mises, energy, locate,
};
use crate::reference::Lane;
use crate::statistic::{
    EmptyBins, Ks, Pooled, RankStatistic, anderson_darling_of, cramer_von_mises_of,
    energy_distance_of, ks_p_value_of, mann_whitney_of, mood_of, psi,
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

impl Description {
    pub(super) fn with_psi(mut self, psi: PsiReport) -> Self {
        self.statistics.psi = Some(psi);
        self
    }
}

/// Both sides of a numeric column in its cells.
pub(super) struct Numbers<'a, T: Number> {
    anchors: &'a Anchors<T>,
    old: &'a Tally,
    new: &'a Tally,
    /// What a second look has found.
    exact: Option<&'a Exact<T>>,
    /// Every value, where they are few and were looked at again.
    points: Option<Vec<Pooled<T>>>,
    /// The counts of both sides in ascending cells, those that hold anything.
    pub(super) counts: Vec<(u64, u64)>,
    /// What values are divided by on their way into the report.
    divisor: f64,
    /// Whether rows share clusters.
    clustered: bool,
    empty_bins: EmptyBins,
}

impl<'a, T: Number> Numbers<'a, T> {
    pub(super) fn new(
        anchors: &'a Anchors<T>,
        (old, new): (&'a Tally, &'a Tally),
        exact: Option<&'a Exact<T>>,
        lane: &Lane,
        clustered: bool,
        empty_bins: EmptyBins,
    ) -> Self {
        let points = exact.and_then(|exact| exact.pooled(anchors, (old, new)));
        let counts = match &points {
            Some(points) => points.iter().map(|point| (point.reference, point.current)).collect(),
            None => old.counts().zip(new.counts()).filter(|counts| *counts != (0, 0)).collect(),
        };
        let divisor = lane.divisor();
        Self { anchors, old, new, exact, points, counts, divisor, clustered, empty_bins }
    }

    /// The counts of both sides in ascending cells.
    fn counts(&self) -> impl Iterator<Item = (u64, u64)> + Clone + '_ {
        self.counts.iter().copied()
    }

    /// How many current values lie outside of everything the reference holds; `None` where it holds
    /// nothing.
    pub(super) fn outside(&self) -> Option<u64> {
        let slots = &self.new.slots;
        let (first, last) = (slots.first()?, slots.last()?);
        (slots.len() > 1).then_some(first.inside + last.inside)
    }

    pub(super) fn describe(&self) -> Description {
        let bounds = bounds(self.anchors, self.old, self.new);
        let distance = bounds.as_ref().map(|bounds| {
            let numerator = self.exact.map_or(bounds.ks[0], |exact| exact.ks);
            Ks::of(numerator, bounds.product)
        });
        let spread = mood_of(self.counts());
        let bins = [self.anchors.bin_counts(self.old), self.anchors.bin_counts(self.new)];
        let edges = self.anchors.bin_edges();
        let edges: Vec<f64> = edges.iter().map(|edge| edge.to_f64() / self.divisor).collect();
        let binned = bins::statistics(&bins, self.empty_bins);
        let (mean_shift, std_shift) = self.shifts();
        let (energy, cramer_von_mises) = self.squared();
        Description {
            moved: moved_bins(&edges, &bins),
            quantile_shifts: self.quantile_shifts(),
            distance: distance.map(|ks| ks.value),
            scale: spread.map(|mood| mood.effect.map_or(0.0, |ratio| (ratio - 1.0).abs())),
            statistics: Statistics {
                ks: Some(self.ks_report(distance, bounds.as_ref())),
                wasserstein: Some(self.wasserstein_report(bounds.as_ref())),
                psi: Some(psi_report(edges, bins, self.empty_bins)),
                mann_whitney: Some(ranked(mann_whitney_of(self.counts()))),
                mood: Some(ranked(spread)),
                anderson_darling: Some(TestedStatistic {
                    value: anderson_darling_of(self.counts()).map(|ad| ad.value),
                    p_value: None,
                    effect: distance.map(|ks| ks.value),
                }),
                energy,
                cramer_von_mises,
                mean_shift: Some(mean_shift),
                std_shift: Some(std_shift),
                ..binned
            },
            categories: Categories::default(),
        }
    }

    fn ks_report(&self, distance: Option<Ks>, bounds: Option<&Bounds>) -> KsReport {
        let (Some(ks), Some(bounds)) = (distance, bounds) else {
            return KsReport::default();
        };
        // The law is one of independent rows; for others it would be wrong, not approximate.
        let p = match self.clustered {
            true => None,
            false => ks_p_value_of(&ks, self.old.len(), self.new.len(), self.counts()),
        };
        let open = self.exact.is_none() && bounds.ks[0] != bounds.ks[1];
        let upper = Ks::of(bounds.ks[1], bounds.product).value;
        KsReport {
            value: Some(ks.value),
            numerator: Some(ks.numerator.to_string()),
            denominator: Some(ks.denominator.to_string()),
            p_value: p.map(|p| p.p),
            log_p_value: p.map(|p| p.log_p),
            law: p.map(|p| p.law),
            interval: open.then_some([ks.value, upper]),
        }
    }

    fn wasserstein_report(&self, bounds: Option<&Bounds>) -> WassersteinReport {
        let value = match (self.exact, bounds) {
            (Some(exact), _) => Some(exact.wasserstein),
            (None, bounds) => bounds.map(|bounds| bounds.wasserstein[0]),
        };
        let over = |unit: Option<f64>| {
            let unit = unit.filter(|unit| *unit > 0.0)?;
            // Both of them infinite says nothing.
            value.map(|value| value / unit).filter(|ratio| !ratio.is_nan())
        };
        let quartiles = self.quantile(0, 25).zip(self.quantile(0, 75));
        let iqr = quartiles.map(|(low, high)| {
            let scale = T::scale(low, high);
            T::gap(low, high, scale) / scale
        });
        let interval = bounds.map(|bounds| bounds.wasserstein.map(|bound| bound / self.divisor));
        WassersteinReport {
            value: value.map(|value| value / self.divisor),
            over_iqr: over(iqr),
            over_std: over(self.moments(self.old).map(|moments| moments.1)),
            interval: interval.filter(|[low, high]| self.exact.is_none() && low != high),
        }
    }

    /// A power of two that keeps sums over the range of the edges finite.
    fn down(&self) -> f64 {
        match self.anchors.edges() {
            [first, .., last] => T::scale(*first, *last),
            _ => 1.0,
        }
    }

    /// Mean distance from the centre and standard deviation.
    fn moments(&self, side: &Tally) -> Option<(f64, f64)> {
        let down = self.down();
        self.anchors.moments(side, down).map(|(mean, deviation)| (mean / down, deviation / down))
    }

    fn shifts(&self) -> (ShiftStatistic, ShiftStatistic) {
        let Some((old, new)) = self.moments(self.old).zip(self.moments(self.new)) else {
            return Default::default();
        };
        let centre = self.anchors.centre().to_f64();
        let shift = |value: f64, reference: f64, current: f64| ShiftStatistic {
            value: Some(value / self.divisor),
            reference: Some(reference / self.divisor),
            current: Some(current / self.divisor),
        };
        (shift(new.0 - old.0, centre + old.0, centre + new.0), shift(new.1 - old.1, old.1, new.1))
    }

    fn quantile_shifts(&self) -> Vec<QuantileShift> {
        let value = |side: usize, percent: u64| {
            self.quantile(side, percent).map(|value| value.to_f64() / self.divisor)
        };
        let shift = |&percent: &u64| QuantileShift {
            q: percent as f64 / 100.0,
            reference: value(0, percent),
            current: value(1, percent),
        };
        SHOWN.iter().map(shift).collect()
    }

    /// The quantile of type 7 of the reference (0) or the current side (1).
    fn quantile(&self, side: usize, percent: u64) -> Option<T> {
        let tally = if side == 0 { self.old } else { self.new };
        let (rank, rest) = position(tally.len(), percent)?;
        let value = |rank: u64| {
            let located = locate(self.anchors, tally, rank)?;
            let known = self.exact.and_then(|exact| exact.value(side, located));
            known.or_else(|| located.guess(self.anchors, tally))
        };
        let low = value(rank)?;
        if rest == 0 { Some(low) } else { Some(T::between(low, value(rank + 1)?, rest, 100)) }
    }

    /// The energy distance and the Cramér-von Mises criterion.
    fn squared(&self) -> (Option<BoundedStatistic>, Option<BoundedStatistic>) {
        let unit = self.divisor.sqrt();
        if let Some(points) = &self.points {
            let known = |value| BoundedStatistic { value: Some(value), interval: None };
            let energy = energy_distance_of(points.iter().copied()).map(|value| value / unit);
            return (energy.map(known), cramer_von_mises_of(self.counts()).map(known));
        }
        let energy = energy(self.anchors, self.old, self.new);
        let energy = energy.map(|bounds| bounds.map(|bound| bound / unit));
        (energy.map(bounded), cramer_von_mises(self.old, self.new).map(bounded))
    }
}

fn bounded([low, high]: [f64; 2]) -> BoundedStatistic {
    let known = low == high;
    BoundedStatistic { value: known.then_some(low), interval: (!known).then_some([low, high]) }
}

pub(super) fn psi_report(edges: Vec<f64>, bins: [Vec<u64>; 2], empty_bins: EmptyBins) -> PsiReport {
    let value = psi(&bins[0], &bins[1], empty_bins);
    let [reference_counts, current_counts] = bins;
    PsiReport { value, edges, reference_counts, current_counts, empty_bins }
}

pub(super) fn ranked(statistic: Option<RankStatistic>) -> TestedStatistic {
    TestedStatistic {
        value: statistic.map(|s| s.value),
        p_value: None,
        effect: statistic.and_then(|s| s.effect),
    }
}

pub(super) fn moved_bins(edges: &[f64], bins: &[Vec<u64>; 2]) -> Vec<Moved> {
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
            largest: largest(union),
        },
        distance,
        statistics: Statistics { psi: Some(psi_report(Vec::new(), bins, empty_bins)), ..binned },
        ..Description::default()
    }
}

/// The categories with the most rows, by name among equals.
fn largest(union: &BTreeMap<&str, (u64, u64)>) -> Vec<CategoryCount> {
    let mut counts: Vec<(&str, (u64, u64))> =
        union.iter().map(|(name, counts)| (*name, *counts)).collect();
    counts.sort_by_key(|(_, (reference, current))| std::cmp::Reverse(reference + current));
    counts.truncate(NAMED);
    let entry = |(name, (reference, current)): (&str, _)| CategoryCount {
        name: name.to_owned(),
        reference,
        current,
    };
    counts.into_iter().map(entry).collect()
}

//! The value and the interval of each metric, or why there is none.

use super::classes;
use super::interval::{self, Interval};
use super::metric::{Method, Metric};
use super::sum::{Mean, Total};
use super::tally::Tally;
use super::unit::Unit;

/// A value with its interval, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Estimate {
    pub(super) value: Option<f64>,
    pub(super) count: u64,
    pub(super) interval: Option<(Interval, Method)>,
    /// What the exact value is sure to lie between, where only that is known.
    pub(super) bounds: Option<Interval>,
    pub(super) reason: Option<&'static str>,
}

const ROWS_AND_UNITS: &str = "some outcomes name a unit and some do not";
const FEW: &str = "too few rows";
const NOT_OVER_UNITS: &str = "this metric has no interval over units";
const NO_INTERVAL: &str = "this metric has no interval";
const INFINITE: &str = "the mean is not finite";

impl Metric {
    pub(super) fn estimate(self, tally: &Tally, alpha: f64) -> Estimate {
        let numbers = tally.numbers.as_ref();
        let rows = |unit: &Unit| unit.count as f64;
        match self {
            Self::Accuracy => share(tally, alpha, tally.classes.accuracy(), |unit| {
                (unit.hits as f64, unit.count as f64)
            }),
            Self::Precision => positive(tally, alpha, |class| (class[0], class[1])),
            Self::Recall => positive(tally, alpha, |class| (class[0], class[2])),
            Self::F1 => f1(tally, alpha),
            Self::MacroPrecision => averaged(tally, classes::Class::precision),
            Self::MacroRecall => averaged(tally, classes::Class::recall),
            Self::MacroF1 => averaged(tally, classes::Class::f1),
            Self::Auc => auc(tally, alpha),
            Self::Brier => mean(tally, alpha, Some(&tally.brier), |unit| {
                (unit.brier.value(), unit.scored as f64)
            }),
            Self::LogLoss if tally.infinite > 0 => Estimate {
                value: Some(f64::INFINITY),
                count: tally.log_loss.count + tally.infinite,
                reason: Some(INFINITE),
                ..Estimate::default()
            },
            Self::LogLoss => mean(tally, alpha, Some(&tally.log_loss), |unit| {
                (unit.log_loss.value(), unit.scored as f64)
            }),
            Self::CalibrationError => Estimate {
                value: tally.calibration.error(),
                count: tally.calibration.count(),
                reason: Some(NO_INTERVAL),
                ..Estimate::default()
            },
            Self::Mae => mean(tally, alpha, numbers.map(|n| &n.absolute), |unit| {
                (error(unit, 0), rows(unit))
            }),
            Self::Rmse => root(mean(tally, alpha, numbers.map(|n| &n.squared), |unit| {
                (error(unit, 1), rows(unit))
            })),
            Self::Bias => by_rows(numbers.map(|n| &n.bias), tally, alpha),
            Self::MeanPrediction => match numbers {
                Some(numbers) => by_rows(Some(&numbers.outputs), tally, alpha),
                None => by_rows(Some(&tally.probability), tally, alpha),
            },
            Self::Entropy => by_rows(Some(&tally.entropy), tally, alpha),
            Self::Margin => by_rows(Some(&tally.margin), tally, alpha),
            Self::MaxProbability => by_rows(Some(&tally.max_probability), tally, alpha),
        }
    }
}

fn error(unit: &Unit, which: usize) -> f64 {
    unit.errors.as_ref().map_or(0.0, |errors| errors[which].pair().0)
}

/// Whether intervals go by units: all outcomes name theirs.
fn over_units(tally: &Tally) -> Result<bool, &'static str> {
    let named: u64 = tally.units.values().map(|unit| unit.count).sum();
    match named {
        0 => Ok(false),
        _ if named == tally.labelled => Ok(true),
        _ => Err(ROWS_AND_UNITS),
    }
}

fn by_units(tally: &Tally, alpha: f64, of: impl Fn(&Unit) -> (f64, f64)) -> Option<Interval> {
    let units: Vec<(f64, f64)> = tally.units.values().map(of).filter(|unit| unit.1 > 0.0).collect();
    interval::ratio(&units, alpha).map(|(_, interval)| interval)
}

/// A share of rows, independent or by units.
fn share(
    tally: &Tally,
    alpha: f64,
    (hits, all): (u64, u64),
    of: impl Fn(&Unit) -> (f64, f64),
) -> Estimate {
    let found = Estimate { value: classes::ratio(hits, all), count: all, ..Estimate::default() };
    let made = |interval: Option<Interval>, method| match interval {
        Some(interval) => Estimate { interval: Some((interval, method)), ..found },
        None => Estimate { reason: Some(FEW), ..found },
    };
    match over_units(tally) {
        Err(reason) => Estimate { reason: Some(reason), ..found },
        Ok(true) => {
            let within = |[low, high]: Interval| [low.max(0.0), high.min(1.0)];
            made(by_units(tally, alpha, of).map(within), Method::Units)
        }
        Ok(false) => made(interval::wilson(hits, all, alpha), Method::Wilson),
    }
}

/// A share of the positive class: of its hits, predicted and true.
fn positive(tally: &Tally, alpha: f64, of: impl Fn([u64; 3]) -> (u64, u64)) -> Estimate {
    share(tally, alpha, of(counts(tally)), |unit| {
        let (part, whole) = of(unit.positive);
        (part as f64, whole as f64)
    })
}

fn counts(tally: &Tally) -> [u64; 3] {
    let class = tally.classes.0.get(1).copied().unwrap_or_default();
    [class.hits, class.predicted, class.actual]
}

/// With s = hits / (hits + misses of either kind), a share, F1 is 2 s / (1 + s), which rises with s.
fn f1(tally: &Tally, alpha: f64) -> Estimate {
    let of =
        |[hits, predicted, actual]: [u64; 3]| (hits, (predicted + actual).saturating_sub(hits));
    let share = positive(tally, alpha, of);
    let f1 = |s: f64| 2.0 * s / (1.0 + s);
    let [hits, predicted, actual] = counts(tally);
    Estimate {
        value: classes::ratio(2 * hits, predicted + actual),
        interval: share.interval.map(|([low, high], method)| ([f1(low), f1(high)], method)),
        ..share
    }
}

fn averaged(tally: &Tally, of: impl Fn(&classes::Class) -> Option<f64>) -> Estimate {
    let (value, count) = (tally.classes.macro_mean(of), tally.labelled);
    Estimate { value, count, reason: Some(NO_INTERVAL), ..Estimate::default() }
}

fn auc(tally: &Tally, alpha: f64) -> Estimate {
    let [negatives, positives] = tally.scores.totals();
    let count = negatives + positives;
    let Some(auc) = tally.scores.auc() else {
        return Estimate { count, reason: Some("both classes are needed"), ..Estimate::default() };
    };
    let known = auc.bounds[0] == auc.bounds[1];
    let bounds = (!known).then_some(auc.bounds);
    let found = Estimate { value: Some(auc.value), count, bounds, ..Estimate::default() };
    match over_units(tally) {
        Err(reason) => return Estimate { reason: Some(reason), ..found },
        Ok(true) => return Estimate { reason: Some(NOT_OVER_UNITS), ..found },
        Ok(false) => {}
    }
    let Some(variance) = auc.variance else {
        return Estimate { reason: Some(FEW), ..found };
    };
    // Where the area itself is an interval, both of its ends have theirs.
    let ends = auc.bounds.map(|end| interval::area(end, variance, alpha));
    match ends {
        [Some([low, _]), Some([_, high])] => {
            Estimate { interval: Some(([low, high], Method::Delong)), ..found }
        }
        _ => Estimate { reason: Some("a perfect separation has no variance"), ..found },
    }
}

/// A mean of independent rows; outputs know nothing of units.
fn by_rows<S: Total>(of: Option<&Mean<S>>, tally: &Tally, alpha: f64) -> Estimate {
    let Some(of) = of else { return Estimate::default() };
    let value = of.value();
    let found = Estimate { value, count: of.count, ..Estimate::default() };
    if !tally.units.is_empty() {
        return Estimate { reason: Some(NOT_OVER_UNITS), ..found };
    }
    let interval = value
        .zip(of.error_squared())
        .and_then(|(value, error)| interval::mean(value, error, of.count, alpha));
    match interval {
        Some(interval) => Estimate { interval: Some((interval, Method::Student)), ..found },
        None if of.count > 1 => Estimate { reason: Some(INFINITE), ..found },
        None => Estimate { reason: Some(FEW), ..found },
    }
}

/// A mean of rows, independent or by units.
fn mean<S: Total>(
    tally: &Tally,
    alpha: f64,
    of: Option<&Mean<S>>,
    unit: impl Fn(&Unit) -> (f64, f64),
) -> Estimate {
    let found = by_rows(of, tally, alpha);
    match over_units(tally) {
        Err(reason) => Estimate { reason: Some(reason), interval: None, ..found },
        Ok(false) => found,
        Ok(true) => match by_units(tally, alpha, unit) {
            Some(interval) => {
                Estimate { interval: Some((interval, Method::Units)), reason: None, ..found }
            }
            None => Estimate { reason: Some(FEW), interval: None, ..found },
        },
    }
}

fn root(of: Estimate) -> Estimate {
    let root = |[low, high]: Interval| [low.max(0.0).sqrt(), high.max(0.0).sqrt()];
    Estimate {
        value: of.value.map(f64::sqrt),
        interval: of.interval.map(|(interval, method)| (root(interval), method)),
        ..of
    }
}

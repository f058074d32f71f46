//! The tests of one column.

use super::clusters;
use super::draw::{Random, random};
use super::exact::{fisher, out_of_range, reachable};
use super::marginal::{ORDERED, Observed};
use super::rows::{self, Cells};
use super::units::Units;
use crate::monitor::MonitorOptions;
use crate::report::{Change, Sides, TestKind};

/// What is exchanged between the sides.
pub(crate) enum Exchange {
    Rows,
    Clusters(Units),
}

/// One kind of change within a test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finding {
    pub(crate) change: Change,
    /// Within the joint law of its test; `None` when not tested.
    pub(crate) p: Option<f64>,
    pub(crate) effect: Option<f64>,
    pub(crate) floor: f64,
}

/// One test: its p-value is the smallest of its findings'.
#[derive(Debug, Clone)]
pub(crate) struct Tested {
    pub(crate) kind: TestKind,
    /// Strongest first.
    pub(crate) findings: Vec<Finding>,
}

impl Tested {
    fn new(kind: TestKind, mut findings: Vec<Finding>) -> Self {
        let p = |finding: &Finding| finding.p.unwrap_or(f64::INFINITY);
        let over = |finding: &Finding| finding.effect.unwrap_or(0.0) / finding.floor.max(1e-300);
        findings.sort_by(|a, b| p(a).total_cmp(&p(b)).then(over(b).total_cmp(&over(a))));
        Self { kind, findings }
    }

    pub(crate) fn p(&self) -> Option<f64> {
        self.findings.first().and_then(|finding| finding.p)
    }
}

/// What is compared in the value test.
pub(crate) enum Compared {
    Ordered { cells: Cells, ks: Option<f64>, scale: Option<f64> },
    Categories { cells: Cells, total_variation: Option<f64> },
}

/// The value test; an error is the reason why no p-value of it could pass.
pub(crate) fn values(
    compared: &Compared,
    exchange: &Exchange,
    sizes: Sides<u64>,
    column: &str,
    options: &MonitorOptions,
) -> Result<Tested, String> {
    let least = match exchange {
        Exchange::Rows => reachable(sizes.reference, sizes.current),
        Exchange::Clusters(units) => reachable(units.sizes().0, units.sizes().1),
    };
    let least = least.max(1.0 / (f64::from(options.max_draws) + 1.0));
    if least > options.alpha {
        return Err(too_few(exchange, sizes, least, options.alpha));
    }
    let mut random = random(options.seed, column, "values");
    Ok(match compared {
        Compared::Ordered { cells, ks, scale } => {
            let p = ordered_p(cells, exchange, options.max_draws, &mut random);
            ordered(p, [*ks, *scale, *ks], options.min_effect)
        }
        Compared::Categories { cells, total_variation } => {
            let p = categories_p(cells, exchange, options.max_draws, &mut random);
            let finding = Finding {
                change: Change::Categories,
                p: certain(p),
                effect: *total_variation,
                floor: options.min_effect,
            };
            Tested::new(TestKind::Values, vec![finding])
        }
    })
}

fn ordered_p(cells: &Cells, exchange: &Exchange, draws: u32, random: &mut Random) -> Observed {
    match exchange {
        Exchange::Rows => rows::ordered(cells, draws, random),
        Exchange::Clusters(units) => clusters::ordered(units, draws, random),
    }
}

fn categories_p(
    cells: &Cells,
    exchange: &Exchange,
    draws: u32,
    random: &mut Random,
) -> Option<f64> {
    match exchange {
        Exchange::Rows => rows::categories(cells, draws, random),
        Exchange::Clusters(units) => clusters::categories(units, draws, random),
    }
}

/// Location, scale and shape, from their p-values and effects.
fn ordered(p: Observed, effects: [Option<f64>; ORDERED], floor: f64) -> Tested {
    let finding = |change, kind: usize, floor| Finding {
        change,
        p: certain(p[kind]),
        effect: effects[kind],
        floor,
    };
    let location = finding(Change::Location, 0, floor);
    let scale = finding(Change::Scale, 1, 2.5 * floor);
    let shape = finding(Change::Shape, 2, floor);
    Tested::new(TestKind::Values, vec![location, scale, shape])
}

/// Where nothing can vary, nothing is unlikely: a constant is stable.
fn certain(p: Option<f64>) -> Option<f64> {
    Some(p.unwrap_or(1.0))
}

fn too_few(exchange: &Exchange, sizes: Sides<u64>, least: f64, alpha: f64) -> String {
    let (what, sizes) = match exchange {
        Exchange::Rows => ("values", (sizes.reference, sizes.current)),
        Exchange::Clusters(units) => ("clusters", units.sizes()),
    };
    format!(
        "too few {what} for a verdict: the smallest p-value that {} against {} can reach is {least:.2e}, \
         above alpha={alpha}",
        sizes.0, sizes.1
    )
}

/// The test of the share of rows without a usable value; `None` when every row of both sides has
/// one, or none has.
pub(crate) fn nulls(
    rows: Sides<u64>,
    missing: Sides<u64>,
    exchange: &Exchange,
    column: &str,
    options: &MonitorOptions,
) -> Option<Tested> {
    let (all, marked) = (rows.reference + rows.current, missing.reference + missing.current);
    if rows.reference == 0 || rows.current == 0 || marked == 0 || marked == all {
        return None;
    }
    let p = match exchange {
        Exchange::Rows => Some(fisher(all, marked, rows.current, missing.current)),
        Exchange::Clusters(units) => {
            let mut random = random(options.seed, column, "nulls");
            clusters::nulls(units, options.max_draws, &mut random)
        }
    };
    let share = |missing: u64, rows: u64| missing as f64 / rows as f64;
    let effect = share(missing.current, rows.current) - share(missing.reference, rows.reference);
    let finding = Finding {
        change: Change::Nulls,
        p,
        effect: Some(effect.abs()),
        floor: options.min_effect / 2.0,
    };
    Some(Tested::new(TestKind::Nulls, vec![finding]))
}

/// The test of values outside of the reference's range, which with clusters is only reported; `None`
/// where the reference has no range.
pub(crate) fn range(
    sizes: Sides<u64>,
    outside: u64,
    exchange: &Exchange,
    options: &MonitorOptions,
) -> Option<Tested> {
    let p = out_of_range(sizes.reference, sizes.current, outside)?;
    let finding = Finding {
        change: Change::Range,
        p: matches!(exchange, Exchange::Rows).then_some(p),
        effect: Some(outside as f64 / sizes.current as f64),
        floor: options.min_effect / 2.0,
    };
    Some(Tested::new(TestKind::Range, vec![finding]))
}

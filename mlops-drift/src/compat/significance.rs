//! Tests of significance on counts, as the peers run them.

use statrs::function::erf::erfc;
use statrs::function::factorial::ln_binomial;
use statrs::function::gamma::{gamma_lr, gamma_ur};

use super::distance::totals;
use super::pair::Cells;
use crate::statistic::Sum;

/// A statistic and its p-value.
pub(super) struct Test {
    pub(super) statistic: f64,
    pub(super) p: f64,
}

/// The upper tail of chi-square with so many degrees of freedom.
pub(super) fn chi_square_tail(statistic: f64, freedom: u64) -> f64 {
    match (freedom, statistic) {
        (0, _) => 1.0,
        (_, x) if x <= 0.0 => 1.0,
        (_, f64::INFINITY) => 0.0,
        (freedom, x) => gamma_ur(freedom as f64 / 2.0, x / 2.0),
    }
}

/// The point that chi-square with so many degrees of freedom exceeds with probability `alpha`, by
/// bisection down to neighbouring numbers.
pub(super) fn chi_square_point(alpha: f64, freedom: u64) -> f64 {
    if freedom == 0 {
        return 0.0;
    }
    let shape = freedom as f64 / 2.0;
    let (mut low, mut high) = (0.0, 1.0);
    while gamma_lr(shape, high) < 1.0 - alpha {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if gamma_ur(shape, middle) > alpha { low = middle } else { high = middle }
    }
    2.0 * high
}

/// The one-sample chi-square (Pearson 1900) that takes the reference's shares for the truth, as
/// Evidently does. Infinite, with p 0, where the current side has a value that the reference lacks.
pub(super) fn chi_square_one_sample(cells: &Cells) -> Test {
    let (n, m) = totals(cells);
    let factor = m as f64 / n as f64;
    let term = |&(r, c): &(u64, u64)| {
        let expected = r as f64 * factor;
        (c as f64 - expected).powi(2) / expected
    };
    let statistic = match cells.iter().any(|cell| cell.0 == 0) {
        true => f64::INFINITY,
        false => cells.iter().map(term).collect::<Sum>().value(),
    };
    let p = chi_square_tail(statistic, cells.len() as u64 - 1);
    Test { statistic, p }
}

/// The chi-square of the table of two rows, with Yates' correction (1934) where it has two columns, as
/// SciPy's `chi2_contingency` has it. Cells that are empty on both sides are no columns.
pub(super) fn chi_square_table(cells: &Cells) -> Test {
    let cells: Cells = cells.iter().copied().filter(|&(r, c)| r + c > 0).collect();
    if cells.len() < 2 {
        return Test { statistic: 0.0, p: 1.0 };
    }
    let (n, m) = totals(&cells);
    let total = (n + m) as f64;
    let yates: f64 = if cells.len() == 2 { 0.5 } else { 0.0 };
    let term = |observed: u64, here: u64, side: u64| {
        let expected = here as f64 * side as f64 / total;
        let apart = (observed as f64 - expected).abs();
        (apart - yates.min(apart)).powi(2) / expected
    };
    let terms = cells.iter().flat_map(|&(r, c)| [term(r, r + c, n), term(c, r + c, m)]);
    let statistic = terms.collect::<Sum>().value();
    Test { statistic, p: chi_square_tail(statistic, cells.len() as u64 - 1) }
}

/// The one-sample likelihood ratio (G) that takes the reference's counts for what is expected, as
/// Evidently does: `None` unless both sides are equally large, without which the peer gives up.
pub(super) fn g_one_sample(cells: &Cells) -> Option<Test> {
    let (n, m) = totals(cells);
    let term = |&(r, c): &(u64, u64)| match c {
        0 => 0.0,
        _ => 2.0 * c as f64 * (c as f64 / r as f64).ln(),
    };
    (n == m).then(|| {
        let statistic = cells.iter().map(term).collect::<Sum>().value().max(0.0);
        Test { statistic, p: chi_square_tail(statistic, cells.len() as u64 - 1) }
    })
}

/// Fisher's exact test (1935), two-sided by the probabilities of the tables: the statistic is the odds
/// ratio. `None` for more than two cells and, as Evidently, unless both sides are equally large.
pub(super) fn fisher(cells: &Cells) -> Option<Test> {
    let (n, m) = totals(cells);
    if n != m || cells.len() > 2 {
        return None;
    }
    let [(r, c), (s, d)] = cells[..] else {
        return Some(Test { statistic: f64::NAN, p: 1.0 });
    };
    let first = r + c;
    let ln = |k: u64| ln_binomial(n, k) + ln_binomial(m, first - k) - ln_binomial(n + m, first);
    // A table as likely as ours but for rounding counts.
    let ours = ln(r) + 1e-12;
    let all = first.saturating_sub(m)..=first.min(n);
    let p = all.map(ln).filter(|ln| *ln <= ours).map(f64::exp).collect::<Sum>().value();
    Some(Test { statistic: (r * d) as f64 / (s * c) as f64, p: p.min(1.0) })
}

/// The two-sided test of two proportions, pooled, without correction, for at most two cells; p is 1
/// where there is but one.
pub(super) fn z(cells: &Cells) -> Test {
    let [(r, c), _] = cells[..] else {
        return Test { statistic: 0.0, p: 1.0 };
    };
    let (n, m) = totals(cells);
    let (n, m, first) = (n as f64, m as f64, (r + c) as f64);
    let pooled = first / (n + m);
    let spread = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    // Of the shares of the second value, as the peer takes it: the sign is the other way round.
    let statistic = (c as f64 / m - r as f64 / n) / spread;
    Test { statistic, p: erfc(statistic.abs() / std::f64::consts::SQRT_2) }
}

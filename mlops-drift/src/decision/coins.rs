//! Rows drawn without replacement by tossing a coin for each, many rows at a time.

use std::collections::HashMap;

use rand::RngExt;

use super::draw::Random;

/// Nanoseconds: the coins of one cell, one row moved, one entry of a table (and 1 a row to find it by).
const CELL_COST: f64 = 4.0;
const ROW_COST: f64 = 12.0;
const ENTRY_COST: f64 = 6.0;
/// Over how many draws the tables pay, at the least.
const DRAWS: f64 = 60.0;
/// Beyond so many rows, finding the cell of a row by its number takes too much memory.
const MOST_ROWS: u64 = 1 << 20;

/// Counts of rows drawn without replacement.
///
/// Each row is taken by the toss of a coin, so each cell's count is binomial; then rows are added or
/// put back at random until there are as many as wanted. Given their number, rows taken by equal coins
/// are a set drawn at random, and adding a random one of the rest (or putting back a random one of
/// them) leaves it so: the counts have the multivariate hypergeometric law exactly.
pub(crate) struct Coins {
    /// One for each number of rows that a cell has.
    tables: Vec<Table>,
    cells: Vec<Cell>,
    /// The cell of each row.
    rows: Vec<u16>,
}

struct Cell {
    table: usize,
    /// The first of its rows.
    start: u64,
}

impl Coins {
    /// Nanoseconds a draw.
    pub(crate) fn cost(totals: &[u64], size: u64) -> f64 {
        let all: u64 = totals.iter().sum();
        if all > MOST_ROWS || totals.len() > usize::from(u16::MAX) {
            return f64::INFINITY;
        }
        let share = chance(all, size);
        let entries: f64 = totals.iter().map(|&total| width(total, share)).sum();
        let moved = (size as f64 * (1.0 - size as f64 / all as f64)).sqrt();
        let made = entries * ENTRY_COST + all as f64;
        totals.len() as f64 * CELL_COST + moved * ROW_COST + made / DRAWS
    }

    /// At most 65,535 cells.
    pub(crate) fn new(totals: &[u64], size: u64) -> Self {
        let share = chance(totals.iter().sum(), size);
        let (mut tables, mut known) = (Vec::new(), HashMap::new());
        let mut rows = Vec::new();
        let mut cells = Vec::with_capacity(totals.len());
        for (cell, &total) in (0..=u16::MAX).zip(totals) {
            let table = *known.entry(total).or_insert_with(|| {
                tables.push(Table::new(total, share));
                tables.len() - 1
            });
            cells.push(Cell { table, start: rows.len() as u64 });
            rows.extend(std::iter::repeat_n(cell, total as usize));
        }
        Self { tables, cells, rows }
    }

    pub(crate) fn draw(&self, random: &mut Random, size: u64, counts: &mut [u64]) {
        let mut taken = 0;
        for (count, cell) in counts.iter_mut().zip(&self.cells) {
            *count = self.tables[cell.table].draw(random.random());
            taken += *count;
        }
        // Which rows of a cell are taken does not matter: say the first ones.
        while taken < size {
            let (cell, place) = self.row(random);
            if place >= counts[cell] {
                counts[cell] += 1;
                taken += 1;
            }
        }
        while taken > size {
            let (cell, place) = self.row(random);
            if place < counts[cell] {
                counts[cell] -= 1;
                taken -= 1;
            }
        }
    }

    /// A random row: its cell and its place there.
    fn row(&self, random: &mut Random) -> (usize, u64) {
        // At most `MOST_ROWS`, and the same on every machine.
        let row = random.random_range(0..self.rows.len() as u32);
        let cell = usize::from(self.rows[row as usize]);
        (cell, u64::from(row) - self.cells[cell].start)
    }
}

/// How likely the coin takes a row: a little less than the share of rows that is wanted, because of few
/// rows taken it is slow to find one to put back.
fn chance(all: u64, size: u64) -> f64 {
    let (all, size) = (all as f64, size as f64);
    ((size - (size * (1.0 - size / all)).sqrt()) / all).max(0.0)
}

/// About how many entries a table has.
fn width(total: u64, share: f64) -> f64 {
    (18.0 * (total as f64 * share * (1.0 - share)).sqrt() + 8.0).min(total as f64 + 1.0)
}

/// A binomial law by inversion.
struct Table {
    /// The fewest that have a probability worth naming.
    first: u64,
    /// The probability of at most `first + i`, in units of 2^-64.
    upto: Vec<u64>,
    /// Where to begin, by the leading bits.
    guide: Vec<u32>,
    shift: u32,
}

impl Table {
    fn new(total: u64, share: f64) -> Self {
        let odds = share / (1.0 - share);
        let mode = (((total + 1) as f64 * share) as u64).min(total);
        // In units of the probability of the mode, outwards until nothing is left.
        const LEAST: f64 = 1e-22;
        let (mut above, mut below) = (Vec::new(), Vec::new());
        let (mut term, mut k) = (1.0, mode);
        while k < total && term > LEAST {
            term *= (total - k) as f64 / (k + 1) as f64 * odds;
            k += 1;
            above.push(term);
        }
        (term, k) = (1.0, mode);
        while k > 0 && term > LEAST {
            term *= k as f64 / ((total - k + 1) as f64 * odds);
            k -= 1;
            below.push(term);
        }
        let first = mode - below.len() as u64;
        let law: Vec<f64> = below.into_iter().rev().chain([1.0]).chain(above).collect();
        let sum: f64 = law.iter().sum();
        let mut upto: Vec<u64> = law
            .iter()
            .scan(0.0, |below, term| {
                *below += term;
                Some((*below / sum * 2_f64.powi(64)) as u64)
            })
            .collect();
        if let Some(last) = upto.last_mut() {
            *last = u64::MAX;
        }
        let bits = upto.len().next_power_of_two().max(2).trailing_zeros();
        let shift = u64::BITS - bits;
        let start = |slot: u64| upto.partition_point(|&upto| upto < slot << shift) as u32;
        let guide = (0..1 << bits).map(start).collect();
        Self { first, upto, guide, shift }
    }

    fn draw(&self, bits: u64) -> u64 {
        let mut index = self.guide[(bits >> self.shift) as usize] as usize;
        while bits > self.upto[index] {
            index += 1;
        }
        self.first + index as u64
    }
}

#[cfg(test)]
mod tests {
    use statrs::function::factorial::ln_binomial;

    use super::*;
    use crate::decision::draw::{ln_hypergeometric, random};

    #[test]
    fn a_table_holds_the_binomial_law() {
        for (total, share) in
            [(1_u64, 0.3), (12, 0.01), (40, 0.5), (5_000, 0.4), (0, 0.2), (9, 0.0)]
        {
            let table = Table::new(total, share);
            let mut below = 0;
            for (index, &upto) in table.upto.iter().enumerate() {
                let k = table.first + index as u64;
                let found = (upto - below) as f64 / 2_f64.powi(64);
                let ln = ln_binomial(total, k)
                    + if k > 0 { k as f64 * share.ln() } else { 0.0 }
                    + (total - k) as f64 * (-share).ln_1p();
                assert!((found - ln.exp()).abs() < 1e-11, "{total} {share} {k}: {found}");
                // The first and the last bits of each step lead to it.
                if upto > below {
                    assert_eq!((table.draw(below + 1), table.draw(upto)), (k, k));
                }
                below = upto;
            }
            assert_eq!((table.draw(0), below), (table.first, u64::MAX));
        }
    }

    /// How often each count of a cell is drawn, against the law, by Pearson's statistic.
    #[test]
    fn the_counts_are_hypergeometric() {
        let totals = [6_u64, 11, 3];
        for size in [4_u64, 10] {
            let coins = Coins::new(&totals, size);
            let mut random = random(5, "x", "values");
            let draws = 40_000;
            let mut seen = [[0_u32; 12]; 3];
            let mut counts = [0; 3];
            for _ in 0..draws {
                coins.draw(&mut random, size, &mut counts);
                for (seen, &count) in seen.iter_mut().zip(&counts) {
                    seen[count as usize] += 1;
                }
            }
            for (seen, &total) in seen.iter().zip(&totals) {
                let (mut chi, mut freedom) = (0.0, -1.0);
                for k in (0..=total.min(size)).filter(|k| size - k <= 20 - total) {
                    let law = ln_hypergeometric(20, total, size, k).exp() * f64::from(draws);
                    chi += (f64::from(seen[k as usize]) - law).powi(2) / law.max(1.0);
                    freedom += 1.0;
                }
                // Five standard deviations of the statistic.
                assert!(chi < freedom + 5.0 * f64::sqrt(2.0 * freedom), "{size} {total}: {chi}");
            }
        }
    }
}

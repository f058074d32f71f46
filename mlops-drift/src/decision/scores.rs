//! Location, scale and shape of ordered cells by the midranks of their pooled counts.

use super::marginal::Tail;

/// Steps of the power iteration: each brings the heaviest weight of A² three times nearer.
const STEPS: usize = 8;

/// What each cell counts for, given the pooled counts.
pub(crate) struct Scored {
    cells: Vec<Cell>,
    /// The sum of squared scores of location and of scale over all rows; 0 for scores that can't
    /// vary.
    pub(crate) spread: [f64; 2],
    all: f64,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Of location: the share of rows below the middle of the cell, less 1/2.
    location: f64,
    /// Of scale: its square, less the mean over all rows.
    scale: f64,
    /// Of shape: the share of rows in the cell over the variance of the share below its middle, but
    /// for a factor of all cells; 0 where nothing can vary.
    weight: f64,
    share: f64,
}

impl Cell {
    /// The share of rows below the middle of the cell.
    fn below(self) -> f64 {
        self.location + 0.5
    }
}

/// Sums over the rows of one side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sums {
    /// Of the scores of location and of scale; the mean over all rows is 0.
    pub(crate) linear: [f64; 2],
    /// `sum weight (M - size H)²` over the cells, with M of these rows and H, the share, of all rows
    /// below the middle of each.
    pub(crate) squared: f64,
}

impl Scored {
    /// Location scores a row by its centred midrank (Mann-Whitney), scale by its square (Mood), both
    /// in units of the number of rows. Shape weighs squared differences of the distribution functions
    /// (Anderson-Darling, Scholz & Stephens 1987, eq. 7).
    pub(crate) fn new(totals: &[u64]) -> Self {
        let all: u64 = totals.iter().sum();
        let unit = 2.0 * all as f64;
        let mut before = 0_u64;
        let mut cells: Vec<Cell> = totals
            .iter()
            .map(|&here| {
                // Twice the centred midrank, in integers.
                let doubled = i128::from(before) * 2 + i128::from(here) - i128::from(all);
                before += here;
                let location = doubled as f64 / unit;
                let share = here as f64 / all as f64;
                let variance = 0.25 - location * location - share / 4.0;
                // A cell that holds everything has no variance but for rounding.
                let varies = here > 0 && here < all && variance > 0.0;
                let weight = if varies { share / variance } else { 0.0 };
                Cell { location, scale: location * location, weight, share }
            })
            .collect();
        let mean: f64 = cells.iter().map(|cell| cell.scale * cell.share).sum();
        cells.iter_mut().for_each(|cell| cell.scale -= mean);
        let all = all as f64;
        let spread = [|cell: &Cell| cell.location, |cell: &Cell| cell.scale].map(|score| {
            let spread = cells.iter().map(|cell| score(cell).powi(2) * cell.share).sum::<f64>();
            // Equal scores differ from their mean by rounding alone.
            if spread > 1e-24 { spread * all } else { 0.0 }
        });
        Self { cells, spread, all }
    }

    /// The scores of one kind: 0 location, 1 scale.
    pub(crate) fn scores(&self, kind: usize) -> impl Iterator<Item = f64> + '_ {
        self.cells.iter().map(move |cell| if kind == 0 { cell.location } else { cell.scale })
    }

    /// Whether shape can vary.
    pub(crate) fn shape_varies(&self) -> bool {
        self.cells.iter().any(|cell| cell.weight > 0.0)
    }

    /// The variance of the share below the middle of each cell, in units of what all cells have in
    /// common.
    pub(crate) fn variances(&self) -> impl Iterator<Item = f64> + '_ {
        self.cells.iter().map(|cell| 0.25 - cell.location * cell.location - cell.share / 4.0)
    }

    /// All rows.
    pub(crate) fn all(&self) -> f64 {
        self.all
    }

    /// The sums over these rows.
    pub(crate) fn sums(&self, counts: &[u64], size: f64) -> Sums {
        let mut linear = [0.0; 2];
        let (mut below, mut squared) = (0.0, 0.0);
        for (cell, &count) in self.cells.iter().zip(counts) {
            // As i64 the conversion is a single instruction.
            let count = count as i64 as f64;
            linear[0] += cell.location * count;
            linear[1] += cell.scale * count;
            let apart = below + 0.5 * count - size * cell.below();
            squared += cell.weight * apart * apart;
            below += count;
        }
        Sums { linear, squared }
    }

    /// How far these rows are from what is expected of `size` rows, at the middle of each cell.
    pub(crate) fn apart(&self, counts: &[u64], size: f64) -> impl Iterator<Item = f64> {
        let mut below = 0.0;
        self.cells.iter().zip(counts).map(move |(cell, &count)| {
            let apart = below + 0.5 * count as f64 - size * cell.below();
            below += count as f64;
            apart
        })
    }

    /// The weight of each cell in the sum of squares.
    pub(crate) fn weights(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        self.cells.iter().map(|cell| cell.weight)
    }

    /// The tail of A² when rows are exchanged: between the middles of two cells the covariance is
    /// H (1 - H') in the same units, so the heaviest weight takes a few passes over the cells.
    pub(crate) fn tail(&self) -> Tail {
        let mut x: Vec<f64> = self.cells.iter().map(|c| 0.25 - c.location * c.location).collect();
        let mut heaviest = 1.0;
        for _ in 0..STEPS {
            let mut y = vec![0.0; x.len()];
            let mut before = 0.0;
            for (y, (cell, &x)) in y.iter_mut().zip(self.cells.iter().zip(&x)) {
                *y += before * (1.0 - cell.below());
                before += cell.below() * cell.weight * x;
            }
            let mut behind = 0.0;
            for (y, (cell, &x)) in y.iter_mut().zip(self.cells.iter().zip(&x)).rev() {
                let own = cell.below() * (1.0 - cell.below()) - cell.share / 4.0;
                *y += behind * cell.below() + own * cell.weight * x;
                behind += (1.0 - cell.below()) * cell.weight * x;
            }
            heaviest = rayleigh(self.weights(), &x, &y);
            x = unit(y);
        }
        Tail::new(heaviest)
    }
}

/// The quotient that tends to the heaviest weight, for `y` the image of `x`.
pub(crate) fn rayleigh(weights: impl Iterator<Item = f64> + Clone, x: &[f64], y: &[f64]) -> f64 {
    let product = |other: &[f64]| -> f64 {
        weights.clone().zip(x).zip(other).map(|((weight, x), other)| weight * x * other).sum()
    };
    let length = product(x);
    if length > 0.0 { product(y) / length } else { 1.0 }
}

/// The same direction at length 1, so that nothing underflows on the way.
pub(crate) fn unit(mut x: Vec<f64>) -> Vec<f64> {
    let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    if length > 0.0 {
        x.iter_mut().for_each(|x| *x /= length);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::{Sample, anderson_darling, mann_whitney, mood};

    /// The statistics of samples, whose own tests compare them with plain computations.
    #[test]
    fn sums_over_cells_are_the_statistics_of_the_rows() {
        let (reference, current) = ([3_u64, 0, 5, 2, 9, 1], [1_u64, 2, 0, 2, 3, 7]);
        let rows = |counts: [u64; 6]| {
            let values = counts.into_iter().enumerate();
            Sample::new(values.flat_map(|(cell, count)| vec![cell as f64; count as usize]))
        };
        let totals: Vec<u64> = reference.iter().zip(current).map(|(r, c)| r + c).collect();
        let scored = Scored::new(&totals);
        let (n, m) = (20.0, 15.0);
        let sums = scored.sums(&current, m);
        let (old, new) = (rows(reference), rows(current));
        let close = |a: Option<f64>, b: f64| a.is_some_and(|a| (a - b).abs() < 1e-12 * b.abs());
        let z = |kind: usize| {
            let variance = scored.spread[kind] * n * m / (35.0 * 34.0);
            sums.linear[kind] / variance.sqrt()
        };
        assert!(close(mann_whitney(&old, &new).and_then(|u| u.z), z(0)));
        assert!(close(mood(&old, &new).and_then(|m| m.z), z(1)));
        let shape = sums.squared * 34.0 / (n * m);
        assert!(close(anderson_darling(&old, &new).map(|ad| ad.value), shape));
        let by_cell = scored.apart(&current, m).zip(scored.weights());
        let squared: f64 = by_cell.map(|(apart, weight)| weight * apart * apart).sum();
        assert!(close(Some(sums.squared), squared));
    }

    /// Without ties the weights are 1 / (k (k + 1)) (Pettitt 1976), two cells leave one of them.
    #[test]
    fn the_heaviest_weight_is_a_half_of_many_cells_and_all_of_two() {
        let heaviest = |totals: &[u64]| Scored::new(totals).tail().surprise(2.0);
        let expected = |weight: f64| Tail::new(weight).surprise(2.0);
        assert!((heaviest(&[1; 500]) - expected(0.5)).abs() < 1e-2);
        for totals in [[7, 7], [100, 3]] {
            assert!((heaviest(&totals) - expected(1.0)).abs() < 1e-9);
        }
        let three = heaviest(&[10, 10, 10]);
        assert!(three > expected(1.0) && three < expected(0.5), "{three}");
    }

    #[test]
    fn one_cell_can_not_vary() {
        let scored = Scored::new(&[0, 12, 0]);
        assert!(!scored.shape_varies() && scored.spread == [0.0; 2]);
        assert_eq!(scored.sums(&[0, 5, 0], 5.0).squared, 0.0);
    }
}

//! Epps and Singleton's test, which Evidently runs on request.

use super::significance::{Test, chi_square_tail};
use crate::statistic::{Point, Sample, Sum};

/// Epps & Singleton's test of the characteristic functions at 0.4 and 0.8 semi-interquartile ranges
/// (1986; Goerg & Kaiser 2009). `None` for fewer than five values on a side, an interquartile range of
/// 0, and so few distinct values that its matrix has no inverse.
pub(super) fn test<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<Test> {
    if reference.len().min(current.len()) < 5 {
        return None;
    }
    let mut both = reference.clone();
    both.merge(current);
    let unit = (quartile(&both, 3)? - quartile(&both, 1)?) / 2.0;
    if !unit.is_normal() || both.runs().len() < 5 {
        return None;
    }
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let total = n + m;
    let (ours, theirs) = (waves(reference, unit), waves(current, unit));
    let apart: [f64; 4] = std::array::from_fn(|i| ours.0[i] - theirs.0[i]);
    let covariance = std::array::from_fn(|i| {
        std::array::from_fn(|j| total / n * ours.1[i][j] + total / m * theirs.1[i][j])
    });
    let solved = solve(covariance, apart)?;
    let mut statistic = total * apart.iter().zip(solved).map(|(a, b)| a * b).sum::<f64>();
    if n.max(m) < 25.0 {
        statistic /= 1.0 + total.powf(-0.45) + 10.1 * (n.powf(-1.7) + m.powf(-1.7));
    }
    Some(Test { statistic, p: chi_square_tail(statistic, 4) })
}

/// The quartile of type 7, between integers too.
fn quartile<T: Point>(sample: &Sample<T>, part: u64) -> Option<f64> {
    let last = sample.len().checked_sub(1)?;
    let (index, rest) = (last * part / 4, last * part % 4);
    let (low, high) = (sample.quantile(index, last)?, sample.quantile(index + 1, last)?);
    Some(low.to_f64() + T::gap(low, high, 1.0) * rest as f64 / 4.0)
}

type Square = [[f64; 4]; 4];

/// Means and covariances (divided by n) of the cosines and sines at both arguments.
fn waves<T: Point>(sample: &Sample<T>, unit: f64) -> ([f64; 4], Square) {
    let at = |value: T| {
        let [a, b] = [0.4, 0.8].map(|t| t / unit * value.to_f64());
        [a.cos(), b.cos(), a.sin(), b.sin()]
    };
    let share = |count: u64| count as f64 / sample.len() as f64;
    let average = |of: &dyn Fn(&[f64; 4]) -> f64| {
        sample
            .runs()
            .iter()
            .map(|&(value, count)| share(count) * of(&at(value)))
            .collect::<Sum>()
            .value()
    };
    let means: [f64; 4] = std::array::from_fn(|i| average(&|wave| wave[i]));
    let covariance = std::array::from_fn(|i| {
        std::array::from_fn(|j| average(&|wave| (wave[i] - means[i]) * (wave[j] - means[j])))
    });
    (means, covariance)
}

/// The solution of four equations, by elimination; `None` where they are not independent.
fn solve(mut matrix: Square, mut right: [f64; 4]) -> Option<[f64; 4]> {
    let scale = (0..4).map(|i| matrix[i][i]).fold(0.0, f64::max);
    for column in 0..4 {
        let pivot = (column..4)
            .max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()))?;
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        if matrix[column][column].abs() <= 1e-12 * scale {
            return None;
        }
        let (row, value) = (matrix[column], right[column]);
        for other in (0..4).filter(|other| *other != column) {
            let factor = matrix[other][column] / row[column];
            for (cell, above) in matrix[other].iter_mut().zip(row) {
                *cell -= factor * above;
            }
            right[other] -= factor * value;
        }
    }
    Some(std::array::from_fn(|i| right[i] / matrix[i][i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved_or_dependent() {
        let matrix = [
            [4.0, 1.0, 0.0, 0.0],
            [1.0, 3.0, 1.0, 0.0],
            [0.0, 1.0, 2.0, 0.5],
            [0.0, 0.0, 0.5, 1.0],
        ];
        let solved = solve(matrix, [6.0, 10.0, 10.0, 5.5]);
        let close = |found: [f64; 4]| {
            found.iter().zip([1.0, 2.0, 3.0, 4.0]).all(|(a, b)| (a - b).abs() < 1e-12)
        };
        assert!(solved.is_some_and(close), "{solved:?}");
        assert_eq!(solve([[1.0; 4]; 4], [1.0; 4]), None);
    }
}

//! Bounds of p-values too small to be drawn.

use statrs::function::factorial::ln_binomial;

use super::scores::Scored;

/// The logarithm of a bound of P(T >= t) for the sum T of the scores of `size` rows drawn without
/// replacement, where a cell has a score and a total.
///
/// Such rows are independent picks of each row with probability p = size / all, given that their
/// number S is `size`; so for any a and b (Chernoff)
///
/// ```text
/// P(T >= t) <= exp(-a t - b size) prod (1 - p + p exp(a score + b))^total / P(S = size),  a >= 0.
/// ```
///
/// The right side is convex in (a, b) and falls under Newton's steps; it is a bound wherever they
/// stop. Its exponent has the variance of draws without replacement, and where only one split
/// reaches t it ends at the probability of that split.
pub(crate) fn ln_upper(scores: &[f64], totals: &[u64], size: u64, t: f64) -> f64 {
    let all: u64 = totals.iter().sum();
    if size == 0 || size >= all || t <= 0.0 {
        return 0.0;
    }
    let p = size as f64 / all as f64;
    let aim = Aim { scores, totals, p, t, size: size as f64 };
    let rest = (all - size) as f64;
    let ln_size = ln_binomial(all, size) + size as f64 * p.ln() + rest * (-p).ln_1p();
    let (mut a, mut b) = (0.0, 0.0);
    let mut best = aim.value(a, b);
    for _ in 0..60 {
        let (da, db) = aim.step(a, b);
        let mut length = 1.0;
        let next = loop {
            let (x, y) = (a + length * da, b + length * db);
            let value = aim.value(x, y);
            if x >= 0.0 && value < best {
                break Some((x, y, value));
            }
            length /= 2.0;
            if length < 1e-6 {
                break None;
            }
        };
        let Some((x, y, value)) = next else { break };
        let gain = best - value;
        (a, b, best) = (x, y, value);
        if gain < 1e-6 {
            break;
        }
    }
    (best - ln_size).min(0.0)
}

/// A bound of P(A² >= a) on these cells, when `size` of all rows are drawn without replacement.
///
/// A² is a mean of squares, one a cell, of how far the number drawn from below its middle is off; so
/// where A² reaches a, one of them does, and then the number below the lower or the upper edge of
/// that cell is off at least as far. Each of those is hypergeometric, with Hoeffding's (1963) bound
/// for either side. Far from close, the sum shows that a large A² is no accident.
pub(crate) fn shape_upper(scored: &Scored, totals: &[u64], size: u64, a: f64) -> f64 {
    let (all, size) = (scored.all(), size as f64);
    // The variance of a count is what all cells have in common times their own.
    let common = size * (all - size) / (all - 1.0);
    let mut below = 0.0;
    let edge = |below: f64, off: f64| {
        let share = below / all;
        let draws =
            divergence(share + off / size, share).min(divergence(share - off / size, share));
        // The same count seen from the other side: which of the rows below the edge are drawn.
        let taken = size / all;
        let rows =
            divergence(taken + off / below, taken).min(divergence(taken - off / below, taken));
        2.0 * (-(size * draws).max(below * rows)).exp()
    };
    let cells = scored.variances().zip(scored.weights()).zip(totals);
    let bound: f64 = cells
        .map(|((variance, weight), &total)| {
            let off = (a * common * variance).sqrt();
            let low = below;
            below += total as f64;
            let ends = [low, below].into_iter().filter(|&edge| edge > 0.0 && edge < all);
            if weight > 0.0 { ends.map(|at| edge(at, off)).sum() } else { 0.0 }
        })
        .sum();
    bound.min(1.0)
}

/// How far a share q is from p, as the exponent of its probability a draw; infinite beyond 0 and 1.
fn divergence(q: f64, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&q) {
        return f64::INFINITY;
    }
    let part = |q: f64, p: f64| if q > 0.0 { q * (q / p).ln() } else { 0.0 };
    part(q, p) + part(1.0 - q, 1.0 - p)
}

struct Aim<'a> {
    scores: &'a [f64],
    totals: &'a [u64],
    p: f64,
    t: f64,
    size: f64,
}

impl Aim<'_> {
    fn cells(&self) -> impl Iterator<Item = (f64, f64)> {
        self.scores.iter().zip(self.totals).map(|(&score, &total)| (score, total as f64))
    }

    fn value(&self, a: f64, b: f64) -> f64 {
        let ln_mean = |u: f64| match u > 0.0 {
            true => u + (self.p + (1.0 - self.p) * (-u).exp()).ln(),
            false => (1.0 - self.p + self.p * u.exp()).ln(),
        };
        let sum: f64 = self.cells().map(|(score, total)| total * ln_mean(a * score + b)).sum();
        sum - a * self.t - b * self.size
    }

    /// Newton's step from (a, b).
    fn step(&self, a: f64, b: f64) -> (f64, f64) {
        let (mut ga, mut gb) = (-self.t, -self.size);
        let (mut aa, mut ab, mut bb) = (0.0, 0.0, 0.0);
        for (score, total) in self.cells() {
            let odds = self.p / (1.0 - self.p) * (a * score + b).min(700.0).exp();
            let q = odds / (1.0 + odds);
            let weight = total * q / (1.0 + odds);
            ga += total * q * score;
            gb += total * q;
            aa += weight * score * score;
            ab += weight * score;
            bb += weight;
        }
        // Where the law has no spread left, a step along the gradient must do.
        let determinant = aa * bb - ab * ab;
        if determinant <= 1e-12 * aa * bb {
            return (-ga, -gb);
        }
        ((ab * gb - bb * ga) / determinant, (ab * ga - aa * gb) / determinant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranks 1 to 40 centred, twenty picked.
    fn ranks() -> (Vec<f64>, Vec<u64>) {
        ((0..40).map(|rank| f64::from(rank) - 19.5).collect(), vec![1; 40])
    }

    #[test]
    fn the_last_split_has_its_own_probability() {
        let (scores, totals) = ranks();
        let bound = ln_upper(&scores, &totals, 20, 200.0);
        let exact = -ln_binomial(40, 20);
        assert!(bound >= exact - 1e-6 && bound < exact + 0.2, "{bound} {exact}");
    }

    /// The exact law of the rank sum, by counting: how many of the splits have each sum.
    #[test]
    fn it_is_a_bound_and_a_close_one() {
        let (scores, totals) = ranks();
        // ways[k][s]: subsets of k ranks (1 to 40) with sum s.
        let mut ways = vec![vec![0.0_f64; 821]; 21];
        ways[0][0] = 1.0;
        for rank in 1..=40 {
            for k in (1..=20).rev() {
                for sum in (rank..=820).rev() {
                    ways[k][sum] += ways[k - 1][sum - rank];
                }
            }
        }
        let all: f64 = ways[20].iter().sum();
        for t in [40_usize, 80, 120, 160, 190] {
            let exact: f64 = ways[20][410 + t..].iter().sum::<f64>() / all;
            let bound = ln_upper(&scores, &totals, 20, t as f64).exp();
            assert!(bound >= exact && bound < 60.0 * exact, "{t}: {bound:e} {exact:e}");
        }
        assert_eq!(ln_upper(&scores, &totals, 20, 0.0), 0.0);
    }
}

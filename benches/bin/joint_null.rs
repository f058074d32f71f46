//! The joint law of location, scale and shape on data without ties: prints the table that is a constant of mlops-drift.
//!
//! `joint_null [DRAWS] [CHECKS] [SEED]` (4,000,000 and 200,000 draws). Splits 800 rows at random into 400 against 400
//! and takes of each split the largest surprise, -ln of the probability by itself, of Mann-Whitney, Mood (both by the
//! normal law) and Anderson-Darling (by its limit law). The table, `TABLE` of `mlops-drift/src/decision/joint.rs`, is -ln of
//! how often that reaches 0, 1/4, 1/2, ... Then it is used at other sizes: the rate of alarms at 5 %, 1 % and 0.1 %,
//! beside its binomial band. Last, the limit law of Anderson-Darling far out, where no table reaches, by
//! splits drawn with a preference for large ranks and weighed back.

#![allow(clippy::print_stdout, reason = "a program talks to its terminal")]

use std::process::ExitCode;

use mlops_benches::BoxError;
use mlops_drift::statistic::anderson_darling_log_p;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

const STEP: f64 = 0.25;
const ENTRIES: usize = 41;
const SIZES: [(usize, usize); 7] =
    [(400, 400), (50, 50), (200, 200), (1000, 50), (50, 1000), (5000, 200), (2000, 2000)];
const ALPHAS: [f64; 3] = [0.05, 0.01, 0.001];

type Random = Xoshiro256PlusPlus;

fn main() -> ExitCode {
    mlops_benches::end(run().map(|()| true))
}

fn run() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let mut number =
        |default: u64| arguments.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (draws, checks, seed) = (number(4_000_000)?, number(200_000)?, number(20_130_101)?);
    let table = table(draws, &mut Random::seed_from_u64(seed));
    println!("const TABLE: [f64; {ENTRIES}] = [");
    for row in table.chunks(10) {
        println!("    {},", row.iter().map(|ln| format!("{ln:.3}")).collect::<Vec<_>>().join(", "));
    }
    println!("];");
    println!("\nalarms over alpha, of {checks} splits (99.9 % band)");
    println!("{:>14} {:>18} {:>18} {:>18}", "sizes", "5 %", "1 %", "0.1 %");
    for (n, m) in SIZES {
        let rates = alarms(&table, n, m, checks, &mut Random::seed_from_u64(seed + 1));
        let shown = rates.iter().zip(ALPHAS).map(|(rate, alpha)| {
            let band = 3.29 * (alpha * (1.0 - alpha) / checks as f64).sqrt();
            format!("{:>10.3} +-{:.3}", rate / alpha, band / alpha)
        });
        println!("{:>14} {}", format!("{n}/{m}"), shown.collect::<Vec<_>>().join(" "));
    }
    println!("\nP(A2 >= a) over its limit, of {checks} splits weighed back (one standard error)");
    println!("{:>14} {:>20} {:>20} {:>20}", "sizes", "a = 8", "a = 12", "a = 20");
    for (n, m) in [(50, 50), (1000, 50), (50, 1000), (400, 400)] {
        let shown = [8.0, 12.0, 20.0].map(|a| {
            let (share, error) = far(n, m, a, checks, &mut Random::seed_from_u64(seed + 2));
            let limit = anderson_darling_log_p(a).exp();
            format!("{:>11.3} +-{:.3}", share / limit, error / limit)
        });
        println!("{:>14} {}", format!("{n}/{m}"), shown.join(" "));
    }
    Ok(())
}

/// Random splits of n + m distinct values.
struct Splits {
    marks: Vec<bool>,
    n: usize,
}

impl Splits {
    fn new(n: usize, m: usize) -> Self {
        Self { marks: (0..n + m).map(|row| row < n).collect(), n }
    }

    /// The largest surprise of the next one.
    fn next(&mut self, random: &mut Random) -> f64 {
        self.marks.shuffle(random);
        surprise(statistics(&self.marks, self.n))
    }
}

/// z of Mann-Whitney and of Mood, and A2, from which values, in ascending order, are of the first side.
fn statistics(marks: &[bool], n: usize) -> [f64; 3] {
    let all = marks.len() as f64;
    let (n, m) = (n as f64, all - n as f64);
    let (mut location, mut scale, mut shape, mut below) = (0.0, 0.0, 0.0, 0.0);
    for (row, &mark) in marks.iter().enumerate() {
        let rank = row as f64 + 1.0;
        let own = f64::from(u8::from(mark));
        let centred = rank - (all + 1.0) / 2.0;
        location += own * centred;
        scale += own * centred * centred;
        below += own;
        // Scholz & Stephens 1987, eq. 7, with the half of each row that stands in its middle.
        let (b, m) = (rank - 0.5, below - own / 2.0);
        shape += (all * m - n * b).powi(2) / (b * (all - b) - all / 4.0);
    }
    let location_deviation = (n * m * (all + 1.0) / 12.0).sqrt();
    let mean = n * (all * all - 1.0) / 12.0;
    let scale_deviation = (n * m * (all + 1.0) * (all * all - 4.0) / 180.0).sqrt();
    [
        location / location_deviation,
        (scale - mean) / scale_deviation,
        shape * (all - 1.0) / (all * n * m),
    ]
}

/// The largest surprise of the three.
fn surprise([location, scale, shape]: [f64; 3]) -> f64 {
    let z = location.abs().max(scale.abs());
    // P(|Z| >= z) by the continued fraction of Mills' ratio beyond 3, by Simpson's rule below.
    two_sided(z).max(-anderson_darling_log_p(shape))
}

fn two_sided(z: f64) -> f64 {
    let density = |x: f64| (-x * x / 2.0).exp() * (2.0 / std::f64::consts::PI).sqrt();
    if z > 3.0 {
        let fraction = (1..=60).rev().fold(z, |rest, k| z + f64::from(k) / rest);
        return -(density(z) / fraction).ln();
    }
    let step = z / 32.0;
    let inner: f64 = (0..32)
        .map(|k| {
            let low = f64::from(k) * step;
            density(low) + 4.0 * density(low + step / 2.0) + density(low + step)
        })
        .sum();
    -(1.0 - inner * step / 6.0).ln()
}

fn table(draws: u64, random: &mut Random) -> Vec<f64> {
    let mut splits = Splits::new(400, 400);
    let mut reached = [0_u64; ENTRIES];
    for _ in 0..draws {
        let upto = ((splits.next(random) / STEP) as usize).min(ENTRIES - 1);
        reached[..=upto].iter_mut().for_each(|count| *count += 1);
    }
    reached.iter().map(|&count| (draws as f64 / count as f64).ln()).collect()
}

fn alarms(table: &[f64], n: usize, m: usize, draws: u64, random: &mut Random) -> [f64; 3] {
    let mut splits = Splits::new(n, m);
    let mut counts = [0_u64; ALPHAS.len()];
    for _ in 0..draws {
        let at = splits.next(random) / STEP;
        let index = (at as usize).min(ENTRIES - 2);
        let ln = table[index] + (table[index + 1] - table[index]) * (at - index as f64);
        for (count, alpha) in counts.iter_mut().zip(ALPHAS) {
            *count += u64::from((-ln).exp() <= alpha);
        }
    }
    counts.map(|count| count as f64 / draws as f64)
}

/// P(A2 >= a) and its standard error. Rows are taken from the top with a preference that makes A2 about a, and each split
/// counts by the ratio of its two probabilities; half of all splits prefer the large ranks, half the small ones.
fn far(n: usize, m: usize, a: f64, draws: u64, random: &mut Random) -> (f64, f64) {
    let all = n + m;
    // A2 is mostly z² / 2 of location, and a preference exp(t (rank / N - 1/2)) moves the mean of z by
    // t sqrt(n m / (12 N)).
    let tilt = (2.0 * a).sqrt() / ((n * m) as f64 / (12 * all) as f64).sqrt();
    let score = |row: usize| (row as f64 + 0.5) / all as f64 - 0.5;
    // Of n rows: the logarithm of the sum over all sets of exp(tilt x sum of scores), row by row, which also
    // says how likely each row is taken given what is left.
    let mut weights = vec![f64::NEG_INFINITY; (all + 1) * (n + 1)];
    let at = |row: usize, left: usize| row * (n + 1) + left;
    weights[at(all, 0)] = 0.0;
    for row in (0..all).rev() {
        for left in 0..=n.min(all - row) {
            let without = weights[at(row + 1, left)];
            let with = if left == 0 {
                f64::NEG_INFINITY
            } else {
                weights[at(row + 1, left - 1)] + tilt * score(row)
            };
            let most = without.max(with);
            weights[at(row, left)] = if most.is_finite() {
                most + ((without - most).exp() + (with - most).exp()).ln()
            } else {
                most
            };
        }
    }
    let plain: f64 = (0..n).map(|k| ((all - k) as f64 / (k + 1) as f64).ln()).sum();
    let ln_mean = weights[at(0, n)] - plain;
    let (mut sum, mut square) = (0.0, 0.0);
    let mut marks = vec![false; all];
    for draw in 0..draws {
        let (mut left, mut scores) = (n, 0.0);
        for (row, mark) in marks.iter_mut().enumerate() {
            *mark = left > 0 && {
                let with = weights[at(row + 1, left - 1)] + tilt * score(row);
                random.random::<f64>() < (with - weights[at(row, left)]).exp()
            };
            if *mark {
                left -= 1;
                scores += score(row);
            }
        }
        if draw % 2 == 1 {
            marks.reverse();
            scores = -scores;
        }
        let both = (tilt * scores).exp().midpoint((-tilt * scores).exp());
        if statistics(&marks, n)[2] >= a {
            let weight = ln_mean.exp() / both;
            sum += weight;
            square += weight * weight;
        }
    }
    let mean = sum / draws as f64;
    (mean, ((square / draws as f64 - mean * mean) / draws as f64).sqrt())
}

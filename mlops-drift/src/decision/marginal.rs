//! The three statistics on one scale: how unlikely each is by itself.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::erf::erfc;

/// How many statistics an ordered column is tested by: location, scale and shape.
pub(crate) const ORDERED: usize = 3;

/// |z| of location, |z| of scale and A² of shape; `None` for one that can't vary.
pub(crate) type Observed = [Option<f64>; ORDERED];

/// The tail of A² on cells that are ties, for the sake of comparison alone.
///
/// A² is a weighted sum of squares of nearly normal variables whose weights add up to 1. Its tail is
/// that of the heaviest, `exp((1 - w) / (2 w)) erfc(sqrt(x / (2 w)))` up to terms of second order in
/// the other weights over w (Hoeffding 1964); `sqrt(e) erfc(sqrt x)` for cells without number, where
/// the limit law ends as `sqrt(3) erfc(sqrt x)`, and the law of z² for two cells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tail {
    heaviest: f64,
}

impl Tail {
    pub(crate) fn new(heaviest: f64) -> Self {
        // Beyond 1 by rounding alone; far below 1/2 never, whatever the cells.
        Self { heaviest: heaviest.clamp(0.1, 1.0) }
    }

    fn ln_factor(self) -> f64 {
        (1.0 - self.heaviest) / (2.0 * self.heaviest)
    }

    /// -ln P(A² >= value).
    pub(crate) fn surprise(self, value: f64) -> f64 {
        -ln_erfc((value / (2.0 * self.heaviest)).sqrt()) - self.ln_factor()
    }

    /// The value of that surprise.
    fn value(self, surprise: f64) -> f64 {
        2.0 * self.heaviest * inverse_ln_erfc(-surprise - self.ln_factor()).powi(2)
    }
}

/// -ln P(|Z| >= z) of a standard normal Z.
pub(crate) fn surprise(z: f64) -> f64 {
    -ln_erfc(z / SQRT_2)
}

/// The values at which each statistic is as surprising as one that was observed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thresholds {
    /// By the observed statistic: what each statistic has to reach.
    at: [Option<[f64; ORDERED]>; ORDERED],
    /// The most surprising one.
    leading: usize,
}

impl Thresholds {
    /// `None` where nothing was observed.
    pub(crate) fn new(observed: Observed, tail: Tail) -> Option<Self> {
        let mut at = [None; ORDERED];
        let mut most: Option<(usize, f64)> = None;
        for (kind, value) in observed.into_iter().enumerate() {
            let Some(value) = value else { continue };
            let level = if kind == 2 { tail.surprise(value) } else { surprise(value) };
            let z = SQRT_2 * inverse_ln_erfc(-level);
            let mut wanted = [z, z, tail.value(level)];
            // What was observed is reached by the same split to the last bit.
            wanted[kind] = value;
            at[kind] = Some(wanted);
            if most.is_none_or(|(_, most)| level > most) {
                most = Some((kind, level));
            }
        }
        most.map(|(leading, _)| Self { at, leading })
    }

    pub(crate) fn leading(&self) -> usize {
        self.leading
    }

    pub(crate) fn tested(&self) -> [bool; ORDERED] {
        self.at.map(|wanted| wanted.is_some())
    }

    /// For each observed statistic: whether one of `drawn` is at least as surprising.
    pub(crate) fn reached(&self, drawn: Observed) -> [bool; ORDERED] {
        let drawn = drawn.map(|value| value.unwrap_or(f64::NEG_INFINITY));
        self.at.map(|wanted| {
            wanted.is_some_and(|wanted| {
                drawn.iter().zip(wanted).any(|(&drawn, wanted)| reaches(drawn, wanted))
            })
        })
    }
}

/// A permutation that gives the very same split, or its mirror image, may differ by rounding.
pub(crate) fn reaches(drawn: f64, wanted: f64) -> bool {
    drawn >= wanted * (1.0 - 1e-9) - 1e-12
}

/// ln erfc(y), also where erfc underflows.
fn ln_erfc(y: f64) -> f64 {
    if y < 20.0 {
        return erfc(y).ln();
    }
    // Abramowitz & Stegun 7.1.23.
    let t = 1.0 / (2.0 * y * y);
    -y * y - (y * PI.sqrt()).ln() + (-t + 3.0 * t * t - 15.0 * t * t * t).ln_1p()
}

/// The y >= 0 with ln erfc(y) = `ln`; 0 for `ln` >= 0.
fn inverse_ln_erfc(ln: f64) -> f64 {
    if ln >= 0.0 {
        return 0.0;
    }
    // ln erfc is concave, so Newton's steps from the right side come down to the root and stay right
    // of it; erfc(y) <= exp(-y²) makes sqrt(-ln) such a start.
    let mut y = (-ln).sqrt();
    for _ in 0..60 {
        let value = ln_erfc(y);
        let slope = -2.0 / PI.sqrt() * (-y * y - value).exp();
        let step = (value - ln) / slope;
        y -= step;
        if step.abs() <= 1e-14 * y.max(1e-3) {
            break;
        }
    }
    y.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_location_is_that_of_the_normal_law() {
        for (z, p) in [(1.959_964, 0.05), (2.575_829, 0.01), (5.326_724, 1e-7)] {
            assert!((surprise(z) + f64::ln(p)).abs() < 1e-5, "{z}");
        }
        // P(|Z| >= 40) = 7.31e-350 (Mills' ratio): beyond what f64 can hold.
        let mills = 800.0 + (40.0 * (PI / 2.0).sqrt()).ln() + 1.0 / 1600.0;
        assert!((surprise(40.0) - mills).abs() < 1e-5, "{} {mills}", surprise(40.0));
        assert!((ln_erfc(20.0 - 1e-12) - ln_erfc(20.0)).abs() < 1e-9);
    }

    #[test]
    fn thresholds_are_equally_surprising() {
        for heaviest in [0.5, 0.7, 1.0] {
            let tail = Tail::new(heaviest);
            for level in [0.2, 1.0, 3.0, 9.0, 40.0, 900.0] {
                assert!((tail.surprise(tail.value(level)) - level).abs() < 1e-9 * level.max(1.0));
                let z = SQRT_2 * inverse_ln_erfc(-level);
                assert!((surprise(z) - level).abs() < 1e-9 * level.max(1.0));
            }
        }
        // With two cells A² is z².
        let observed = [Some(3.0), None, Some(9.0)];
        let thresholds = Thresholds::new(observed, Tail::new(1.0)).expect("something observed");
        assert_eq!(thresholds.tested(), [true, false, true]);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        let first = thresholds.at[0].expect("tested");
        assert!(close(first[0], 3.0) && close(first[1], 3.0) && close(first[2], 9.0), "{first:?}");
        assert_eq!(thresholds.reached([Some(3.0), None, None]), [true, false, true]);
        assert_eq!(thresholds.reached([Some(2.9), Some(2.9), Some(8.9)]), [false; 3]);
        assert!(Thresholds::new([None; 3], Tail::new(0.5)).is_none());
    }

    /// The tail of the limit law, which the public function has to 1e-9, at the scale's own weight.
    #[test]
    fn the_tail_of_many_cells_is_near_that_of_the_limit_law() {
        let tail = Tail::new(0.5);
        for x in [2.0, 4.0, 8.0, 30.0, 300.0] {
            let exact = -crate::statistic::anderson_darling_log_p(x);
            assert!((tail.surprise(x) - exact).abs() < 0.25, "{x}: {} {exact}", tail.surprise(x));
        }
    }
}

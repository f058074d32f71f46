//! Sums of small terms, such as probabilities and losses, as one integer.

use serde::de::{Deserializer, Error};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::Total;

/// Binary places behind the point.
const PLACES: i32 = 80;

/// A sum of finite terms below 2^20 or so, in units of 2^-80: each term is cut off there, the
/// addition is exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fixed(i128);

impl Fixed {
    pub(crate) fn value(self) -> f64 {
        self.0 as f64 * 2_f64.powi(-PLACES)
    }
}

impl Total for Fixed {
    fn add(&mut self, term: f64) {
        // Room for 2^47 terms of 1: what would not fit ends at the bound instead of wrapping.
        self.0 = self.0.saturating_add((term * 2_f64.powi(PLACES)) as i128);
    }

    fn merge(&mut self, other: &Self) {
        self.0 = self.0.saturating_add(other.0);
    }

    fn pair(&self) -> (f64, f64) {
        let high = self.0 as f64;
        let low = self.0.saturating_sub(high as i128) as f64;
        (high * 2_f64.powi(-PLACES), low * 2_f64.powi(-PLACES))
    }
}

/// As a string of digits: few readers of JSON keep integers beyond 2^53.
impl Serialize for Fixed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Fixed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(from)?;
        let sum = digits.parse();
        sum.map(Self).map_err(|_| D::Error::custom(format!("not a sum: value={digits}")))
    }
}

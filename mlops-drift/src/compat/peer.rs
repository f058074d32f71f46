//! The peers by name, and which rules each stands for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::column::Column;
use super::pair::Pair;
use super::report::Found;
use super::{evidently, nannyml, rule_of_thumb, scipy, scouter};
use crate::error::Error;

/// Whose definitions to judge by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Peer {
    /// Evidently 0.7.23: `DataDriftPreset` with its defaults.
    Evidently,
    /// NannyML 0.13.1: `UnivariateDriftCalculator` with its defaults.
    Nannyml,
    /// scouter-ml 0.25.0: a PSI profile with its defaults.
    Scouter,
    /// SciPy 1.17.1: `ks_2samp`, `wasserstein_distance`, `energy_distance`, `chi2_contingency`.
    Scipy,
    /// PSI at 0.1 and 0.25, which no theory of tests has derived (Yurdakul & Naranjo 2020).
    RuleOfThumb,
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Evidently, Self::Nannyml, Self::Scouter, Self::Scipy, Self::RuleOfThumb];

    /// The word that stands for the peer in JSON and on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Evidently => "evidently",
            Self::Nannyml => "nannyml",
            Self::Scouter => "scouter",
            Self::Scipy => "scipy",
            Self::RuleOfThumb => "rule-of-thumb",
        }
    }

    /// The version whose definitions these are; a rule of thumb has none.
    #[must_use]
    pub const fn version(self) -> Option<&'static str> {
        match self {
            Self::Evidently => Some("0.7.23"),
            Self::Nannyml => Some("0.13.1"),
            Self::Scouter => Some("0.25.0"),
            Self::Scipy => Some("1.17.1"),
            Self::RuleOfThumb => None,
        }
    }

    /// When the data as a whole has drifted.
    #[must_use]
    pub const fn dataset_rule(self) -> &'static str {
        match self {
            Self::Evidently => "at least half of the checked columns drifted",
            Self::RuleOfThumb => "any column drifted",
            _ => "any column drifted (ours: the peer has no rule)",
        }
    }

    /// Whether so many drifted of so many checked columns are a drifted data set.
    #[must_use]
    pub const fn dataset_drifted(self, drifted: usize, checked: usize) -> bool {
        match self {
            Self::Evidently => checked > 0 && 2 * drifted >= checked,
            _ => drifted > 0,
        }
    }

    /// Judges one column by this peer's rules: a pure function of the two sides' rows.
    ///
    /// Missing values (NaN, infinities, nulls) are left out on both sides, but for
    /// [`Peer::Scouter`], to which a null is a category like another.
    #[must_use]
    pub fn check(self, reference: &Column, current: &Column) -> Found {
        let Some(pair) = Pair::of(reference, current) else {
            return Found::unchecked("one side holds numbers, the other categories");
        };
        for (side, usable, rows) in [
            ("reference", pair.usable().0, reference.len()),
            ("current", pair.usable().1, current.len()),
        ] {
            if usable == 0 {
                let what = if rows == 0 { "no row" } else { "no usable value" };
                return Found::unchecked(format!("there is {what} on the {side} side"));
            }
        }
        match self {
            Self::Evidently => evidently::check(&pair, current),
            Self::Nannyml => nannyml::check(&pair),
            Self::Scouter => scouter::check(&pair),
            Self::Scipy => scipy::check(&pair),
            Self::RuleOfThumb => rule_of_thumb::check(&pair),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Peer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|peer| peer.word() == text).ok_or_else(|| {
            let words = Self::ALL.map(Self::word).join(",");
            Error::invalid(format!("no such peer: peer={text} known={words}"))
        })
    }
}

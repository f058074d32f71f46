//! The sections of a run and the levels that choose among them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One part of what a run is made of; each is hashed on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Section {
    /// `{"tree": <hex>}`: the contents of the source.
    Code,
    /// The parameters, as a map.
    Params,
    /// `[{"role", "id"}]`, sorted: the data that was read.
    Data,
    /// Lock digest, toolchain, Python, image digest, allow-listed variables.
    Env,
    /// Seeds by name; null where none was set.
    Seeds,
    /// `{"steps": [{"name", "key", "inputs"}]}` in topological order.
    Graph,
    /// What decides the last bit of a float: processor, accelerator, driver, threads.
    Hw,
}

impl Section {
    /// Every section, in the order in which they are shown.
    pub const ALL: [Self; 7] =
        [Self::Code, Self::Params, Self::Data, Self::Env, Self::Seeds, Self::Graph, Self::Hw];

    /// The name of this section in a key and on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Params => "params",
            Self::Data => "data",
            Self::Env => "env",
            Self::Seeds => "seeds",
            Self::Graph => "graph",
            Self::Hw => "hw",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Section {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|section| section.word() == text)
            .ok_or_else(|| Error::invalid(format!("not a section of a run key: text={text:?}")))
    }
}

/// How much of a run its key covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Code, params, data, seeds and graph: what the author wrote down.
    Declared,
    /// The declared sections and the environment that they ran in.
    Locked,
    /// The locked sections and the hardware: equal keys promise equal bits.
    Bitwise,
}

impl Level {
    /// Every level, the loosest first.
    pub const ALL: [Self; 3] = [Self::Declared, Self::Locked, Self::Bitwise];

    /// The sections that a key of this level covers.
    #[must_use]
    pub const fn sections(self) -> &'static [Section] {
        use Section::{Code, Data, Env, Graph, Hw, Params, Seeds};
        match self {
            Self::Declared => &[Code, Params, Data, Seeds, Graph],
            Self::Locked => &[Code, Params, Data, Seeds, Graph, Env],
            Self::Bitwise => &[Code, Params, Data, Seeds, Graph, Env, Hw],
        }
    }

    /// The name of this level on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Locked => "locked",
            Self::Bitwise => "bitwise",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|level| level.word() == text)
            .ok_or_else(|| Error::invalid(format!("not a level of a run key: text={text:?}")))
    }
}

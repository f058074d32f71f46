//! What makes the parts of a comparison.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What makes the parts of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Split {
    /// The values of a column: each side's rows with a value are compared with the other's.
    Segments {
        /// The column, on both sides; any type that has a text, by that text.
        column: String,
        /// How many values have a part of their own, the largest of both sides together; the rest
        /// are one part.
        most: usize,
    },
    /// Windows of the current data by a time in it, each compared with the whole reference. They
    /// follow each other without a gap from 1970-01-01 on, in UTC; those without a row are left out.
    Windows {
        /// The column, of timestamps or dates; the reference need not have it.
        column: String,
        /// How long a window is.
        #[serde(rename = "width_seconds", with = "seconds")]
        width: Duration,
    },
}

impl Split {
    /// The most segments or windows of one comparison.
    pub const MOST_PARTS: usize = 1_000;

    /// By the values of a column, the thirty largest.
    pub fn segments(column: impl Into<String>) -> Self {
        Self::Segments { column: column.into(), most: 30 }
    }

    /// By windows of time.
    pub fn windows(column: impl Into<String>, width: Duration) -> Self {
        Self::Windows { column: column.into(), width }
    }

    /// Sets how many values have a part of their own, at most [`Split::MOST_PARTS`]; says nothing of
    /// windows.
    #[must_use]
    pub fn with_most(mut self, segments: usize) -> Self {
        if let Self::Segments { most, .. } = &mut self {
            *most = segments;
        }
        self
    }

    /// The column that makes the parts.
    #[must_use]
    pub fn column(&self) -> &str {
        match self {
            Self::Segments { column, .. } | Self::Windows { column, .. } => column,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Segments { most, .. } if !(1..=Self::MOST_PARTS).contains(most) => {
                Err(Error::invalid(format!(
                    "from 1 to {} segments have a part of their own: most={most}",
                    Self::MOST_PARTS
                )))
            }
            Self::Windows { width, .. } if width.is_zero() => {
                Err(Error::invalid("a window needs a width above 0"))
            }
            _ => Ok(()),
        }
    }
}

/// A span of time as a number of seconds.
mod seconds {
    use std::time::Duration;

    use serde::de::{Deserializer, Error};
    use serde::{Deserialize, Serializer};

    pub(super) fn serialize<S: Serializer>(width: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(width.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(Error::custom)
    }
}

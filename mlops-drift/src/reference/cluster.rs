//! Which cluster each row belongs to.

use std::time::Duration;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit};

use super::lane::Lane;
use super::options::ClusterBy;
use super::read::{Cell, read};
use crate::error::{Error, ErrorKind, Result};

/// The name of a cluster, ordered as its column is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ClusterKey {
    Null,
    Number(i128),
    Text(String),
}

/// How rows find their cluster, checked against the schema once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClusterPlan {
    pub(crate) column: String,
    pub(crate) data_type: DataType,
    pub(crate) lane: Lane,
    /// The length of a block in the column's own unit, as a fraction.
    block: Option<(i128, i128)>,
}

impl ClusterPlan {
    pub(crate) fn new(by: &ClusterBy, data_type: &DataType) -> Result<Option<Self>> {
        let Some(column) = by.column() else {
            return Ok(None);
        };
        let (lane, _) = Lane::of(data_type, false);
        let refuse =
            |why: &str| Err(Error::invalid(format!("{why}: column={column} type={data_type}")));
        if matches!(lane, Lane::Float | Lane::Unsupported(_)) {
            return refuse("rows can't be clustered by a column of this type");
        }
        let mut block = None;
        if let ClusterBy::TimeBlock { width, .. } = by {
            let Some(unit) = nanoseconds(data_type) else {
                return refuse("blocks of time need a column of timestamps or dates");
            };
            if width.is_zero() {
                return refuse("a block of time needs a width");
            }
            block = Some((unit, i128::try_from(width.as_nanos()).unwrap_or(i128::MAX)));
        }
        let (column, data_type) = (column.to_owned(), data_type.clone());
        Ok(Some(Self { column, data_type, lane, block }))
    }

    /// What it was made from.
    pub(crate) fn by(&self) -> (ClusterBy, &DataType) {
        let column = self.column.clone();
        let by = match self.block {
            None => ClusterBy::Column(column),
            Some((_, width)) => ClusterBy::TimeBlock { column, width: duration(width) },
        };
        (by, &self.data_type)
    }

    /// Whether a cell of the cluster column may have this key.
    pub(crate) fn may_be(&self, key: &ClusterKey) -> bool {
        match key {
            ClusterKey::Null => true,
            ClusterKey::Number(_) => self.lane != Lane::Category,
            ClusterKey::Text(_) => self.lane == Lane::Category,
        }
    }

    /// The key of a cell of the cluster column.
    pub(crate) fn key(&self, cell: Cell<'_>) -> ClusterKey {
        match (cell, self.block) {
            (Cell::Integer(value), Some((unit, width))) => {
                ClusterKey::Number((value * unit).div_euclid(width))
            }
            (Cell::Integer(value), None) => ClusterKey::Number(value),
            (Cell::Text(text), _) => ClusterKey::Text(text.to_owned()),
            (Cell::Null | Cell::Float(_), _) => ClusterKey::Null,
        }
    }

    /// Calls `each` with the key of every row.
    pub(crate) fn keys(&self, array: &dyn Array, each: &mut dyn FnMut(ClusterKey)) -> Result<()> {
        read(array, &self.lane, &mut |_, cell| each(self.key(cell)))
    }
}

/// The array of a column whose type must be what the reference saw.
pub(crate) fn column<'a>(
    batch: &'a RecordBatch,
    name: &str,
    expected: &DataType,
) -> Result<&'a dyn Array> {
    let changed = |what: &str, found: &str| {
        Error::new(
            ErrorKind::SchemaChanged,
            format!("{what}: column={name} expected={expected} found={found}"),
        )
    };
    let Some(array) = batch.column_by_name(name) else {
        return Err(changed("a column of the reference is missing", "none"));
    };
    if array.data_type() != expected {
        let found = array.data_type().to_string();
        return Err(changed("a column has changed its type", &found));
    }
    Ok(array.as_ref())
}

/// Of a width that came from one.
fn duration(nanoseconds: i128) -> Duration {
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    Duration::new(u64::try_from(seconds).unwrap_or(u64::MAX), u32::try_from(rest).unwrap_or(0))
}

fn nanoseconds(data_type: &DataType) -> Option<i128> {
    match data_type {
        DataType::Timestamp(TimeUnit::Second, _) => Some(1_000_000_000),
        DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64 => Some(1_000_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Some(1_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Some(1),
        DataType::Date32 => Some(86_400_000_000_000),
        _ => None,
    }
}

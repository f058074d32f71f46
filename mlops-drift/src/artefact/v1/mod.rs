//! Version 1 of what is written. Frozen: a change of any of these structs, of the order of their fields
//! or of what a number means is a new version beside this one, and this one is still read.
//!
//! Encoded by postcard 1 (its wire format is specified): fields in order, integers as varints, no names.
//! Everything that a map holds is sorted, so equal content gives equal bytes.
//!
//! The unit of a cell's offsets follows from its width w: for floats `2^(-2 floor((51 - e) / 2))` with
//! `2^e <= w < 2^(e+1)`, e being -1023 for every width below 2^-1022; for integers 1; for wide ones
//! `2^max(0, bits of w - 64)`.

mod read;
#[cfg(test)]
mod tests;
mod types;
mod write;

use serde::{Deserialize, Serialize};

use types::Type;

/// A fitted reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Reference {
    rows: u64,
    cluster: Option<ClusterColumn>,
    /// The clusters' keys, ascending.
    clusters: Vec<Key>,
    /// In the order of the schema.
    columns: Vec<Column>,
}

/// What a monitor has counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// BLAKE3 of the bytes of the reference it was counted against, in this version.
    reference: [u8; 32],
    rows: u64,
    /// The clusters' keys, ascending.
    clusters: Vec<Key>,
    /// In the order of the reference.
    columns: Vec<Counted>,
}

/// The column that says which rows belong together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ClusterColumn {
    name: String,
    data_type: Type,
    /// The width of a block of time in nanoseconds; without it each value is a cluster.
    block: Option<u128>,
}

/// The name of a cluster: nulls first, then numbers (values, or blocks of time since 1970), then texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Key {
    Null,
    Number(i128),
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Column {
    name: String,
    data_type: Type,
    cells: Cells,
    counted: Counted,
}

/// Where a column's values are counted, and so how they are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Cells {
    /// Floating point, widened to 64 bits.
    Floats(Grid<f64>),
    /// Integers of 64 bits; dates, times and timestamps in their unit, decimals unscaled.
    Integers(Grid<i64>),
    /// Integers that need more.
    Wide(Grid<i128>),
    /// The same three in bins `(low, high]` alone: their edges, ascending, at most 31.
    FloatBins(Vec<f64>),
    IntegerBins(Vec<i64>),
    WideBins(Vec<i128>),
    /// By the text of the value. The names that have a coarse cell of their own, cell by cell; all
    /// others share the last one, 31.
    Categories(Vec<String>),
    /// Not read, and why.
    Unsupported(String),
}

/// The cells of a column of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Grid<T> {
    /// Ascending and distinct, all finite.
    edges: Vec<T>,
    /// The places of the edges at which the bins of the population stability index end.
    bins: Vec<u32>,
    /// Where each coarse cell but the first begins: 2 k stands for the edge k (from 1), 2 k + 1 for what
    /// lies behind it; what lies below all edges belongs to the first.
    coarse: Vec<u32>,
    /// Where squared distances are taken from, in units of `4^power`.
    centre: T,
    power: i32,
}

/// What was counted of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Counted {
    rows: u64,
    null: u64,
    nan: u64,
    infinite: u64,
    values: Values,
    /// In the order of the keys; empty without clusters and for an unsupported column.
    clusters: Vec<Cluster>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Values {
    Numbers(Numbers),
    /// How many values lie in each bin.
    Bins(Vec<u64>),
    /// Names in ascending order of their bytes, each with how often it occurs.
    Categories(Vec<(String, u64)>),
    Unsupported,
}

/// The usable values of a column of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Numbers {
    below: Outside,
    /// How many values lie at each edge.
    at: Vec<u64>,
    /// How many lie between each edge and the next.
    inside: Vec<u64>,
    /// The sums of their offsets from the lower edge, in the cell's unit.
    offsets: Vec<u128>,
    above: Outside,
    /// The sum of the squared distances from the centre below 2^20 units, in 2^-60 units.
    near: u128,
    /// The sum of the others: ascending exponents e and sums s of `s * 2^e`, not in units.
    far: Vec<(i32, u128)>,
}

/// The values below the first edge or above the last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Outside {
    count: u64,
    /// The sum of their distances from that edge: ascending exponents e and sums s of `s * 2^e`; empty
    /// without edges.
    distances: Vec<(i32, u128)>,
}

/// One cluster in one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cluster {
    rows: u64,
    /// Coarse cells that hold anything, ascending, with how many usable values.
    cells: Vec<(u8, u64)>,
}

//! One side of a column: its rows in order, as a peer would have them in memory.

/// The rows of one column on one side, in order; order matters to [`Nannyml`](super::Peer::Nannyml),
/// which cuts them into chunks.
#[derive(Debug, Clone, PartialEq)]
pub struct Column(pub(super) Rows);

/// What the rows hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rows {
    /// NaN is missing.
    Floats(Vec<f64>),
    /// None is missing.
    Integers(Vec<i128>),
    /// `None` is missing; `free` where the values are strings, which may be free text.
    Categories { rows: Vec<Option<String>>, free: bool },
}

impl Column {
    /// Floating-point rows; NaN is a missing value.
    #[must_use]
    pub fn floats(rows: &[f64]) -> Self {
        Self(Rows::Floats(rows.to_vec()))
    }

    /// Integer rows without a missing value. With missing ones peers hold integers as floating point:
    /// use [`Column::floats`].
    #[must_use]
    pub fn integers(rows: &[i64]) -> Self {
        Self(Rows::Integers(rows.iter().map(|&row| i128::from(row)).collect()))
    }

    /// Strings. [`Evidently`](super::Peer::Evidently) takes a column for text, which is not
    /// reproduced, when more than half of its values are distinct.
    #[must_use]
    pub fn strings(rows: &[Option<&str>]) -> Self {
        let rows = rows.iter().map(|row| row.map(str::to_owned)).collect();
        Self(Rows::Categories { rows, free: true })
    }

    /// Categories that can't be text: booleans, dictionaries.
    #[must_use]
    pub fn labels(rows: &[Option<&str>]) -> Self {
        let rows = rows.iter().map(|row| row.map(str::to_owned)).collect();
        Self(Rows::Categories { rows, free: false })
    }

    /// How many rows there are, missing values included.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Rows::Floats(rows) => rows.len(),
            Rows::Integers(rows) => rows.len(),
            Rows::Categories { rows, .. } => rows.len(),
        }
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

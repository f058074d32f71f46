//! What to fit: which columns, how to treat them, and which rows belong together.

use std::time::Duration;

/// Which rows share their fate, and so can't be counted as independent.
///
/// A verdict is calibrated by exchanging these units between the two sides. Rows that share a day's
/// weather, counted one by one, raise an alarm every time; their unit is the day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ClusterBy {
    /// Every row stands for itself.
    #[default]
    Rows,
    /// Rows with the same value in this column (an integer, a string, a boolean, a date or a
    /// timestamp) belong together; those with a null there form one cluster.
    Column(String),
    /// Rows whose time falls into the same block belong together. Blocks are counted from
    /// 1970-01-01T00:00:00Z, so blocks of a day are days in UTC (or in the local time of a
    /// timestamp without a zone).
    TimeBlock {
        /// A column of timestamps or dates.
        column: String,
        /// The length of a block.
        width: Duration,
    },
}

impl ClusterBy {
    /// The column that names the cluster of a row.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Rows => None,
            Self::Column(column) | Self::TimeBlock { column, .. } => Some(column),
        }
    }
}

/// How much is kept of a column of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Detail {
    /// Cells between order statistics: every statistic, and rank tests that see any kind of change.
    #[default]
    Cells,
    /// The counts of PSI's bins, the deciles of the reference: what follows from ten counts, and rank
    /// tests on them. The fastest there is; distances between values, moments, quantiles and the range
    /// are left out.
    Bins,
}

/// What [`Reference::fit`](crate::Reference::fit) should look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FitOptions {
    /// The columns to check; all of them by default.
    pub columns: Option<Vec<String>>,
    /// Columns that are not checked.
    pub exclude: Vec<String>,
    /// Columns whose values are names, though their type is numeric.
    pub categorical: Vec<String>,
    /// Which rows belong together. The column that says so is not checked itself.
    pub cluster: ClusterBy,
    /// How much is kept of a column of numbers.
    pub detail: Detail,
    /// How many edges the cells of a column have at most; by default about `16 sqrt(n)`, at least 1,024.
    pub edges: Option<usize>,
}

impl FitOptions {
    /// Checks these columns only.
    #[must_use]
    pub fn with_columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Does not check these columns.
    #[must_use]
    pub fn with_exclude<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.exclude = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Treats these columns by category, whatever their type.
    #[must_use]
    pub fn with_categorical<S: Into<String>>(
        mut self,
        columns: impl IntoIterator<Item = S>,
    ) -> Self {
        self.categorical = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Says how much is kept of a column of numbers.
    #[must_use]
    pub fn with_detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// Sets how many edges the cells of a column have at most: more cost memory and time, and make the
    /// intervals of a report narrower.
    #[must_use]
    pub fn with_edges(mut self, edges: usize) -> Self {
        self.edges = Some(edges);
        self
    }

    /// Says which rows belong together.
    #[must_use]
    pub fn with_cluster(mut self, cluster: ClusterBy) -> Self {
        self.cluster = cluster;
        self
    }
}

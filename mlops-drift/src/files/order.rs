//! The columns that were asked for, in the order in which they were.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};

use super::fence::Broken;
use super::table::Part;

/// How the columns of a file become those that were asked for.
pub(super) struct Order {
    /// The columns to decode, as positions in the file, rising.
    pub(super) positions: Vec<usize>,
    /// For each column asked for, which of those it is.
    slots: Vec<usize>,
}

impl Order {
    pub(super) fn new(part: &Part, wanted: &[&Field]) -> Self {
        let own = part.opened.fields.iter().enumerate();
        let own: HashMap<&str, usize> =
            own.map(|(at, field)| (field.name().as_str(), at)).collect();
        let find = |field: &&Field| own.get(field.name().as_str()).copied();
        let asked: Vec<usize> = wanted.iter().filter_map(find).collect();
        let mut positions = asked.clone();
        positions.sort_unstable();
        positions.dedup();
        let slot = |position: &usize| positions.binary_search(position).ok();
        let slots = asked.iter().filter_map(slot).collect();
        Self { positions, slots }
    }

    /// Puts the columns of a batch in order. Each is nullable, and has the type that it was decoded as.
    pub(super) fn arrange(&self, batch: &RecordBatch) -> Result<RecordBatch, Broken> {
        let mut fields = Vec::with_capacity(self.slots.len());
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let (Some(column), Some(field)) =
                (batch.columns().get(*slot), batch.schema_ref().fields().get(*slot))
            else {
                return Err(Broken::corrupt("a file lost a column while it was read"));
            };
            fields.push(Field::new(field.name(), column.data_type().clone(), true));
            columns.push(Arc::clone(column));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::new(Schema::new(fields));
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }
}

//! Which parts of a record batch belong to which column.
//!
//! Source: "Arrow Columnar Format", sections "Recordbatch message" and "Buffer listing for each
//! layout".

use std::collections::HashMap;
use std::ops::Range;

use arrow::datatypes::{DataType, Field, FieldRef, UnionMode};

/// A place in the lists of nodes, buffers and counts of a record batch, which run through all columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) nodes: usize,
    pub(super) buffers: usize,
    pub(super) counts: usize,
}

impl Place {
    /// What lies between here and there.
    pub(super) fn until(self, end: Self) -> [Range<usize>; 3] {
        [self.nodes..end.nodes, self.buffers..end.buffers, self.counts..end.counts]
    }

    /// The place behind a column; `None` where `counts` (of the buffers of each view) don't reach.
    /// Unions of old versions have a validity buffer.
    pub(super) fn pass(&mut self, data_type: &DataType, counts: &[i64], old: bool) -> Option<()> {
        self.nodes += 1;
        let inner = |place: &mut Self, field: &FieldRef| place.pass(field.data_type(), counts, old);
        match data_type {
            DataType::Null => {}
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
                self.buffers += 3;
            }
            DataType::Utf8View | DataType::BinaryView => {
                let count = usize::try_from(*counts.get(self.counts)?).ok()?;
                self.counts += 1;
                self.buffers = self.buffers.checked_add(count)?.checked_add(2)?;
            }
            DataType::List(field) | DataType::LargeList(field) | DataType::Map(field, _) => {
                self.buffers += 2;
                inner(self, field)?;
            }
            DataType::ListView(field) | DataType::LargeListView(field) => {
                self.buffers += 3;
                inner(self, field)?;
            }
            DataType::FixedSizeList(field, _) => {
                self.buffers += 1;
                inner(self, field)?;
            }
            DataType::Struct(fields) => {
                self.buffers += 1;
                for field in fields {
                    inner(self, field)?;
                }
            }
            DataType::RunEndEncoded(ends, values) => {
                inner(self, ends)?;
                inner(self, values)?;
            }
            DataType::Union(fields, mode) => {
                self.buffers += usize::from(old) + 1 + usize::from(*mode == UnionMode::Dense);
                for (_, field) in fields.iter() {
                    inner(self, field)?;
                }
            }
            _ => self.buffers += 2,
        }
        Some(())
    }
}

/// The dictionaries that a field needs, within it, too: their ids and the types of their values.
pub(super) fn dictionaries(field: &Field, found: &mut HashMap<i64, DataType>) {
    #[expect(deprecated, reason = "messages name dictionaries by this id")]
    if let (DataType::Dictionary(_, values), Some(id)) = (field.data_type(), field.dict_id()) {
        found.insert(id, values.as_ref().clone());
    }
    within(field.data_type(), found);
}

fn within(data_type: &DataType, found: &mut HashMap<i64, DataType>) {
    match data_type {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => dictionaries(field, found),
        DataType::Struct(fields) => fields.iter().for_each(|field| dictionaries(field, found)),
        DataType::Union(fields, _) => {
            fields.iter().for_each(|(_, field)| dictionaries(field, found));
        }
        DataType::RunEndEncoded(ends, values) => {
            dictionaries(ends, found);
            dictionaries(values, found);
        }
        DataType::Dictionary(_, values) => within(values, found),
        _ => {}
    }
}

//! Texts are decoded as views, which share a dictionary's bytes, and are spelled out in pieces.
//!
//! A dictionary with one long text, named by every row, would else take gigabytes in a single batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};

use super::super::fence::Broken;

/// The type that is decoded in place of this one.
pub(super) fn viewed(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| Arc::new(view_field(field));
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Dictionary(_, values) => match viewed(values) {
            view @ (DataType::Utf8View | DataType::BinaryView) => view,
            _ => data_type.clone(),
        },
        DataType::List(field) => DataType::List(inner(field)),
        DataType::LargeList(field) => DataType::LargeList(inner(field)),
        DataType::ListView(field) => DataType::ListView(inner(field)),
        DataType::LargeListView(field) => DataType::LargeListView(inner(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(inner(field), *size),
        DataType::Map(field, sorted) => DataType::Map(inner(field), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect::<Fields>()),
        other => other.clone(),
    }
}

/// A field with the type that is decoded.
pub(super) fn view_field(field: &Field) -> Field {
    field.clone().with_data_type(viewed(field.data_type()))
}

/// What a column of declared type is shown as, given what it is decoded as. Texts within lists and
/// structs stay views.
pub(super) fn shown(declared: &DataType, decoded: &DataType) -> DataType {
    let is_text = matches!(decoded, DataType::Utf8View | DataType::BinaryView);
    let is_flat = !declared.is_nested() || matches!(declared, DataType::Dictionary(..));
    if is_text && is_flat { declared.clone() } else { decoded.clone() }
}

/// Batches on their way to the types that are shown.
#[derive(Debug, Default)]
pub(super) struct Spelled {
    /// The first rows are the last entry.
    waiting: Vec<RecordBatch>,
}

impl Spelled {
    pub(super) fn add(&mut self, batch: RecordBatch) {
        self.waiting.insert(0, batch);
    }

    /// The next piece, of which the texts take at most `most` bytes.
    pub(super) fn next(
        &mut self,
        fields: &[Field],
        most: usize,
    ) -> Result<Option<RecordBatch>, Broken> {
        while let Some(batch) = self.waiting.pop() {
            if spelled_bytes(&batch, fields) <= most {
                return spell(&batch, fields).map(Some);
            }
            let (rows, half) = (batch.num_rows(), batch.num_rows() / 2);
            if half == 0 {
                let what = format!("a row of a parquet file has texts of more than {most} bytes");
                return Err(Broken::too_large(what));
            }
            self.waiting.push(batch.slice(half, rows - half));
            self.waiting.push(batch.slice(0, half));
        }
        Ok(None)
    }
}

/// Bytes of all texts that are to be spelled out.
fn spelled_bytes(batch: &RecordBatch, fields: &[Field]) -> usize {
    let columns = batch.columns().iter().zip(fields);
    let differing = columns.filter(|(column, field)| column.data_type() != field.data_type());
    differing
        .map(|(column, _)| {
            let views = match column.data_type() {
                DataType::Utf8View => column.as_string_view().views(),
                DataType::BinaryView => column.as_binary_view().views(),
                _ => return 0,
            };
            // The length is the lowest part of a view.
            views.iter().map(|view| (view & u128::from(u32::MAX)) as usize).sum::<usize>()
        })
        .fold(0, usize::saturating_add)
}

fn spell(batch: &RecordBatch, fields: &[Field]) -> Result<RecordBatch, Broken> {
    let spell = |(column, field): (&ArrayRef, &Field)| -> Result<(Field, ArrayRef), Broken> {
        let column = if column.data_type() == field.data_type() {
            Arc::clone(column)
        } else {
            cast(column, field.data_type())?
        };
        Ok((Field::new(field.name(), column.data_type().clone(), true), column))
    };
    let columns = batch.columns().iter().zip(fields).map(spell);
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.collect::<Result<_, _>>()?;
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn a_batch_of_long_texts_comes_in_pieces_and_in_order() {
        let texts: Vec<String> = (0..100).map(|i| format!("{i:03}").repeat(10)).collect();
        let array: ArrayRef = Arc::new(StringArray::from_iter_values(&texts));
        let view = cast(&array, &DataType::Utf8View).expect("a cast");
        let fields = [Field::new("x", DataType::Utf8, true)];
        for (most, pieces) in [(3_000, 1), (2_999, 2), (30, 100)] {
            let mut spelled = Spelled::default();
            spelled.add(RecordBatch::try_from_iter([("x", Arc::clone(&view))]).expect("a batch"));
            let mut all = Vec::new();
            let mut count = 0;
            while let Some(batch) = spelled.next(&fields, most).expect("short rows") {
                let column = batch.column(0).as_string::<i32>();
                all.extend(column.iter().map(|text| text.unwrap_or_default().to_owned()));
                count += 1;
            }
            assert_eq!((all, count), (texts.clone(), pieces), "{most}");
        }
        let mut spelled = Spelled::default();
        spelled.add(RecordBatch::try_from_iter([("x", view)]).expect("a batch"));
        assert!(spelled.next(&fields, 29).is_err());
    }
}

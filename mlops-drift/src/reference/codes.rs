//! Categories counted by their code in a dictionary: each value is looked at once, whatever the rows.

use arrow::array::{Array, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes as dt;
use arrow::datatypes::DataType;

use super::read::{Cell, read_category};
use crate::error::{Error, Result};
use crate::kernels::{TURNS, count_codes};

/// Calls `each` with every value of the dictionary that rows hold, and how many do; null among them.
pub(crate) fn by_code(array: &dyn Array, each: &mut dyn FnMut(Cell<'_>, u64)) -> Result<()> {
    let array = array.as_any_dictionary();
    let (keys, values) = (array.keys(), array.values());
    let counts = match keys.data_type() {
        DataType::Int8 => count::<dt::Int8Type>(keys, values.len(), |key| key as usize),
        DataType::Int16 => count::<dt::Int16Type>(keys, values.len(), |key| key as usize),
        DataType::Int32 => count::<dt::Int32Type>(keys, values.len(), |key| key as usize),
        DataType::Int64 => count::<dt::Int64Type>(keys, values.len(), |key| key as usize),
        DataType::UInt8 => count::<dt::UInt8Type>(keys, values.len(), usize::from),
        DataType::UInt16 => count::<dt::UInt16Type>(keys, values.len(), usize::from),
        DataType::UInt32 => count::<dt::UInt32Type>(keys, values.len(), |key| key as usize),
        DataType::UInt64 => count::<dt::UInt64Type>(keys, values.len(), |key| key as usize),
        other => return Err(Error::invalid(format!("not a type of keys: type={other}"))),
    };
    let held = |row: usize| counts.get(row).copied().filter(|count| *count > 0);
    read_category(values.as_ref(), &mut |row, cell| {
        if let Some(count) = held(row) {
            each(cell, count);
        }
    })?;
    if let Some(nulls) = held(values.len()) {
        each(Cell::Null, nulls);
    }
    Ok(())
}

/// How many rows have each key; the last count is that of null ones. A key beyond the values, which
/// Arrow does not let in, would be one of them.
fn count<K: ArrowPrimitiveType>(
    keys: &dyn Array,
    values: usize,
    index: impl Fn(K::Native) -> usize,
) -> Vec<u64> {
    let keys: &PrimitiveArray<K> = keys.as_primitive();
    let mut tables: [Vec<u64>; TURNS] = std::array::from_fn(|_| vec![0; values + 1]);
    match keys.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => count_codes(keys.values(), index, &mut tables),
        Some(nulls) => {
            for (row, (&key, is_valid)) in keys.values().iter().zip(nulls).enumerate() {
                let at = if is_valid { index(key).min(values) } else { values };
                tables[row % TURNS][at] += 1;
            }
        }
    }
    let [mut counts, others @ ..] = tables;
    for other in others {
        counts.iter_mut().zip(other).for_each(|(sum, count)| *sum += count);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::read::dictionary;
    use arrow::array::{DictionaryArray, StringArray};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    #[test]
    fn counts_by_code_are_those_of_the_rows() {
        let values = Arc::new(StringArray::from(vec![Some("a"), None, Some("b"), Some("never")]));
        let key = |row: usize| (row % 11 != 3).then_some([0, 2, 2, 1, 0][row % 5]);
        let keys = (0..1_003).map(key).collect();
        let array = DictionaryArray::<dt::Int8Type>::new(keys, values).slice(2, 1_000);
        let (mut wanted, mut found) = (BTreeMap::new(), BTreeMap::new());
        let name = |cell: Cell<'_>| format!("{cell:?}");
        dictionary(&array, &mut |_, cell| *wanted.entry(name(cell)).or_insert(0) += 1).unwrap();
        by_code(&array, &mut |cell, count| *found.entry(name(cell)).or_insert(0) += count).unwrap();
        assert_eq!(found, wanted);
        assert_eq!(found.len(), 3, "{found:?}");
        let empty = DictionaryArray::<dt::Int8Type>::new(
            vec![None, None].into(),
            Arc::new(StringArray::from(Vec::<&str>::new())),
        );
        let mut found = Vec::new();
        by_code(&empty, &mut |cell, count| found.push((name(cell), count))).unwrap();
        assert_eq!(found, [(name(Cell::Null), 2)]);
    }
}

//! An array of JSON values, flat or nested, into [`Loose`] values and the sizes of its levels.

use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::Loose;

/// Arrays nest no deeper than tensors have dimensions.
const DEPTH: usize = 32;

/// The values of an array in row-major order, and what is wrong with its form.
///
/// Reading goes on behind a wrong value, so that the caller, who knows the tensor's name only afterwards,
/// can say which one it is in.
#[derive(Debug, Default)]
pub(in crate::serving) struct Array {
    pub(in crate::serving) values: Loose,
    /// The number of items at each level.
    pub(in crate::serving) sizes: Vec<usize>,
    depth: Option<usize>,
    pub(in crate::serving) ragged: Option<String>,
}

impl Array {
    fn leaf(&mut self, depth: usize) {
        if self.depth != Some(depth) {
            self.first_leaf(depth);
        }
    }

    #[cold]
    fn first_leaf(&mut self, depth: usize) {
        if let Some(want) = self.depth {
            let at = self.values.len();
            let say = || format!("a value lies at level {depth}, others at level {want}, at={at}");
            self.ragged.get_or_insert_with(say);
        } else if self.sizes.len() > depth {
            let say = || format!("a value lies at level {depth} beside arrays");
            self.ragged.get_or_insert_with(say);
        }
        self.depth.get_or_insert(depth);
    }

    /// An array at `level` is complete.
    fn close(&mut self, level: usize, items: usize) {
        if self.sizes.len() <= level {
            self.sizes.resize(level + 1, usize::MAX);
        }
        let want = self.sizes[level];
        if want == usize::MAX {
            self.sizes[level] = items;
        } else if want != items {
            let at = self.values.len();
            let say = || {
                format!("rows differ in length at level {level}, want={want} got={items} at={at}")
            };
            self.ragged.get_or_insert_with(say);
        }
        if self.depth.is_some_and(|depth| level >= depth) {
            let say = || format!("an array stands beside values at level {level}");
            self.ragged.get_or_insert_with(say);
        }
    }
}

impl<'de> Deserialize<'de> for Array {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut array = Self::default();
        Level { array: &mut array, level: 0 }.deserialize(deserializer)?;
        Ok(array)
    }
}

struct Level<'a> {
    array: &'a mut Array,
    level: usize,
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// The visits of plain values: each goes to the same method of [`Loose`].
macro_rules! visit_values {
    ($self:ident, $values:expr) => {
        fn visit_bool<E: de::Error>($self, value: bool) -> Result<(), E> {
            let values: &mut Loose = $values;
            values.bool(value);
            Ok(())
        }
        fn visit_i64<E: de::Error>($self, value: i64) -> Result<(), E> {
            let values: &mut Loose = $values;
            values.int(value);
            Ok(())
        }
        fn visit_u64<E: de::Error>($self, value: u64) -> Result<(), E> {
            let values: &mut Loose = $values;
            values.uint(value);
            Ok(())
        }
        fn visit_f64<E: de::Error>($self, value: f64) -> Result<(), E> {
            let values: &mut Loose = $values;
            values.float(value);
            Ok(())
        }
        fn visit_str<E: de::Error>($self, value: &str) -> Result<(), E> {
            let values: &mut Loose = $values;
            values.text(value);
            Ok(())
        }
    };
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers, texts or truth values, flat or nested")
    }

    visit_values!(self, {
        self.array.leaf(self.level);
        &mut self.array.values
    });

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.array.leaf(self.level);
        self.array.values.refuse("null");
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { array, level } = self;
        if level == DEPTH {
            return Err(de::Error::custom("arrays are nested too deep"));
        }
        let mut count = 0;
        while items.next_element_seed(Level { array, level: level + 1 })?.is_some() {
            count += 1;
        }
        array.close(level, count);
        Ok(())
    }
}

/// One cell of a table into its column: a value, or an array of as many as the column is wide.
///
/// A null among floats is a NaN, as tables write a missing number; elsewhere it is refused.
pub(in crate::serving) struct Cell<'a> {
    pub(in crate::serving) column: &'a mut Loose,
    pub(in crate::serving) level: usize,
}

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, a truth value, null or an array of them")
    }

    visit_values!(self, self.column);

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.column.null();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { column, level } = self;
        if level == DEPTH {
            return Err(de::Error::custom("arrays are nested too deep"));
        }
        while items.next_element_seed(Cell { column, level: level + 1 })?.is_some() {}
        Ok(())
    }
}

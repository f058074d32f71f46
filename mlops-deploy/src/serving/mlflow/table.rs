//! The JSON forms of an invocation, straight into the signature's columns.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{
    self, DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer as _, MapAccess, SeqAccess,
    Visitor,
};

use super::Table;
use crate::serving::error::{Result, ServeError, shorten};
use crate::serving::json::{Cell, Loose};
use crate::serving::tensor::Binding;

const FORMS: [&str; 4] = ["dataframe_split", "dataframe_records", "instances", "inputs"];

/// Reads a body with exactly one of [`FORMS`].
pub(super) fn read(body: &[u8], binding: &Binding) -> Result<Table> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = Body { binding }.deserialize(&mut reader);
    let read = read.and_then(|grid| reader.end().map(|()| grid));
    let grid = read.map_err(|error| ServeError::invalid(format!("not an invocation: {error}")))?;
    grid.into_table(binding)
}

/// Values as they came: columns by name, or by position.
#[derive(Default)]
struct Grid {
    /// Names of `columns`, once they are known.
    names: Option<Vec<String>>,
    columns: Vec<Loose>,
    rows: usize,
    problem: Option<String>,
}

impl Grid {
    /// Columns in the signature's order.
    fn into_table(self, binding: &Binding) -> Result<Table> {
        if let Some(problem) = self.problem {
            return Err(ServeError::invalid(problem));
        }
        if self.rows == 0 {
            return Err(ServeError::invalid("the request has no rows"));
        }
        let specs = binding.signature().inputs();
        let got = self.columns.len();
        let mut columns: Vec<Option<Loose>> = specs.iter().map(|_| None).collect();
        let Some(names) = self.names else {
            if got != specs.len() {
                let want = specs.len();
                return Err(ServeError::invalid(format!(
                    "rows have another number of values than the model has inputs: want={want} got={got}"
                )));
            }
            return Ok(Table {
                columns: self.columns.into_iter().map(Some).collect(),
                rows: self.rows,
            });
        };
        if names.len() != got {
            let want = names.len();
            return Err(ServeError::invalid(format!(
                "rows have another number of values than there are columns: want={want} got={got}"
            )));
        }
        for (name, column) in names.into_iter().zip(self.columns) {
            let Some(at) = binding.position(&name) else { continue };
            if columns[at].replace(column).is_some() {
                let name = shorten(&name);
                return Err(ServeError::invalid(format!("a column came twice: column={name:?}")));
            }
        }
        Ok(Table { columns, rows: self.rows })
    }
}

struct Body<'a> {
    binding: &'a Binding,
}

impl<'de> DeserializeSeed<'de> for Body<'_> {
    type Value = Grid;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Grid, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_> {
    type Value = Grid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with one of {}", FORMS.join(", "))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Grid, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            let grid = match key.as_str() {
                "dataframe_split" => map.next_value::<Split>()?.into_grid(),
                "dataframe_records" | "instances" | "inputs" => {
                    map.next_value_seed(Rows { binding: self.binding })?
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if found.replace(grid).is_some() {
                return Err(de::Error::custom(format!("more than one of {}", FORMS.join(", "))));
            }
        }
        found.ok_or_else(|| de::Error::custom(format!("none of {}", FORMS.join(", "))))
    }
}

/// `{"columns": [...], "data": [[...], ...]}`; an index is ignored.
#[derive(Deserialize)]
struct Split {
    #[serde(default)]
    columns: Option<Vec<String>>,
    data: Positions,
}

impl Split {
    fn into_grid(self) -> Grid {
        Grid { names: self.columns, ..self.data.0 }
    }
}

/// Rows of values by position.
struct Positions(Grid);

impl<'de> Deserialize<'de> for Positions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Grid;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of rows")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Grid, A::Error> {
                let mut grid = Grid::default();
                while rows.next_element_seed(Position { grid: &mut grid })?.is_some() {}
                Ok(grid)
            }
        }
        deserializer.deserialize_seq(All).map(Positions)
    }
}

/// A row by position.
struct Position<'a> {
    grid: &'a mut Grid,
}

impl<'de> DeserializeSeed<'de> for Position<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Position<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut cells: A) -> Result<(), A::Error> {
        let grid = self.grid;
        let mut at = 0;
        loop {
            if at == grid.columns.len() {
                if grid.rows > 0 {
                    break;
                }
                let mut column = Loose::default();
                if cells.next_element_seed(Cell { column: &mut column, level: 0 })?.is_none() {
                    break;
                }
                grid.columns.push(column);
            } else {
                let column = &mut grid.columns[at];
                if cells.next_element_seed(Cell { column, level: 0 })?.is_none() {
                    break;
                }
            }
            at += 1;
        }
        let mut extra = 0;
        while cells.next_element::<IgnoredAny>()?.is_some() {
            extra += 1;
        }
        let (want, got, row) = (grid.columns.len(), at + extra, grid.rows);
        if want != got {
            let say = || format!("rows differ in length: row={row} want={want} got={got}");
            grid.problem.get_or_insert_with(say);
        }
        grid.rows += 1;
        Ok(())
    }
}

/// `[[...], ...]`, `[{...}, ...]`, `[value, ...]` or `{"column": [...], ...}`.
struct Rows<'a> {
    binding: &'a Binding,
}

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = Grid;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Grid, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = Grid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows, or an object with an array a column")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Grid, A::Error> {
        let mut grid = Grid::default();
        let mut index = HashMap::new();
        while rows.next_element_seed(Row { grid: &mut grid, index: &mut index })?.is_some() {}
        Ok(grid)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Grid, A::Error> {
        let mut grid = Grid { names: Some(Vec::new()), ..Grid::default() };
        while let Some(name) = map.next_key::<String>()? {
            let Some(at) = self.binding.position(&name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let mut column = Loose::default();
            map.next_value_seed(Cell { column: &mut column, level: 0 })?;
            let width = self.binding.signature().inputs()[at].width();
            grid.rows = grid.rows.max(column.len().div_ceil(width));
            grid.columns.push(column);
            grid.names.get_or_insert_default().push(name);
        }
        Ok(grid)
    }
}

/// A row in whichever form.
struct Row<'a> {
    grid: &'a mut Grid,
    index: &'a mut HashMap<String, usize>,
}

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Row<'_> {
    /// A row that is one value.
    fn value<'de, E: de::Error>(
        mut self,
        value: impl Deserializer<'de, Error = E>,
    ) -> Result<(), E> {
        self.named(false);
        if self.grid.columns.is_empty() {
            self.grid.columns.push(Loose::default());
        }
        let column = &mut self.grid.columns[0];
        Cell { column, level: 0 }.deserialize(value)?;
        self.grid.rows += 1;
        Ok(())
    }

    /// Rows by name and rows by position do not mix.
    fn named(&mut self, named: bool) {
        if self.grid.rows == 0 && named {
            self.grid.names = Some(Vec::new());
        }
        if self.grid.names.is_some() != named {
            let row = self.grid.rows;
            let say = || format!("rows by name and by position are mixed: row={row}");
            self.grid.problem.get_or_insert_with(say);
        }
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row: an array, an object or a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.value(value.into_deserializer())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.value(value.into_deserializer())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.value(value.into_deserializer())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.value(value.into_deserializer())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.value(value.into_deserializer())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.value(().into_deserializer())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, cells: A) -> Result<(), A::Error> {
        self.named(false);
        Position { grid: self.grid }.visit_seq(cells)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.named(true);
        let Self { grid, index } = self;
        let row = grid.rows;
        let mut cells = 0;
        while let Some(key) = map.next_key_seed(Key { index })? {
            let at = match key {
                Ok(at) => at,
                Err(name) => {
                    if row > 0 {
                        let say = || {
                            let name = shorten(&name);
                            format!("a column is not in every row: column={name:?} row=0")
                        };
                        grid.problem.get_or_insert_with(say);
                    }
                    index.insert(name.clone(), grid.columns.len());
                    grid.columns.push(Loose::default());
                    grid.names.get_or_insert_default().push(name);
                    grid.columns.len() - 1
                }
            };
            map.next_value_seed(Cell { column: &mut grid.columns[at], level: 0 })?;
            cells += 1;
        }
        if cells != grid.columns.len() {
            let want = grid.columns.len();
            let say = || {
                format!("a row has other columns than the first: row={row} want={want} got={cells}")
            };
            grid.problem.get_or_insert_with(say);
        }
        grid.rows += 1;
        Ok(())
    }
}

/// Where a column stands, or its name if it is new: a known one costs no allocation.
struct Key<'a> {
    index: &'a HashMap<String, usize>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Result<usize, String>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.index.get(name).copied().ok_or_else(|| name.to_owned()))
    }
}

//! One schema for all files of a table, and for two tables that are to be compared.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, TimeUnit};

use super::fence::Broken;
use super::options::Limits;
use super::table::Part;
use crate::error::{Error, ErrorKind, Result};

/// What the cells of a CSV column look like: a set of the kinds that were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Guess(u16);

impl Guess {
    pub(super) const BOOLEAN: Self = Self(1);
    /// Fits 64 bits with a sign.
    #[cfg(any(test, feature = "csv"))]
    pub(super) const INTEGER: Self = Self(2);
    /// Below zero.
    pub(super) const NEGATIVE: Self = Self(2 | 4);
    /// Beyond 64 bits with a sign, within 64 without.
    pub(super) const LARGE: Self = Self(8);
    pub(super) const FLOAT: Self = Self(16);
    pub(super) const DATE: Self = Self(32);
    pub(super) const MICROSECONDS: Self = Self(64);
    pub(super) const NANOSECONDS: Self = Self(128);
    #[cfg(any(test, feature = "csv"))]
    pub(super) const TEXT: Self = Self(256);

    /// What both look like together.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn is_within(self, kinds: Self) -> bool {
        self.0 & !kinds.0 == 0
    }

    const fn has(self, kind: Self) -> bool {
        self.0 & kind.0 == kind.0
    }

    /// The narrowest type that holds all kinds without loss; text for what has nothing in common, and
    /// for a column that was empty so far.
    pub(super) fn data_type(self) -> DataType {
        let integers = Self::NEGATIVE.and(Self::LARGE);
        let times = Self::DATE.and(Self::MICROSECONDS).and(Self::NANOSECONDS);
        if self == Self::default() {
            DataType::Utf8
        } else if self == Self::BOOLEAN {
            DataType::Boolean
        } else if self.is_within(Self::NEGATIVE) {
            DataType::Int64
        } else if self.is_within(integers) && !self.has(Self::NEGATIVE) {
            DataType::UInt64
        } else if self.is_within(integers) {
            DataType::Decimal128(20, 0)
        } else if self.is_within(integers.and(Self::FLOAT)) {
            DataType::Float64
        } else if self == Self::DATE {
            DataType::Date32
        } else if self.is_within(times) {
            let fine = self.has(Self::NANOSECONDS);
            let unit = if fine { TimeUnit::Nanosecond } else { TimeUnit::Microsecond };
            DataType::Timestamp(unit, None)
        } else {
            DataType::Utf8
        }
    }
}

/// Types by column, of the files that carry types.
fn typed(parts: &[Part]) -> HashMap<String, DataType> {
    let sure = parts.iter().find(|part| part.opened.reader.guesses().is_none());
    let fields = sure.into_iter().flat_map(|part| &part.opened.fields);
    let fields = fields.filter(|field| !field.data_type().is_null());
    fields.map(|field| (field.name().clone(), field.data_type().clone())).collect()
}

/// What the CSV files of a table look like, by column.
fn guessed(parts: &[Part]) -> HashMap<String, Guess> {
    let mut all: HashMap<String, Guess> = HashMap::new();
    for part in parts {
        let Some(guesses) = part.opened.reader.guesses() else { continue };
        for (field, guess) in part.opened.fields.iter().zip(guesses) {
            let known = all.entry(field.name().clone()).or_default();
            *known = known.and(*guess);
        }
    }
    all
}

/// Gives the CSV columns of both sides (the second may be empty) the types of the files that have
/// some, first of their own side, then of the other, and else one that fits all that was seen.
pub(super) fn settle(sides: [&mut Vec<Part>; 2]) {
    let [left, right] = sides;
    let types = [typed(left), typed(right)];
    let seen = [guessed(left), guessed(right)];
    for (parts, [own, other]) in [(left, [0, 1]), (right, [1, 0])] {
        for part in parts.iter_mut() {
            if part.opened.reader.guesses().is_none() {
                continue;
            }
            for field in &mut part.opened.fields {
                let name = field.name();
                let sure = types[own].get(name).or_else(|| types[other].get(name));
                let guess = || {
                    let both = seen.each_ref().map(|seen| seen.get(name).copied());
                    both[0].unwrap_or_default().and(both[1].unwrap_or_default()).data_type()
                };
                let data_type = sure.cloned().unwrap_or_else(guess);
                field.set_data_type(data_type);
            }
        }
    }
}

/// The fields of a table: those of its first file, which all others have, too.
pub(super) fn agree(parts: &[Part], limits: &Limits) -> Result<Vec<Field>> {
    let Some((first, others)) = parts.split_first() else { return Ok(Vec::new()) };
    for part in parts {
        check(part, limits)?;
    }
    let fields = &first.opened.fields;
    for part in others {
        let differs = |what: &str, column: &str| {
            let path = part.path.display();
            let message =
                format!("a file {what} of the table's first one: column={column:?} path={path}");
            Error::new(ErrorKind::SchemaChanged, message)
        };
        let own: HashMap<&str, &Field> =
            part.opened.fields.iter().map(|field| (field.name().as_str(), field)).collect();
        for field in fields {
            let Some(found) = own.get(field.name().as_str()) else {
                return Err(differs("lacks a column", field.name()));
            };
            if found.data_type() != field.data_type() {
                let types = format!("{} type={}", field.name(), found.data_type());
                let message = format!(
                    "a file has another type of column than the table's first one: column={types} \
                     first={} path={}",
                    field.data_type(),
                    part.path.display()
                );
                return Err(Error::new(ErrorKind::SchemaChanged, message));
            }
        }
        if own.len() > fields.len() {
            let known: HashMap<&str, ()> =
                fields.iter().map(|field| (field.name().as_str(), ())).collect();
            let further =
                part.opened.fields.iter().find(|f| !known.contains_key(f.name().as_str()));
            return Err(differs(
                "has a column that is none",
                further.map_or("", |field| field.name()),
            ));
        }
    }
    Ok(fields.clone())
}

/// The columns of one file: not too many, not too deep, each name once.
fn check(part: &Part, limits: &Limits) -> Result<()> {
    let fields = &part.opened.fields;
    if fields.is_empty() {
        return Err(Broken::unusable("a file has no column").at(&part.path));
    }
    if fields.len() > limits.columns {
        let what = format!("more than {} columns", limits.columns);
        return Err(Broken::too_large(what).at(&part.path));
    }
    let mut names = HashMap::with_capacity(fields.len());
    for field in fields {
        if names.insert(field.name(), ()).is_some() {
            let what = format!("two columns have one name: column={:?}", field.name());
            return Err(Broken::unusable(what).at(&part.path));
        }
        let mut budget = limits.columns.saturating_mul(16);
        if !is_shallow(field.data_type(), limits.depth, &mut budget) {
            let what = format!(
                "lists and structs stand too deep or wide in each other: column={:?}",
                field.name()
            );
            return Err(Broken::too_large(what).at(&part.path));
        }
    }
    Ok(())
}

/// Whether a type nests at most `depth` deep and holds at most `budget` types.
fn is_shallow(data_type: &DataType, depth: usize, budget: &mut usize) -> bool {
    if depth == 0 || *budget == 0 {
        return false;
    }
    *budget -= 1;
    let mut inner = |data_type: &DataType| is_shallow(data_type, depth - 1, budget);
    match data_type {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => inner(field.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| inner(field.data_type())),
        DataType::Union(fields, _) => fields.iter().all(|(_, field)| inner(field.data_type())),
        DataType::Dictionary(_, values) => inner(values),
        DataType::RunEndEncoded(ends, values) => {
            inner(ends.data_type()) && inner(values.data_type())
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_is_the_narrowest_type_that_holds_all() {
        use DataType::*;
        let cases = [
            (Guess::default(), Utf8),
            (Guess::BOOLEAN, Boolean),
            (Guess::BOOLEAN.and(Guess::INTEGER), Utf8),
            (Guess::INTEGER, Int64),
            (Guess::INTEGER.and(Guess::NEGATIVE), Int64),
            (Guess::LARGE, UInt64),
            (Guess::LARGE.and(Guess::INTEGER), UInt64),
            (Guess::LARGE.and(Guess::NEGATIVE), Decimal128(20, 0)),
            (Guess::FLOAT.and(Guess::NEGATIVE).and(Guess::LARGE), Float64),
            (Guess::DATE, Date32),
            (Guess::DATE.and(Guess::MICROSECONDS), Timestamp(TimeUnit::Microsecond, None)),
            (Guess::NANOSECONDS.and(Guess::MICROSECONDS), Timestamp(TimeUnit::Nanosecond, None)),
            (Guess::DATE.and(Guess::INTEGER), Utf8),
            (Guess::TEXT.and(Guess::FLOAT), Utf8),
        ];
        for (guess, expected) in cases {
            assert_eq!(guess.data_type(), expected, "{guess:?}");
        }
    }
}

//! Typed values: what a section holds.
//!
//! A value knows its type, so that 1, 1.0, "1" and true are four different things in a key, and no
//! library ever has to print a float.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::canonical::write_value;
use crate::error::{Error, Result};

/// Deepest nesting of lists and maps that [`Value::from_json`] accepts, so that the typed form,
/// which is twice as deep, stays within what JSON readers accept.
const MAX_DEPTH: usize = 48;

/// A value with a type.
///
/// Two values are equal when their canonical bytes are: every NaN equals every other, and -0.0
/// differs from 0.0. On the wire a value is its typed form, `["i","5"]` or
/// `["f","3ff0000000000000"]`, which loses nothing in any JSON library; [`Value::from_json`] reads
/// plain JSON.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An integer of any size.
    Int(Int),
    /// A float, identified by its IEEE 754 bits; there is one NaN.
    Float(f64),
    /// Text, never normalised: composed and decomposed forms differ.
    Text(String),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// The value of a plain JSON document, such as a file of parameters.
    ///
    /// A number written without fraction or exponent becomes an integer, any other one a float.
    /// JSON integers beyond 64 bits reach this function as floats already: give those as [`Int`].
    /// Likewise serde_json reads some floats one unit in the last place off, unless its feature
    /// `float_roundtrip` is on: what is recorded is the value as it was read.
    ///
    /// # Errors
    /// `InvalidInput` for a number that fits no type here, and for nesting beyond 48 levels.
    pub fn from_json(json: serde_json::Value) -> Result<Self> {
        Self::from_json_at(json, 0)
    }

    fn from_json_at(json: serde_json::Value, depth: usize) -> Result<Self> {
        use serde_json::Value as Json;
        if depth > MAX_DEPTH {
            return Err(Error::invalid(format!("value is nested too deeply: limit={MAX_DEPTH}")));
        }
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => Self::from_number(&number)?,
            Json::String(text) => Self::Text(text),
            Json::Array(items) => {
                let items = items.into_iter().map(|item| Self::from_json_at(item, depth + 1));
                Self::List(items.collect::<Result<_>>()?)
            }
            Json::Object(map) => {
                let entry = |(key, value)| Ok((key, Self::from_json_at(value, depth + 1)?));
                Self::Map(map.into_iter().map(entry).collect::<Result<_>>()?)
            }
        })
    }

    fn from_number(number: &serde_json::Number) -> Result<Self> {
        if let Some(value) = number.as_i64() {
            return Ok(value.into());
        }
        if let Some(value) = number.as_u64() {
            return Ok(value.into());
        }
        let float = number.as_f64().filter(|value| value.is_finite());
        float
            .map(Self::Float)
            .ok_or_else(|| Error::invalid(format!("number fits no type: number={number}")))
    }

    /// The canonical bytes of the typed form (RFC 8785).
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_value(&mut out, self);
        out
    }

    /// The value called `key`, when this is a map that holds one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// The text, when this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A map of these entries; of two with one key the later stays.
    pub fn map<K: Into<String>, V: Into<Self>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// The first element of the typed form.
    pub(super) const fn tag(&self) -> &'static str {
        match self {
            Self::Null => "n",
            Self::Bool(_) => "b",
            Self::Int(_) => "i",
            Self::Float(_) => "f",
            Self::Text(_) => "s",
            Self::List(_) => "l",
            Self::Map(_) => "m",
        }
    }

    /// The second element of the typed form of a scalar; empty for null, a list or a map.
    pub(super) fn scalar_text(&self) -> String {
        match self {
            Self::Bool(value) => if *value { "1" } else { "0" }.to_owned(),
            Self::Int(int) => int.as_str().to_owned(),
            Self::Float(float) => format!("{:016x}", float_bits(*float)),
            Self::Text(text) => text.clone(),
            Self::Null | Self::List(_) | Self::Map(_) => String::new(),
        }
    }
}

/// The bits that identify a float: those of IEEE 754, with one NaN for all.
pub(super) const fn float_bits(value: f64) -> u64 {
    if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => float_bits(*a) == float_bits(*b),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

/// How many elements of a list or map [`Value`] prints before it only counts.
const SHOWN_ITEMS: usize = 4;
/// How many characters of a text [`Value`] prints.
const SHOWN_CHARS: usize = 72;

/// A short form for people, on one line, without control characters. It is not for parsing.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(int) => write_short(f, int.as_str()),
            Self::Float(float) => write!(f, "{float:?}"),
            Self::Text(text) => {
                f.write_str("\"")?;
                write_short(f, text)?;
                f.write_str("\"")
            }
            Self::List(items) if items.len() > SHOWN_ITEMS => write!(f, "[{} items]", items.len()),
            Self::Map(map) if map.len() > SHOWN_ITEMS => write!(f, "{{{} entries}}", map.len()),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Map(map) => {
                f.write_str("{")?;
                for (index, (key, value)) in map.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    write_short(f, key)?;
                    write!(f, ": {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

fn write_short(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for (index, c) in text.chars().enumerate() {
        match c {
            _ if index == SHOWN_CHARS => return f.write_str("…"),
            '"' | '\\' => write!(f, "\\{c}")?,
            _ if is_unseen(c) => write!(f, "{}", c.escape_unicode())?,
            _ => write!(f, "{c}")?,
        }
    }
    Ok(())
}

/// Control and format characters, which can rewrite what a terminal shows.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}')
}

/// An integer of any size, kept as its canonical decimal text: no plus, no leading zero, no `-0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Int(String);

impl Int {
    /// The decimal text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Int {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let canonical = match digits.as_bytes() {
            [] => false,
            [b'0'] => text == "0",
            [first, rest @ ..] => {
                *first != b'0' && first.is_ascii_digit() && rest.iter().all(u8::is_ascii_digit)
            }
        };
        if !canonical {
            return Err(Error::invalid(format!("not a decimal integer: text={text:?}")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Int {
            fn from(value: $integer) -> Self {
                Self(value.to_string())
            }
        }

        impl From<$integer> for Value {
            fn from(value: $integer) -> Self {
                Self::Int(value.into())
            }
        }
    )*};
}

from_integers!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

macro_rules! from_type {
    ($($from:ty => |$value:ident| $into:expr),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $into
            }
        }
    )*};
}

from_type! {
    bool => |value| Self::Bool(value),
    Int => |value| Self::Int(value),
    f64 => |value| Self::Float(value),
    // Widened exactly: 0.1_f32 is not 0.1_f64, and the key says so.
    f32 => |value| Self::Float(value.into()),
    String => |value| Self::Text(value),
    &str => |value| Self::Text(value.to_owned()),
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>> From<BTreeMap<String, T>> for Value {
    fn from(map: BTreeMap<String, T>) -> Self {
        Self::map(map)
    }
}

//! The typed form of a value on the wire: `["n"]`, `["i","5"]`, `["m",{"a":["b","1"]}]`.
//!
//! Reading is strict, because a value has one spelling: a surplus element, an integer with a
//! leading zero, a second NaN or a repeated key is an error.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value::{Int, Value, float_bits};

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let length = if matches!(self, Self::Null) { 1 } else { 2 };
        let mut seq = serializer.serialize_seq(Some(length))?;
        seq.serialize_element(self.tag())?;
        match self {
            Self::Null => {}
            Self::List(items) => seq.serialize_element(items)?,
            Self::Map(map) => seq.serialize_element(map)?,
            scalar => seq.serialize_element(&scalar.scalar_text())?,
        }
        seq.end()
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(TypedForm)
    }
}

struct TypedForm;

impl<'de> Visitor<'de> for TypedForm {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a typed value such as [\"i\",\"5\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let tag: String = next(&mut seq)?;
        let value = match tag.as_str() {
            "n" => Value::Null,
            "l" => Value::List(next(&mut seq)?),
            "m" => Value::Map(next::<UniqueMap, _>(&mut seq)?.0),
            "b" | "i" | "f" | "s" => scalar(&tag, next(&mut seq)?).map_err(A::Error::custom)?,
            _ => {
                return Err(A::Error::custom(format!("unknown type of value: tag={tag:?}")));
            }
        };
        if seq.next_element::<serde::de::IgnoredAny>()?.is_some() {
            return Err(A::Error::custom(format!("typed value is too long: tag={tag:?}")));
        }
        Ok(value)
    }
}

fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(seq: &mut A) -> Result<T, A::Error> {
    seq.next_element()?.ok_or_else(|| A::Error::custom("typed value is too short"))
}

fn scalar(tag: &str, text: String) -> Result<Value, String> {
    match (tag, text.as_str()) {
        ("s", _) => Ok(Value::Text(text)),
        ("b", "0") => Ok(Value::Bool(false)),
        ("b", "1") => Ok(Value::Bool(true)),
        ("i", digits) => digits.parse::<Int>().map(Value::Int).map_err(|error| error.to_string()),
        ("f", hex) => float(hex).ok_or_else(|| format!("not the bits of a float: text={hex:?}")),
        _ => Err(format!("not a boolean: text={text:?}")),
    }
}

fn float(hex: &str) -> Option<Value> {
    let digits = |c: u8| c.is_ascii_digit() || matches!(c, b'a'..=b'f');
    if hex.len() != 16 || !hex.bytes().all(digits) {
        return None;
    }
    let bits = u64::from_str_radix(hex, 16).ok()?;
    let float = f64::from_bits(bits);
    (float_bits(float) == bits).then_some(Value::Float(float))
}

/// A map that refuses a repeated key, which a plain `BTreeMap` would silently overwrite.
struct UniqueMap(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for UniqueMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = UniqueMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of typed values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<UniqueMap, A::Error> {
                let mut map = BTreeMap::new();
                while let Some((key, value)) = access.next_entry::<String, Value>()? {
                    if map.contains_key(&key) {
                        return Err(A::Error::custom(format!("repeated key: key={key:?}")));
                    }
                    map.insert(key, value);
                }
                Ok(UniqueMap(map))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

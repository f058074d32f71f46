//! Numbers in JSON: undefined is `null`, infinities are the strings `"inf"` and `"-inf"`.

use serde::de::{Deserializer, Error};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// A number that JSON can hold, or the name of one that it can't.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire {
    Number(f64),
    Name(String),
}

impl Wire {
    fn new(value: f64) -> Option<Self> {
        match value {
            _ if value.is_nan() => None,
            f64::INFINITY => Some(Self::Name("inf".to_owned())),
            f64::NEG_INFINITY => Some(Self::Name("-inf".to_owned())),
            _ => Some(Self::Number(value)),
        }
    }

    fn value<E: Error>(self) -> Result<f64, E> {
        match self {
            Self::Number(value) => Ok(value),
            Self::Name(name) if name == "inf" => Ok(f64::INFINITY),
            Self::Name(name) if name == "-inf" => Ok(f64::NEG_INFINITY),
            Self::Name(name) => Err(E::custom(format!("not a number: value={name}"))),
        }
    }
}

/// For one number that may be undefined.
pub(crate) mod one {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
        value.and_then(Wire::new).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        Option::<Wire>::deserialize(from)?.map(Wire::value).transpose()
    }
}

/// For a list of numbers, all defined.
pub(super) mod many {
    use super::*;

    pub(in crate::report) fn serialize<S: Serializer>(
        values: &[f64],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(|&value| Wire::new(value)))
    }

    pub(in crate::report) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<f64>, D::Error> {
        Vec::<Wire>::deserialize(from)?.into_iter().map(Wire::value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Both {
        #[serde(with = "one")]
        one: Option<f64>,
        #[serde(with = "many")]
        many: Vec<f64>,
    }

    #[test]
    fn infinities_are_strings_and_nan_is_null() -> Result<(), serde_json::Error> {
        let both = Both { one: Some(f64::INFINITY), many: vec![1.5, f64::NEG_INFINITY] };
        let text = serde_json::to_string(&both)?;
        assert_eq!(text, r#"{"one":"inf","many":[1.5,"-inf"]}"#);
        assert_eq!(serde_json::from_str::<Both>(&text)?, both);
        let undefined = Both { one: Some(f64::NAN), many: Vec::new() };
        assert_eq!(serde_json::to_string(&undefined)?, r#"{"one":null,"many":[]}"#);
        assert!(serde_json::from_str::<Both>(r#"{"one":"NaN","many":[]}"#).is_err());
        Ok(())
    }
}

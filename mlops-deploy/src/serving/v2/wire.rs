//! The protocol's JSON, field by field.
//!
//! What is optional may be absent or null; what is unknown is ignored. Answers leave out what is absent.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::serving::json::Array;

/// A struct written as an object; serde alone would take an array of its fields, too.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Request {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) parameters: Option<RequestParameters>,
    #[serde(default)]
    pub(super) inputs: Option<Vec<Object<Input>>>,
    #[serde(default)]
    pub(super) outputs: Option<Vec<Object<Output>>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RequestParameters {
    #[serde(default)]
    pub(super) binary_data_output: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) shape: Vec<i64>,
    pub(super) datatype: String,
    #[serde(default)]
    pub(super) parameters: Option<InputParameters>,
    #[serde(default)]
    pub(super) data: Option<Array>,
}

#[derive(Debug, Deserialize)]
pub(super) struct InputParameters {
    #[serde(default)]
    pub(super) binary_data_size: Option<usize>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Output {
    pub(super) name: String,
    #[serde(default)]
    pub(super) parameters: Option<OutputParameters>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OutputParameters {
    #[serde(default)]
    pub(super) binary_data: Option<bool>,
}

#[derive(Debug, Serialize)]
pub(super) struct Response<'a, D> {
    pub(super) model_name: &'a str,
    pub(super) model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    pub(super) outputs: Vec<AnswerTensor<'a, D>>,
}

#[derive(Debug, Serialize)]
pub(super) struct AnswerTensor<'a, D> {
    pub(super) name: &'a str,
    pub(super) datatype: &'static str,
    pub(super) shape: &'a [usize],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parameters: Option<AnswerParameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<D>,
}

#[derive(Debug, Serialize)]
pub(super) struct AnswerParameters {
    pub(super) binary_data_size: usize,
}

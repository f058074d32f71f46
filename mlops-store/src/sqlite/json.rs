//! Values that are kept as text: documents as JSON, ids as themselves.

use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use mlops_core::error::{Error, ErrorKind, Result};

use super::error::Place;

pub(super) fn write<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write a document").with_source(source)
    })
}

pub(super) fn read<T: DeserializeOwned>(place: &Place, what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|source| place.corrupt(what, source))
}

/// An id or name that was valid when it was stored.
pub(super) fn parse<T: FromStr<Err = Error>>(place: &Place, what: &str, text: &str) -> Result<T> {
    text.parse().map_err(|source| place.corrupt(what, source))
}

//! SHA-256 digests as values: of a section, a tree, a step, and the run key itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// What a printed run key begins with: the scheme and its version.
const PREFIX: &str = "mrk1:";

/// A labelled SHA-256 digest; prints as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest whose bytes these are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hex digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyDigest({self})")
    }
}

impl FromStr for KeyDigest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse_hex(text)
            .map(Self)
            .ok_or_else(|| Error::invalid(format!("not 64 lower-case hex digits: text={text:?}")))
    }
}

/// The bytes of exactly 64 lower-case hex digits: one digest has one spelling.
fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

/// The key of a run at one level; prints as `mrk1:<64 hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey(KeyDigest);

impl RunKey {
    /// The key whose digest this is.
    #[must_use]
    pub const fn new(digest: KeyDigest) -> Self {
        Self(digest)
    }

    /// The digest without its scheme.
    #[must_use]
    pub const fn digest(&self) -> &KeyDigest {
        &self.0
    }
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

impl fmt::Debug for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunKey({self})")
    }
}

impl FromStr for RunKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.strip_prefix(PREFIX)
            .and_then(parse_hex)
            .map(|bytes| Self(KeyDigest(bytes)))
            .ok_or_else(|| {
                Error::invalid(format!("not a run key (mrk1: and 64 hex digits): text={text:?}"))
            })
    }
}

/// Serde as the printed text.
macro_rules! serde_as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serde_as_text!(KeyDigest);
serde_as_text!(RunKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_keys_print_with_their_scheme_and_parse_back() {
        let key = RunKey::new(KeyDigest::from_bytes([0xa5; 32]));
        assert_eq!(key.to_string(), format!("mrk1:{}", "a5".repeat(32)));
        assert_eq!(key.to_string().parse::<RunKey>().unwrap(), key);
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<RunKey>(&json).unwrap(), key);
    }

    #[test]
    fn another_scheme_case_or_length_is_refused() {
        let hex = "a5".repeat(32);
        for bad in [
            hex.clone(),
            format!("mrk2:{hex}"),
            format!("mrk1:{}", hex.to_uppercase()),
            format!("mrk1:{}", &hex[1..]),
            format!("mrk1:{hex}0"),
            format!("mrk1: {}", &hex[1..]),
        ] {
            assert!(bad.parse::<RunKey>().is_err(), "{bad}");
        }
    }
}

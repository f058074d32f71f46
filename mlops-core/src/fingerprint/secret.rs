//! Secrets in a key: keyed, because the plain hash of a password can be guessed.

use std::fmt;

use super::value::Value;
use crate::error::{Error, Result};

/// What the text of a keyed secret begins with.
const PREFIX: &str = "b3-keyed:";

/// The key with which a project hides its secrets and other values that could be guessed.
///
/// It is itself a secret: who holds it can guess what it hides. It is never printed, and never part
/// of a fingerprint. Two projects with two keys can't compare the secrets of their runs.
#[derive(Clone)]
pub struct ProjectKey([u8; 32]);

impl ProjectKey {
    /// The key of these 32 bytes, which must be random.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key of 64 hex digits.
    ///
    /// # Errors
    /// `InvalidInput`, without the text, for anything else.
    pub fn from_hex(hex: &str) -> Result<Self> {
        let hash = blake3::Hash::from_hex(hex.trim())
            .map_err(|_| Error::invalid("project key is not 64 hex digits"))?;
        Ok(Self(*hash.as_bytes()))
    }

    /// What stands in a key for the secret `value` called `name`: keyed BLAKE3 over both.
    ///
    /// The name is part of it, so that two settings with one password don't show that they share
    /// it.
    #[must_use]
    pub fn hide(&self, name: &str, value: &[u8]) -> Value {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&(name.len() as u64).to_be_bytes());
        hasher.update(name.as_bytes());
        hasher.update(value);
        Value::Text(format!("{PREFIX}{}", hasher.finalize().to_hex()))
    }
}

impl fmt::Debug for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProjectKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_secret_depends_on_key_name_and_value() {
        let key = ProjectKey::new([7; 32]);
        let hidden = key.hide("db", b"hunter2");
        assert_eq!(hidden, key.hide("db", b"hunter2"));
        assert_ne!(hidden, key.hide("db", b"hunter3"));
        assert_ne!(hidden, key.hide("cache", b"hunter2"));
        assert_ne!(hidden, ProjectKey::new([8; 32]).hide("db", b"hunter2"));
        assert_ne!(key.hide("a", b"bc"), key.hide("ab", b"c"));
        assert!(!hidden.to_string().contains("hunter2"));
    }

    #[test]
    fn the_key_is_never_printed() {
        let key = ProjectKey::from_hex(&"ab".repeat(32)).unwrap();
        assert_eq!(format!("{key:?}"), "ProjectKey(hidden)");
        let error = ProjectKey::from_hex("super-secret").unwrap_err();
        assert!(!error.chain().contains("super-secret"));
    }
}

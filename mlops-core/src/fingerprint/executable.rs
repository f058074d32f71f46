//! The program that runs: the code of every function in it.

use std::sync::OnceLock;

use super::key::KeyDigest;
use crate::error::{Error, ErrorKind, Result};

/// The BLAKE3 digest of the running executable's file, read once.
///
/// # Errors
/// `Unavailable` when the file can't be found or read.
pub fn executable_digest() -> Result<KeyDigest> {
    static DIGEST: OnceLock<KeyDigest> = OnceLock::new();
    if let Some(digest) = DIGEST.get() {
        return Ok(*digest);
    }
    let failed = |source| {
        let message = "cannot read the running executable, state the version of the code";
        Error::new(ErrorKind::Unavailable, message).with_source(source)
    };
    let path = std::env::current_exe().map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path).map_err(failed)?).map_err(failed)?;
    Ok(*DIGEST.get_or_init(|| KeyDigest::from_bytes(*hasher.finalize().as_bytes())))
}

//! The frame around what is written: what it is, in which version, how long, and a checksum.
//!
//! ```text
//! bytes    0..8     8..12          12..20           20..52                   52..
//!          magic    version, u32   length, u64      BLAKE3 of all the rest   content, of that length
//! ```
//!
//! Numbers are little-endian. This frame is the same in every version.

use crate::error::{Error, ErrorKind, Result};

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Reference,
    Counts,
}

const MAGIC: usize = 8;
const LENGTH: usize = 12;
const CHECKSUM: usize = 20;
pub(super) const HEADER: usize = 52;
/// The most bytes that are written or read at once.
pub(super) const MOST_BYTES: usize = 256 << 20;

impl Content {
    const ALL: [Self; 2] = [Self::Reference, Self::Counts];

    const fn magic(self) -> &'static [u8; MAGIC] {
        match self {
            Self::Reference => b"mlops\x00RF",
            Self::Counts => b"mlops\x00CT",
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Reference => "a fitted reference",
            Self::Counts => "a monitor's counts",
        }
    }

    /// What is to be done about one that can't be read.
    const fn mend(self) -> &'static str {
        match self {
            Self::Reference => "fetch or fit it again",
            Self::Counts => "fetch or count them again",
        }
    }

    /// An error of content that is not what was written; `why` may end in values.
    pub(super) fn damaged(self, why: impl std::fmt::Display) -> Error {
        let message = format!("{} can't be read, {}; {why}", self.name(), self.mend());
        Error::new(ErrorKind::Corrupt, message)
    }
}

/// Puts the frame around content.
pub(super) fn seal(content: Content, version: u32, body: &[u8]) -> Result<Vec<u8>> {
    let length = HEADER + body.len();
    if length > MOST_BYTES {
        let message = format!(
            "{} is too large to be written, check fewer columns or lay fewer edges: bytes={length} \
             most={MOST_BYTES}",
            content.name()
        );
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(content.magic());
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    let checksum = checksum(&bytes, body);
    bytes.extend_from_slice(&checksum);
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// The version and the content inside of the frame, when it holds.
pub(super) fn open(content: Content, newest: u32, bytes: &[u8]) -> Result<(u32, &[u8])> {
    let (Some(magic), Some(version), Some(length)) = (
        bytes.first_chunk::<MAGIC>(),
        bytes.get(MAGIC..).and_then(|rest| rest.first_chunk()),
        bytes.get(LENGTH..).and_then(|rest| rest.first_chunk()),
    ) else {
        return Err(content.damaged(format!("it is cut off: bytes={}", bytes.len())));
    };
    if magic != content.magic() {
        let other = Content::ALL.into_iter().find(|other| other.magic() == magic);
        let found = other.map_or("something else", Content::name);
        let message = format!("not {}: found={found}", content.name());
        return Err(Error::invalid(message));
    }
    let version = u32::from_le_bytes(*version);
    if version > newest {
        let message = format!(
            "{} was written by a newer version of this library, read it with that one or write it \
             anew with this one: version={version} newest_known={newest}",
            content.name()
        );
        return Err(Error::invalid(message));
    }
    let length = u64::from_le_bytes(*length);
    let (Some(sum), Some(body)) = (bytes.get(CHECKSUM..HEADER), bytes.get(HEADER..)) else {
        return Err(content.damaged(format!("it is cut off: bytes={}", bytes.len())));
    };
    if body.len() as u64 != length {
        let what =
            if (body.len() as u64) < length { "it is cut off" } else { "more follows its end" };
        return Err(content.damaged(format!("{what}: expected={length} found={}", body.len())));
    }
    if version == 0 || checksum(&bytes[..CHECKSUM], body).as_slice() != sum {
        return Err(content.damaged("its checksum does not hold"));
    }
    Ok((version, body))
}

fn checksum(head: &[u8], body: &[u8]) -> [u8; 32] {
    *blake3::Hasher::new().update(head).update(body).finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_opened() {
        for content in Content::ALL {
            let bytes = seal(content, 3, b"some content").expect("it is small");
            assert_eq!(open(content, 3, &bytes).expect("whole"), (3, &b"some content"[..]));
            assert_eq!(bytes.len(), HEADER + 12);
        }
    }

    #[test]
    fn every_altered_byte_and_every_cut_is_one_error() {
        let whole = seal(Content::Counts, 1, b"abc").expect("it is small");
        for at in 0..whole.len() {
            for flip in [1, 0x10, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                assert!(open(Content::Counts, 1, &bytes).is_err(), "{at} {flip}");
            }
            let error = open(Content::Counts, 1, &whole[..at]).expect_err("cut off");
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains("cut off"), "{error}");
        }
        let longer = [&whole[..], b"d"].concat();
        let error = open(Content::Counts, 1, &longer).expect_err("too long");
        assert!(error.to_string().ends_with("more follows its end: expected=3 found=4"), "{error}");
    }

    #[test]
    fn another_kind_and_a_newer_version_are_named() {
        let bytes = seal(Content::Counts, 7, b"abc").expect("it is small");
        let error = open(Content::Reference, 7, &bytes).expect_err("another kind");
        assert_eq!(error.to_string(), "not a fitted reference: found=a monitor's counts");
        let error = open(Content::Counts, 6, &bytes).expect_err("newer");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().ends_with("version=7 newest_known=6"), "{error}");
        let error =
            open(Content::Reference, 1, b"PAR1 and so on, never a reference").expect_err("");
        assert_eq!(error.to_string(), "not a fitted reference: found=something else");
    }
}

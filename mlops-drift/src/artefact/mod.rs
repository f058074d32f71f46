//! What is written down and read elsewhere: fitted references, and what monitors have counted.
//!
//! No row is written, only counts and sums: of cells, categories and clusters. What follows from them
//! (look-up tables, units) is laid again on reading. Whatever is read is checked as a whole first: a
//! checksum against accidents, and every number against the others, because a file may also be made to
//! mislead.

mod container;
mod disk;
mod v1;

use std::fmt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::reference::{Reference, STRIDE, State};
use container::{Content, MOST_BYTES, open, seal};

/// The newest version that is known, and the one that is written.
const VERSION: u32 = 1;
/// More rows than this no sum has room for.
const MOST_ROWS: u64 = 1 << 46;
/// The most bytes that the counts of clusters may take in memory.
const MOST_CLUSTER_BYTES: usize = 1 << 30;

/// Which reference something was counted against: the BLAKE3 of the reference's bytes, which is what
/// `b3sum` says of its file. Printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl Reference {
    /// How the name of a reference's file ends.
    pub const FILE_ENDING: &str = "ref";

    /// The reference as bytes, for [`Reference::from_bytes`] on any machine: versioned, with a checksum, and
    /// without a row of the data. Equal references give equal bytes.
    ///
    /// A column takes about 20 bytes an edge; see [`FitOptions::with_edges`](crate::FitOptions::with_edges).
    ///
    /// # Errors
    ///
    /// [`TooLarge`](crate::ErrorKind::TooLarge) above 256 MiB, or for so many clusters that their counts
    /// take more than 1 GiB; [`InvalidInput`](crate::ErrorKind::InvalidInput) for a type nested more than 64
    /// levels deep, or for more than 2^46 rows.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        check_rows(self.rows())?;
        check_clusters(self.state.clusters().count(), self.columns.len())?;
        seal(Content::Reference, VERSION, &encode(&v1::Reference::of(self)?)?)
    }

    /// Reads what [`Reference::to_bytes`] has written, in this version of the library or an older one.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), with what does not hold, for bytes that are cut off, altered or
    /// made up; [`InvalidInput`](crate::ErrorKind::InvalidInput) for something else than a reference, or one
    /// of a newer version; [`TooLarge`](crate::ErrorKind::TooLarge) for what `to_bytes` would not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (_, body) = open(Content::Reference, VERSION, bytes)?;
        decode::<v1::Reference>(Content::Reference, body)?.restore()
    }

    /// Writes the bytes of [`Reference::to_bytes`] into a file, by convention one whose name ends in `.ref`.
    ///
    /// The file is written beside its place, synced and renamed: whoever reads it meanwhile, or after a crash,
    /// sees the old one as a whole or the new one. On an error the old one is still there.
    ///
    /// # Errors
    ///
    /// Those of [`Reference::to_bytes`]; [`NotFound`](crate::ErrorKind::NotFound) without the folder;
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where no file may be written;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when writing fails. Each names the path.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes = self.to_bytes().map_err(|error| at(&error, path))?;
        disk::write(path, &bytes)
    }

    /// Reads a file that [`Reference::save`] has written.
    ///
    /// # Errors
    ///
    /// Those of [`Reference::from_bytes`]; [`NotFound`](crate::ErrorKind::NotFound) where there is no file;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when reading fails. Each names the path.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = disk::read(path, MOST_BYTES)?;
        Self::from_bytes(&bytes).map_err(|error| at(&error, path))
    }

    /// What names this reference, here and wherever its bytes are read. Takes as long as
    /// [`Reference::to_bytes`].
    ///
    /// # Errors
    ///
    /// Those of [`Reference::to_bytes`].
    pub fn fingerprint(&self) -> Result<Fingerprint> {
        // Counts name the bytes of their own version: a later version of this library, which writes references
        // in its own way, still has to know this one.
        Ok(Fingerprint(*blake3::hash(&self.to_bytes()?).as_bytes()))
    }
}

/// What was counted against a reference of this fingerprint, as bytes.
pub(crate) fn counts_to_bytes(state: &State, fingerprint: Fingerprint) -> Result<Vec<u8>> {
    check_rows(state.rows)?;
    check_clusters(state.clusters().count(), state.columns.len())?;
    seal(Content::Counts, VERSION, &encode(&v1::Counts::of(state, fingerprint.0))?)
}

/// What was counted against this reference, of this fingerprint.
pub(crate) fn counts_from_bytes(
    bytes: &[u8],
    reference: &Reference,
    fingerprint: Fingerprint,
) -> Result<State> {
    let (_, body) = open(Content::Counts, VERSION, bytes)?;
    let counts: v1::Counts = decode(Content::Counts, body)?;
    let against = Fingerprint(counts.reference());
    if against != fingerprint {
        return Err(Error::invalid(format!(
            "counted against another reference, count with the same one: expected={fingerprint} \
             found={against}"
        )));
    }
    counts.restore(reference)
}

/// Whether one state can be added to another.
pub(crate) fn check_room(own: &State, other: &State) -> Result<()> {
    if own.has_room_for(other, MOST_ROWS) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TooLarge,
        format!(
            "the counts do not fit into one window, begin a new one: rows={} more={}",
            own.rows, other.rows
        ),
    ))
}

fn check_rows(rows: u64) -> Result<()> {
    if rows <= MOST_ROWS {
        return Ok(());
    }
    Err(Error::invalid(format!("too many rows to be written: rows={rows} most={MOST_ROWS}")))
}

fn check_clusters(clusters: usize, columns: usize) -> Result<()> {
    let bytes = clusters.saturating_mul(columns).saturating_mul(STRIDE * size_of::<u64>());
    if bytes <= MOST_CLUSTER_BYTES {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TooLarge,
        format!(
            "too many clusters, take a coarser column or longer blocks of time: clusters={clusters} \
             columns={columns}"
        ),
    ))
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    postcard::to_extend(value, Vec::new())
        .map_err(|error| Error::invalid("it can't be encoded").with_source(error))
}

fn decode<T: DeserializeOwned>(content: Content, body: &[u8]) -> Result<T> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => {
            Err(content.damaged(format!("more follows its end: bytes={}", rest.len())))
        }
        Err(error) => Err(content.damaged("its parts can't be decoded").with_source(error)),
    }
}

/// The same error, of a file.
fn at(error: &Error, path: &Path) -> Error {
    let message = error.to_string();
    let joint = if message.contains('=') { " " } else { ": " };
    Error::new(error.kind(), format!("{message}{joint}path={}", path.display()))
}

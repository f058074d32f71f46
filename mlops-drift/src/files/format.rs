//! What kind of file it is, by its content first and its ending second; one face for the three readers.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::Field;

use super::fence::Broken;
use super::find::{self, ending};
use super::options::Limits;

/// The kinds of files that are known, whether they can be read by this build or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Parquet,
    IpcFile,
    IpcStream,
    Csv,
}

/// The first and the last bytes of a Parquet file.
pub(super) const PARQUET: [u8; 4] = *b"PAR1";
const ENCRYPTED_PARQUET: [u8; 4] = *b"PARE";
/// The first bytes of an Arrow file; its last are the first six.
pub(super) const IPC_FILE: [u8; 8] = *b"ARROW1\0\0";
/// The first bytes of a message of an Arrow stream.
pub(super) const IPC_MESSAGE: [u8; 4] = [0xff; 4];

/// Tells the format of an open file.
pub(super) fn detect(file: &mut File, path: &Path) -> Result<Format, Broken> {
    let mut head = Vec::new();
    file.by_ref().take(4_096).read_to_end(&mut head)?;
    let ending = ending(path);
    let named = |endings: &[&str]| endings.contains(&ending.as_str());
    if head.is_empty() {
        return Err(Broken::corrupt("a file is empty, it has only 0 bytes"));
    }
    if head.starts_with(&PARQUET) && (!named(&find::CSV) || ends_with(file, &PARQUET)?) {
        return Ok(Format::Parquet);
    }
    if head.starts_with(&ENCRYPTED_PARQUET) && ends_with(file, &ENCRYPTED_PARQUET)? {
        return Err(Broken::unusable("a parquet file is encrypted"));
    }
    if head.starts_with(&IPC_FILE) {
        return Ok(Format::IpcFile);
    }
    if head.starts_with(&IPC_MESSAGE) {
        return Ok(Format::IpcStream);
    }
    if named(&find::PARQUET) {
        return Err(Broken::corrupt("a parquet file does not begin as one"));
    }
    if named(&find::IPC) {
        return Err(Broken::corrupt("an arrow file does not begin as one"));
    }
    if named(&find::CSV) || is_text(&head) {
        return Ok(Format::Csv);
    }
    Err(Broken::unusable("neither a parquet, an arrow nor a csv file"))
}

fn ends_with(file: &mut File, magic: &[u8; 4]) -> Result<bool, Broken> {
    if file.seek(SeekFrom::End(0))? < 12 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-4))?;
    let mut tail = [0; 4];
    file.read_exact(&mut tail)?;
    Ok(&tail == magic)
}

fn is_text(head: &[u8]) -> bool {
    let utf8 = match std::str::from_utf8(head) {
        Ok(_) => true,
        // A letter that the end of the stretch cuts in two.
        Err(error) => error.error_len().is_none(),
    };
    utf8 && !head.contains(&0)
}

/// A file that was opened once, of which only what its next reading needs is kept.
#[derive(Debug, Clone)]
pub(super) enum Reader {
    #[cfg(feature = "parquet")]
    Parquet(super::parquet::Parquet),
    #[cfg(feature = "ipc")]
    Ipc(super::ipc::Ipc),
    #[cfg(feature = "csv")]
    Csv(super::csv::Csv),
}

/// What can be said of a file before its rows are read.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    /// Name and type of each column. Of CSV columns the types are only what the first rows look like.
    pub(super) fields: Vec<Field>,
    /// How many rows there are, where the file says so.
    pub(super) rows: Option<u64>,
    pub(super) reader: Reader,
}

/// The rows of one file.
pub(super) trait Batches {
    /// The next batch, of the chosen columns in the order of the file.
    fn next(&mut self) -> Result<Option<RecordBatch>, Broken>;

    /// How many bytes of the file are behind it.
    fn position(&self) -> u64;
}

/// Opens a file of any format, or of the only one that will do.
pub(super) fn open(
    path: &Path,
    only: Option<Format>,
    limits: &Limits,
) -> Result<(u64, Opened), Broken> {
    let mut file = File::open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(Broken::unusable("not a file"));
    }
    let format = detect(&mut file, path)?;
    if only.is_some_and(|only| only != format) {
        return Err(Broken::unusable(format!("a file is of another format: format={format:?}")));
    }
    let opened = match format {
        #[cfg(feature = "parquet")]
        Format::Parquet => super::parquet::open(&mut file, meta.len(), limits)?,
        #[cfg(feature = "ipc")]
        Format::IpcFile => super::ipc::open_file(file, meta.len(), limits)?,
        #[cfg(feature = "ipc")]
        Format::IpcStream => super::ipc::open_stream(file, meta.len(), limits)?,
        #[cfg(feature = "csv")]
        Format::Csv => super::csv::open(file, limits)?,
        #[cfg(not(all(feature = "parquet", feature = "ipc", feature = "csv")))]
        other => return Err(unsupported(other, limits)),
    };
    Ok((meta.len(), opened))
}

#[cfg(not(all(feature = "parquet", feature = "ipc", feature = "csv")))]
fn unsupported(format: Format, _: &Limits) -> Broken {
    Broken::unusable(format!("this build reads no files of this format: format={format:?}"))
}

impl Reader {
    /// Starts to read the columns `wanted`, which are positions in the file in rising order.
    #[cfg_attr(
        not(any(feature = "csv", feature = "parquet")),
        expect(unused_variables, reason = "the others know their types")
    )]
    pub(super) fn batches(
        &self,
        path: &Path,
        fields: &[Field],
        wanted: &[usize],
        limits: &Limits,
    ) -> Result<Box<dyn Batches>, Broken> {
        let file = File::open(path)?;
        match self {
            #[cfg(feature = "parquet")]
            Self::Parquet(parquet) => parquet.batches(file, fields, wanted, limits),
            #[cfg(feature = "ipc")]
            Self::Ipc(ipc) => ipc.batches(file, wanted, limits),
            #[cfg(feature = "csv")]
            Self::Csv(csv) => csv.batches(file, path, fields, wanted, limits),
        }
    }

    /// Gives back what is kept only to save time.
    pub(super) fn forget(&mut self) {
        match self {
            #[cfg(feature = "parquet")]
            Self::Parquet(parquet) => parquet.forget(),
            #[cfg(any(feature = "ipc", feature = "csv"))]
            _ => {}
        }
    }

    /// What the columns of a file without types look like.
    pub(super) fn guesses(&self) -> Option<&[super::settle::Guess]> {
        match self {
            #[cfg(feature = "csv")]
            Self::Csv(csv) => Some(csv.guesses()),
            #[cfg(any(feature = "parquet", feature = "ipc"))]
            _ => None,
        }
    }
}

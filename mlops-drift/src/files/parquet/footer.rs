//! The footer of a Parquet file: its counts and depths before it is decoded, its offsets after.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use ::parquet::basic::{Compression, Type};
use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use arrow::ipc::MessageHeader;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::super::fence::Broken;
use super::super::flat;
use super::super::format::PARQUET as MAGIC;
use super::super::options::Limits;
use super::thrift::{Kind, Thrift, Wrong};

/// Magic, footer length, magic: nothing shorter is a file.
const SHORTEST: u64 = 12;
/// Where Arrow writers keep the types that Parquet has not.
const ARROW_SCHEMA: &str = "ARROW:schema";
/// Column chunks of a file: each takes about a kilobyte once decoded.
const MOST_CHUNKS: usize = 200_000;

/// Where in a file a column chunk lies.
pub(super) fn range(chunk: &ColumnChunkMetaData) -> Option<(u64, u64)> {
    let data = u64::try_from(chunk.data_page_offset()).ok()?;
    let dictionary = chunk.dictionary_page_offset().and_then(|at| u64::try_from(at).ok());
    // Some writers say 0 where there is no dictionary.
    let start = dictionary.filter(|at| *at > 0 && *at < data).unwrap_or(data);
    Some((start, u64::try_from(chunk.compressed_size()).ok()?))
}

/// Reads the footer of a file of this size; gives its length, too.
pub(super) fn read(
    file: &mut File,
    size: u64,
    limits: &Limits,
) -> Result<(ParquetMetaData, usize), Broken> {
    if size < SHORTEST {
        return Err(Broken::corrupt(format!("a parquet file has only {size} bytes")));
    }
    let mut tail = [0; 8];
    file.seek(SeekFrom::End(-8))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, end @ ..] = tail;
    if end != MAGIC {
        return Err(Broken::corrupt("a parquet file does not end as one"));
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if length > size - SHORTEST {
        return Err(Broken::corrupt("a parquet file has a footer longer than itself"));
    }
    let start = size - 8 - length;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let most = limits.decoded_bytes / 12;
    if length > most {
        let what = format!("a parquet file has a footer of more than {most} bytes");
        return Err(Broken::too_large(what));
    }
    let mut bytes = vec![0; length];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    check_counts(&bytes, limits)?;
    let metadata = ParquetMetaDataReader::decode_metadata(&bytes)?;
    check_offsets(&metadata, start)?;
    check_types(&metadata, limits)?;
    check_arrow_schema(&metadata)?;
    Ok((metadata, length))
}

/// Walks through the encoded footer: fields of the schema, how deep they stand, chunks.
fn check_counts(bytes: &[u8], limits: &Limits) -> Result<(), Broken> {
    let mut tree = Tree { open: Vec::new(), seen: 0, verdict: None, limits };
    let mut chunks = 0_usize;
    let walked = Thrift::new(bytes).fields(&mut |thrift, number, kind| {
        match (number, kind) {
            (2, Kind::List) => {
                let (kind, count) = thrift.list()?;
                for _ in 0..count {
                    if kind != Kind::Struct {
                        return Err(Wrong::Bad);
                    }
                    tree.add(children(thrift)?)?;
                }
            }
            (4, Kind::List) => {
                let (kind, count) = thrift.list()?;
                for _ in 0..count {
                    if kind != Kind::Struct {
                        return Err(Wrong::Bad);
                    }
                    chunks = chunks.saturating_add(columns(thrift)?).saturating_add(1);
                    if chunks > MOST_CHUNKS {
                        return Err(Wrong::Bad);
                    }
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    });
    if let Some(what) = tree.verdict {
        return Err(Broken::too_large(what));
    }
    if chunks > MOST_CHUNKS {
        let what = format!("a parquet file has more than {MOST_CHUNKS} column chunks");
        return Err(Broken::too_large(what));
    }
    walked.map_err(|_| Broken::corrupt("a parquet file's footer can't be decoded"))
}

/// How many children an element of the schema says it has.
fn children(thrift: &mut Thrift<'_>) -> Result<usize, Wrong> {
    let mut children = 0;
    thrift.fields(&mut |thrift, number, kind| {
        let found = number == 5 && kind == Kind::Integer;
        if found {
            children = thrift.count()?;
        }
        Ok(found)
    })?;
    Ok(children)
}

/// How many column chunks a row group has.
fn columns(thrift: &mut Thrift<'_>) -> Result<usize, Wrong> {
    let mut chunks = 0_usize;
    thrift.fields(&mut |thrift, number, kind| {
        let found = number == 1 && kind == Kind::List;
        if found {
            let (kind, count) = thrift.list()?;
            (0..count).try_for_each(|_| thrift.pass_element(kind))?;
            chunks = chunks.saturating_add(count);
        }
        Ok(found)
    })?;
    Ok(chunks)
}

/// The schema's tree, of which the elements come root first.
struct Tree<'a> {
    /// For each group from the root down, how many children are still to come.
    open: Vec<usize>,
    seen: usize,
    verdict: Option<&'static str>,
    limits: &'a Limits,
}

impl Tree<'_> {
    fn add(&mut self, children: usize) -> Result<(), Wrong> {
        self.seen += 1;
        if self.seen > self.limits.columns.saturating_mul(16) {
            self.verdict = Some("a parquet file has too many fields");
            return Err(Wrong::Bad);
        }
        if let Some(left) = self.open.last_mut() {
            *left = left.saturating_sub(1);
        }
        if children > 0 {
            self.open.push(children);
        }
        // A list is three groups in each other.
        if self.open.len() > self.limits.depth.saturating_mul(3) {
            self.verdict = Some("a parquet file's lists and structs stand too deep in each other");
            return Err(Wrong::Bad);
        }
        while self.open.last() == Some(&0) {
            self.open.pop();
        }
        Ok(())
    }
}

/// Every chunk lies before the footer, and the rows of the groups add up.
fn check_offsets(metadata: &ParquetMetaData, end: u64) -> Result<(), Broken> {
    let mut rows = 0_i64;
    for group in metadata.row_groups() {
        if group.num_rows() < 0 {
            return Err(Broken::corrupt("a parquet file has a row group of less than no row"));
        }
        rows = rows.saturating_add(group.num_rows());
        for chunk in group.columns() {
            if chunk.file_path().is_some() {
                return Err(Broken::unusable("a parquet file keeps columns in other files"));
            }
            if chunk.compression() == Compression::LZO {
                return Err(Broken::unusable("a parquet file is compressed by lzo"));
            }
            let within = range(chunk).and_then(|(start, length)| start.checked_add(length));
            if chunk.num_values() < 0 || within.is_none_or(|within| within > end) {
                let what = "a parquet file has a column chunk that lies outside of it";
                return Err(Broken::corrupt(what));
            }
        }
    }
    if rows == metadata.file_metadata().num_rows() {
        return Ok(());
    }
    Err(Broken::corrupt("a parquet file's row groups do not have the rows that it says it has"))
}

/// No value of fixed length takes more than may be decoded at once.
fn check_types(metadata: &ParquetMetaData, limits: &Limits) -> Result<(), Broken> {
    for column in metadata.file_metadata().schema_descr().columns() {
        if column.physical_type() == Type::FIXED_LEN_BYTE_ARRAY {
            let length = usize::try_from(column.type_length()).unwrap_or(usize::MAX);
            if length > limits.decoded_bytes / 64 {
                return Err(Broken::too_large(format!(
                    "a parquet file has values of a length beyond all measure: length={length}"
                )));
            }
        }
    }
    Ok(())
}

/// The Arrow schema that a footer may carry is a flatbuffer in base64, which its decoder trusts.
fn check_arrow_schema(metadata: &ParquetMetaData) -> Result<(), Broken> {
    let Some(entries) = metadata.file_metadata().key_value_metadata() else { return Ok(()) };
    let schemas = entries.iter().filter(|entry| entry.key == ARROW_SCHEMA);
    for text in schemas.filter_map(|entry| entry.value.as_ref()) {
        let bad = |_| Broken::corrupt("a parquet file's arrow schema can't be decoded");
        let bytes = BASE64_STANDARD.decode(text).map_err(bad)?;
        let prefixed = bytes.len() > 8 && bytes.starts_with(&[0xff; 4]);
        let message = flat::message(if prefixed { &bytes[8..] } else { &bytes })?;
        if message.header_type() != MessageHeader::Schema {
            return Err(Broken::corrupt("a parquet file's arrow schema is none"));
        }
    }
    Ok(())
}

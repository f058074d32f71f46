//! Where the messages of an Arrow file or stream lie, each checked against the file's size.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use arrow::datatypes::Schema;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::{Message, MessageHeader, Schema as EncodedSchema};

use super::super::fence::Broken;
use super::super::flat;
use super::super::format::{IPC_FILE, IPC_MESSAGE};
use super::super::options::Limits;

/// Messages of a file.
const MOST_MESSAGES: usize = 1_000_000;

/// A dictionary or some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where its description and its body begin, and their lengths.
    pub(super) head: u64,
    pub(super) head_length: usize,
    pub(super) body: u64,
    pub(super) body_length: u64,
    pub(super) holds: Holds,
}

/// What a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Dictionary { id: i64 },
    Rows(u64),
}

/// Schema and messages, in the order in which they are to be read.
pub(super) struct Messages {
    pub(super) schema: Schema,
    pub(super) entries: Vec<Entry>,
}

/// What a description may take.
fn most_head(limits: &Limits) -> usize {
    limits.decoded_bytes / 12
}

pub(super) fn read_at(file: &mut File, at: u64, length: usize) -> Result<Vec<u8>, Broken> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn schema(encoded: EncodedSchema<'_>) -> Result<Schema, Broken> {
    if !encoded.endianness().equals_to_target_endianness() {
        return Err(Broken::unusable("an arrow file was written with another order of bytes"));
    }
    if encoded.fields().is_none() {
        return Err(Broken::corrupt("an arrow file's schema has no fields"));
    }
    Ok(fb_to_schema(encoded))
}

/// A message of which the description is read, as an entry; `None` for one that holds no data.
fn entry(
    message: Message<'_>,
    (head, head_length): (u64, usize),
    (body, end): (u64, u64),
) -> Result<Option<Entry>, Broken> {
    let corrupt = |what: &str| Err(Broken::corrupt(format!("an arrow file has a message {what}")));
    let body_length = u64::try_from(message.bodyLength()).unwrap_or(u64::MAX);
    if body.checked_add(body_length).is_none_or(|behind| behind > end) {
        return corrupt("with a body that is longer than the file");
    }
    let holds = match message.header_type() {
        MessageHeader::RecordBatch => {
            let rows = message.header_as_record_batch().map(|batch| batch.length());
            match rows.map(u64::try_from) {
                Some(Ok(rows)) => Holds::Rows(rows),
                _ => return corrupt("of less than no row"),
            }
        }
        MessageHeader::DictionaryBatch => match message.header_as_dictionary_batch() {
            Some(batch) => Holds::Dictionary { id: batch.id() },
            None => return corrupt("without content"),
        },
        MessageHeader::NONE => return Ok(None),
        _ => return corrupt("that is neither rows nor a dictionary"),
    };
    Ok(Some(Entry { head, head_length, body, body_length, holds }))
}

/// Reads the head of a message at `at`: where its description begins, and how long that is.
fn head(file: &mut File, at: u64, end: u64, limits: &Limits) -> Result<(u64, usize), Broken> {
    if end.saturating_sub(at) < 8 {
        return Err(Broken::corrupt("an arrow file was cut off, it has no end"));
    }
    let bytes = read_at(file, at, 8)?;
    let (marker, length) = bytes.split_at(4);
    if marker != IPC_MESSAGE {
        return Err(Broken::corrupt("an arrow file has no message where one should begin"));
    }
    let length = <[u8; 4]>::try_from(length).map(u32::from_le_bytes).unwrap_or(u32::MAX);
    if u64::from(length) > end - at - 8 {
        return Err(Broken::corrupt("an arrow file has a message that is longer than the file"));
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > most_head(limits) {
        let what = format!("an arrow message is described in more than {length} bytes");
        return Err(Broken::too_large(what));
    }
    Ok((at + 8, length))
}

/// The messages of a stream, up to its end mark.
pub(super) fn of_stream(file: &mut File, size: u64, limits: &Limits) -> Result<Messages, Broken> {
    let mut at = 0;
    let mut found: Option<Schema> = None;
    let mut entries = Vec::new();
    loop {
        let (start, length) = head(file, at, size, limits)?;
        if length == 0 {
            at = start;
            break;
        }
        let bytes = read_at(file, start, length)?;
        let message = flat::message(&bytes)?;
        let body = start + length as u64;
        match (message.header_as_schema(), &found) {
            (Some(encoded), None) => {
                found = Some(schema(encoded)?);
                at = body;
            }
            (None, Some(_)) => {
                if let Some(entry) = entry(message, (start, length), (body, size))? {
                    push(&mut entries, entry)?;
                }
                at = body + u64::try_from(message.bodyLength()).unwrap_or(0);
            }
            (Some(_), Some(_)) => return Err(Broken::corrupt("an arrow stream has two schemas")),
            (None, None) => return Err(Broken::corrupt("an arrow stream does not begin with one")),
        }
    }
    if at != size {
        return Err(Broken::corrupt("an arrow stream goes on behind its end"));
    }
    let schema = found.ok_or_else(|| Broken::corrupt("an arrow stream has no schema"))?;
    Ok(Messages { schema, entries })
}

fn push(entries: &mut Vec<Entry>, entry: Entry) -> Result<(), Broken> {
    if entries.len() >= MOST_MESSAGES {
        let what = format!("an arrow file has more than {MOST_MESSAGES} messages");
        return Err(Broken::too_large(what));
    }
    entries.push(entry);
    Ok(())
}

/// The messages of a file, by its footer.
pub(super) fn of_file(file: &mut File, size: u64, limits: &Limits) -> Result<Messages, Broken> {
    let magic = &IPC_FILE[..6];
    let first = IPC_FILE.len() as u64;
    if size < first + 10 {
        return Err(Broken::corrupt(format!("an arrow file has only {size} bytes")));
    }
    let tail = read_at(file, size - 10, 10)?;
    let (length, end) = tail.split_at(4);
    if end != magic {
        return Err(Broken::corrupt("an arrow file was cut off, it does not end as one"));
    }
    let length = <[u8; 4]>::try_from(length).map(u32::from_le_bytes).unwrap_or(u32::MAX);
    let Some(end) = (size - 10 - first).checked_sub(length.into()).map(|rest| rest + first) else {
        return Err(Broken::corrupt("an arrow file has a footer longer than itself"));
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > most_head(limits) {
        let what = format!("an arrow file has a footer of more than {} bytes", most_head(limits));
        return Err(Broken::too_large(what));
    }
    let bytes = read_at(file, end, length)?;
    let footer = flat::footer(&bytes)?;
    let encoded = footer.schema();
    let schema = schema(encoded.ok_or_else(|| Broken::corrupt("an arrow file has no schema"))?)?;
    let mut entries = Vec::new();
    let mut total = 0_u64;
    for blocks in footer.dictionaries().into_iter().chain(footer.recordBatches()) {
        for block in blocks {
            let at = u64::try_from(block.offset()).unwrap_or(u64::MAX);
            let meta = u64::try_from(block.metaDataLength()).unwrap_or(u64::MAX);
            let body_length = u64::try_from(block.bodyLength()).unwrap_or(u64::MAX);
            let body = at.saturating_add(meta);
            total = total.saturating_add(meta).saturating_add(body_length);
            // Blocks may not share bytes: a small file would else hold any number of rows.
            if at < first || body.saturating_add(body_length) > end || total > end {
                return Err(Broken::corrupt("an arrow file has a block that lies outside of it"));
            }
            let (start, length) = head(file, at, end, limits)?;
            if start + length as u64 > body {
                return Err(Broken::corrupt("an arrow file has a block that overlaps itself"));
            }
            let bytes = read_at(file, start, length)?;
            let message = flat::message(&bytes)?;
            if u64::try_from(message.bodyLength()) != Ok(body_length) {
                return Err(Broken::corrupt("an arrow file has a block of another length"));
            }
            if let Some(entry) = entry(message, (start, length), (body, end))? {
                push(&mut entries, entry)?;
            }
        }
    }
    Ok(Messages { schema, entries })
}

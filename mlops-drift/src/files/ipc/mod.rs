//! Arrow IPC, files and streams: messages found and checked first, then read column by column.

mod layout;
mod messages;
mod rebuild;

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field};

use self::messages::{Entry, Holds, Messages};
use self::rebuild::Source;
use super::fence::Broken;
use super::flat;
use super::format::{Batches, Opened, Reader};
use super::options::Limits;
use super::table::BATCH_ROWS;

/// What is kept of an Arrow file.
#[derive(Debug, Clone)]
pub(super) struct Ipc {
    size: u64,
    /// The columns with the ids of their dictionaries.
    fields: Arc<[Field]>,
    entries: Arc<[Entry]>,
}

pub(super) fn open_file(mut file: File, size: u64, limits: &Limits) -> Result<Opened, Broken> {
    opened(messages::of_file(&mut file, size, limits)?, size)
}

pub(super) fn open_stream(mut file: File, size: u64, limits: &Limits) -> Result<Opened, Broken> {
    opened(messages::of_stream(&mut file, size, limits)?, size)
}

fn opened(messages: Messages, size: u64) -> Result<Opened, Broken> {
    let fields = messages.schema.fields().iter();
    let shown =
        fields.clone().map(|field| Field::new(field.name(), field.data_type().clone(), true));
    let fields: Arc<[Field]> =
        fields.map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let rows = messages.entries.iter().map(|entry| match entry.holds {
        Holds::Rows(rows) => rows,
        Holds::Dictionary { .. } => 0,
    });
    let rows = rows.fold(0, u64::saturating_add);
    let fields_shown = shown.collect();
    let reader = Reader::Ipc(Ipc { size, fields, entries: messages.entries.into() });
    Ok(Opened { fields: fields_shown, rows: Some(rows), reader })
}

impl Ipc {
    pub(super) fn batches(
        &self,
        file: File,
        wanted: &[usize],
        limits: &Limits,
    ) -> Result<Box<dyn Batches>, Broken> {
        if file.metadata()?.len() != self.size {
            return Err(Broken::corrupt("an arrow file was changed while it was in use"));
        }
        let mut types = HashMap::new();
        for field in wanted.iter().filter_map(|&at| self.fields.get(at)) {
            layout::dictionaries(field, &mut types);
        }
        Ok(Box::new(Rows {
            file,
            fields: Arc::clone(&self.fields),
            entries: Arc::clone(&self.entries),
            next: 0,
            wanted: wanted.to_vec(),
            types,
            dictionaries: HashMap::new(),
            sizes: HashMap::new(),
            most: limits.decoded_bytes,
            batch: None,
        }))
    }
}

/// The rows of a file, message by message.
struct Rows {
    file: File,
    fields: Arc<[Field]>,
    entries: Arc<[Entry]>,
    next: usize,
    wanted: Vec<usize>,
    /// The dictionaries that the columns need: types of their values, values, and sizes.
    types: HashMap<i64, DataType>,
    dictionaries: HashMap<i64, ArrayRef>,
    sizes: HashMap<i64, usize>,
    most: usize,
    /// What is left of the message that was read last.
    batch: Option<RecordBatch>,
}

impl Batches for Rows {
    fn next(&mut self) -> Result<Option<RecordBatch>, Broken> {
        loop {
            if let Some(batch) = self.batch.take() {
                let rows = batch.num_rows();
                if rows > BATCH_ROWS {
                    self.batch = Some(batch.slice(BATCH_ROWS, rows - BATCH_ROWS));
                }
                return Ok(Some(batch.slice(0, rows.min(BATCH_ROWS))));
            }
            let Some(entry) = self.entries.get(self.next).copied() else { return Ok(None) };
            self.next += 1;
            match entry.holds {
                Holds::Dictionary { id } => self.learn(entry, id)?,
                Holds::Rows(_) => self.batch = Some(self.read(entry)?),
            }
        }
    }

    fn position(&self) -> u64 {
        let last = self.next.checked_sub(1).and_then(|at| self.entries.get(at));
        last.map_or(0, |entry| entry.body + entry.body_length)
    }
}

impl Rows {
    fn room(&self) -> usize {
        self.most.saturating_sub(self.sizes.values().fold(0, |sum, size| sum.saturating_add(*size)))
    }

    fn read(&mut self, entry: Entry) -> Result<RecordBatch, Broken> {
        let room = self.room();
        let head = messages::read_at(&mut self.file, entry.head, entry.head_length)?;
        let message = flat::message(&head)?;
        let Some(batch) = message.header_as_record_batch() else { return Err(changed()) };
        let (version, file, fields) = (message.version(), &mut self.file, &self.fields);
        let source = Source { file, entry, batch, version, fields };
        Ok(source.read(&self.wanted, &self.dictionaries, room)?.0)
    }

    /// Takes in a dictionary, or more of one, if a column needs it.
    fn learn(&mut self, entry: Entry, id: i64) -> Result<(), Broken> {
        let Some(values) = self.types.get(&id) else { return Ok(()) };
        let fields = [Field::new("", values.clone(), true)];
        let head = messages::read_at(&mut self.file, entry.head, entry.head_length)?;
        let message = flat::message(&head)?;
        let dictionary = message.header_as_dictionary_batch().ok_or_else(changed)?;
        let batch = dictionary.data().ok_or_else(changed)?;
        if !dictionary.isDelta() {
            self.sizes.remove(&id);
            self.dictionaries.remove(&id);
        }
        let room = self.room();
        let (version, file) = (message.version(), &mut self.file);
        let source = Source { file, entry, batch, version, fields: &fields };
        let (batch, size) = source.read(&[0], &self.dictionaries, room)?;
        let more = Arc::clone(batch.column(0));
        let known = self.dictionaries.remove(&id);
        let whole = match known {
            Some(known) => concat(&[known.as_ref(), more.as_ref()])?,
            None => more,
        };
        self.dictionaries.insert(id, whole);
        *self.sizes.entry(id).or_default() += size;
        Ok(())
    }
}

fn changed() -> Broken {
    Broken::corrupt("an arrow file has a message that holds something else than it says")
}

//! A record batch with only the columns that were asked for, its buffers read, checked and
//! decompressed one by one.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::{Field, Schema};
use arrow::ipc::reader::read_record_batch;
use arrow::ipc::{
    Buffer as Span, CompressionType, FieldNode, MetadataVersion, RecordBatch as Encoded,
    RecordBatchArgs,
};
use flatbuffers::FlatBufferBuilder;
use std::collections::HashMap;
use zstd::bulk::Decompressor;

use super::super::fence::Broken;
use super::layout::Place;
use super::messages::{Entry, read_at};

/// Buffers begin at multiples of this many bytes.
const ALIGNED: usize = 64;

/// A batch as it stands in a file.
pub(super) struct Source<'a> {
    pub(super) file: &'a mut File,
    pub(super) entry: Entry,
    pub(super) batch: Encoded<'a>,
    pub(super) version: MetadataVersion,
    /// All columns of the batch.
    pub(super) fields: &'a [Field],
}

/// The parts of a batch that belong to some of its columns.
#[derive(Default)]
struct Parts {
    nodes: Vec<FieldNode>,
    spans: Vec<Span>,
    counts: Vec<i64>,
}

/// A stretch of the body, and how many bytes it has once it is decompressed.
#[derive(Clone, Copy)]
struct Stretch {
    at: u64,
    packed: usize,
    plain: usize,
    is_packed: bool,
}

fn corrupt(what: &str) -> Broken {
    Broken::corrupt(format!("an arrow file has a record batch {what}"))
}

impl Source<'_> {
    /// Decodes the columns `wanted`, and says how many bytes they take: at most `most`.
    pub(super) fn read(
        mut self,
        wanted: &[usize],
        dictionaries: &HashMap<i64, ArrayRef>,
        most: usize,
    ) -> Result<(RecordBatch, usize), Broken> {
        let parts = self.parts(wanted)?;
        let stretches: Vec<Stretch> =
            parts.spans.iter().map(|span| self.stretch(*span)).collect::<Result<_, _>>()?;
        let mut spans = Vec::with_capacity(stretches.len());
        let mut size = 0_usize;
        for stretch in &stretches {
            spans.push(Span::new(size as i64, stretch.plain as i64));
            size = size.saturating_add(stretch.plain).saturating_add(ALIGNED) / ALIGNED * ALIGNED;
            if size > most {
                let what = format!(
                    "an arrow file needs more than {most} bytes decoded at once, fewer columns may do"
                );
                return Err(Broken::too_large(what));
            }
        }
        let mut body = MutableBuffer::from_len_zeroed(size);
        let mut rest = body.as_slice_mut();
        let mut zstandard = None;
        for stretch in &stretches {
            let length = (stretch.plain + ALIGNED) / ALIGNED * ALIGNED;
            let (target, behind) = rest.split_at_mut(length.min(rest.len()));
            rest = behind;
            self.fill(*stretch, &mut target[..stretch.plain], &mut zstandard)?;
        }
        let encoded = encode(self.batch.length(), &parts, &spans);
        let batch = flatbuffers::root::<Encoded<'_>>(&encoded)
            .map_err(|_| corrupt("that can't be decoded"))?;
        let fields: Vec<Field> =
            wanted.iter().filter_map(|&at| self.fields.get(at).cloned()).collect();
        let schema = Arc::new(Schema::new(fields));
        let body = Buffer::from(body);
        let batch = read_record_batch(&body, batch, schema, dictionaries, None, &self.version)?;
        Ok((batch, size))
    }

    /// The parts of the columns that are wanted, which are in rising order.
    fn parts(&self, wanted: &[usize]) -> Result<Parts, Broken> {
        let (Some(nodes), Some(spans)) = (self.batch.nodes(), self.batch.buffers()) else {
            return Err(corrupt("without columns"));
        };
        let counts: Vec<i64> = self.batch.variadicBufferCounts().into_iter().flatten().collect();
        let mut parts = Parts::default();
        let mut place = Place::default();
        for (at, field) in self.fields.iter().enumerate() {
            let start = place;
            let passed = place.pass(field.data_type(), &counts, self.version < MetadataVersion::V5);
            if passed.is_none() || place.nodes > nodes.len() || place.buffers > spans.len() {
                return Err(corrupt("with fewer parts than its columns have"));
            }
            if wanted.binary_search(&at).is_ok() {
                let [of_nodes, of_spans, of_counts] = start.until(place);
                parts.nodes.extend(of_nodes.map(|at| *nodes.get(at)));
                parts.spans.extend(of_spans.map(|at| *spans.get(at)));
                parts.counts.extend(of_counts.filter_map(|at| counts.get(at)));
            }
        }
        Ok(parts)
    }

    /// Where a buffer lies, checked; for a compressed one also how long it says it is.
    fn stretch(&mut self, span: Span) -> Result<Stretch, Broken> {
        let at = u64::try_from(span.offset()).unwrap_or(u64::MAX);
        let length = u64::try_from(span.length()).unwrap_or(u64::MAX);
        if at.checked_add(length).is_none_or(|end| end > self.entry.body_length) {
            return Err(corrupt("with a buffer that lies outside of it"));
        }
        let packed = usize::try_from(length).unwrap_or(usize::MAX);
        let at = self.entry.body + at;
        if self.batch.compression().is_none() || packed == 0 {
            return Ok(Stretch { at, packed, plain: packed, is_packed: false });
        }
        let wrong = || corrupt("with a compressed buffer of an impossible size");
        let packed = packed.checked_sub(8).ok_or_else(wrong)?;
        let head = <[u8; 8]>::try_from(read_at(self.file, at, 8)?.as_slice());
        let at = at + 8;
        match head.map(i64::from_le_bytes) {
            Ok(-1) => Ok(Stretch { at, packed, plain: packed, is_packed: false }),
            Ok(plain) => {
                let plain = usize::try_from(plain).map_err(|_| wrong())?;
                Ok(Stretch { at, packed, plain, is_packed: plain > 0 })
            }
            Err(_) => Err(wrong()),
        }
    }

    /// Reads a buffer, into exactly as many bytes as it was said to have.
    fn fill(
        &mut self,
        stretch: Stretch,
        target: &mut [u8],
        zstandard: &mut Option<Decompressor<'static>>,
    ) -> Result<(), Broken> {
        if target.is_empty() {
            return Ok(());
        }
        let bytes = read_at(self.file, stretch.at, stretch.packed)?;
        if !stretch.is_packed {
            target.copy_from_slice(&bytes);
            return Ok(());
        }
        let codec = self.batch.compression().map(|compression| compression.codec());
        let is_whole = match codec {
            Some(CompressionType::LZ4_FRAME) => {
                let mut decoder = lz4_flex::frame::FrameDecoder::new(bytes.as_slice());
                decoder.read_exact(target).is_ok() && matches!(decoder.read(&mut [0]), Ok(0))
            }
            Some(CompressionType::ZSTD) => {
                let decompressor = match zstandard.take() {
                    Some(decompressor) => decompressor,
                    None => Decompressor::new()?,
                };
                let written = zstandard.insert(decompressor).decompress_to_buffer(&bytes, target);
                written.is_ok_and(|written| written == target.len())
            }
            _ => return Err(Broken::unusable("an arrow file is compressed in an unknown way")),
        };
        if is_whole {
            return Ok(());
        }
        Err(corrupt("with a buffer that can't be decompressed"))
    }
}

/// The description of a batch that has only these parts, none of them compressed.
fn encode(length: i64, parts: &Parts, spans: &[Span]) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let nodes = builder.create_vector(&parts.nodes);
    let buffers = builder.create_vector(spans);
    let counts = builder.create_vector(&parts.counts);
    let arguments = RecordBatchArgs {
        length,
        nodes: Some(nodes),
        buffers: Some(buffers),
        compression: None,
        variadicBufferCounts: Some(counts),
    };
    let batch = Encoded::create(&mut builder, &arguments);
    builder.finish(batch, None);
    builder.finished_data().to_vec()
}

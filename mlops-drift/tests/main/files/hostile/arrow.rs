//! Arrow files and streams whose lengths, counts and schemas are beyond all measure.

use std::fs;
use std::path::Path;

use flatbuffers::{FlatBufferBuilder, WIPOffset};
use mlops_drift::arrow::ipc::{
    Block, BodyCompression, BodyCompressionArgs, Buffer, CompressionType, Field, FieldArgs,
    FieldNode, Footer, FooterArgs, Int, IntArgs, Message, MessageArgs, MessageHeader,
    MetadataVersion, Null, NullArgs, RecordBatch, RecordBatchArgs, Schema, SchemaArgs, Type,
    Utf8View, Utf8ViewArgs,
};

use super::{Case, End, Named};

type Builder<'a> = FlatBufferBuilder<'a>;

fn field<'a>(builder: &mut Builder<'a>, name: &str, kind: Type) -> WIPOffset<Field<'a>> {
    let name = builder.create_string(name);
    let children = builder.create_vector::<WIPOffset<Field<'_>>>(&[]);
    let type_ = match kind {
        Type::Null => Null::create(builder, &NullArgs {}).as_union_value(),
        Type::Utf8View => Utf8View::create(builder, &Utf8ViewArgs {}).as_union_value(),
        _ => Int::create(builder, &IntArgs { bitWidth: 64, is_signed: true }).as_union_value(),
    };
    let arguments = FieldArgs {
        name: Some(name),
        nullable: true,
        type_type: kind,
        type_: Some(type_),
        children: Some(children),
        ..FieldArgs::default()
    };
    Field::create(builder, &arguments)
}

fn schema<'a>(builder: &mut Builder<'a>, fields: &[WIPOffset<Field<'a>>]) -> WIPOffset<Schema<'a>> {
    let fields = builder.create_vector(fields);
    Schema::create(builder, &SchemaArgs { fields: Some(fields), ..SchemaArgs::default() })
}

/// A message as it stands in a stream, with the body that it says it has.
fn framed(
    mut builder: Builder<'_>,
    kind: MessageHeader,
    header: WIPOffset<flatbuffers::UnionWIPOffset>,
    body: i64,
) -> Vec<u8> {
    let arguments = MessageArgs {
        version: MetadataVersion::V5,
        header_type: kind,
        header: Some(header),
        bodyLength: body,
        ..MessageArgs::default()
    };
    let message = Message::create(&mut builder, &arguments);
    builder.finish(message, None);
    let mut bytes = builder.finished_data().to_vec();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    [&[0xff; 4], &length[..], &bytes].concat()
}

fn schema_message(kind: Type) -> Vec<u8> {
    let mut builder = Builder::new();
    let field = field(&mut builder, "x", kind);
    let schema = schema(&mut builder, &[field]);
    framed(builder, MessageHeader::Schema, schema.as_union_value(), 0)
}

/// A message of one column.
fn rows(
    length: i64,
    buffers: &[(i64, i64)],
    counts: &[i64],
    codec: Option<CompressionType>,
    body: i64,
) -> Vec<u8> {
    let mut builder = Builder::new();
    let is_null = buffers.is_empty();
    let nodes = [FieldNode::new(length, if is_null { length } else { 0 })];
    let nodes = builder.create_vector(&nodes);
    let buffers: Vec<Buffer> = buffers.iter().map(|(at, size)| Buffer::new(*at, *size)).collect();
    let buffers = builder.create_vector(&buffers);
    let counts = builder.create_vector(counts);
    let compression = codec.map(|codec| {
        let arguments = BodyCompressionArgs { codec, ..BodyCompressionArgs::default() };
        BodyCompression::create(&mut builder, &arguments)
    });
    let arguments = RecordBatchArgs {
        length,
        nodes: Some(nodes),
        buffers: Some(buffers),
        compression,
        variadicBufferCounts: Some(counts),
    };
    let batch = RecordBatch::create(&mut builder, &arguments);
    framed(builder, MessageHeader::RecordBatch, batch.as_union_value(), body)
}

const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

fn stream(path: &Path, kind: Type, message: &[u8], body: &[u8]) {
    fs::write(path, [&schema_message(kind), message, body, &END].concat()).unwrap();
}

/// One field with a long name in a hundred thousand places.
pub(super) fn folded_schema() -> Vec<u8> {
    let mut builder = Builder::new();
    let one = field(&mut builder, &"x".repeat(10_000), Type::Int);
    let schema = schema(&mut builder, &vec![one; 100_000]);
    framed(builder, MessageHeader::Schema, schema.as_union_value(), 0)
}

/// A file whose blocks all name the same rows.
fn shared_blocks(path: &Path) {
    let message = rows(1_000, &[(0, 0), (0, 8_000)], &[], None, 8_000);
    let body = vec![0; 8_000];
    let mut builder = Builder::new();
    let field = field(&mut builder, "x", Type::Int);
    let schema = schema(&mut builder, &[field]);
    let block = Block::new(8, i32::try_from(message.len()).unwrap(), 8_000);
    let blocks = builder.create_vector(&vec![block; 100_000]);
    let none = builder.create_vector::<Block>(&[]);
    let arguments = FooterArgs {
        version: MetadataVersion::V5,
        schema: Some(schema),
        dictionaries: Some(none),
        recordBatches: Some(blocks),
        ..FooterArgs::default()
    };
    let footer = Footer::create(&mut builder, &arguments);
    builder.finish(footer, None);
    let footer = builder.finished_data();
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    let parts = [b"ARROW1\0\0", &message[..], &body, footer, &length, b"ARROW1"];
    fs::write(path, parts.concat()).unwrap();
}

/// A compressed buffer behind the length that it says it has.
fn packed(path: &Path, codec: CompressionType, plain: i64, bytes: &[u8]) {
    let body = [&plain.to_le_bytes(), bytes].concat();
    let size = body.len() as i64;
    let message = rows(plain / 8, &[(0, 0), (0, size)], &[], Some(codec), size);
    stream(path, Type::Int, &message, &body);
}

fn zstd(size: u64) -> Vec<u8> {
    use std::io::{Read, repeat};
    zstd::stream::encode_all(repeat(0).take(size), 1).unwrap()
}

fn lz4(size: u64) -> Vec<u8> {
    use std::io::{Read, copy, repeat};
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    copy(&mut repeat(0).take(size), &mut encoder).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn cases() -> Vec<Case> {
    use End::Refused;
    const GIB: u64 = 1 << 30;
    let cases: Vec<Named> = vec![
        (
            "head.arrows",
            |path| {
                let length = i32::MAX.to_le_bytes();
                fs::write(path, [&[0xff; 4], &length[..], &[0; 100]].concat()).unwrap();
            },
            Refused("longer than the file"),
        ),
        (
            "body.arrows",
            |path| {
                let message = rows(1, &[(0, 0), (0, i64::MAX)], &[], None, i64::MAX);
                stream(path, Type::Int, &message, &[]);
            },
            Refused("body that is longer"),
        ),
        (
            "buffer.arrows",
            |path| {
                let message = rows(1, &[(0, 0), (8, i64::MAX)], &[], None, 8);
                stream(path, Type::Int, &message, &[0; 8]);
            },
            Refused("buffer that lies outside"),
        ),
        (
            "negative.arrows",
            |path| {
                let message = rows(1, &[(0, 0), (-8, 8)], &[], None, 8);
                stream(path, Type::Int, &message, &[0; 8]);
            },
            Refused("buffer that lies outside"),
        ),
        (
            "counts.arrows",
            |path| {
                let message = rows(1, &[(0, 0), (0, 8)], &[i64::MAX], None, 8);
                stream(path, Type::Utf8View, &message, &[0; 8]);
            },
            Refused("fewer parts"),
        ),
        (
            "nulls.arrows",
            |path| stream(path, Type::Null, &rows(i64::MAX, &[], &[], None, 0), &[]),
            Refused("more than 100000000000 rows"),
        ),
        (
            "fewer.arrows",
            |path| {
                let message = rows(1 << 33, &[(0, 0), (0, 8)], &[], None, 8);
                stream(path, Type::Int, &message, &[0; 8]);
            },
            Refused("can't be decoded"),
        ),
        (
            "folded.arrows",
            |path| fs::write(path, [folded_schema(), END.to_vec()].concat()).unwrap(),
            Refused("too deep or too wide"),
        ),
        ("shared.arrow", shared_blocks, Refused("block that lies outside")),
        (
            "impossible.arrows",
            |path| packed(path, CompressionType::ZSTD, i64::MAX, &[0; 16]),
            Refused("more than"),
        ),
        (
            "honest_bomb.arrows",
            |path| packed(path, CompressionType::ZSTD, GIB as i64, &zstd(GIB)),
            Refused("decoded at once"),
        ),
        (
            "lying_bomb.arrows",
            |path| packed(path, CompressionType::ZSTD, 800, &zstd(GIB)),
            Refused("can't be decompressed"),
        ),
        (
            "lz4_bomb.arrows",
            |path| packed(path, CompressionType::LZ4_FRAME, 800, &lz4(GIB)),
            Refused("can't be decompressed"),
        ),
    ];
    cases.into_iter().map(|(name, write, end)| Case { name, write, end }).collect()
}

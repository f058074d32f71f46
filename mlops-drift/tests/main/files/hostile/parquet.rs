//! Parquet files whose counts, sizes and depths are beyond all measure.

use std::fs;
use std::path::Path;

use super::thrift::{INT, STRUCT, Struct, TEXT, list, list_head, text, varint, zigzag};
use super::{Case, End, Named};

const INT64: i32 = 2;
const BYTES: i32 = 6;
const FIXED: i32 = 7;
const PLAIN: i32 = 0;
const DICTIONARY: i32 = 8;
const SNAPPY: i32 = 1;
const ZSTD: i32 = 6;
const GIB: usize = 1 << 30;

/// One column and what it holds.
struct Column {
    physical: i32,
    length: i32,
    /// 0 required, 1 optional, 2 repeated.
    repetition: i32,
    codec: i32,
    values: i64,
    pages: Vec<u8>,
    /// Bytes of the dictionary page at the head of the pages.
    dictionary: usize,
}

impl Default for Column {
    fn default() -> Self {
        Self {
            physical: BYTES,
            length: 0,
            repetition: 0,
            codec: 0,
            values: 1,
            pages: Vec::new(),
            dictionary: 0,
        }
    }
}

fn root(children: i32) -> Vec<u8> {
    Struct::default().text(4, "root").short(5, children).end()
}

fn framed(body: &[u8], footer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [b"PAR1", body, footer, &length, b"PAR1"].concat()
}

/// A file of one row group with one column.
fn file(column: &Column, rows: i64) -> Vec<u8> {
    let element = Struct::default()
        .short(1, column.physical)
        .short(2, column.length)
        .short(3, column.repetition)
        .text(4, "x")
        .end();
    let size = column.pages.len() as i64;
    let meta = Struct::default()
        .short(1, column.physical)
        .list(2, &list(INT, &[zigzag(0)]))
        .list(3, &list(TEXT, &[text("x")]))
        .short(4, column.codec)
        .int(5, column.values)
        .int(6, size)
        .int(7, size)
        .int(9, 4 + column.dictionary as i64);
    let meta = if column.dictionary > 0 { meta.int(11, 4).end() } else { meta.end() };
    let chunk = Struct::default().int(2, 4).inner(3, &meta).end();
    let group = Struct::default().list(1, &list(STRUCT, &[chunk])).int(2, size).int(3, rows).end();
    let footer = Struct::default()
        .short(1, 1)
        .list(2, &list(STRUCT, &[root(1), element]))
        .int(3, rows)
        .list(4, &list(STRUCT, &[group]))
        .end();
    framed(&column.pages, &footer)
}

/// A page of the first version, with whatever it says of itself.
fn page(values: i32, encoding: i32, plain: i32, packed: &[u8]) -> Vec<u8> {
    let data = Struct::default().short(1, values).short(2, encoding).short(3, 3).short(4, 3).end();
    let header = Struct::default()
        .short(1, 0)
        .short(2, plain)
        .short(3, i32::try_from(packed.len()).unwrap())
        .inner(5, &data)
        .end();
    [header, packed.to_vec()].concat()
}

fn dictionary(values: i32, plain: i32, packed: &[u8]) -> Vec<u8> {
    let data = Struct::default().short(1, values).short(2, PLAIN).end();
    let header = Struct::default()
        .short(1, 2)
        .short(2, plain)
        .short(3, i32::try_from(packed.len()).unwrap())
        .inner(7, &data)
        .end();
    [header, packed.to_vec()].concat()
}

/// So many bytes of nothing, behind a length, in very few.
fn zstd(size: usize, head: &[u8]) -> Vec<u8> {
    use std::io::{Read, repeat};
    let zeros = head.chain(repeat(0).take((size - head.len()) as u64));
    zstd::stream::encode_all(zeros, 1).unwrap()
}

/// A text of this size, as it stands in a page.
fn long_text(size: usize) -> Vec<u8> {
    zstd(size + 4, &u32::try_from(size).unwrap().to_le_bytes())
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

/// A file that ends with its footer; the rest of it does not matter.
fn write_footer(path: &Path, footer: &[u8]) {
    write(path, &framed(&[], footer));
}

fn deep(path: &Path) {
    let group = Struct::default().short(3, 1).text(4, "g").short(5, 1).end();
    let schema = [list_head(STRUCT, 1_000_001), root(1), group.repeat(1_000_000)].concat();
    write_footer(path, &Struct::default().short(1, 1).list(2, &schema).int(3, 0).end());
}

fn nested_structs(path: &Path) {
    write_footer(path, &vec![0x1c; 1_000_000]);
}

fn many_groups(path: &Path) {
    let group = Struct::default().list(1, &[0]).int(2, 0).int(3, 0).end();
    let groups = [list_head(STRUCT, 1_000_000), group.repeat(1_000_000)].concat();
    let schema = list(STRUCT, &[root(0)]);
    write_footer(
        path,
        &Struct::default().short(1, 1).list(2, &schema).int(3, 0).list(4, &groups).end(),
    );
}

fn lying_list(path: &Path) {
    let schema = list_head(STRUCT, u64::from(i32::MAX.unsigned_abs()));
    write_footer(path, &Struct::default().short(1, 1).list(2, &schema).end());
}

fn many_fields(path: &Path) {
    let field = Struct::default().short(1, INT64).short(3, 0).text(4, "").end();
    let schema = [list_head(STRUCT, 1_000_001), root(1_000_000), field.repeat(1_000_000)].concat();
    write_footer(path, &Struct::default().short(1, 1).list(2, &schema).int(3, 0).end());
}

fn long_footer(path: &Path) {
    let file = fs::File::create(path).unwrap();
    file.set_len(1 << 30).unwrap();
    use std::os::unix::fs::FileExt;
    file.write_all_at(b"PAR1", 0).unwrap();
    let length = u32::try_from(GIB - 12).unwrap().to_le_bytes();
    file.write_all_at(&[&length[..], b"PAR1"].concat(), GIB as u64 - 8).unwrap();
}

fn column(path: &Path, column: Column, rows: i64) {
    write(path, &file(&column, rows));
}

/// A dictionary of one long text, which every row names.
fn long_word(path: &Path, dictionary_values: i32) {
    let size = 20 << 20;
    let head = dictionary(dictionary_values, size + 4, &long_text(size.unsigned_abs() as usize));
    let rows = 1_000_000;
    // One run of zeros, of width 1.
    let run = [vec![1], varint(rows << 1), vec![0]].concat();
    let plain = i32::try_from(run.len()).unwrap();
    let data = page(rows as i32, DICTIONARY, plain, &zstd::bulk::compress(&run, 1).unwrap());
    let pages = [head.clone(), data].concat();
    let dictionary = head.len();
    let rows = rows as i64;
    column(
        path,
        Column { codec: ZSTD, values: rows, pages, dictionary, ..Column::default() },
        rows,
    );
}

/// Many pages with one long text each.
fn long_pages(path: &Path) {
    let one = page(1, PLAIN, (30 << 20) + 4, &long_text(30 << 20));
    let pages = one.repeat(1_000);
    column(path, Column { codec: ZSTD, values: 1_000, pages, ..Column::default() }, 1_000);
}

/// Lengths by deltas: `count` integers from `first`, `step` apart, in bit width 0.
fn run(count: u64, first: i64, step: i64) -> Vec<u8> {
    let block = [zigzag(step), vec![0; 4]].concat();
    let blocks = block.repeat(usize::try_from(count / 128 + 1).unwrap());
    [varint(128), varint(4), varint(count), zigzag(first), blocks].concat()
}

/// Each text is the one before and one letter more.
fn growing_texts(path: &Path) {
    let count = 100_000;
    let suffixes = run(count, 1, 0);
    let page_bytes = [run(count, 0, 1), suffixes, vec![b'x'; 100_000]].concat();
    let plain = i32::try_from(page_bytes.len()).unwrap();
    let pages = page(count as i32, 7, plain, &page_bytes);
    column(path, Column { values: count as i64, pages, ..Column::default() }, count as i64);
}

fn lying_lengths(path: &Path, encoding: i32) {
    let head = [varint(128), varint(4), varint(1 << 31), zigzag(0)].concat();
    let pages = page(1, encoding, i32::try_from(head.len()).unwrap(), &head);
    column(path, Column { pages, ..Column::default() }, 1);
}

/// One row with two milliards of values, in a few bytes.
fn long_row(path: &Path) {
    let many = i32::MAX;
    let levels = |level: u8| {
        let run = [varint(many.unsigned_abs() as u64 * 2), vec![level]].concat();
        [u32::try_from(run.len()).unwrap().to_le_bytes().to_vec(), run].concat()
    };
    let head = dictionary(1, 8, &[0; 8]);
    let values = [vec![1], varint(many.unsigned_abs() as u64 * 2), vec![0]].concat();
    let bytes = [levels(1), levels(1), values].concat();
    let data = page(many, DICTIONARY, i32::try_from(bytes.len()).unwrap(), &bytes);
    let pages = [head.clone(), data].concat();
    let dictionary = head.len();
    let made = Column {
        physical: INT64,
        repetition: 2,
        values: many.into(),
        pages,
        dictionary,
        ..Column::default()
    };
    column(path, made, 1);
}

/// More rows than the row group has.
fn more_rows(path: &Path) {
    let many = i32::MAX;
    let head = dictionary(1, 8, &[0; 8]);
    let values = [vec![1], varint(many.unsigned_abs() as u64 * 2), vec![0]].concat();
    let data = page(many, DICTIONARY, i32::try_from(values.len()).unwrap(), &values);
    let pages = [head.clone(), data].concat();
    let dictionary = head.len();
    column(path, Column { physical: INT64, pages, dictionary, ..Column::default() }, 1);
}

/// An Arrow schema in which one field with a long name stands in many places.
fn folded_schema(path: &Path) {
    use base64::Engine;
    let message = super::arrow::folded_schema();
    let encoded = base64::prelude::BASE64_STANDARD.encode(message);
    let entry = Struct::default().text(1, "ARROW:schema").text(2, &encoded).end();
    let field = Struct::default().short(1, INT64).short(3, 0).text(4, "x").end();
    let footer = Struct::default()
        .short(1, 1)
        .list(2, &list(STRUCT, &[root(1), field]))
        .int(3, 0)
        .list(4, &list(STRUCT, &[]))
        .list(5, &list(STRUCT, &[entry]));
    write_footer(path, &footer.end());
}

pub(super) fn cases() -> Vec<Case> {
    use End::{Read, Refused};
    let cases: Vec<Named> = vec![
        ("deep.parquet", deep, Refused("too deep in each other")),
        ("structs.parquet", nested_structs, Refused("footer can't be decoded")),
        ("groups.parquet", many_groups, Refused("more than 200000 column chunks")),
        ("list.parquet", lying_list, Refused("footer can't be decoded")),
        ("fields.parquet", many_fields, Refused("too many fields")),
        ("footer.parquet", long_footer, Refused("footer of more than")),
        ("folded.parquet", folded_schema, Refused("too deep or too wide")),
        (
            "page.parquet",
            |path| {
                let pages = page(1, PLAIN, i32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x07]);
                column(path, Column { codec: SNAPPY, pages, ..Column::default() }, 1);
            },
            Refused("decoded at once"),
        ),
        (
            "honest_bomb.parquet",
            |path| {
                let pages = page(1, PLAIN, GIB as i32, &long_text(GIB - 4));
                column(path, Column { codec: ZSTD, pages, ..Column::default() }, 1);
            },
            Refused("decoded at once"),
        ),
        (
            "lying_bomb.parquet",
            |path| {
                let pages = page(1, PLAIN, 100, &long_text(GIB - 4));
                column(path, Column { codec: ZSTD, pages, ..Column::default() }, 1);
            },
            Refused("can't be decompressed"),
        ),
        (
            "gzip_bomb.parquet",
            |path| {
                use std::io::{Read, Write, copy, repeat};
                let mut packed =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                copy(&mut repeat(0).take(GIB as u64), &mut packed).unwrap();
                packed.flush().unwrap();
                let pages = page(1, PLAIN, 100, &packed.finish().unwrap());
                column(path, Column { codec: 2, pages, ..Column::default() }, 1);
            },
            Refused("can't be decompressed"),
        ),
        (
            "brotli_bomb.parquet",
            |path| {
                let mut packed = brotli::CompressorReader::new(
                    std::io::Read::take(std::io::repeat(0), 256 << 20),
                    4_096,
                    1,
                    22,
                );
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut packed, &mut bytes).unwrap();
                let pages = page(1, PLAIN, 100, &bytes);
                column(path, Column { codec: 4, pages, ..Column::default() }, 1);
            },
            Refused("can't be decompressed"),
        ),
        ("long_pages.parquet", long_pages, Refused("decoded at once")),
        ("long_word.parquet", |path| long_word(path, 1), Read),
        (
            "dictionary.parquet",
            |path| long_word(path, i32::MAX),
            Refused("fewer values than it says"),
        ),
        ("growing.parquet", growing_texts, Refused("decoded at once")),
        ("lengths.parquet", |path| lying_lengths(path, 6), Refused("other lengths")),
        ("prefixes.parquet", |path| lying_lengths(path, 7), Refused("other lengths")),
        ("long_row.parquet", long_row, Refused("decoded at once")),
        ("more_rows.parquet", more_rows, Refused("does not have the rows")),
        (
            "fixed.parquet",
            |path| {
                let made = Column { physical: FIXED, length: i32::MAX, ..Column::default() };
                column(path, made, 1);
            },
            Refused("beyond all measure"),
        ),
        (
            "rows.parquet",
            |path| column(path, Column::default(), i64::MAX),
            Refused("more than 100000000000 rows"),
        ),
    ];
    cases.into_iter().map(|(name, write, end)| Case { name, write, end }).collect()
}

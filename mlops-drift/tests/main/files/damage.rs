//! Damaged files of every format: each ends as batches or as one error that names the file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::file::properties::{WriterProperties, WriterVersion};
use mlops_drift::arrow::array::RecordBatch;
use mlops_drift::arrow::ipc::CompressionType;
use mlops_drift::files::{Limits, Table, TableOptions, is_fenced};
use mlops_drift::{Error, ErrorKind};
use proptest::prelude::*;
use rand::RngExt;

use super::{sample, write_ipc, write_parquet, write_stream};
use crate::random;

/// What a program does that wants no line for a panic that is caught.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !is_fenced() {
                previous(panic);
            }
        }));
    });
}

fn properties(version: WriterVersion, codec: Compression) -> WriterProperties {
    WriterProperties::builder()
        .set_writer_version(version)
        .set_compression(codec)
        .set_max_row_group_row_count(Some(20))
        .set_column_encoding("float".into(), Encoding::BYTE_STREAM_SPLIT)
        .set_column_dictionary_enabled("text".into(), false)
        .set_column_encoding("text".into(), Encoding::DELTA_BYTE_ARRAY)
        .build()
}

/// Small files of every kind, by name.
fn kinds(folder: &Path) -> Vec<(&'static str, PathBuf, Vec<u8>)> {
    silence();
    let rows: [RecordBatch; 1] = [sample(32)];
    let at = |name: &str| folder.join(name);
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let (one, two) = (WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0);
    write_parquet(&at("1.parquet"), &rows, Some(properties(one, Compression::SNAPPY)));
    write_parquet(&at("2.parquet"), &rows, Some(properties(two, zstd)));
    write_ipc(&at("3.arrow"), &rows, None);
    write_ipc(&at("4.arrow"), &rows, Some(CompressionType::LZ4_FRAME));
    write_stream(&at("5.arrows"), &rows, Some(CompressionType::ZSTD));
    let mut text = String::from("int,float,text,when,flag\n");
    for row in 0..40 {
        let when = format!("2013-01-{:02}T12:00:00", row % 28 + 1);
        text.push_str(&format!("{row},{}.5,\"a \"\"{row}\"\"\",{when},true\n", row * 7));
    }
    fs::write(at("6.csv"), text).unwrap();
    let names = ["1.parquet", "2.parquet", "3.arrow", "4.arrow", "5.arrows", "6.csv"];
    names.map(|name| (name, at(name), fs::read(at(name)).unwrap())).into()
}

/// Reads all of a file, as batches and as single columns.
fn read(path: &Path) -> Result<u64, Error> {
    let limits = Limits::default().with_decoded_bytes(32 << 20).with_rows(1_000_000);
    let table = Table::open_with(&[path], &TableOptions::default().with_limits(limits))?;
    let schema = table.schema();
    let last = schema.fields().last().map(|field| field.name().clone()).unwrap_or_default();
    let mut rows = 0;
    table.scan(None, &mut |batch| {
        rows += batch.num_rows() as u64;
        Ok(())
    })?;
    table.scan(Some(&[last.as_str()]), &mut |_| Ok(()))?;
    Ok(rows)
}

/// Reads what may be anything; an error is of a file, and names it. Says whether it could be read.
#[track_caller]
fn ends(path: &Path) -> bool {
    match read(path) {
        Ok(_) => true,
        Err(error) => {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(error.to_string().contains(&name), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
            let kinds = [ErrorKind::Corrupt, ErrorKind::InvalidInput, ErrorKind::TooLarge];
            assert!(kinds.contains(&error.kind()), "{error:?}");
            false
        }
    }
}

#[test]
fn a_file_that_was_cut_off_anywhere_is_one_error() {
    let folder = tempfile::tempdir().unwrap();
    for (name, path, whole) in kinds(folder.path()) {
        assert_eq!(read(&path).unwrap(), if name == "6.csv" { 40 } else { 32 }, "{name}");
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            // A part of a CSV file may be a CSV file.
            assert!(!ends(&path) || name == "6.csv", "{name} of {length} bytes was read");
        }
    }
}

#[test]
fn a_file_with_any_byte_altered_is_read_or_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = random(5);
    for (name, path, whole) in kinds(folder.path()) {
        let (mut read, mut refused) = (0, 0);
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= [0x01, 0x80, random.random_range(1..=255)][at % 3];
            fs::write(&path, &bytes).unwrap();
            *if ends(&path) { &mut read } else { &mut refused } += 1;
        }
        assert!(read > 0 && refused > 0, "{name}: {read} read, {refused} refused");
    }
}

/// Stretches moved, doubled, taken out, zeroed, or set to ones, several at a time.
#[test]
fn a_file_with_stretches_altered_is_read_or_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = random(6);
    for (_, path, whole) in kinds(folder.path()) {
        for _ in 0..1_500 {
            let mut bytes = whole.clone();
            for _ in 0..random.random_range(1..4) {
                let from = random.random_range(0..bytes.len());
                let to = (from + random.random_range(1..40_usize)).min(bytes.len());
                let at = random.random_range(0..bytes.len());
                match random.random_range(0..5) {
                    0 => drop(bytes.drain(from..to)),
                    1 => bytes[from..to].fill(0),
                    2 => bytes[from..to].fill(0xff),
                    3 => {
                        let stretch = bytes[from..to].to_vec();
                        bytes.splice(at..at, stretch);
                    }
                    _ => random.fill(&mut bytes[from..to]),
                }
                if bytes.is_empty() {
                    bytes.push(0);
                }
            }
            fs::write(&path, &bytes).unwrap();
            ends(&path);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any bytes, behind and before the marks of each format.
    #[test]
    fn any_bytes_are_read_or_one_error(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        silence();
        let folder = tempfile::tempdir().unwrap();
        let marks: [(&str, &[u8], &[u8]); 5] = [
            ("x.parquet", b"PAR1", b"PAR1"),
            ("x.arrow", b"ARROW1\0\0", b"ARROW1"),
            ("x.arrows", &[0xff; 4], &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
            ("x.csv", b"a,b\n", b"\n"),
            ("x", b"", b""),
        ];
        for (name, head, tail) in marks {
            let path = folder.path().join(name);
            let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
            let length: &[u8] = if name.ends_with("s") || name.ends_with("v") { &[] } else { &length };
            fs::write(&path, [head, &bytes, length, tail].concat()).unwrap();
            ends(&path);
        }
    }

    /// CSV of any texts gives these texts back.
    #[test]
    fn any_texts_survive_csv(
        rows in prop::collection::vec(prop::collection::vec("\\PC{0,12}|[\",\n\r;]{1,4}", 3), 1..20)
    ) {
        use mlops_drift::arrow::array::{Array, AsArray};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",");
        let lines: Vec<String> = rows.iter().map(line).collect();
        // A first row of words, so that no column is one of numbers.
        fs::write(&path, format!("a,b,c\nx,y,z\n{}\n", lines.join("\n"))).unwrap();
        let read = super::all(&Table::open(&[&path]).unwrap(), None);
        prop_assert_eq!(read.num_rows(), rows.len() + 1);
        for (at, row) in rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let texts = read.column(column).as_string::<i32>();
                let found = texts.is_valid(at + 1).then(|| texts.value(at + 1));
                prop_assert_eq!(found, (!cell.is_empty()).then_some(cell.as_str()));
            }
        }
    }
}

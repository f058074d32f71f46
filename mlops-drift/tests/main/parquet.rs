//! A file may be anything; the caller gets batches or one clear error.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use mlops_drift::arrow::array::{ArrayRef, StringArray};
use mlops_drift::{ErrorKind, parquet};

use super::{batch, floats};

fn write(path: &Path) -> Vec<u8> {
    let names: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..500).map(|i| format!("n{}", i % 7))));
    let batch = batch(vec![("x", floats((0..500).map(f64::from))), ("name", names)]);
    let file = fs::File::create(path).expect("a new file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("a batch");
    writer.close().expect("a footer");
    fs::read(path).expect("what was written")
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.parquet");
    write(&path);
    let batches = parquet::read(&path).expect("a file");
    let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    assert_eq!((rows, batches[0].num_columns()), (500, 2));
}

#[test]
fn missing_empty_and_truncated_files_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gone.parquet");
    let error = parquet::read(&path).expect_err("no such file");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("gone.parquet"), "{error}");
    assert_eq!(parquet::read(folder.path()).expect_err("a folder").kind(), ErrorKind::InvalidInput);
    let whole = write(&path);
    for length in [0, 3, 11, 12, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).expect("a shorter file");
        let error = parquet::read(&path).expect_err("truncated");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}: {error:?}");
        assert!(error.to_string().contains("gone.parquet"), "{error}");
    }
    let mut long = whole.clone();
    let footer = long.len() - 8;
    long[footer..footer + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    fs::write(&path, &long).expect("a file");
    let error = parquet::read(&path).expect_err("a footer longer than the file");
    assert!(error.to_string().contains("longer than itself"), "{error}");
}

/// Each altered byte gives batches or an error that names the file, and never a panic.
#[test]
fn altered_bytes_never_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("odd.parquet");
    let whole = write(&path);
    let (mut read, mut refused) = (0, 0);
    for at in (0..whole.len()).step_by(13) {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            fs::write(&path, &bytes).expect("a file");
            match parquet::read(&path) {
                Ok(_) => read += 1,
                Err(error) => {
                    assert!(error.to_string().contains("odd.parquet"), "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(read > 0 && refused > 0, "{read} {refused}");
}

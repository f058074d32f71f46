//! Undamaged files: every format, codec and page layout gives back what was written.

use std::path::Path;
use std::sync::{Arc, Mutex};

use ::parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use ::parquet::file::properties::{WriterProperties, WriterVersion};
use mlops_drift::arrow::array::{Array, RecordBatch};
use mlops_drift::arrow::compute::concat_batches;
use mlops_drift::arrow::ipc::CompressionType;
use mlops_drift::files::{Limits, Table, TableOptions};
use mlops_drift::{Error, ErrorKind};

use super::{all, sample, write_ipc, write_parquet, write_stream};

/// All columns, some, and some in another order, twice, and by two threads at once.
#[track_caller]
fn gives_back(path: &Path, batches: &[RecordBatch]) {
    let expected = concat_batches(&batches[0].schema(), batches).unwrap();
    let table = Table::open(&[path]).unwrap();
    let names: Vec<String> =
        expected.schema().fields().iter().map(|field| field.name().clone()).collect();
    let own: Vec<String> =
        table.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(own, names);
    assert_eq!(table.rows(), Some(expected.num_rows() as u64), "{}", path.display());
    assert_eq!(table.bytes(), std::fs::metadata(path).unwrap().len());
    let same = |columns: Option<&[&str]>| {
        let read = all(&table, columns);
        let wanted: Vec<&str> =
            columns.map_or_else(|| names.iter().map(String::as_str).collect(), <[&str]>::to_vec);
        assert_eq!(read.num_rows(), expected.num_rows());
        for (at, name) in wanted.iter().enumerate() {
            assert_eq!(read.schema().field(at).name(), name);
            assert_eq!(read.column(at), expected.column_by_name(name).unwrap(), "{name}");
        }
    };
    same(None);
    same(Some(&["large", "text"]));
    same(Some(&["list", "int", "word"]));
    std::thread::scope(|scope| {
        for columns in [["float"], ["exact"], ["when"], ["word"]] {
            let same = &same;
            scope.spawn(move || same(Some(&columns)));
        }
    });
}

#[test]
fn parquet_of_every_codec_and_layout_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let batches = [sample(700), sample(41), sample(1_300)];
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for codec in codecs {
            let properties = WriterProperties::builder()
                .set_writer_version(version)
                .set_compression(codec)
                .set_max_row_group_row_count(Some(900))
                .set_data_page_row_count_limit(100)
                .set_write_batch_size(64)
                .build();
            write_parquet(&path, &batches, Some(properties));
            gives_back(&path, &batches);
        }
    }
}

#[test]
fn parquet_of_every_encoding_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let batches = [sample(3_000)];
    let encodings = [
        ("text", Encoding::DELTA_BYTE_ARRAY),
        ("text", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("int", Encoding::DELTA_BINARY_PACKED),
        ("float", Encoding::BYTE_STREAM_SPLIT),
        ("text", Encoding::PLAIN),
    ];
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for (column, encoding) in encodings {
            let properties = WriterProperties::builder()
                .set_writer_version(version)
                .set_dictionary_enabled(false)
                .set_column_encoding(column.into(), encoding)
                .set_data_page_row_count_limit(500)
                .set_write_batch_size(100)
                .build();
            write_parquet(&path, &batches, Some(properties));
            gives_back(&path, &batches);
        }
    }
}

#[test]
fn arrow_files_and_streams_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.arrow");
    let batches = [sample(700), sample(70_000)];
    for codec in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        write_ipc(&path, &batches, codec);
        gives_back(&path, &batches);
        write_stream(&path, &batches, codec);
        gives_back(&path, &batches);
    }
}

/// In a stream, each batch may come with another dictionary.
#[test]
fn a_stream_may_replace_its_dictionaries() {
    use mlops_drift::arrow::array::{ArrayRef, DictionaryArray};
    use mlops_drift::arrow::datatypes::Int8Type;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.arrows");
    let words = |words: &[&str]| {
        let array: DictionaryArray<Int8Type> = words.iter().copied().collect();
        super::batch(vec![("word", Arc::new(array) as ArrayRef)])
    };
    write_stream(&path, &[words(&["a", "b", "a"]), words(&["c", "a"])], None);
    let batches = Table::open(&[&path]).unwrap().read(None).unwrap();
    let texts: Vec<String> = batches
        .iter()
        .flat_map(|batch| {
            let column = batch.column(0);
            let dictionary =
                column.as_any().downcast_ref::<DictionaryArray<Int8Type>>().unwrap().clone();
            let texts = dictionary.downcast_dict::<mlops_drift::arrow::array::StringArray>();
            texts.unwrap().into_iter().map(|t| t.unwrap().to_owned()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(texts, ["a", "b", "a", "c", "a"]);
}

#[test]
fn batches_are_short_where_rows_are_wide_and_never_long() {
    let folder = tempfile::tempdir().unwrap();
    let rows = 200_000;
    for name in ["x.parquet", "x.arrow"] {
        let path = folder.path().join(name);
        if name == "x.arrow" {
            write_ipc(&path, &[sample(rows)], None);
        } else {
            write_parquet(&path, &[sample(rows)], None);
        }
        let sizes = |options: &TableOptions| {
            let table = Table::open_with(&[&path], options).unwrap();
            let mut sizes = Vec::new();
            table
                .scan(None, &mut |batch| {
                    sizes.push(batch.num_rows());
                    Ok(())
                })
                .map(|()| sizes)
        };
        let usual = sizes(&TableOptions::default()).unwrap();
        assert_eq!(usual.iter().sum::<usize>(), 200_000);
        assert!(usual.iter().all(|rows| *rows <= 65_536), "{usual:?}");
        let tight = Limits::default().with_decoded_bytes(24 << 20);
        let tight = sizes(&TableOptions::default().with_limits(tight)).unwrap();
        assert_eq!(tight.iter().sum::<usize>(), 200_000);
        assert!(name == "x.arrow" || tight.len() > usual.len(), "{tight:?} {usual:?}");
    }
}

/// Too wide for one scan, and read all the same, column by column.
#[test]
fn a_table_beyond_the_limits_is_read_by_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.arrow");
    let batches = [sample(200_000), sample(10)];
    write_ipc(&path, &batches, None);
    let tight = TableOptions::default().with_limits(Limits::default().with_decoded_bytes(8 << 20));
    let table = Table::open_with(&[&path], &tight).unwrap();
    let error = table.scan(None, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(all(&table, None), concat_batches(&table.schema(), &batches).unwrap());
}

#[test]
fn progress_adds_up_and_an_error_of_the_caller_ends_the_scan() {
    let folder = tempfile::tempdir().unwrap();
    write_parquet(&folder.path().join("a.parquet"), &[sample(1_000)], None);
    write_parquet(&folder.path().join("b.parquet"), &[sample(500)], None);
    let told = Arc::new(Mutex::new((0, 0)));
    let watcher = Arc::clone(&told);
    let options = TableOptions::default().with_progress(move |progress| {
        let mut told = watcher.lock().unwrap();
        *told = (told.0 + progress.rows, told.1 + progress.bytes);
    });
    let table = Table::open_with(&[folder.path()], &options).unwrap();
    table.scan(Some(&["int"]), &mut |_| Ok(())).unwrap();
    assert_eq!(*told.lock().unwrap(), (1_500, table.bytes()));
    let mut calls = 0;
    let error = table.scan(None, &mut |_| {
        calls += 1;
        Err(Error::new(ErrorKind::Unavailable, "enough"))
    });
    assert_eq!((error.unwrap_err().to_string().as_str(), calls), ("enough", 1));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        table.scan(None, &mut |_| panic!("mine"))
    }));
    assert!(panicked.is_err(), "a caller's panic is the caller's");
}

#[test]
fn a_table_without_rows_has_its_schema() {
    let folder = tempfile::tempdir().unwrap();
    for (name, write) in [
        ("x.parquet", write_parquet_plain as fn(&Path, &[RecordBatch])),
        ("x.arrow", |path, batches| write_ipc(path, batches, None)),
        ("y.arrow", |path, batches| write_stream(path, batches, None)),
    ] {
        let path = folder.path().join(name);
        write(&path, &[sample(0)]);
        let table = Table::open(&[&path]).unwrap();
        let batches = table.read(None).unwrap();
        assert_eq!((batches.len(), batches[0].num_rows(), batches[0].num_columns()), (1, 0, 9));
        assert_eq!(table.rows(), Some(0));
    }
}

fn write_parquet_plain(path: &Path, batches: &[RecordBatch]) {
    write_parquet(path, batches, None);
}

//! CSV: types, nulls, and the line of whatever does not fit.

use std::fs;

use mlops_drift::arrow::array::{Array, AsArray};
use mlops_drift::arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use mlops_drift::files::{Limits, Table, TableOptions};
use mlops_drift::{Error, ErrorKind};

use super::all;

fn table(text: impl AsRef<[u8]>, limits: Limits) -> (tempfile::TempDir, Result<Table, Error>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    fs::write(&path, text).unwrap();
    let table = Table::open_with(&[path], &TableOptions::default().with_limits(limits));
    (folder, table)
}

fn read(text: impl AsRef<[u8]>) -> Result<Vec<usize>, Error> {
    let (_folder, table) = table(text, Limits::default());
    Ok(table?.read(None)?.iter().map(|batch| batch.num_rows()).collect())
}

#[test]
fn cells_become_values_and_empty_ones_nulls() {
    let text = "\u{feff}i,f,b,d,t,s\r\n\
                1,0.5,true,2013-01-31,2013-01-31T12:00:00Z,plain\r\n\
                ,,,,,\r\n\
                -2,NaN,FALSE,2014-01-01,2014-01-01 00:00:00.5,\"a \"\"quoted\"\",\r\ntext\"\r\n\
                3,1e3,true,,,  spaced ";
    let (_folder, table) = table(text, Limits::default());
    let table = table.unwrap();
    use DataType::*;
    let types: Vec<DataType> =
        table.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    let micro = Timestamp(TimeUnit::Microsecond, None);
    assert_eq!(types, [Int64, Float64, Boolean, Date32, micro, Utf8]);
    let rows = all(&table, None);
    let ints: Vec<Option<i64>> = rows["i"].as_primitive::<Int64Type>().iter().collect();
    assert_eq!(ints, [Some(1), None, Some(-2), Some(3)]);
    let floats = rows["f"].as_primitive::<Float64Type>();
    assert_eq!((floats.value(0), floats.is_null(1), floats.value(3)), (0.5, true, 1_000.0));
    assert!(floats.value(2).is_nan());
    let flags: Vec<Option<bool>> = rows["b"].as_boolean().iter().collect();
    assert_eq!(flags, [Some(true), None, Some(false), Some(true)]);
    let texts: Vec<Option<&str>> = rows["s"].as_string::<i32>().iter().collect();
    assert_eq!(texts, [Some("plain"), None, Some("a \"quoted\",\r\ntext"), Some("  spaced ")]);
    assert_eq!(rows["t"].null_count(), 2);
}

#[test]
fn the_separator_is_the_headers() {
    for separator in [',', '\t', ';'] {
        let text = "a|b\n1|0.5\n2|1.5\n".replace('|', &separator.to_string());
        let (_folder, table) = table(text, Limits::default());
        let rows = all(&table.unwrap(), Some(&["b"]));
        let values: Vec<f64> = rows["b"].as_primitive::<Float64Type>().values().to_vec();
        assert_eq!(values, [0.5, 1.5], "{separator:?}");
    }
}

/// The line is counted here in another way: by where the marked row begins in the text.
#[test]
fn a_cell_that_does_not_fit_is_named_by_its_line() {
    let limits = Limits::default().with_inferred_rows(3);
    for (ends, gap) in [("\n", ""), ("\r\n", ""), ("\r", ""), ("\n", "\n\n"), ("\r\n", "\r\n")] {
        for at in [4, 9, 70_000] {
            let mut text = format!("a,b{ends}");
            for row in 1..=at {
                if row == at {
                    text.push_str(gap);
                    text.push_str("x7,oops");
                } else {
                    text.push_str(&format!("{row},\"two{ends}lines\"{ends}"));
                }
            }
            let before = &text[..text.find("x7").unwrap()];
            let line = 1 + before.matches(if ends == "\r" { "\r" } else { "\n" }).count();
            let (_folder, table) = table(&text, limits);
            let error = table.unwrap().read(None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            let message = error.to_string();
            for part in [&format!("line={line} "), "value=\"x7\"", "column=a", "Int64", "x.csv"] {
                assert!(message.contains(part), "{ends:?} {gap:?} {at} {part}: {message}");
            }
        }
    }
}

#[test]
fn rows_of_another_length_bad_letters_and_long_rows_are_named() {
    let cases: [(&[u8], &str); 8] = [
        (b"a,b\n1,2\n3\n", "expected=2 found=1 line=3"),
        (b"a,b\n1,2\n3,4,5,6\n", "expected=2 found=3 or more line=3"),
        (b"a,b\n1,2\n\n\n3,\"\xff\"\n", "not utf-8: column=b line=5"),
        (b"a,\xff\n1,2\n", "header is not utf-8"),
        (b"", "empty"),
        (b"\n\n", "no header"),
        (b"a\n\"never closed", "no such error"),
        (b"\xff\xfea\0,\0b\0\n\0", "not utf-8"),
    ];
    for (text, part) in cases {
        match read(text) {
            Ok(rows) => assert_eq!((part, rows), ("no such error", vec![1])),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                assert!(error.to_string().contains(part), "{part}: {error}");
            }
        }
    }
    let long = format!("a\n{}\n", "x".repeat(10_000));
    let (_folder, opened) = table(&long, Limits::default().with_csv_row_bytes(9_999));
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    let (_folder, opened) = table(&long, Limits::default().with_csv_row_bytes(10_001));
    assert_eq!(opened.unwrap().read(None).unwrap()[0].num_rows(), 1);
    let wide = format!("{}\n", vec!["c"; 50].join(","));
    let (_folder, opened) = table(&wide, Limits::default().with_columns(49));
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
}

#[test]
fn integers_are_never_floats_and_codes_keep_their_zeros() {
    let text = "u,m,z,l\n18446744073709551615,18446744073709551615,007,18446744073709551616\n\
                1,-1,12,1\n";
    let (_folder, table) = table(text, Limits::default());
    let table = table.unwrap();
    let types: Vec<DataType> =
        table.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    use DataType::*;
    assert_eq!(types, [UInt64, Decimal128(20, 0), Utf8, Utf8]);
    let rows = all(&table, None);
    let mixed = rows["m"].as_primitive::<mlops_drift::arrow::datatypes::Decimal128Type>();
    assert_eq!(mixed.values().to_vec(), [i128::from(u64::MAX), -1]);
    // A fraction is no integer, and is not rounded to one.
    let more = "m\n18446744073709551615\n-1\n1.5\n";
    let (_folder, table) = self::table(more, Limits::default().with_inferred_rows(2));
    let error = table.unwrap().read(None).unwrap_err();
    assert!(error.to_string().contains("value=\"1.5\""), "{error}");
}

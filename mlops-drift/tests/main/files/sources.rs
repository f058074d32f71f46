//! Which files make a table, and that they must agree.

use std::fs;
use std::path::{Path, PathBuf};

use mlops_drift::arrow::array::{ArrayRef, Int64Array};
use mlops_drift::arrow::datatypes::DataType;
use mlops_drift::files::{Limits, Table, TableOptions};
use mlops_drift::{Error, ErrorKind, FitOptions, MonitorOptions, compare};
use std::sync::Arc;

use super::{all, write_ipc, write_parquet};
use crate::{batch, floats};

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.iter().copied()))
}

fn names(table: &Table) -> Vec<String> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    table.paths().map(name).collect()
}

/// A folder with files of three formats, folders, and what else lies about.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("b/c")).unwrap();
    fs::create_dir_all(root.join("_temporary")).unwrap();
    write_parquet(&root.join("b/2.parquet"), &[batch(vec![("x", ints(&[2]))])], None);
    write_ipc(&root.join("b/c/3.feather"), &[batch(vec![("x", ints(&[3]))])], None);
    fs::write(root.join("a1.csv"), "x\n1\n").unwrap();
    fs::write(root.join("z4.TSV"), "x\n4\n").unwrap();
    for ignored in ["_SUCCESS", ".hidden.csv", "notes.txt", "_temporary/5.csv"] {
        fs::write(root.join(ignored), "x\n1000\n").unwrap();
    }
    folder
}

#[test]
fn folders_patterns_and_files_are_found_in_order_and_once() {
    let folder = folder();
    let root = folder.path();
    let table = Table::open(&[root]).unwrap();
    assert_eq!(names(&table), ["a1.csv", "2.parquet", "3.feather", "z4.TSV"]);
    assert_eq!(all(&table, None).column(0), &ints(&[1, 2, 3, 4]));
    assert_eq!(table.rows(), None);
    let open = |sources: &[PathBuf]| Table::open(sources).map(|table| names(&table));
    assert_eq!(open(&[root.join("*.csv")]).unwrap(), ["a1.csv"]);
    assert_eq!(open(&[root.join("**/*.[pf]*")]).unwrap(), ["2.parquet", "3.feather"]);
    let twice = [root.join("b"), root.join("b/2.parquet"), root.join("a1.csv"), root.join("b/*")];
    assert_eq!(open(&twice).unwrap(), ["2.parquet", "3.feather", "a1.csv"]);
    // A name that exists is no pattern.
    fs::write(root.join("[1].csv"), "x\n7\n").unwrap();
    assert_eq!(open(&[root.join("[1].csv")]).unwrap(), ["[1].csv"]);
}

#[track_caller]
fn refused(result: Result<Table, Error>, kind: ErrorKind, words: &[&str]) {
    let error = result.expect_err("not a table");
    assert_eq!(error.kind(), kind, "{error:?}");
    for word in words {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[test]
fn what_is_no_table_is_named() {
    let folder = folder();
    let root = folder.path();
    fs::create_dir(root.join("empty")).unwrap();
    let none: [&Path; 0] = [];
    refused(Table::open(&none), ErrorKind::InvalidInput, &["no file"]);
    for gone in ["gone.csv", "*.gone", "empty", "b/gone/*.csv"] {
        refused(Table::open(&[root.join(gone)]), ErrorKind::NotFound, &[gone]);
    }
    refused(Table::open(&[root.join("[")]), ErrorKind::InvalidInput, &["pattern"]);
    fs::write(root.join("blob"), [0, 1, 2, 3]).unwrap();
    refused(Table::open(&[root.join("blob")]), ErrorKind::InvalidInput, &["blob"]);
    let few = TableOptions::default().with_limits(Limits::default().with_files(3));
    refused(Table::open_with(&[root], &few), ErrorKind::TooLarge, &["more than 3 files"]);
    #[cfg(unix)]
    refused(Table::open(&["/dev/zero"]), ErrorKind::InvalidInput, &["/dev/zero"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(root, root.join("b/loop")).unwrap();
        refused(Table::open(&[root]), ErrorKind::InvalidInput, &["loop"]);
    }
}

#[test]
fn the_content_tells_the_format_before_the_ending_does() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [batch(vec![("x", ints(&[1]))])];
    write_parquet(&folder.path().join("a.csv"), &rows, None);
    write_ipc(&folder.path().join("b.parquet"), &rows, None);
    fs::write(folder.path().join("c"), "x\n1\n").unwrap();
    for name in ["a.csv", "b.parquet", "c"] {
        let table = Table::open(&[folder.path().join(name)]).unwrap();
        assert_eq!(all(&table, None).column(0), &ints(&[1]), "{name}");
    }
    // A header may look like the first bytes of another format.
    fs::write(folder.path().join("d.csv"), "PAR1,x\n1,2\n").unwrap();
    let table = Table::open(&[folder.path().join("d.csv")]).unwrap();
    assert_eq!(table.schema().field(0).name(), "PAR1");
}

#[test]
fn files_must_have_the_same_columns_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1.parquet"), folder.path().join("2.parquet"));
    let write = |path: &Path, columns: Vec<(&str, ArrayRef)>| {
        write_parquet(path, &[batch(columns)], None);
    };
    write(&first, vec![("a", ints(&[1])), ("b", floats([0.5]))]);
    write(&second, vec![("b", floats([1.5])), ("a", ints(&[2]))]);
    let table = Table::open(&[folder.path()]).unwrap();
    let read = all(&table, Some(&["b", "a"]));
    assert_eq!((read.column(0), read.column(1)), (&floats([0.5, 1.5]), &ints(&[1, 2])));

    let open = || Table::open(&[folder.path()]);
    write(&second, vec![("a", ints(&[2]))]);
    refused(open(), ErrorKind::SchemaChanged, &["lacks", "\"b\"", "2.parquet"]);
    write(&second, vec![("b", ints(&[1])), ("a", ints(&[2]))]);
    refused(open(), ErrorKind::SchemaChanged, &["column=b", "Int64", "Float64", "2.parquet"]);
    write(&second, vec![("b", floats([1.5])), ("a", ints(&[2])), ("c", ints(&[2]))]);
    refused(open(), ErrorKind::SchemaChanged, &["\"c\"", "2.parquet"]);
    fs::write(folder.path().join("3.csv"), "a,a\n1,1\n").unwrap();
    let twice = Table::open(&[folder.path().join("3.csv")]);
    refused(twice, ErrorKind::InvalidInput, &["one name", "\"a\"", "3.csv"]);
    let error = Table::open(&[&first]).unwrap().scan(Some(&["aa"]), &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownColumn);
}

#[test]
fn csv_takes_the_types_of_the_files_beside_it_and_of_the_other_side() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_parquet(&at("r.parquet"), &[batch(vec![("x", floats([0.5])), ("y", ints(&[1]))])], None);
    fs::write(at("c.csv"), "y,x,z\n1,2,3\n").unwrap();
    fs::write(at("d.csv"), "y,x,z\n1.5,2,\n").unwrap();
    fs::write(at("e.csv"), "y,x\n2,1\n").unwrap();
    let types = |table: &Table| -> Vec<DataType> {
        table.schema().fields().iter().map(|field| field.data_type().clone()).collect()
    };
    use DataType::{Float64, Int64, Utf8};
    assert_eq!(types(&Table::open(&[at("c.csv")]).unwrap()), [Int64, Int64, Int64]);
    assert_eq!(types(&Table::open(&[at("d.csv")]).unwrap()), [Float64, Int64, Utf8]);
    assert_eq!(types(&Table::open(&[at("c.csv"), at("d.csv")]).unwrap()), [Float64, Int64, Int64]);
    let mixed = Table::open(&[at("e.csv"), at("r.parquet")]).unwrap();
    assert_eq!(types(&mixed), [Int64, Float64]);
    assert_eq!(all(&mixed, Some(&["x"])).column(0), &floats([1.0, 0.5]));
    let options = TableOptions::default();
    let both = |left: &str, right: &str| {
        let (left, right) = Table::open_both(&[at(left)], &[at(right)], &options).unwrap();
        (types(&left), types(&right))
    };
    assert_eq!(both("r.parquet", "c.csv"), (vec![Float64, Int64], vec![Int64, Float64, Int64]));
    assert_eq!(both("c.csv", "d.csv").0, [Float64, Int64, Int64]);
    assert_eq!(both("c.csv", "d.csv").1, [Float64, Int64, Int64]);
}

/// The same rows give the same report, whatever files they come from.
#[test]
fn the_report_does_not_depend_on_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let rows =
        |shift: f64| floats((0..900).map(move |row| shift + f64::from(row * 7_919 % 900) / 900.0));
    let side = |shift: f64| batch(vec![("temp", rows(shift)), ("wind", rows(0.0))]);
    write_parquet(&at("reference.parquet"), &[side(0.0)], None);
    write_parquet(&at("current.parquet"), &[side(0.5)], None);
    write_ipc(&at("current.arrow"), &[side(0.5)], None);
    let lines = |from: i32, to: i32| {
        let value = |row: i32, shift: f64| shift + f64::from(row * 7_919 % 900) / 900.0;
        let line = |row| format!("{:?},{:?}\n", value(row, 0.0), value(row, 0.5));
        format!("wind,temp\n{}", (from..to).map(line).collect::<String>())
    };
    fs::create_dir_all(at("parts/more")).unwrap();
    fs::write(at("parts/1.csv"), lines(0, 250)).unwrap();
    fs::write(at("parts/more/2.csv"), lines(250, 900)).unwrap();
    let report = |current: &str| {
        let options = TableOptions::default();
        let sides = Table::open_both(&[at("reference.parquet")], &[at(current)], &options);
        let (reference, current) = sides.unwrap();
        let (reference, current) = (reference.read(None).unwrap(), current.read(None).unwrap());
        let (fit, options) = (FitOptions::default(), MonitorOptions::default());
        compare(&reference, &current, &fit, &options).unwrap()
    };
    let expected = report("current.parquet");
    assert_eq!(expected.dataset.drifted_columns, 1);
    for current in ["current.arrow", "parts", "parts/**/*.csv"] {
        assert_eq!(report(current), expected, "{current}");
    }
}

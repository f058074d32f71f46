//! What is wrong is said, with the path or name in it, and nothing is half written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;

use super::demo::demo;
use super::{code, json, mlops, stderr};

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn floats(shift: f64) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(
        (0..2_000).map(|i| shift + f64::from(i * 7_919 % 2_000) / 2_000.0),
    ))
}

struct Files {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        write(&root.join("reference.parquet"), vec![("temp", floats(0.0)), ("wind", floats(0.0))]);
        write(&root.join("same.parquet"), vec![("temp", floats(0.0)), ("wind", floats(0.0))]);
        write(&root.join("shifted.parquet"), vec![("temp", floats(0.5)), ("wind", floats(0.0))]);
        let ints: ArrayRef = Arc::new(Int64Array::from_iter_values(0..2_000));
        write(&root.join("other_type.parquet"), vec![("temp", ints), ("wind", floats(0.0))]);
        write(&root.join("missing_column.parquet"), vec![("temp", floats(0.0))]);
        let none: ArrayRef = Arc::new(Float64Array::from(Vec::<f64>::new()));
        write(&root.join("no_rows.parquet"), vec![("temp", none.clone()), ("wind", none)]);
        std::fs::write(root.join("empty.parquet"), "").unwrap();
        let bytes = std::fs::read(root.join("same.parquet")).unwrap();
        std::fs::write(root.join("truncated.parquet"), &bytes[..bytes.len() / 2]).unwrap();
        let mut flipped = bytes;
        // In the footer: what it says of the columns. Plain values carry no checksum.
        let footer = flipped.len() - 200;
        flipped[footer..footer + 80].iter_mut().for_each(|byte| *byte ^= 0xff);
        std::fs::write(root.join("mutated.parquet"), flipped).unwrap();
        std::fs::write(root.join("text.parquet"), "a,b\n1,2\n".repeat(10)).unwrap();
        Self { _folder: folder, root }
    }

    fn path(&self, name: &str) -> String {
        self.root.join(name).to_str().unwrap().to_owned()
    }

    fn drift(&self, current: &str, flags: &[&str]) -> std::process::Output {
        let (reference, current) = (self.path("reference.parquet"), self.path(current));
        mlops(&[&["drift", &reference, &current], flags].concat())
    }
}

#[test]
fn drift_says_what_it_finds_and_exits_as_asked() {
    let files = Files::new();
    let same = files.drift("same.parquet", &["--json", "--fail-on", "drift"]);
    assert_eq!(code(&same), 0, "{}", stderr(&same));
    assert_eq!(json(&same)["dataset"]["drifted"], false);
    let shifted = files.drift("shifted.parquet", &["--json"]);
    assert_eq!(code(&shifted), 0);
    let report = json(&shifted);
    assert_eq!(
        (report["columns"][0]["verdict"].clone(), report["columns"][1]["verdict"].clone()),
        ("drifted".into(), "stable".into())
    );
    assert_eq!(code(&files.drift("shifted.parquet", &["--fail-on", "drift"])), 1);
    let table = String::from_utf8(files.drift("shifted.parquet", &[]).stdout).unwrap();
    assert!(table.contains("DRIFTED") && table.contains('█'), "{table}");
}

/// The same rows as folders, patterns and files of other formats give the same report.
#[test]
fn drift_reads_files_folders_and_patterns_of_three_formats() {
    let files = Files::new();
    let expected = json(&files.drift("shifted.parquet", &["--json"]));
    let rows = |shift: f64| -> Vec<f64> {
        (0..2_000).map(|i| shift + f64::from(i * 7_919 % 2_000) / 2_000.0).collect()
    };
    let csv = |from: usize, to: usize| {
        let (temp, wind) = (rows(0.5), rows(0.0));
        let lines = (from..to).map(|row| format!("{:?},{:?}\n", wind[row], temp[row]));
        format!("wind,temp\n{}", lines.collect::<String>())
    };
    std::fs::create_dir_all(files.root.join("parts/more")).unwrap();
    std::fs::write(files.root.join("parts/1.csv"), csv(0, 700)).unwrap();
    std::fs::write(files.root.join("parts/more/2.csv"), csv(700, 2_000)).unwrap();
    let batch = RecordBatch::try_from_iter([("temp", floats(0.5)), ("wind", floats(0.0))]).unwrap();
    let file = std::fs::File::create(files.root.join("shifted.arrow")).unwrap();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    for current in ["parts", "parts/**/*.csv", "shifted.arrow"] {
        let output = files.drift(current, &["--json"]);
        assert_eq!(code(&output), 0, "{current}: {}", stderr(&output));
        assert_eq!(json(&output), expected, "{current}");
    }
    let less = json(&files.drift("parts", &["--json", "--exclude", "wind"]));
    assert_eq!(less["columns"].as_array().unwrap().len(), 1);
    assert_eq!(less["columns"][0]["statistics"], expected["columns"][0]["statistics"]);
    std::fs::write(files.root.join("parts/1.csv"), csv(0, 700) + "warm,1\n").unwrap();
    let output = files.drift("parts", &[]);
    assert_eq!(code(&output), 3);
    for part in ["warm", "line=702", "column=wind", "1.csv"] {
        assert!(stderr(&output).contains(part), "{part}: {}", stderr(&output));
    }
    assert_eq!(code(&files.drift("parts/*.parquet", &[])), 4);
}

#[test]
fn drift_that_nobody_reads_still_exits_as_asked() {
    let files = Files::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_mlops"))
        .args(["drift", &files.path("reference.parquet"), &files.path("shifted.parquet")])
        .args(["--fail-on", "drift"])
        .stdout(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn bad_files_and_columns_are_named_with_their_exit_code() {
    let files = Files::new();
    for (current, flags, expected, words) in [
        ("nowhere.parquet", &[][..], 4, "nowhere.parquet"),
        ("empty.parquet", &[], 3, "empty.parquet"),
        ("truncated.parquet", &[], 3, "truncated.parquet"),
        ("mutated.parquet", &[], 3, "mutated.parquet"),
        ("text.parquet", &[], 3, "text.parquet"),
        ("other_type.parquet", &[], 3, "temp"),
        ("missing_column.parquet", &[], 3, "wind"),
        ("same.parquet", &["--columns", "tmep"], 3, "temp"),
        ("same.parquet", &["--cluster", "day"], 3, "day"),
        ("same.parquet", &["--cluster", "1x:temp"], 3, "1x:temp"),
        ("same.parquet", &["--alpha", "2"], 3, "alpha"),
    ] {
        let output = files.drift(current, flags);
        assert_eq!(code(&output), expected, "{current} {flags:?}: {}", stderr(&output));
        let errors: Vec<String> = stderr(&output)
            .lines()
            .filter(|line| line.starts_with("error: "))
            .map(ToOwned::to_owned)
            .collect();
        assert!(
            errors.len() == 1 && errors[0].contains(words),
            "{current} {flags:?}: {}",
            stderr(&output)
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn no_rows_are_unchecked_and_never_zero() {
    let report = json(&Files::new().drift("no_rows.parquet", &["--json"]));
    for column in report["columns"].as_array().unwrap() {
        assert_eq!(column["verdict"], "unchecked");
        assert!(
            column["reason"].is_string() && column["statistics"]["ks"]["value"].is_null(),
            "{column}"
        );
    }
}

#[test]
fn a_store_that_is_not_there_or_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().to_str().unwrap();
    for command in
        [&["runs"][..], &["models"], &["experiments"], &["pipeline"], &["kpi"], &["data"]]
    {
        let output = mlops(&[&["--store", store], command].concat());
        assert_eq!(code(&output), 4, "{command:?}");
        assert!(stderr(&output).contains("mlops demo"), "{}", stderr(&output));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "reading makes nothing");
    std::fs::write(
        folder.path().join("mlops.db"),
        "not a database, and long enough to have had a header".repeat(50),
    )
    .unwrap();
    for args in [&["--store", store, "runs"][..], &["demo", "--dir", store]] {
        let output = mlops(args);
        assert_eq!(code(&output), 3, "{}", stderr(&output));
        assert!(stderr(&output).contains("mlops.db"), "{}", stderr(&output));
        assert!(!stderr(&output).contains("there is no store"), "{}", stderr(&output));
    }
}

#[test]
fn a_store_of_a_newer_version_is_refused_with_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().to_str().unwrap();
    let file = folder.path().join("a.csv");
    std::fs::write(&file, "1").unwrap();
    assert_eq!(code(&mlops(&["--store", store, "data", "add", "d", file.to_str().unwrap()])), 0);
    let database = folder.path().join("mlops.db");
    let mut bytes = std::fs::read(&database).unwrap();
    // The user version stands big-endian at byte 60 of SQLite's header.
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&database, &bytes).unwrap();
    for args in [&["--store", store, "data"][..], &["demo", "--dir", store]] {
        let output = mlops(args);
        assert_eq!(code(&output), 3, "{}", stderr(&output));
        assert!(
            stderr(&output).contains("upgrade this program")
                && stderr(&output).contains("mlops.db"),
            "{}",
            stderr(&output)
        );
    }
    assert_eq!(std::fs::read(&database).unwrap(), bytes);
}

#[test]
fn unknown_names_are_not_found() {
    let store = demo().store();
    for args in [
        &["runs", "show", "nobody"][..],
        &["runs", "diff", "first", "nobody"],
        &["runs", "--experiment", "nobody"],
        &["models", "show", "nobody"],
        &["pipeline", "show", "nobody", "x"],
        &["kpi", "nobody"],
        &["data", "diff", "b3:zz", "b3:zz"],
    ] {
        let output = mlops(&[&["--store", store], args].concat());
        assert_eq!(code(&output), 4, "{args:?}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("nobody") || stderr(&output).contains("b3:zz"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let output = mlops(&["demo", "--dir", "/proc/nowhere"]);
    assert!([3, 4, 5].contains(&code(&output)), "{}", stderr(&output));
    assert!(stderr(&output).contains("/proc/nowhere"), "{}", stderr(&output));
}

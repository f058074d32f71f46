//! `mlops drift --compat`: other tools' rules on two files.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::{code, json, mlops, stderr};

const PEERS: [&str; 5] = ["evidently", "nannyml", "scouter", "scipy", "rule-of-thumb"];

fn write(path: &Path, shift: f64) -> String {
    let load = (0..500).map(|row| f64::from(row * 37 % 500) + shift);
    let names = (0..500).map(|row| ["a", "b", "c"][row % 3]);
    let columns: [(&str, ArrayRef); 3] = [
        ("load", Arc::new(Float64Array::from_iter_values(load))),
        ("name", Arc::new(StringArray::from_iter_values(names))),
        ("day", Arc::new(Date32Array::from_iter_values(0..500))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn each_peer_answers_in_json_and_as_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let reference = write(&folder.path().join("reference.parquet"), 0.0);
    let current = write(&folder.path().join("current.parquet"), 300.0);
    let drift = |flags: &[&str]| mlops(&[&["drift", &reference, &current], flags].concat());
    for peer in PEERS {
        let report = json(&drift(&["--compat", peer, "--json"]));
        assert_eq!(report["schema"], "mlops.drift.compat/1");
        assert_eq!(report["peer"], peer);
        let verdicts: Vec<&str> = report["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column["verdict"].as_str().unwrap())
            .collect();
        assert_eq!(verdicts, ["drifted", "stable", "unchecked"], "{peer}");
        // One of two checked columns is half of them.
        assert_eq!(report["dataset"]["drifted"], true, "{peer}");
        let table = drift(&["--compat", peer, "--fail-on", "drift"]);
        assert_eq!(code(&table), 1, "{peer}");
        let text = String::from_utf8_lossy(&table.stdout).into_owned();
        assert!(text.contains("DRIFTED: 1 of 3 columns drifted, 1 unchecked"), "{text}");
        assert!(text.contains("the peers check no dates and times"), "{text}");
        let one =
            drift(&["--compat", peer, "--exclude", "load,day", "--fail-on", "drift", "--json"]);
        assert_eq!((code(&one), json(&one)["columns"].as_array().unwrap().len()), (0, 1), "{peer}");
    }
}

#[test]
fn unknown_peers_and_flags_that_no_peer_has_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder.path().join("file.parquet"), 0.0);
    let drift = |flags: &[&str]| mlops(&[&["drift", &file, &file, "--compat"], flags].concat());
    let unknown = drift(&["whylogs"]);
    assert_eq!(code(&unknown), 2);
    assert!(stderr(&unknown).contains("rule-of-thumb"), "{}", stderr(&unknown));
    for flags in [["--alpha", "0.01"], ["--cluster", "name"], ["--min-effect", "0"]] {
        assert_eq!(code(&drift(&[&["scipy"], &flags[..]].concat())), 2, "{flags:?}");
    }
    let missing = drift(&["scipy", "--columns", "lode"]);
    assert_eq!(code(&missing), 3, "{}", stderr(&missing));
}

#[test]
fn peers_judge_whatever_files_hold_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, shift: u32| {
        let rows: String = (0..300).map(|row| format!("{},{}\n", row + shift, row % 7)).collect();
        let path = folder.path().join(name);
        std::fs::write(&path, format!("load,day\n{rows}")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (reference, current) = (write("reference.csv", 0), write("current.csv", 200));
    let drift = |flags: &[&str]| {
        mlops(&[&["drift", &reference, &current, "--compat", "scipy", "--json"], flags].concat())
    };
    let report = json(&drift(&["--exclude", "day"]));
    assert_eq!(report["columns"].as_array().unwrap().len(), 1);
    assert_eq!(report["columns"][0]["verdict"], "drifted");
    let unknown = drift(&["--columns", "laod"]);
    assert_eq!(code(&unknown), 3, "{}", stderr(&unknown));
    assert!(stderr(&unknown).contains("column=laod"), "{}", stderr(&unknown));
}

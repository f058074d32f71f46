//! `mlops drift` for people: pages, segments, windows, statistics, files to write into.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use super::{code, json, mlops, stderr, validated};

const DAY: i64 = 86_400_000_000;
/// 1 January 2024.
const BEGIN: i64 = 19_723 * DAY;

/// 1,200 rows, 120 a day, of three stations in turn; `moved` says by how much a row is moved.
fn rows(moved: impl Fn(usize) -> f64) -> Vec<(&'static str, ArrayRef)> {
    let load = (0..1_200).map(|row| ((row * 7_919) % 1_201) as f64 + moved(row));
    let station = (0..1_200).map(|row| ["north", "south", "west"][row % 3]);
    let at = (0..1_200).map(|row| (row % 100 != 7).then_some(BEGIN + row as i64 * DAY / 120));
    vec![
        ("load", Arc::new(Float64Array::from_iter_values(load))),
        ("station", Arc::new(StringArray::from_iter_values(station))),
        ("at", Arc::new(at.collect::<TimestampMicrosecondArray>())),
    ]
}

struct Files {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Files {
    fn new(reference: Vec<(&str, ArrayRef)>, current: Vec<(&str, ArrayRef)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        write(&root.join("reference.parquet"), reference);
        write(&root.join("current.parquet"), current);
        Self { _folder: folder, root }
    }

    fn path(&self, name: &str) -> String {
        self.root.join(name).to_str().unwrap().to_owned()
    }

    fn drift(&self, flags: &[&str]) -> Output {
        let (reference, current) = (self.path("reference.parquet"), self.path("current.parquet"));
        mlops(&[&["drift", &reference, &current], flags].concat())
    }

    #[track_caller]
    fn text(&self, flags: &[&str]) -> String {
        let output = self.drift(flags);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The page without its two scripts, and the charts in it.
#[track_caller]
fn opened(page: &str) -> (String, Vec<Value>) {
    let begin = page.find("<script nonce=").unwrap();
    let own = page[..begin].to_owned();
    let mark = "<script type=\"application/json\">";
    let charts = own.split(mark).skip(1).map(|rest| {
        let spec = &rest[..rest.find("</script>").unwrap()];
        serde_json::from_str(spec).unwrap()
    });
    let charts = charts.collect();
    (own, charts)
}

/// Nothing may be asked of anybody: what a browser would fetch is not there.
#[track_caller]
fn needs_nothing(page: &str) {
    let (own, _) = opened(page);
    for word in ["src=", "<link", "<img", "<iframe", "@import", "url(", "http:", "https:"] {
        assert!(!own.contains(word), "{word}");
    }
    assert!(own.contains("default-src 'none'"));
    // The library, and what opens the charts.
    assert_eq!(page.matches("</script>\n").count(), 2);
    assert!(page.contains("plotly.js v") && page.contains("Plotly.newPlot"));
}

#[test]
fn the_page_has_the_numbers_of_the_json() {
    let files = Files::new(rows(|_| 0.0), rows(|_| 250.0));
    let report = json(&files.drift(&["--json"]));
    let load = &report["columns"][0];
    let page = files.text(&["--format", "html"]);
    needs_nothing(&page);
    let (own, charts) = opened(&page);
    for text in ["DRIFTED", "<b>1200</b>current rows", "<b>3</b>columns", "reference.parquet → "]
    {
        assert!(own.contains(text), "{text}");
    }
    // The drifted column stands first and is the one that is open.
    assert!(own.contains("<details class=\"column drifted\" id=\"c0\" data-name=\"load\" open>"));
    assert_eq!(own.matches("<details class=\"column").count(), 3);
    let number = |value: &Value| format!("data-v=\"{}\"", value.as_f64().unwrap());
    for value in [&load["effect"], &load["adjusted_p_value"], &load["statistics"]["psi"]["value"]] {
        assert!(own.contains(&number(value)), "{value}");
    }
    // Its first chart are the shares of both sides in the bins of PSI.
    for (side, counts) in [(0, "reference_counts"), (1, "current_counts")] {
        let counts = load["statistics"]["psi"][counts].as_array().unwrap();
        let shares = charts[0]["data"][side]["y"].as_array().unwrap();
        assert_eq!(shares.len(), counts.len());
        for (share, count) in shares.iter().zip(counts) {
            let expected = count.as_f64().unwrap() / 12.0;
            assert!((share.as_f64().unwrap() - expected).abs() < 1e-9, "{share} {count}");
        }
        let first = charts[0]["data"][side]["hovertext"][0].as_str().unwrap();
        assert!(first.contains(&format!("{} of 1200", counts[0])), "{first}");
    }
    // Its second one is what moved, in the order of the bins; all of it adds up to nothing.
    let masses = charts[1]["data"][0]["y"].as_array().unwrap();
    let sum: f64 = masses.iter().map(|mass| mass.as_f64().unwrap()).sum();
    assert!(masses.len() == load["moved"].as_array().unwrap().len() && sum.abs() < 1e-9);
    // Times are shown as times.
    assert!(own.contains("2024-01-0"), "no date");
    assert_eq!(files.text(&["--format", "html"]), page);
}

#[test]
fn hostile_names_and_categories_stay_text() {
    const NAME: &str = "</script><img src=x onerror=alert(1)>'\"&<b>";
    let values = |last: &str| -> ArrayRef {
        let value = |row: usize| {
            if row.is_multiple_of(4) { last.to_owned() } else { format!("<i>{}", row % 3) }
        };
        Arc::new(StringArray::from_iter_values((0..400).map(value)))
    };
    let link = "<a href=\"https://example.org\">x</a>";
    let files = Files::new(vec![(NAME, values("$\\alpha$"))], vec![(NAME, values(link))]);
    for flags in [&["--format", "html"][..], &["--format", "html", "--segment-by", NAME]] {
        if flags.len() > 2 {
            // Parts by the hostile values, of a column beside.
            let beside = || -> ArrayRef {
                Arc::new(Float64Array::from_iter_values((0..400).map(f64::from)))
            };
            write(
                &files.root.join("reference.parquet"),
                vec![(NAME, values("a")), ("x<y", beside())],
            );
            write(
                &files.root.join("current.parquet"),
                vec![(NAME, values(link)), ("x<y", beside())],
            );
        }
        let page = files.text(flags);
        let (own, charts) = opened(&page);
        for raw in ["<img", "<i>", "<a href=\"https", "onerror=alert(1)>'", "</script><"] {
            assert!(!own.replace("</script></div>", "").contains(raw), "{raw}");
        }
        assert!(own.contains("&lt;a href=&quot;https://example.org&quot;&gt;x&lt;/a&gt;"));
        assert_eq!(page.matches("</script>\n").count(), 2);
        // In charts, too: the library takes markup of its own for markup.
        assert!(!charts.is_empty());
        let text = Value::Array(charts).to_string();
        assert!(!text.contains("<a") && !text.contains("<i") && text.contains("&lt;"), "{text}");
    }
    let segments = json(&files.drift(&["--json", "--segment-by", NAME]));
    assert!(segments["parts"].as_array().unwrap().iter().any(|part| part["name"] == link));
}

#[test]
fn a_report_of_two_hundred_columns_draws_what_is_opened() {
    let column = |at: usize, shift: f64| -> ArrayRef {
        let value = |row: usize| ((row * (at + 3) * 7_919) % 211) as f64 + shift;
        Arc::new(Float64Array::from_iter_values((0..211).map(value)))
    };
    let names: Vec<String> = (0..200).map(|at| format!("f{at:03}")).collect();
    let side = |shift: f64| -> Vec<(&str, ArrayRef)> {
        let one = |at: usize| if at == 123 { shift } else { 0.0 };
        names.iter().enumerate().map(|(at, name)| (name.as_str(), column(at, one(at)))).collect()
    };
    let files = Files::new(side(0.0), side(100.0));
    let page = files.text(&["--format", "html"]);
    let (own, charts) = opened(&page);
    assert_eq!(own.matches("<details class=\"column").count(), 200);
    assert_eq!(own.matches("\" open>").count(), 1);
    assert!(own.contains("id=\"c0\" data-name=\"f123\" open>"));
    // What is the same on both sides has a distribution, and nothing that moved.
    assert_eq!(charts.len(), 201);
    assert!(own.len() < 2_500_000, "{}", own.len());
}

#[test]
fn a_drifted_segment_is_found_and_named_in_every_format() {
    let files = Files::new(rows(|_| 0.0), rows(|row| if row % 3 == 1 { 500.0 } else { 0.0 }));
    let by = ["--segment-by", "station", "--exclude", "at"];
    let report = json(&files.drift(&[&by[..], &["--json"]].concat()));
    assert_eq!(report["schema"], "mlops.drift.split/1");
    assert_eq!(
        report["by"],
        serde_json::json!({ "kind": "segments", "column": "station", "most": 30 })
    );
    let parts = report["parts"].as_array().unwrap();
    let drifted: Vec<(&str, bool)> = parts
        .iter()
        .map(|part| {
            let report = validated(part["report"].clone());
            assert_eq!(report["rows"], serde_json::json!({ "reference": 400, "current": 400 }));
            (part["name"].as_str().unwrap(), report["dataset"]["drifted"].as_bool().unwrap())
        })
        .collect();
    assert_eq!(drifted, [("north", false), ("south", true), ("west", false)]);
    assert_eq!(report["dataset"]["drifted_parts"], 1);
    // Values and range of load, in three parts.
    assert_eq!(report["tests"], 6);
    let failing = files.drift(&[&by[..], &["--fail-on", "drift"]].concat());
    assert_eq!(code(&failing), 1);
    let table = String::from_utf8(failing.stdout).unwrap();
    let line = table.lines().find(|line| line.trim_start().starts_with("south")).unwrap();
    assert!(line.contains("400 -> 400") && line.contains("DRIFTED"), "{line}");
    assert!(table.contains("DRIFTED: 1 of 3 parts drifted, 0 unchecked"), "{table}");
    let page = files.text(&[&by[..], &["--format", "html"]].concat());
    needs_nothing(&page);
    let (own, charts) = opened(&page);
    assert!(own.contains("drifted in 1 of 3 parts"));
    // The map, the effect and the p-value part by part.
    let effect = parts[1]["report"]["columns"][0]["effect"].as_f64().unwrap();
    let over = charts[1]["data"][1]["y"][1].as_f64().unwrap();
    assert!((over - effect / 0.04).abs() < 1e-9, "{over} {effect}");
    let p = &parts[1]["report"]["columns"][0]["adjusted_p_value"];
    assert_eq!(charts[2]["data"][1]["y"][1], *p);
    assert_eq!(charts[2]["layout"]["yaxis"]["type"], "log");
    // Two of three have a part of their own.
    let less = json(&files.drift(&[&by[..], &["--most-segments", "2", "--json"]].concat()));
    assert_eq!(less["parts"][2]["kind"], "rest");
    assert_eq!(less["parts"][2]["values"], 1);
    assert_eq!(less["parts"].as_array().unwrap().len(), 3);
}

#[test]
fn a_drifted_day_is_found_and_rows_without_a_time_are_counted() {
    let files = Files::new(
        // The reference needs no time.
        rows(|_| 0.0).into_iter().take(1).collect(),
        rows(|row| if row / 120 == 6 { 600.0 } else { 0.0 }),
    );
    let by = ["--window", "1d", "--time", "at"];
    let report = json(&files.drift(&[&by[..], &["--json"]].concat()));
    assert_eq!(report["by"]["width_seconds"], 86_400.0);
    assert_eq!(report["without_time"], 12);
    let parts = report["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 10);
    let drifted: Vec<&str> = parts
        .iter()
        .filter(|part| part["report"]["dataset"]["drifted"] == true)
        .map(|part| part["from"].as_str().unwrap())
        .collect();
    assert_eq!(drifted, ["2024-01-07T00:00:00Z"]);
    for part in parts {
        let report = validated(part["report"].clone());
        assert_eq!(report["rows"]["reference"], 1_200);
    }
    let table = files.text(&by);
    assert!(table.contains("12 without a time left out"), "{table}");
    let line = table.lines().find(|line| line.contains("2024-01-07")).unwrap();
    assert!(line.contains("load") && line.contains("DRIFTED"), "{line}");
    let page = files.text(&[&by[..], &["--format", "html"]].concat());
    let (own, _) = opened(&page);
    assert!(
        own.contains("2024-01-07 – 2024-01-08") && own.contains("<b>12</b>rows without a time")
    );
    assert!(own.contains("drifted in 1 of 10 parts"));
}

#[test]
fn the_statistics_that_are_asked_for_are_shown_and_decide_nothing() {
    let files = Files::new(rows(|_| 0.0), rows(|_| 250.0));
    let all = json(&files.drift(&["--json"]));
    let some = json(&files.drift(&["--json", "--statistics", "wasserstein,jensen_shannon"]));
    for (some, all) in
        some["columns"].as_array().unwrap().iter().zip(all["columns"].as_array().unwrap())
    {
        for field in ["verdict", "decided_by", "p_value", "effect", "moved"] {
            assert_eq!(some[field], all[field], "{field}");
        }
        for (name, value) in some["statistics"].as_object().unwrap() {
            assert!(["wasserstein", "jensen_shannon"].contains(&name.as_str()), "{name}");
            assert_eq!(*value, all["statistics"][name]);
        }
    }
    assert_eq!(some["columns"][0]["statistics"].as_object().unwrap().len(), 2);
    let table = files.text(&["--statistics", "wasserstein,jensen_shannon"]);
    let header = table.lines().next().unwrap();
    assert!(header.contains("W1") && header.contains("JS") && !header.contains("PSI"), "{header}");
    // Every name that the JSON has can be asked for.
    for name in all["columns"][0]["statistics"].as_object().unwrap().keys() {
        let one = json(&files.drift(&["--json", "--statistics", name]));
        let found = one["columns"][0]["statistics"].as_object().unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), [name]);
    }
    let (page, _) = opened(&files.text(&["--format", "html", "--statistics", "hellinger"]));
    assert!(page.contains("<td>hellinger</td>") && !page.contains("<td>wasserstein</td>"));
    let unknown = files.drift(&["--statistics", "vibes"]);
    assert_eq!(code(&unknown), 2);
    assert!(stderr(&unknown).contains("jensen_shannon"), "{}", stderr(&unknown));
}

#[test]
fn every_format_goes_into_a_file_and_replaces_it_whole() {
    let files = Files::new(rows(|_| 0.0), rows(|_| 250.0));
    let target = files.path("report");
    for format in ["table", "json", "html"] {
        let expected = files.text(&["--format", format]);
        let output = files.drift(&["--format", format, "--output", &target, "--fail-on", "drift"]);
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        assert!(output.stdout.is_empty());
        assert!(
            stderr(&output).contains(&format!("{target}: DRIFTED: 1 of 3")),
            "{}",
            stderr(&output)
        );
        assert_eq!(std::fs::read_to_string(&target).unwrap(), expected, "{format}");
    }
    let left: Vec<_> = std::fs::read_dir(&files.root).unwrap().collect();
    assert_eq!(left.len(), 3);
    let nowhere = files.drift(&["--output", &files.path("no/folder/report")]);
    assert_eq!(code(&nowhere), 4, "{}", stderr(&nowhere));
    assert!(stderr(&nowhere).contains("no/folder/report"), "{}", stderr(&nowhere));
}

#[test]
fn wrong_usage_and_columns_that_make_no_parts_are_refused() {
    let files = Files::new(rows(|_| 0.0), rows(|_| 0.0));
    for (flags, expected, words) in [
        (&["--window", "1d"][..], 2, "--time"),
        (&["--time", "at"], 2, "--window"),
        (&["--window", "1y", "--time", "at"], 2, "1y"),
        (&["--window", "1d", "--time", "at", "--segment-by", "station"], 2, "cannot be used with"),
        (&["--compat", "rule-of-thumb", "--segment-by", "station"], 2, "cannot be used with"),
        (&["--compat", "rule-of-thumb", "--format", "html"], 2, "--format html"),
        (&["--json", "--format", "html"], 2, "choose one"),
        (&["--most-segments", "3"], 2, "--segment-by"),
        (&["--segment-by", "statoin"], 3, "nearest=station"),
        (&["--segment-by", "station", "--most-segments", "0"], 3, "most=0"),
        (&["--segment-by", "station", "--columns", "station"], 3, "no column is left"),
        (&["--window", "1d", "--time", "ta"], 3, "column=ta"),
        (&["--window", "1d", "--time", "load"], 3, "column=load type=Float64"),
        (&["--window", "1s", "--time", "at"], 3, "make them longer"),
    ] {
        let output = files.drift(flags);
        assert_eq!(code(&output), expected, "{flags:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{flags:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{flags:?}");
    }
}

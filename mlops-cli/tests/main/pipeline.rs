//! `mlops pipeline`: a file of commands is run, cached, taken up; a wrong one is named.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{code, json, mlops, stderr};

const GOOD: &str = r#"
pipeline: words
inputs: { text: text.txt }
steps:
  count:
    command: [sh, count.sh, "{input:text}", "{output:count}"]
    files: [count.sh]
    inputs: [text]
    outputs: [count]
    params: { unit: words }
  double:
    command: [sh, -c, 'expr 2 \* $(cat "$MLOPS_INPUT_COUNT") > "$MLOPS_OUTPUT_TWICE"']
    inputs: [count]
    outputs: [twice]
    attempts: 2
    timeout: 30
"#;

struct Folder(TempDir);

impl Folder {
    fn with(pipeline: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("pipeline.yaml", pipeline);
        folder.write("text.txt", "to be or not");
        folder.write("count.sh", "wc -w < \"$1\" > \"$2\"\n");
        folder
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str]) -> std::process::Output {
        let (store, file) = (self.path("store"), self.path("pipeline.yaml"));
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (store, file) = (text(&store), text(&file));
        let mut all = vec!["--store", &store, "pipeline", args[0], &file];
        all.extend(&args[1..]);
        mlops(&all)
    }
}

#[test]
fn a_file_of_commands_runs_once_for_each_content() {
    let folder = Folder::with(GOOD);
    let plan = json(&folder.run(&["plan", "--json"]));
    assert_eq!(plan["steps"][0]["reasons"][0]["reason"], "never_ran");
    let first = folder.run(&["run", "--run", "first", "--json"]);
    assert_eq!((code(&first), &json(&first)["ran"]), (0, &2.into()), "{}", stderr(&first));
    assert!(stderr(&first).contains("count: begins"), "{}", stderr(&first));
    assert_eq!(json(&folder.run(&["run", "--json"]))["cached"], 2);
    assert_eq!(json(&folder.run(&["run", "--force", "--json"]))["ran"], 2);
    folder.write("count.sh", "wc -w < \"$1\" | tr -d ' ' > \"$2\"\n");
    let plan = json(&folder.run(&["plan", "--json"]));
    assert_eq!(plan["steps"][0]["reasons"][0]["reason"], "code_changed");
    assert_eq!(plan["steps"][1]["after"][0], "count");
}

#[test]
fn a_failed_run_goes_on_under_its_id() {
    let folder = Folder::with(GOOD);
    folder.write("pipeline.yaml", &GOOD.replace("expr 2", "test -e fixed && expr 2"));
    let broken = folder.run(&["run", "--run", "a"]);
    assert_eq!(code(&broken), 3, "{}", stderr(&broken));
    assert!(stderr(&broken).contains("step=double"), "{}", stderr(&broken));
    assert!(stderr(&broken).contains("--run a"), "{}", stderr(&broken));
    folder.write("fixed", "");
    let done = folder.run(&["run", "--run", "a", "--json"]);
    assert_eq!(code(&done), 0, "{}", stderr(&done));
    assert!(!stderr(&done).contains("count: begins"), "{}", stderr(&done));
}

#[test]
fn a_wrong_pipeline_is_named_and_leaves_nothing() {
    let cycle = GOOD.replace("inputs: [text]", "inputs: [text, twice]");
    let gone = GOOD.replace("command: [sh, count.sh", "command: [no-such-program");
    let cases = [
        (cycle, 3, "cycle"),
        (GOOD.replace("inputs: [count]", "inputs: [cuont]"), 3, "cuont"),
        (GOOD.replace("outputs: [twice]", "outputs: [count]"), 3, "count"),
        (GOOD.replace("outputs: [twice]", "output: [twice]"), 3, "output"),
        (GOOD.replace("timeout: 30", "timeout: -1"), 3, "-1"),
        (GOOD.replace("attempts: 2", "attempts: 0"), 3, "attempts=0"),
        (GOOD.replace("text.txt", "none.txt"), 4, "none.txt"),
        (GOOD.replace("files: [count.sh]", "files: [none.sh]"), 4, "none.sh"),
        (gone, 4, "no-such-program"),
        ("[".repeat(100_000), 3, "pipeline.yaml"),
        (String::new(), 3, "pipeline.yaml"),
    ];
    for (pipeline, expected, named) in cases {
        let folder = Folder::with(&pipeline);
        let output = folder.run(&["run", "--json"]);
        let message = stderr(&output);
        assert_eq!(code(&output), expected, "{named}: {message}");
        assert!(message.contains(named), "{named}: {message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    let folder = Folder::with(GOOD);
    std::fs::remove_file(folder.path("pipeline.yaml")).unwrap();
    assert_eq!(code(&folder.run(&["plan"])), 4);
}

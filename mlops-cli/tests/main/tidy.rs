//! Where `unsafe`, SQL and vendors' words may stand, and what every file looks like.

use std::path::{Path, PathBuf};

use super::root;

/// Every Rust source of the project, by its path from the root.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in [
        "mlops-core",
        "mlops-drift",
        "mlops-store",
        "mlops-http",
        "mlops-deploy",
        "mlops-cli",
        "benches",
        "examples",
    ] {
        walk(&root().join(folder), &mut files);
    }
    assert!(files.len() > 100, "only {} sources found", files.len());
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(read).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The code of a file, without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .map(|line| line.split(" // ").next().unwrap_or(line))
}

/// This file names what it looks for.
fn others() -> impl Iterator<Item = (String, String)> {
    sources().into_iter().filter(|(name, _)| !name.ends_with("tests/main/tidy.rs"))
}

#[track_caller]
fn stands_only(words: &[&str], allowed: fn(&str) -> bool) {
    let mut found = Vec::new();
    for (name, text) in others().filter(|(name, _)| !allowed(name)) {
        for line in code(&text) {
            let line = line.to_lowercase();
            if let Some(word) = words.iter().find(|word| line.contains(&word.to_lowercase())) {
                found.push(format!("{name}: {word}: {line}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn unsafe_stands_only_in_the_kernels() {
    stands_only(&["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code)"], |name| {
        name.starts_with("mlops-drift/src/kernels/")
    });
}

#[test]
fn sql_stands_only_in_its_folder_and_in_the_floor_of_a_bench() {
    stands_only(
        &[
            "select * from",
            " from runs",
            "insert into",
            "insert or",
            "delete from",
            "create table",
            "alter table",
            "on conflict",
            "pragma ",
            "begin immediate",
            "rusqlite::",
        ],
        |name| name.starts_with("mlops-store/src/sqlite/") || name == "benches/tracking.rs",
    );
}

#[test]
fn core_touches_files_and_processes_only_where_it_says_so() {
    let words =
        ["std::fs", "std::net", "std::process", "tokio::fs", "tokio::net", "tokio::process"];
    stands_only(&words, |name| {
        let Some(rest) = name.strip_prefix("mlops-core/src/") else { return true };
        let rooms = ["pipeline/", "fingerprint/", "memory/artifact.rs", "conformance/"];
        rooms.iter().any(|room| rest.starts_with(room))
    });
}

/// Tests that run other projects have to name them.
fn is_of_peers(name: &str) -> bool {
    ["mlops-deploy", "mlops-drift", "mlops-cli"]
        .iter()
        .any(|at| name.starts_with(&format!("{at}/tests/peers/")))
}

/// Where other tools' definitions are reproduced under their names, and tested without them.
fn is_of_compat(name: &str) -> bool {
    name.starts_with("mlops-drift/src/compat/")
        || ["mlops-drift", "mlops-cli"]
            .iter()
            .any(|at| name == format!("{at}/tests/main/compat.rs"))
}

#[test]
fn mlflows_words_stand_only_in_its_folder_and_where_the_folder_is_named() {
    let allowed = |name: &str| {
        name.split('/').any(|part| part.trim_end_matches(".rs") == "mlflow")
            || ["mod.rs", "rest/mod.rs"]
                .iter()
                .any(|file| name == format!("mlops-deploy/src/serving/{file}"))
            || is_of_peers(name)
    };
    stands_only(&["mlflow"], allowed);
}

#[test]
fn vendors_words_stand_only_in_comments_where_they_are_reproduced_and_in_the_tests_against_them() {
    let words = [
        "wandb",
        "evidently",
        "nannyml",
        "scouter",
        "airflow",
        "kubernetes",
        "seldon",
        "kserve",
        "bentoml",
        "dagster",
        "kedro",
        "prefect",
    ];
    stands_only(&words, |name| is_of_peers(name) || is_of_compat(name));
}

#[test]
fn every_file_says_in_its_first_line_what_it_is_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(name, _)| name)
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn no_file_outgrows_its_room() {
    let production =
        |text: &str| text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
    let large: Vec<(String, usize)> = sources()
        .into_iter()
        .filter(|(name, _)| {
            let exempt = ["/tests", "conformance", "/generated.rs"];
            !exempt.iter().any(|part| name.contains(part))
        })
        .map(|(name, text)| (name, production(&text)))
        .filter(|(_, lines)| *lines > 800)
        .collect();
    assert!(large.is_empty(), "{large:?}");
}

#[test]
fn nothing_is_ignored_without_a_reason_and_nothing_is_left_for_later() {
    let bare = ["#[ignore]", "```ignore", "todo!(", "unimplemented!(", "FIXME", "XXX"];
    let found: Vec<String> = others()
        .flat_map(|(name, text)| {
            let hits: Vec<String> = bare
                .iter()
                .filter(|word| text.contains(**word))
                .map(|word| format!("{name}: {word}"))
                .collect();
            hits
        })
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_readme_names_the_two_commands_and_ci_runs_the_second() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let (readme, ci) = (read("README.md"), read(".ci/run"));
    assert!(
        readme.contains("cargo run --release -p mlops-cli -- demo")
            && readme.contains("cargo test --workspace")
    );
    assert!(ci.contains("cargo test --workspace"));
}

#[test]
fn every_shape_has_its_schema() {
    let mut shapes = Vec::new();
    for (name, text) in sources().into_iter().filter(|(name, _)| {
        name.starts_with("mlops-cli/src") || name.starts_with("mlops-drift/src")
    }) {
        let quoted = text.split('"').skip(1).step_by(2);
        let found = quoted.filter(|word| {
            word.starts_with("mlops.") && word.ends_with("/1") && !word.contains(' ')
        });
        shapes.extend(found.map(|shape| (name.clone(), shape.replace('/', "."))));
    }
    assert!(shapes.len() >= 12, "{shapes:?}");
    for (name, shape) in shapes {
        let path = root().join(format!("docs/schemas/{shape}.json"));
        assert!(path.is_file(), "{name} prints {shape}, which has no schema");
    }
}

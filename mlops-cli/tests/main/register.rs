//! `models register`: a file becomes a version, or nothing is written.

use super::{code, json, mlops, stderr};

#[test]
fn versions_keep_their_own_bytes_and_an_alias_moves_to_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = (folder.path().join("store"), folder.path().join("model.bin"));
    let (store, file) = (store.to_str().unwrap(), file.to_str().unwrap());
    let register = |text: &str| {
        std::fs::write(file, text).unwrap();
        let args = ["models", "register", "m", file, "--flavour", "mine", "--alias", "champion"];
        let output = mlops(&[&["--store", store][..], &args, &["--json"]].concat());
        // Somebody else serves this flavour; that this program can't is said.
        assert!(stderr(&output).contains("can't load flavour mine"), "{}", stderr(&output));
        json(&output)
    };
    let (first, second) = (register("one"), register("two"));
    assert_eq!((&first["version"], &second["version"]), (&1.into(), &2.into()));
    assert_ne!(first["digest"], second["digest"]);
    let shown = json(&mlops(&["--store", store, "models", "show", "m", "--json"]));
    assert_eq!(shown["aliases"]["champion"], 2);
    assert_ne!(shown["versions"][0]["artifact"], shown["versions"][1]["artifact"]);
    assert_eq!(shown["versions"][0]["digest"], first["digest"]);
}

#[test]
fn what_is_no_model_is_refused_and_leaves_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let damaged = folder.path().join("damaged.json");
    std::fs::write(&damaged, "{}").unwrap();
    let (inside, damaged) = (folder.path().to_str().unwrap(), damaged.to_str().unwrap());
    for (file, flavour, expected, word) in [
        ("/nowhere/model.json", "flight-delay/1", 4, "/nowhere/model.json"),
        (inside, "flight-delay/1", 3, inside),
        (damaged, "flight-delay/1", 3, damaged),
    ] {
        let args = ["models", "register", "m", file, "--flavour", flavour];
        let output = mlops(&[&["--store", store.to_str().unwrap()][..], &args].concat());
        assert_eq!(code(&output), expected, "{file}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
        assert!(!store.exists(), "{file} left a store behind");
    }
}

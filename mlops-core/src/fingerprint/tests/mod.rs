//! The test vectors of the run key, and what must differ or stay the same.

mod compare;
mod trees;
mod typed;

use super::environment::{Environment, Hardware, Lock, LockKind};
use super::tree::{Mode, Tree, TreeEntry};
use super::*;
use crate::id::Digest;

const V1: &str = "32a8c900af4a65b6c321551d53165ba44f51b6d90d2c87b9f4b318c5b9d27584";
const V2: &str = "0126deb86b180a6d33905dd6500b3460a0b36b24ac7a97b0284a1e301bd0c28f";
const V3: &str = "mrk1:d91aedcc7430a682c5b63098024ffa9303f344887d00e7b6c51feab06603a41a";
const V4: &str = "mrk1:d57a04b94811bc15b074d489ae69c6b347cf89c3ee6c8a815bfef04e372b08e3";

fn vector_tree() -> Tree {
    let content = |byte| Digest::from_bytes([byte; 32]);
    Tree::new([
        TreeEntry::new("src/main.rs", Mode::File, content(0xaa)),
        TreeEntry::new("run.sh", Mode::Executable, content(0xbb)),
        TreeEntry::new(b"\xff\xfe".to_vec(), Mode::File, content(0xcc)),
    ])
    .unwrap()
}

/// The run of vector V3.
fn vector_run() -> FingerprintBuilder {
    Fingerprint::builder()
        .code(&vector_tree())
        .param("lr", 0.001)
        .param("epochs", 10)
        .data("train", format!("b3:{}", "11".repeat(32)))
        .seed("torch", 7)
        .seed("numpy", None)
}

/// The environment of vector V4.
fn vector_environment() -> Environment {
    let lock = format!("sha256:{}", "22".repeat(32)).parse().unwrap();
    Environment::default()
        .with_lock(Lock::from_digest(LockKind::Cargo, lock))
        .with_toolchain("rustc 1.95.0 (f2d3ce0bd)")
        .with_image(&format!("sha256:{}", "33".repeat(32)))
        .unwrap()
}

#[test]
fn vector_1_typed_values() {
    let params = Value::map([
        ("lr", Value::from(0.001)),
        ("epochs", 10.into()),
        ("name", "é".into()),
        ("decay", 1.0.into()),
        ("flags", Value::List(vec![true.into(), Value::Null, "1".into()])),
        ("\u{fb33}", 1.into()),
        ("\u{1f600}", 2.into()),
        ("neg0", (-0.0).into()),
        ("big", (1_u64 << 63).into()),
    ]);
    let digest = digest(Label::Section(Section::Params), &params.canonical());
    assert_eq!(digest.to_hex(), V1);
}

#[test]
fn vector_2_tree() {
    assert_eq!(vector_tree().digest().to_hex(), V2);
}

#[test]
fn vector_3_declared() {
    let run = vector_run().build();
    assert_eq!(run.key(Level::Declared).unwrap().to_string(), V3);
    assert_eq!(run.declared_key().to_string(), V3);
    assert_eq!(run.key(Level::Locked), None);
    assert_eq!(run.key(Level::Bitwise), None);
}

#[test]
fn vector_4_locked() {
    let run = vector_run().env(vector_environment()).build();
    assert_eq!(run.key(Level::Declared).unwrap().to_string(), V3);
    assert_eq!(run.key(Level::Locked).unwrap().to_string(), V4);
    let bitwise = vector_run().env(vector_environment()).hw(Hardware::default()).build();
    assert_eq!(bitwise.key(Level::Locked).unwrap().to_string(), V4);
    assert_eq!(bitwise.keys().len(), 3);
    let no_environment = vector_run().hw(Hardware::default()).build();
    assert_eq!(no_environment.key(Level::Bitwise), None);
}

#[test]
fn a_missing_seed_is_null_and_a_gap_but_not_refused() {
    let run = vector_run().build();
    assert_eq!(run.gaps(), [Gap::NoSeed("numpy".into())]);
    assert!(!run.is_reproducible());
    assert!(vector_run().seed("numpy", 1).build().is_reproducible());
    let bare = Fingerprint::builder().build();
    assert_eq!(bare.gaps(), [Gap::NoCode]);
    let lock = Lock::parse(LockKind::Requirements, std::path::Path::new("r"), b"a>1").unwrap();
    let loose = vector_run().seed("numpy", 1).env(Environment::default().with_lock(lock)).build();
    assert_eq!(loose.gaps(), [Gap::NotLocked("a>1".into())]);
}

#[test]
fn data_is_sorted_and_named_once() {
    let one = Fingerprint::builder().data("b", "x:2").data("a", "x:9").data("b", "x:1");
    let two = Fingerprint::builder().data("b", "x:1").data("b", "x:2").data("a", "x:9");
    let again = two.clone().data("a", "x:9").build();
    assert_eq!(one.build().declared_key(), two.build().declared_key());
    assert_eq!(
        again.section(Section::Data),
        Some(&Value::List(vec![
            Value::map([("id", "x:9"), ("role", "a")]),
            Value::map([("id", "x:1"), ("role", "b")]),
            Value::map([("id", "x:2"), ("role", "b")]),
        ]))
    );
}

#[test]
fn a_stored_fingerprint_is_read_back_and_checked() {
    let run = vector_run().env(vector_environment()).hw(Hardware::default()).build();
    let json = serde_json::to_string(&run).unwrap();
    assert!(json.contains(V4));
    assert_eq!(serde_json::from_str::<Fingerprint>(&json).unwrap(), run);
    for (from, to, word) in [
        ("\"10\"", "\"11\"", "do not follow"),
        ("\"v1\"", "\"v2\"", "unknown rules"),
        ("mrk1:d", "mrk1:e", "do not follow"),
        ("\"seeds\":[", "\"hw\":[", ""),
    ] {
        assert!(json.contains(from), "{from}");
        let error = serde_json::from_str::<Fingerprint>(&json.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(word), "{from}: {error}");
    }
}

#[test]
fn a_changed_step_changes_its_descendants_only() {
    let none = Value::Map(Default::default());
    let graph = |train: &str, swapped: bool| {
        let mut graph = Graph::new();
        let data = [StepInput::Data("b3:22".into())];
        let names = if swapped { ["side", "prepare"] } else { ["prepare", "side"] };
        for name in names {
            graph.add(name, "b3:11", &none, &data).unwrap();
        }
        graph.add("train", train, &none, &[StepInput::Step("prepare".into())]).unwrap();
        graph.add("judge", "b3:44", &none, &[StepInput::Step("train".into())]).unwrap();
        graph
    };
    let (old, new) = (graph("b3:33", false), graph("b3:34", true));
    for name in ["prepare", "side"] {
        assert_eq!(old.key(name), new.key(name));
    }
    for name in ["train", "judge"] {
        assert_ne!(old.key(name), new.key(name));
    }
    assert_eq!(Value::from(&old), Value::from(&graph("b3:33", true)), "order of adding");
    let Some(Value::List(steps)) = Value::from(&old).get("steps").cloned() else { panic!() };
    let names: Vec<&str> = steps.iter().filter_map(|it| it.get("name")?.as_text()).collect();
    assert_eq!(names, ["prepare", "side", "train", "judge"]);
}

#[test]
fn a_graph_refuses_unknown_inputs_and_second_names() {
    let none = Value::Null;
    let mut graph = Graph::new();
    assert!(graph.add("b", "f", &none, &[StepInput::Step("a".into())]).is_err());
    assert!(graph.add("b", "f", &none, &[StepInput::Data("step:a".into())]).is_err());
    graph.add("a", "f", &none, &[]).unwrap();
    assert!(graph.add("a", "f", &none, &[]).is_err());
}

//! The arrows of ARCHITECTURE.md, asked of cargo itself.

use std::collections::BTreeSet;
use std::process::Command;

use super::root;

/// The packages that a crate links, itself included.
fn tree(args: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command
        .current_dir(root())
        .args(["tree", "--locked", "--offline", "--prefix", "none", "--format", "{p}"])
        .args(args);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    names.map(ToOwned::to_owned).collect()
}

#[track_caller]
fn links_none_of(args: &[&str], forbidden: &[&str]) {
    let linked = tree(args);
    assert!(linked.len() > 3, "{args:?}: {linked:?}");
    let found: Vec<&String> = linked
        .iter()
        .filter(|name| {
            forbidden.iter().any(|f| {
                name.strip_prefix(f).is_some_and(|rest| rest.is_empty() || f.ends_with('-'))
            })
        })
        .collect();
    assert!(found.is_empty(), "{args:?} links {found:?}");
}

const HTTP: [&str; 5] = ["hyper", "reqwest", "axum", "tonic", "hyper-util"];
const SQL: [&str; 4] = ["rusqlite", "libsqlite3-sys", "sqlx", "tokio-postgres"];

#[test]
fn core_knows_no_http_no_sql_no_arrow_and_no_crate_of_ours() {
    let core = ["-p", "mlops-core", "-e", "normal", "--all-features"];
    links_none_of(&core, &HTTP);
    links_none_of(&core, &SQL);
    links_none_of(
        &core,
        &[
            "arrow",
            "arrow-",
            "parquet",
            "kube",
            "mlops-drift",
            "mlops-store",
            "mlops-deploy",
            "mlops-cli",
        ],
    );
}

#[test]
fn drift_knows_no_async_no_store_and_no_crate_of_ours() {
    let drift = ["-p", "mlops-drift", "-e", "normal"];
    links_none_of(
        &drift,
        &["tokio", "futures", "async-trait", "mlops-core", "mlops-store", "parquet"],
    );
    links_none_of(&drift, &HTTP);
    links_none_of(&drift, &SQL);
}

#[test]
fn store_knows_core_and_neither_drift_nor_servers() {
    let store = ["-p", "mlops-store", "-e", "normal", "--all-features"];
    assert!(tree(&store).contains("mlops-core"));
    links_none_of(&store, &["mlops-drift", "mlops-deploy", "mlops-cli", "arrow", "arrow-"]);
    links_none_of(&store, &HTTP);
    let lean = ["-p", "mlops-store", "-e", "normal", "--no-default-features"];
    links_none_of(&lean, &SQL);
}

#[test]
fn http_knows_no_crate_of_ours_no_sql_and_no_arrow() {
    let http = ["-p", "mlops-http", "-e", "normal", "--all-features"];
    assert!(tree(&http).contains("hyper"));
    links_none_of(
        &http,
        &["mlops-core", "mlops-drift", "mlops-store", "mlops-cli", "arrow", "arrow-", "parquet"],
    );
    links_none_of(&http, &SQL);
    links_none_of(&http, &["rustls", "reqwest", "tonic", "openssl"]);
}

#[test]
fn deploy_knows_core_and_http_and_neither_how_things_are_kept_nor_drift() {
    let deploy = ["-p", "mlops-deploy", "-e", "normal", "--all-features"];
    assert!(tree(&deploy).contains("mlops-core"));
    links_none_of(&deploy, &["mlops-store", "mlops-drift", "mlops-cli", "parquet"]);
    links_none_of(&deploy, &SQL);
    let lean = ["-p", "mlops-deploy", "-e", "normal", "--no-default-features"];
    links_none_of(&lean, &["tonic", "prost"]);
}

#[test]
fn nobody_depends_on_the_binary_the_benches_or_the_examples() {
    for top in ["mlops-core", "mlops-drift", "mlops-store", "mlops-http", "mlops-deploy"] {
        links_none_of(
            &["-p", top, "-e", "normal"],
            &["mlops-cli", "mlops-benches", "mlops-examples"],
        );
    }
}

#[test]
fn there_is_one_arrow_one_sqlite_and_no_second_tls() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let count = |name: &str| lock.matches(&format!("name = \"{name}\"\n")).count();
    for one in ["arrow", "arrow-array", "parquet", "libsqlite3-sys", "ndarray"] {
        assert_eq!(count(one), 1, "{one}");
    }
    for none in ["openssl-sys", "aws-lc-rs", "aws-lc-sys", "serde_yaml", "native-tls"] {
        assert_eq!(count(none), 0, "{none}");
    }
}

//! Hands the compiler's version and the lock file to the binary: both are part of a run key's environment.

use std::path::{Path, PathBuf};

fn main() {
    lock_file();
    compiler();
}

/// The workspace's lock file; in a package that was taken out of it, the package's own.
fn lock_file() {
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let found = [folder.join("../Cargo.lock"), folder.join("Cargo.lock")]
        .into_iter()
        .find(|path| path.is_file());
    let text = found.as_ref().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
    let out = std::env::var_os("OUT_DIR").unwrap_or_default();
    if let Err(error) = std::fs::write(Path::new(&out).join("Cargo.lock"), text) {
        println!("cargo:warning=cannot copy the lock file: {error}");
    }
    if let Some(path) = found {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}

fn compiler() {
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let told = std::process::Command::new(compiler).arg("-vV").output();
    let text =
        told.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let line = |start: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(start))
            .unwrap_or("unknown")
            .trim()
            .to_owned()
    };
    println!("cargo:rustc-env=MLOPS_RUSTC=rustc {} ({})", line("release:"), line("commit-hash:"));
    println!("cargo:rerun-if-changed=build.rs");
}

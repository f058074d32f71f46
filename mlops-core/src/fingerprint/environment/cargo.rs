//! Reads `Cargo.lock`, versions 1 to 4: name and version of a package mean the same in each.

use serde::Deserialize;

use super::lock::{Lock, LockKind, Source};
use super::packages::Package;
use crate::error::Result;

#[derive(Deserialize)]
struct CargoLock {
    package: Vec<CargoPackage>,
}

#[derive(Deserialize)]
struct CargoPackage {
    name: String,
    version: String,
}

pub(super) fn parse(source: Source<'_>, text: &str) -> Result<Lock> {
    let file: CargoLock = source.toml(text)?;
    let packages = file.package.into_iter().map(|it| Package::new(it.name, it.version)).collect();
    Ok(Lock::of_bytes(LockKind::Cargo, text, packages))
}

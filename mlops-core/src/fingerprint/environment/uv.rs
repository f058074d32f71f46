//! Reads `uv.lock`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::lock::{Lock, LockKind, Source, Unlocked};
use super::packages::{Package, normalised};
use crate::error::Result;

/// Where a package comes from when it is part of the source tree, whose digest covers it.
const LOCAL_SOURCES: [&str; 3] = ["editable", "virtual", "directory"];

#[derive(Deserialize)]
struct UvLock {
    /// Its presence tells this file from other TOML.
    #[serde(rename = "version")]
    _version: u32,
    #[serde(default)]
    package: Vec<toml::Spanned<UvPackage>>,
}

#[derive(Deserialize)]
struct UvPackage {
    name: String,
    version: Option<String>,
    #[serde(default)]
    source: BTreeMap<String, toml::Value>,
}

pub(super) fn parse(source: Source<'_>, text: &str) -> Result<Lock> {
    let file: UvLock = source.toml(text)?;
    let mut packages = Vec::new();
    let mut unlocked = Vec::new();
    for package in file.package {
        let line = super::lock::line_at(text.as_bytes(), package.span().start);
        let UvPackage { name, version, source } = package.into_inner();
        match version {
            Some(version) => packages.push(Package::new(normalised(&name), version)),
            None if LOCAL_SOURCES.iter().any(|local| source.contains_key(*local)) => {}
            None => unlocked.push(Unlocked { name: normalised(&name), text: name, line }),
        }
    }
    let lock = Lock::of_bytes(LockKind::Uv, text, packages);
    Ok(Lock { unlocked, ..lock })
}

//! Data versions on the disk: a file or folder in, a folder out.

use std::fs;
use std::path::{Path, PathBuf};

use mlops_core::artifact::{Body, ContentStore};
use mlops_core::data::{DataVersion, DataVersionStore, Entry, Manifest, NewDataVersion};
use mlops_core::error::{Error, ErrorKind, Result};
use mlops_core::id::{ArtifactPath, DataVersionId, DatasetName, IdSource as _, RandomIds};

/// Stores a file, or all files of a folder, and commits them as a version of `dataset`. Its parent is
/// the newest version so far, unless that has the very same content.
///
/// # Errors
/// `NotFound` for a missing path; `InvalidInput` for links, special files and names that are not
/// UTF-8, naming them: what can't be checked out again is not taken in.
pub async fn add(
    content: &dyn ContentStore,
    versions: &dyn DataVersionStore,
    dataset: DatasetName,
    path: &Path,
    message: &str,
) -> Result<DataVersion> {
    let mut entries = Vec::new();
    for (name, file) in files_of(path)? {
        let blob = content.put_content(Body::File(file)).await?;
        entries.push(Entry { path: name, blob });
    }
    let manifest = Manifest::new(entries)?;
    let parent = mlops_core::data::newest(versions, &dataset).await?.map(|newest| newest.id);
    let parent = parent.filter(|parent| *parent != manifest.id());
    let mut new = NewDataVersion::new(dataset, manifest).with_message(message);
    new.parent = parent;
    versions.commit(new).await
}

/// Writes a version's files into the new folder `to`, which appears whole or not at all.
///
/// # Errors
/// `AlreadyExists` when `to` is there; `Corrupt` naming an object whose bytes have changed.
pub async fn checkout(
    content: &dyn ContentStore,
    versions: &dyn DataVersionStore,
    id: &DataVersionId,
    to: &Path,
) -> Result<Manifest> {
    let manifest = versions.manifest(id).await?;
    if to.exists() {
        let message = format!("the folder is there already, name a new one: path={}", to.display());
        return Err(Error::new(ErrorKind::AlreadyExists, message));
    }
    let partial = to.with_added_extension(format!("partial-{}", RandomIds.next_hex()));
    let written = write_files(content, &manifest, &partial).await;
    let written = written.and_then(|()| {
        fs::rename(&partial, to).map_err(|source| Error::io("rename a folder", to, source))
    });
    if written.is_err() {
        // The first error is the one that counts.
        fs::remove_dir_all(&partial).ok();
    }
    written.map(|()| manifest)
}

async fn write_files(content: &dyn ContentStore, manifest: &Manifest, root: &Path) -> Result<()> {
    let make = |folder: &Path| {
        fs::create_dir_all(folder).map_err(|source| Error::io("create a folder", folder, source))
    };
    make(root)?;
    for entry in manifest.entries() {
        let file = root.join(entry.path.as_str());
        make(file.parent().unwrap_or(root))?;
        content.fetch_content(&entry.blob.digest, &file).await?;
    }
    Ok(())
}

/// The files at `path`, by the name they get in the version, ordered.
fn files_of(path: &Path) -> Result<Vec<(ArtifactPath, PathBuf)>> {
    let meta = fs::metadata(path).map_err(|source| Error::io("read a path", path, source))?;
    if meta.is_file() {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| unfit(path, "its name is not UTF-8"))?;
        return Ok(vec![(ArtifactPath::new(name)?, path.to_owned())]);
    }
    let mut files = Vec::new();
    walk(path, "", &mut files)?;
    files.sort();
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<(ArtifactPath, PathBuf)>) -> Result<()> {
    let failed = |source| Error::io("list a folder", folder, source);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| unfit(&path, "its name is not UTF-8"))?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            walk(&path, &format!("{prefix}{name}/"), files)?;
        } else if kind.is_file() {
            files.push((ArtifactPath::new(format!("{prefix}{name}"))?, path));
        } else {
            return Err(unfit(&path, "it is a link or a special file"));
        }
    }
    Ok(())
}

fn unfit(path: &Path, why: &str) -> Error {
    Error::invalid(format!(
        "a file can't be part of a data version, {why}: path={}",
        path.display()
    ))
}

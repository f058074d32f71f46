//! Files that are there whole or not at all, and reads that don't trust the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mlops_core::artifact::Blob;
use mlops_core::error::{Error, ErrorKind, Result};
use mlops_core::id::{Digest, IdSource as _, RandomIds};

/// Age from which a file under `tmp/` can't belong to a running write any more.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// Bytes that are copied at once.
const CHUNK: usize = 256 * 1024;

/// A file on its way; removed when it is dropped before it is published.
pub(super) struct Temp {
    path: PathBuf,
    file: File,
    published: bool,
}

impl Temp {
    pub(super) fn create(folder: &Path) -> Result<Self> {
        // Like no other's, also when processes on two machines share the folder.
        let path = folder.join(RandomIds.next_hex());
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|source| Error::io("create a file", &path, source))?;
        Ok(Self { path, file, published: false })
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> Result<Blob> {
        self.file
            .write_all(bytes)
            .map_err(|source| Error::io("write a file", &self.path, source))?;
        Ok(Blob { digest: Digest::of(bytes), size: bytes.len() as u64 })
    }

    pub(super) fn copy_from(&mut self, source: &Path) -> Result<Blob> {
        let mut from =
            File::open(source).map_err(|error| Error::io("read a file", source, error))?;
        let is_file = from.metadata().is_ok_and(|meta| meta.is_file());
        if !is_file {
            return Err(Error::invalid(format!("not a file: path={}", source.display())));
        }
        copy_hashing(&mut from, source, &mut self.file, &self.path)
    }

    /// Syncs the file and gives it its name.
    pub(super) fn publish(mut self, place: &Path) -> Result<()> {
        self.file.sync_all().map_err(|source| Error::io("sync a file", &self.path, source))?;
        let folder = place.parent().unwrap_or(Path::new("."));
        create_folders(folder)?;
        fs::rename(&self.path, place)
            .map_err(|source| Error::io("rename a file", place, source))?;
        self.published = true;
        sync_folder(folder)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(%error, path = %self.path.display(), "a temporary file stays behind");
        }
    }
}

/// Creates the folders that are missing, each synced into the one above.
fn create_folders(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new("."));
    create_folders(above)?;
    match fs::create_dir(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::io("create a folder", folder, source))
        }
        _ => sync_folder(above),
    }
}

pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| Error::io("sync a folder", folder, source))
}

/// Removes a file, if it is there, for good.
pub(super) fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Ok(()) => sync_folder(file.parent().unwrap_or(Path::new("."))),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::io("remove a file", file, source)),
    }
}

fn open_object(path: &Path, digest: &Digest) -> Result<File> {
    File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::not_found("object", digest),
        _ => Error::io("read an object", path, source),
    })
}

fn damaged(digest: &Digest, path: &Path) -> Error {
    let message =
        format!("an object is not what was stored: object={digest} file={}", path.display());
    Error::new(ErrorKind::Corrupt, message)
}

/// Reads an object to its end, and says whether its bytes are what their name says. Its size does not
/// matter.
pub(super) fn verify(path: &Path, digest: &Digest) -> Result<()> {
    let mut hasher = blake3::Hasher::new();
    let read = hasher.update_reader(open_object(path, digest)?);
    read.map_err(|source| Error::io("read an object", path, source))?;
    let found = Digest::from_bytes(*hasher.finalize().as_bytes());
    if found == *digest { Ok(()) } else { Err(damaged(digest, path)) }
}

/// The bytes of an object, if they are what their name says.
pub(super) fn read_verified(path: &Path, digest: &Digest) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = open_object(path, digest)?.read_to_end(&mut bytes);
    read.map_err(|source| Error::io("read an object", path, source))?;
    if Digest::of(&bytes) == *digest { Ok(bytes) } else { Err(damaged(digest, path)) }
}

/// Copies an object to a new file, which appears only when its bytes are what their name says.
pub(super) fn copy_verified(path: &Path, digest: &Digest, to: &Path) -> Result<()> {
    let mut from = open_object(path, digest)?;
    let partial = to.with_added_extension("partial");
    let mut file =
        File::create(&partial).map_err(|source| Error::io("create a file", &partial, source))?;
    let outcome = match copy_hashing(&mut from, path, &mut file, &partial) {
        Ok(blob) if blob.digest == *digest => {
            fs::rename(&partial, to).map_err(|source| Error::io("rename a file", to, source))
        }
        Ok(_) => Err(damaged(digest, path)),
        Err(error) => Err(error),
    };
    if outcome.is_err() {
        // The first error is the one that counts.
        fs::remove_file(&partial).ok();
    }
    outcome
}

fn copy_hashing(from: &mut File, source: &Path, to: &mut File, place: &Path) -> Result<Blob> {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK];
    let mut size = 0;
    loop {
        let read =
            from.read(&mut chunk).map_err(|error| Error::io("read a file", source, error))?;
        if read == 0 {
            break;
        }
        hasher.update(&chunk[..read]);
        size += read as u64;
        to.write_all(&chunk[..read]).map_err(|error| Error::io("write a file", place, error))?;
    }
    Ok(Blob { digest: Digest::from_bytes(*hasher.finalize().as_bytes()), size })
}

/// Removes files that nobody can be writing any more.
pub(super) fn sweep(folder: &Path) -> Result<()> {
    for entry in list(folder)? {
        let age =
            entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > STALE) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder).and_then(Iterator::collect) {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(|source| Error::io("list a folder", folder, source)),
    }
}

/// Collects the artifact paths whose pointers lie in `folder`, each behind `prefix`.
pub(super) fn walk_pointers(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> Result<()> {
    for entry in list(folder)? {
        let name = entry.file_name();
        match name.to_str().and_then(|name| name.split_once('.')) {
            Some(("d", name)) => walk_pointers(&entry.path(), &format!("{prefix}{name}/"), paths)?,
            Some(("f", name)) => paths.push(format!("{prefix}{name}")),
            _ => tracing::warn!(path = %entry.path().display(), "not a file of the store"),
        }
    }
    Ok(())
}

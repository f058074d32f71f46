//! What a deployer writes down: one folder a revision, its spec and a record a replica.
//!
//! ```text
//! lock                                  held while a deployer is open
//! id                                    tells this deployer's processes from another's
//! ENDPOINT/REVISION/spec.json           written before anything is started
//! ENDPOINT/REVISION/replica-0.json      the mark and port, written before the start; the leader after it
//! ENDPOINT/REVISION/replica-0.log       what it prints
//! ENDPOINT/REVISION/ending              it is to end, whatever happens
//! ```

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use mlops_core::deploy::{RevisionRef, RevisionSpec};
use mlops_core::id::{EndpointName, IdSource as _, RandomIds, RevisionName};
use mlops_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::group::Leader;

/// What is known of a replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// What its processes carry.
    pub(super) mark: String,
    /// Where it answers.
    pub(super) port: u16,
    /// Who leads it; `None` from before the start until it is known.
    pub(super) leader: Option<Leader>,
    /// How often it was started again.
    pub(super) restarts: u32,
}

/// The folder of a deployer. Nobody else has it open.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    id: String,
    _lock: File,
}

impl Folder {
    /// Opens the folder, made when it is not there.
    ///
    /// # Errors
    /// `Conflict` while another deployer has it open, and those of the disk.
    pub(super) fn open(root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root).map_err(|e| Error::io("make a folder", root, e))?;
        let path = root.join("lock");
        let lock = File::create(&path).map_err(|e| Error::io("open a lock", &path, e))?;
        lock.try_lock().map_err(|_| {
            let message = format!("another deployer works in this folder: path={}", root.display());
            Error::new(ErrorKind::Conflict, message)
        })?;
        let path = root.join("id");
        let id = match std::fs::read_to_string(&path) {
            Ok(id) if !id.is_empty() => id,
            Ok(_) => new_id(&path)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => new_id(&path)?,
            Err(error) => return Err(Error::io("read a deployer's id", &path, error)),
        };
        Ok(Self { root: root.to_owned(), id, _lock: lock })
    }

    /// What the marks of all replicas here begin with.
    pub(super) fn marks(&self) -> String {
        format!("{}/", self.id)
    }

    /// What the marks of a revision's replicas begin with.
    pub(super) fn marks_of(&self, revision: &RevisionRef) -> String {
        format!("{}{revision}/", self.marks())
    }

    /// A mark that no process has had.
    pub(super) fn new_mark(&self, revision: &RevisionRef, replica: u32) -> String {
        format!("{}{replica}/{}", self.marks_of(revision), RandomIds.next_hex())
    }

    pub(super) fn of(&self, revision: &RevisionRef) -> RevisionFolder {
        folder_of(&self.root, revision)
    }

    /// The revisions that were written down.
    pub(super) fn revisions(&self) -> Result<Vec<RevisionRef>> {
        revisions(&self.root)
    }
}

/// Where a revision lies in the folder of a deployer.
pub(super) fn folder_of(root: &Path, revision: &RevisionRef) -> RevisionFolder {
    RevisionFolder(root.join(revision.endpoint.as_str()).join(revision.revision.as_str()))
}

/// The revisions that were written down in the folder of a deployer; none without a folder.
pub(super) fn revisions(root: &Path) -> Result<Vec<RevisionRef>> {
    let mut revisions = Vec::new();
    for endpoint in folders(root)? {
        for revision in folders(&root.join(&endpoint))? {
            revisions.push(RevisionRef {
                endpoint: EndpointName::new(&endpoint)?,
                revision: RevisionName::new(revision)?,
            });
        }
    }
    Ok(revisions)
}

fn new_id(path: &Path) -> Result<String> {
    let id = RandomIds.next_hex();
    write(path, id.as_bytes())?;
    Ok(id)
}

fn folders(path: &Path) -> Result<Vec<String>> {
    let wrong = |error| Error::io("list a folder", path, error);
    let mut names = Vec::new();
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
        entries => entries.map_err(wrong)?,
    };
    for entry in entries {
        let entry = entry.map_err(wrong)?;
        if entry.file_type().map_err(wrong)?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The folder of one revision.
#[derive(Debug, Clone)]
pub(super) struct RevisionFolder(PathBuf);

impl RevisionFolder {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn log(&self, replica: u32) -> PathBuf {
        self.0.join(format!("replica-{replica}.log"))
    }

    pub(super) fn write_spec(&self, spec: &RevisionSpec) -> Result<()> {
        std::fs::create_dir_all(&self.0).map_err(|e| Error::io("make a folder", &self.0, e))?;
        write(&self.0.join("spec.json"), &to_json(spec)?)
    }

    /// `None` when the revision was never wholly written down.
    pub(super) fn spec(&self) -> Result<Option<RevisionSpec>> {
        read(&self.0.join("spec.json"))
    }

    pub(super) fn write_record(&self, replica: u32, record: &Record) -> Result<()> {
        write(&self.0.join(format!("replica-{replica}.json")), &to_json(record)?)
    }

    pub(super) fn record(&self, replica: u32) -> Result<Option<Record>> {
        read(&self.0.join(format!("replica-{replica}.json")))
    }

    pub(super) fn write_ending(&self) -> Result<()> {
        write(&self.0.join("ending"), b"")
    }

    pub(super) fn is_ending(&self) -> bool {
        self.0.join("ending").exists()
    }

    /// Forgets the revision: the spec first and for good, so that a crash half-way brings nothing back.
    pub(super) fn remove(&self) -> Result<()> {
        let sync = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
        let removed = std::fs::remove_file(self.0.join("spec.json"))
            .or_else(unless_absent)
            .and_then(|()| sync(&self.0))
            .and_then(|()| std::fs::remove_dir_all(&self.0));
        let wrong = |error| Error::io("remove a revision's folder", &self.0, error);
        removed.or_else(unless_absent).map_err(wrong)
    }
}

/// What is not there need not be removed.
fn unless_absent(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value)
        .map_err(|source| Error::invalid("a record can't be written as JSON").with_source(source))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read a deployer's record", path, error)),
    };
    let value = serde_json::from_slice(&bytes).map_err(|source| {
        let message = format!("a deployer's record is damaged: path={}", path.display());
        Error::new(ErrorKind::Corrupt, message).with_source(source)
    })?;
    Ok(Some(value))
}

/// Writes a file as a whole: another name, synced, then renamed.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let wrong = |error| Error::io("write a deployer's record", path, error);
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary).map_err(wrong)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(wrong)?;
    std::fs::rename(&temporary, path).map_err(wrong)?;
    match path.parent() {
        Some(folder) => File::open(folder).and_then(|folder| folder.sync_all()).map_err(wrong),
        None => Ok(()),
    }
}

//! Reads a source tree from a folder.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Mode, Notice, Tree, TreeEntry, git, notebook};
use crate::error::{Error, Result};
use crate::id::Digest;

/// Folders that hold no source, wherever they lie.
const SKIPPED: [&str; 2] = [".git", "target"];
/// A git LFS pointer begins with this and is shorter than [`POINTER_LIMIT`].
const POINTER_MARK: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
const POINTER_LIMIT: u64 = 1024;

impl Tree {
    /// Reads the source in `root`: by [`Tree::read_git`] when it lies in a git work tree, otherwise
    /// by [`Tree::read_folder`]. A folder of which the work tree around it ignores everything
    /// counts as lying in none.
    ///
    /// # Errors
    /// As for the two; `Failed` when there is a work tree and no git, because a listing with the
    /// ignored files would give another digest.
    pub fn read(root: &Path) -> Result<Self> {
        if !git::has_work_tree(root) {
            return Self::read_folder(root);
        }
        let tree = Self::read_git(root)?;
        if tree.entries().is_empty() { Self::read_folder(root) } else { Ok(tree) }
    }

    /// Reads the files below `root` that git tracks, or that are new and not ignored, with their
    /// content on disk. Runs `git`.
    ///
    /// # Errors
    /// `Failed` when git is absent or can't read the work tree; `NotFound` and others from reading.
    pub fn read_git(root: &Path) -> Result<Self> {
        let mut reader = Reader::new(root);
        for path in git::list_files(root)? {
            // A folder's listing ends in `/` when it is a repository that is not a submodule yet.
            let path = path.strip_suffix(b"/").unwrap_or(&path);
            match fs::symlink_metadata(reader.absolute(path)) {
                Ok(metadata) => reader.add(path.to_vec(), &metadata)?,
                // Tracked, and deleted in the work tree: no part of the source any more.
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(Error::io("read file", &reader.absolute(path), error)),
            }
        }
        reader.finish()
    }

    /// Reads every file below `root` except those in folders called `.git` or `target`. Links are
    /// not followed; sockets, pipes and devices are left out.
    ///
    /// # Errors
    /// `NotFound` when there is no such folder, and others from reading.
    pub fn read_folder(root: &Path) -> Result<Self> {
        let mut reader = Reader::new(root);
        let mut waiting = vec![root.to_owned()];
        while let Some(folder) = waiting.pop() {
            let failed = |error| Error::io("list folder", &folder, error);
            for item in fs::read_dir(&folder).map_err(failed)? {
                let path = item.map_err(failed)?.path();
                let metadata = fs::symlink_metadata(&path)
                    .map_err(|error| Error::io("read file", &path, error))?;
                if !metadata.is_dir() {
                    reader.add(reader.relative(&path), &metadata)?;
                } else if !SKIPPED.iter().any(|name| path.ends_with(name)) {
                    waiting.push(path);
                }
            }
        }
        reader.finish()
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Collects entries below one root.
struct Reader<'a> {
    root: &'a Path,
    entries: Vec<TreeEntry>,
    notices: Vec<Notice>,
}

impl<'a> Reader<'a> {
    const fn new(root: &'a Path) -> Self {
        Self { root, entries: Vec::new(), notices: Vec::new() }
    }

    fn absolute(&self, path: &[u8]) -> PathBuf {
        self.root.join(to_path(path))
    }

    fn relative(&self, path: &Path) -> Vec<u8> {
        from_path(path.strip_prefix(self.root).unwrap_or(path))
    }

    fn add(&mut self, path: Vec<u8>, metadata: &Metadata) -> Result<()> {
        let absolute = self.absolute(&path);
        let kind = metadata.file_type();
        let (mode, content) = if kind.is_symlink() {
            let target = fs::read_link(&absolute)
                .map_err(|error| Error::io("read link", &absolute, error))?;
            (Mode::Link, Digest::of(&from_path(&target)))
        } else if kind.is_dir() {
            (Mode::Submodule, submodule(&absolute)?)
        } else if kind.is_file() {
            (file_mode(metadata), self.content(&path, &absolute, metadata.len())?)
        } else {
            return Ok(());
        };
        self.entries.push(TreeEntry { path, mode, content });
        Ok(())
    }

    fn content(&mut self, path: &[u8], absolute: &Path, length: u64) -> Result<Digest> {
        let failed = |error| Error::io("read file", absolute, error);
        if path.ends_with(b".ipynb") {
            let bytes = fs::read(absolute).map_err(failed)?;
            if let Some(code) = notebook::code_of(&bytes) {
                return Ok(Digest::of(&code));
            }
            self.notices.push(Notice::UnreadableNotebook(super::shown(path)));
        }
        let mut file = File::open(absolute).map_err(failed)?;
        let mut hasher = blake3::Hasher::new();
        if length < POINTER_LIMIT {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(failed)?;
            if bytes.starts_with(POINTER_MARK) {
                self.notices.push(Notice::UnfetchedPointer(super::shown(path)));
            }
            hasher.update(&bytes);
        } else {
            hasher.update_reader(&mut file).map_err(failed)?;
        }
        Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
    }

    fn finish(self) -> Result<Tree> {
        let mut tree = Tree::new(self.entries)?;
        tree.notices.extend(self.notices);
        Ok(tree)
    }
}

/// The tree of a submodule. One that is not checked out has no `.git` of its own and no files:
/// asking git there would list the files of the repository around it.
fn submodule(root: &Path) -> Result<Digest> {
    let tree = if root.join(".git").exists() { Tree::read_git(root)? } else { Tree::default() };
    Ok(Digest::from_bytes(*tree.digest().as_bytes()))
}

#[cfg(unix)]
fn file_mode(metadata: &Metadata) -> Mode {
    use std::os::unix::fs::PermissionsExt as _;
    if metadata.permissions().mode() & 0o100 == 0 { Mode::File } else { Mode::Executable }
}

#[cfg(not(unix))]
fn file_mode(_: &Metadata) -> Mode {
    Mode::File
}

#[cfg(unix)]
fn from_path(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(not(unix))]
fn from_path(path: &Path) -> Vec<u8> {
    path.to_string_lossy().replace('\\', "/").into_bytes()
}

#[cfg(unix)]
fn to_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn to_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).as_ref())
}

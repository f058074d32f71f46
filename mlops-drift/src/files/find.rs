//! Which files a table is made of: files, folders and patterns become one list of paths.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::fence::Broken;
use super::options::Limits;
use crate::error::{Error, ErrorKind, Result};

/// Endings of the files that are taken from a folder.
pub(super) const PARQUET: [&str; 3] = ["parquet", "parq", "pq"];
pub(super) const IPC: [&str; 5] = ["arrow", "arrows", "feather", "ipc", "ipcs"];
pub(super) const CSV: [&str; 2] = ["csv", "tsv"];

/// How deep folders are searched.
const DEEPEST: usize = 64;

/// The files behind all sources, in their order, each once; those of a folder or pattern by path.
pub(super) fn find(sources: &[impl AsRef<Path>], limits: &Limits) -> Result<Vec<PathBuf>> {
    if sources.is_empty() {
        return Err(Error::invalid("no file was named"));
    }
    let mut found = Found { files: Vec::new(), seen: HashSet::new(), most: limits.files };
    for source in sources {
        let source = source.as_ref();
        match fs::metadata(source) {
            Ok(meta) if meta.is_file() => found.add(source.to_owned())?,
            Ok(meta) if meta.is_dir() => found.folder(source)?,
            Ok(_) => return Err(Broken::unusable("neither a file nor a folder").at(source)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_pattern(source) => {
                found.pattern(source)?;
            }
            Err(error) => return Err(Broken::from(error).at(source)),
        }
    }
    Ok(found.files)
}

/// The ending of a path, in lower case.
pub(super) fn ending(path: &Path) -> String {
    path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase()
}

fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.contains(['*', '?', '[']))
}

struct Found {
    files: Vec<PathBuf>,
    seen: HashSet<PathBuf>,
    most: usize,
}

impl Found {
    /// A file that is named twice, perhaps by two patterns, is read once.
    fn add(&mut self, path: PathBuf) -> Result<()> {
        let real = fs::canonicalize(&path).map_err(|error| Broken::from(error).at(&path))?;
        if self.seen.insert(real) {
            self.room(self.files.len(), &path)?;
            self.files.push(path);
        }
        Ok(())
    }

    fn room(&self, count: usize, path: &Path) -> Result<()> {
        if count < self.most {
            return Ok(());
        }
        Err(Broken::too_large(format!("more than {} files", self.most)).at(path))
    }

    fn folder(&mut self, folder: &Path) -> Result<()> {
        let mut files = Vec::new();
        let walk = WalkDir::new(folder).follow_links(true).max_depth(DEEPEST).into_iter();
        for entry in walk.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.file_name()))
        {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(folder).to_owned();
                let error = io::Error::from(error);
                let broken = match error.kind() {
                    // A link that leads back to a folder above it.
                    io::ErrorKind::Other => Broken::unusable("a folder can't be walked"),
                    _ => Broken::from(error),
                };
                broken.at(&path)
            })?;
            if entry.file_type().is_file() && is_known(entry.path()) {
                self.room(files.len(), folder)?;
                files.push(entry.into_path());
            }
        }
        self.all(files, folder)
    }

    fn pattern(&mut self, pattern: &Path) -> Result<()> {
        let options =
            glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
        let text = pattern.to_str().unwrap_or_default();
        let paths = glob::glob_with(text, options).map_err(|error| {
            Error::invalid(format!("not a pattern of files: pattern={text}")).with_source(error)
        })?;
        let mut files = Vec::new();
        for path in paths {
            let path = path.map_err(|error| {
                let path = error.path().to_owned();
                Broken::from(io::Error::from(error)).at(&path)
            })?;
            if path.is_file() {
                self.room(files.len(), pattern)?;
                files.push(path);
            }
        }
        self.all(files, pattern)
    }

    fn all(&mut self, mut files: Vec<PathBuf>, source: &Path) -> Result<()> {
        if files.is_empty() {
            let message = format!("no parquet, arrow or csv file there: path={}", source.display());
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        files.sort_unstable();
        files.into_iter().try_for_each(|path| self.add(path))
    }
}

/// What writers leave beside their files: `.x.crc`, `_SUCCESS`, `_temporary/`.
fn is_hidden(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(['.', '_']))
}

fn is_known(path: &Path) -> bool {
    let ending = ending(path);
    [&PARQUET[..], &IPC, &CSV].iter().any(|known| known.contains(&ending.as_str()))
}

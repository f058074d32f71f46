//! Whole files: read within a limit, written so that a reader sees the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// How many temporary files of writers that were killed may lie about.
const MOST_LEFT: u32 = 1_000;

/// All of a file of at most so many bytes.
pub(super) fn read(path: &Path, most: usize) -> Result<Vec<u8>> {
    let wrong = |error| failed("a file can't be read", path, error);
    let mut bytes = Vec::new();
    let limit = (most as u64).saturating_add(1);
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(wrong)?;
    if bytes.len() > most {
        let message = format!("a file is too large: most={most} path={}", path.display());
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    Ok(bytes)
}

/// Writes a file as a whole: beside it, synced, then renamed. On an error what was there is still there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let wrong = |error| failed("a file can't be written", path, error);
    let (temporary, mut file) = beside(path).map_err(wrong)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        return Err(match fs::remove_file(&temporary) {
            Ok(()) => wrong(error),
            Err(_) => {
                let left = format!("a file can't be written, {} is left", temporary.display());
                failed(&left, path, error)
            }
        });
    }
    sync_folder(path).map_err(wrong)
}

/// A new file in the same folder.
fn beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
    };
    for number in 0..MOST_LEFT {
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{number}.new"));
        let temporary = path.with_file_name(hidden);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many unfinished files lie beside it"))
}

/// Makes the new name last; where folders can't be opened, the system does.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory => ErrorKind::InvalidInput,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{what}: path={}", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_lies_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.ref");
        // What a writer left that was killed does not stop the next one.
        fs::write(folder.path().join(".a.ref.0.new"), b"half").expect("a file");
        for bytes in [&b"one"[..], b"two and more", b""] {
            write(&path, bytes).expect("written");
            assert_eq!(read(&path, 100).expect("read"), bytes);
        }
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        assert_eq!(names, [".a.ref.0.new", "a.ref"]);
    }

    #[test]
    fn errors_name_the_path_and_leave_what_was_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("taken");
        fs::create_dir_all(path.join("in it")).expect("a folder");
        let error = write(&path, b"x").expect_err("a folder is there");
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        let missing = folder.path().join("no").join("a.ref");
        for error in [write(&missing, b"x").expect_err(""), read(&missing, 9).expect_err("")] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
        let long = folder.path().join("long");
        write(&long, b"0123456789").expect("written");
        let error = read(&long, 9).expect_err("too long");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("most=9"), "{error}");
    }
}
